# SPDX-License-Identifier: Apache-2.0
"""Taps: states of a running network that are looked at every so many steps."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.device import Device

__all__ = ["ENERGY", "Taps"]

ENERGY = "energy"
"""The name that taps the energies, too: 1/2 |e|^2 of each population, then beta C, [L + 1, S]."""


@dataclass(frozen=True)
class Taps:
    """States by name and shape, and every how many steps they are read."""

    shapes: dict[str, tuple[int, ...]]
    every: int

    @classmethod
    def chosen(cls, patterns: Iterable[str], every: int, device: Device) -> "Taps":
        """What the loaded network has by these names.

        A pattern is a name of `Device.state_dict` with * for any characters, or the last part of
        such names (`u`, `weight`), or `energy`. Raises BadInput for one that nothing matches.
        """
        if every < 1:
            raise BadInput(f"taps every {every} steps: it is a number of steps, 1 or more")
        names = device.state_names
        found: dict[str, None] = {}
        for pattern in patterns:
            both = (pattern, f"*.{pattern}")
            hits = [name for name in names if any(fnmatchcase(name, way) for way in both)]
            hits += [ENERGY] if pattern == ENERGY else []
            if not hits:
                parts = sorted({name.rpartition(".")[2] for name in names})
                raise BadInput(
                    f"no state is called {pattern!r}; there are {', '.join(parts)}, {ENERGY}, and "
                    f"{', '.join(names)}"
                )
            found |= dict.fromkeys(hits)
        return cls({name: _value(device, name).shape for name in found}, every)

    @property
    def width(self) -> int:
        """Numbers of one reading."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def read(self, device: Device) -> NDArray[np.float64]:
        """[width]: all of them, now."""
        state = device.state_dict([name for name in self.shapes if name != ENERGY])
        if ENERGY in self.shapes:
            state[ENERGY] = _energies(device)
        parts = [np.asarray(state[name], dtype=np.float64).ravel() for name in self.shapes]
        return np.concatenate(parts)

    def split(self, readings: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Readings [n, width] by name, [n, *shape]."""
        found, at = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            found[name] = readings[:, at : at + size].reshape(len(readings), *shape)
            at += size
        return found


def _value(device: Device, name: str) -> NDArray[np.generic]:
    return _energies(device) if name == ENERGY else device.state_dict([name])[name]


def _energies(device: Device) -> NDArray[np.float64]:
    energy = device.energy()
    return np.vstack([energy.errors, energy.cost[None]])
