# SPDX-License-Identifier: Apache-2.0
"""How good outputs are against their targets: loss and, of classes, accuracy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.network import Network
from antevolt.sim.golden.cost import cost

__all__ = ["Score"]

Numbers = NDArray[np.float64]
Flags = dict[str, NDArray[np.bool_]]


@dataclass
class Score:
    """Of all outputs that were added and had a target.

    network  with squared_error the loss is the mean of (y - r)^2 over all outputs; with
             cross_entropy it is that of softmax(gain r), a mean over streams and steps, and the
             accuracy is the share of these whose largest output is the target's
    """

    network: Network
    lost: float = 0.0
    counted: int = 0
    right: int = 0
    rated: int = 0

    def add(self, outputs: Numbers, y: ArrayLike | None, flags: Flags) -> None:
        """Outputs [T, S, n]; y of as many numbers, or None; flags [T, S] or [T], as of a stream.

        Where the data say which steps are `last`, these alone count for the accuracy.
        """
        if y is None or not outputs.size:
            return
        targeted = _all(outputs, flags, "valid", "target_valid")
        targets = np.reshape(y, outputs.shape)[targeted]
        found = outputs[targeted]
        if self.network.cost == "squared_error":
            self.lost += float(np.square(found - targets).sum())
            self.counted += found.size
            return
        self.lost += float(cost("cross_entropy", found, targets, self.network.softmax_gain).sum())
        self.counted += len(found)
        rated = _all(outputs, flags, "last")[targeted]
        hits = found.argmax(axis=-1) == targets.argmax(axis=-1)
        self.right += int(hits[rated].sum())
        self.rated += int(rated.sum())

    @property
    def loss(self) -> float | None:
        """None where nothing had a target."""
        return self.lost / self.counted if self.counted else None

    @property
    def accuracy(self) -> float | None:
        """0..1; None where there are no classes."""
        return self.right / self.rated if self.rated else None


def _all(outputs: Numbers, flags: Flags, *names: str) -> NDArray[np.bool_]:
    """[T, S], where all these flags that there are hold."""
    held = np.ones(outputs.shape[:2], dtype=np.bool_)
    for name in names:
        if name in flags:
            flag = np.asarray(flags[name], dtype=np.bool_)
            held &= flag.reshape(len(flag), -1)
    return held
