# SPDX-License-Identifier: Apache-2.0
"""Input modes: one sample drives k steps of the core, held or interpolated.

The host makes the steps out of the samples; the core takes them as any others.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Raw
from antevolt.host.samples import Batch

__all__ = ["InputSetting"]

MODES = ("hold", "interpolate")
MOST = 1 << 12


@dataclass(frozen=True)
class InputSetting:
    """Steps per sample, and what the inputs do meanwhile.

    substeps  k, steps per sample; a power of two to interpolate
    mode      "hold": x throughout;
              "interpolate": in step i = 1..k x' + ((x - x') i >> log2 k), as integers of the
              format r, rounded down; x' is the sample before, and x itself where a stream starts
    """

    substeps: int = 1
    mode: str = "hold"

    def check(self) -> Self:
        """Itself; raises BadInput for what there is not."""
        k = self.substeps
        if self.mode not in MODES:
            raise BadInput(f"the input mode is {self.mode!r}; there are {', '.join(MODES)}")
        if type(k) is not int or not 1 <= k <= MOST:
            raise BadInput(f"substeps is {k!r}; it is an integer 1..{MOST}")
        if self.mode == "interpolate" and k & (k - 1):
            raise BadInput(f"substeps is {k}; to interpolate it is a power of two")
        return self

    @property
    def looks_back(self) -> bool:
        return self.mode == "interpolate" and self.substeps > 1

    def expand(self, batch: Batch, before: Raw) -> Batch:
        """The steps of a batch of samples; `before` [S, inputs]: the inputs of the step before.

        FIRST is in the first step of a sample only, LAST in the last one only; the target and the
        other flags are in all of them. A stream that is not valid keeps its x'.
        """
        k = self.substeps
        if k == 1:
            return batch
        x = np.repeat(batch.x, k, axis=0)
        if self.looks_back:
            x = x.reshape(batch.steps, k, *batch.x.shape[1:])
            for now, flags, steps in zip(batch.x, batch.flags, x, strict=True):
                valid = flags[:, None] & Flag.VALID != 0
                start = np.where(flags[:, None] & Flag.FIRST, now, before)
                change = (now - start) * np.arange(1, k + 1)[:, None, None]
                steps[:] = np.where(valid, start + (change >> k.bit_length() - 1), now)
                before = np.where(valid, now, before)
            x = x.reshape(-1, *batch.x.shape[1:])
        flags, place = np.repeat(batch.flags, k, axis=0), np.arange(k * batch.steps) % k
        flags[place > 0] &= ~int(Flag.FIRST)
        flags[place < k - 1] &= ~int(Flag.LAST)
        y = np.repeat(batch.y, k, axis=0)
        return Batch(x, y, flags, batch.saturated_inputs, batch.saturated_targets)
