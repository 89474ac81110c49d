# SPDX-License-Identifier: Apache-2.0
"""The loader of networks: JSON, and weights beside it."""

import json
from random import Random

import numpy as np

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, read, write
from antevolt.host.compile import compile
from antevolt.host.random_samples import random_network
from antevolt.sim.fuzz.campaign import Wrong
from antevolt.sim.fuzz.folder import folder_of
from antevolt.sim.fuzz.mutate import changed_bytes, changed_json

__all__ = ["NetworkTarget", "networks"]

POOL = 60
CORE = Machine(rows=2, streams=2, moments=2, time_constants=True)


def networks(count: int) -> list[Network]:
    """Random ones, of all features."""
    rng = np.random.default_rng(1)
    return [random_network(rng, largest=4, deepest=3, moments=2) for _ in range(count)]


class NetworkTarget:
    """Changed files to `read`; what it takes is compiled, too."""

    name, block, refusals = "network", 100, ()

    def __init__(self) -> None:
        self._path = folder_of(self) / "network.json"
        self._weights = self._path.with_suffix(".safetensors")
        self._texts, self._tensors = [], []
        for network in networks(POOL):
            write(self._path, network, network.random_parameters(0))
            self._texts.append(self._path.read_text())
            self._tensors.append(self._weights.read_bytes())
        self._bytes = [text.encode() for text in self._texts]

    def begin(self) -> None:
        pass

    def draw(self, draw: Random) -> tuple[bytes, bytes | None, bool]:
        """The JSON file, the weights' file or None, and whether to compile what is taken."""
        at, kind = draw.randrange(POOL), draw.random()
        text, tensors = self._bytes[at], self._tensors[at]
        if kind < 0.2:
            return changed_bytes(draw, text, self._bytes), None, True
        if kind < 0.8:
            changed = changed_json(draw, self._texts[at])
            return changed.encode(errors="surrogatepass"), None, draw.random() < 0.3
        if kind < 0.9:
            return text, changed_bytes(draw, tensors, self._tensors), False
        return text, self._tensors[draw.randrange(POOL)], False

    def feed(self, item: tuple[bytes, bytes | None, bool]) -> None:
        text, tensors, compiled = item
        self._path.write_bytes(text)
        self._weights.unlink(missing_ok=True)
        if tensors is not None:
            self._weights.write_bytes(tensors)
        network, parameters = read(self._path)
        again = Network.from_json(network.to_json())
        if again != network or again.fingerprint != network.fingerprint:
            raise Wrong("what was read and written is another network")
        json.loads(network.to_json())
        if parameters is not None and any(not np.isfinite(v).all() for v in parameters.values()):
            raise Wrong("weights that are no numbers were taken")
        if compiled:
            compile(network, CORE)
