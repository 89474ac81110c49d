# SPDX-License-Identifier: Apache-2.0
"""What a run of the float model put out, and its energy."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from antevolt.hdl.spec.network import Network
from antevolt.sim.golden.activations import Array
from antevolt.sim.golden.cost import cost
from antevolt.sim.golden.sequences import Sequences

__all__ = ["Run"]

RECORDED = ("u", "v", "r", "e", "slope", "u_dot")


def _nothing() -> Array:
    return np.zeros(0)


@dataclass
class Run:
    """What a run put out: `out` [T, S, outputs], and with `record=True` per population 1..L

    u, v, r, e   [T, S, n] after each step (e is the prospective error)
    slope        r' = phi'(p)
    u_dot        u' = d / tau_m of the step
    e_energy     [T, S] 1/2 |e|^2

    and of the whole network

    z            [T, S, outputs] what the cost reads: the output rates, or the leaky logits
    energy       [T, S] sum of `e_energy` and, where there is a target, beta C
    """

    out: Array
    u: list[Array] = field(default_factory=list)
    v: list[Array] = field(default_factory=list)
    r: list[Array] = field(default_factory=list)
    e: list[Array] = field(default_factory=list)
    slope: list[Array] = field(default_factory=list)
    u_dot: list[Array] = field(default_factory=list)
    e_energy: list[Array] = field(default_factory=list)
    z: Array = field(default_factory=_nothing)
    energy: Array = field(default_factory=_nothing)

    @classmethod
    def blank(cls, network: Network, shape: tuple[int, int], *, record: bool) -> "Run":
        """All zero, for `shape` = (T, S)."""
        result = cls(np.zeros((*shape, network.outputs)))
        if record:
            result.z = np.zeros_like(result.out)
            for name in RECORDED:
                setattr(result, name, [np.zeros((*shape, n)) for n in network.sizes[1:]])
        return result

    def keep(self, n: int, z: Array, state: Callable[[str], list[Array]]) -> None:
        """Record step n; `state` gives the arrays [S, n] of a quantity after the step."""
        self.z[n] = z
        for name in RECORDED:
            for kept, now in zip(getattr(self, name), state(name), strict=True):
                kept[n] = now

    def sum_energy(self, network: Network, data: Sequences) -> None:
        """Fill in the energies of what is recorded."""
        self.e_energy = [0.5 * np.square(e).sum(axis=-1) for e in self.e]
        costs = cost(network.cost, self.z, data.y, network.softmax_gain)
        self.energy = sum(self.e_energy) + np.where(data.target_valid, network.beta * costs, 0.0)

    def drop_streams(self) -> None:
        """Take the axis S out of everything."""
        self.out = self.out[:, 0]
        for name in (*RECORDED, "e_energy"):
            setattr(self, name, [kept[:, 0] for kept in getattr(self, name)])
        if self.energy.size:
            self.z, self.energy = self.z[:, 0], self.energy[:, 0]
