# SPDX-License-Identifier: Apache-2.0
"""A device's state in one `.safetensors` file, with the network it belongs to.

The tensors are those of `Device.state_dict`; the metadata hold the network's JSON, its
fingerprint and the word length of the core, without which raw integers mean nothing.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from antevolt.hdl.spec.errors import BadFile, BadNetwork
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.network import Network
from antevolt.host.files import write_whole

__all__ = ["State", "read", "read_network", "write"]

KIND = "antevolt state 1"

State = dict[str, NDArray[np.generic]]
"""Arrays by name, see `Device.state_dict`."""


def write(path: str | Path, network: Network, formats: Formats, state: State) -> None:
    """Write a state; the file is replaced whole or not at all."""
    path = Path(path)
    metadata = {
        "kind": KIND,
        "network": network.to_json(),
        "fingerprint": network.fingerprint,
        "word": str(formats.word),
    }
    data = to_bytes({k: np.ascontiguousarray(v) for k, v in state.items()}, metadata=metadata)
    write_whole(path, data)


def read(path: str | Path, network: Network, formats: Formats | None) -> State:
    """The state in a file. Raises BadFile for one that is missing, truncated, foreign, of another
    network or of a core with another word length than that of `formats` (None: any will do)."""
    state, metadata = _open(Path(path))
    if metadata["fingerprint"] != network.fingerprint:
        raise BadFile(
            f"{path} holds the state of another network (fingerprint "
            f"{metadata['fingerprint'][:12]}, this one's is {network.fingerprint[:12]}); "
            "load that network first: antevolt.host.checkpoint.read_network gives it"
        )
    if formats is not None and metadata["word"] != str(formats.word):
        raise BadFile(
            f"{path} holds words of {metadata['word']} bits, this core has {formats.word}; "
            "restore(path, rounded=True) rounds its numbers"
        )
    return state


def read_network(path: str | Path) -> Network:
    """The network whose state a file holds; raises BadFile like `read`."""
    return Network.from_json(_open(Path(path))[1]["network"])


def _open(path: Path) -> tuple[State, dict[str, str]]:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError) as error:  # TypeError: numbers unknown to numpy
        raise BadFile(f"{path} is not a whole safetensors file: {error}") from error
    if metadata.get("kind") != KIND or not {"network", "fingerprint", "word"} <= set(metadata):
        raise BadFile(f"{path} is not a state of a device (its kind is {metadata.get('kind')!r})")
    try:
        fingerprint = Network.from_json(metadata["network"]).fingerprint
    except (BadFile, BadNetwork) as error:
        raise BadFile(f"{path} holds a network that cannot be: {error}") from error
    if fingerprint != metadata["fingerprint"]:
        raise BadFile(f"{path} contradicts itself: its network does not have its fingerprint")
    return state, metadata
