# SPDX-License-Identifier: Apache-2.0
"""The loader of checkpoints: a safetensors file with JSON in its head."""

import hashlib
import json
from random import Random

import numpy as np

from antevolt.hdl.spec.errors import AntevoltError
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host import checkpoint
from antevolt.host.device import Device
from antevolt.host.device import open as open_device
from antevolt.sim.fuzz.campaign import Wrong
from antevolt.sim.fuzz.folder import folder_of
from antevolt.sim.fuzz.mutate import changed_bytes, changed_json

__all__ = ["CheckpointTarget"]

LENGTH = 8  # bytes that say how long the head is
WHOLE = 16  # one in so many: every word of the state is looked at
NETWORK = Network(2, (Population(3, "tanh", tau_m=2.0), Population(1, "linear")), eta=2.0**-5)


class CheckpointTarget:
    """Changed files to `Device.restore`; a refused one must leave the state as it was."""

    name, block, refusals = "checkpoint", 100, ()

    def __init__(self) -> None:
        self._path = folder_of(self) / "state.safetensors"
        self._device = open_device("model", machine=Machine())
        self._files = []
        rng = np.random.default_rng(2)
        for network in (NETWORK, NETWORK, NETWORK, NETWORK.with_(eta=0.5)):
            self._device.load(network)
            self._device.partial_fit(rng.uniform(-1, 1, (20, 2)), rng.uniform(-1, 1, 20))
            self._device.save(self._path)
            self._files.append(self._path.read_bytes())
            state = self._device.state_dict()
            real = {name: v for name, v in state.items() if not name.endswith(".raw")}
            checkpoint.write(self._path, network, self._device.machine.formats, real)
            self._files.append(self._path.read_bytes())
        self._device.load(NETWORK)
        self._whole, self._count = self._path.with_name("whole.safetensors"), 0
        self._whole.write_bytes(self._files[0])

    def begin(self) -> None:
        self._device.restore(self._whole)

    def draw(self, draw: Random) -> bytes:
        data, kind = draw.choice(self._files), draw.random()
        if kind < 0.3:
            return changed_bytes(draw, data, self._files)
        head, body = _parts(data)
        if kind < 0.6:
            return _joined(changed_json(draw, head).encode(errors="surrogatepass"), body)
        if kind < 0.8:
            return _joined(changed_bytes(draw, head.encode(), self._files), body)
        return _joined(_inner(draw, head).encode(errors="surrogatepass"), body)

    def feed(self, item: bytes) -> None:
        self._path.write_bytes(item)
        self._count += 1
        looked = self._count % WHOLE == 0
        before = _digest(self._device) if looked else b""
        try:
            self._device.restore(self._path)
        except AntevoltError:
            if looked and _digest(self._device) != before:
                raise Wrong("a refused file changed the state") from None
            raise
        if looked:
            state = self._device.state_dict()
            if not all(np.isfinite(value).all() for value in state.values()):
                raise Wrong("the state holds what is no number")


def _parts(data: bytes) -> tuple[str, bytes]:
    end = LENGTH + int.from_bytes(data[:LENGTH], "little")
    return data[LENGTH:end].decode(), data[end:]


def _joined(head: bytes, body: bytes) -> bytes:
    return len(head).to_bytes(LENGTH, "little") + head + body


def _inner(draw: Random, head: str) -> str:
    """The network in the head changed, its fingerprint right."""
    tree = json.loads(head)
    metadata = tree["__metadata__"]
    metadata["network"] = changed_json(draw, metadata["network"])
    found = hashlib.sha256(metadata["network"].encode(errors="surrogatepass"))
    metadata["fingerprint"] = found.hexdigest()
    return json.dumps(tree)


def _digest(device: Device) -> bytes:
    found = hashlib.sha256()
    for name, value in device.state_dict().items():
        found.update(name.encode() + value.tobytes())
    return found.digest()
