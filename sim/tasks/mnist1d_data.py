# SPDX-License-Identifier: Apache-2.0
"""MNIST-1D (arXiv 2011.14439), made by the package `mnist1d`: 72 samples a sequence, ten classes.

72 is the resolution at which the package draws a sequence, before it thins it out to 40. Other
lengths are interpolated, as by the package. Nothing is downloaded.
"""

import random
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.extras import install

__all__ = [
    "CLASSES",
    "LENGTH",
    "Split",
    "fresh_split",
    "test_split",
    "train_split",
    "valid_split",
]

LENGTH, CLASSES = 72, 10
OFFICIAL, VALID, FRESH = 42, 1042, 2042  # seeds of the generator; 42 is the package's own


@dataclass(frozen=True)
class Split:
    """Sequences `x` [n, samples] and their classes `y` [n]."""

    x: NDArray[np.float64]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    def head(self, count: int) -> "Split":
        """The first ones."""
        return Split(self.x[:count], self.y[:count])


@cache
def _generate(seed: int, samples: int, share: float, length: int = LENGTH) -> tuple[Split, Split]:
    """The two parts that the package divides its sequences into; raises BadInput without it."""
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as error:
        raise BadInput(
            f"the data come from the package mnist1d ({error}); {install('tasks')} brings it"
        ) from error
    arguments = get_dataset_args()
    arguments.final_seq_length = length
    arguments.seed, arguments.num_samples, arguments.train_split = seed, samples, share
    states = random.getstate(), np.random.get_state()
    try:
        made = make_dataset(arguments)  # seeds both generators
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    pairs = ((made["x"], made["y"]), (made["x_test"], made["y_test"]))
    first, second = (Split(np.asarray(x, float), np.asarray(y, np.int64)) for x, y in pairs)
    return first, second


def train_split(length: int = LENGTH) -> Split:
    """The package's 4000 training sequences."""
    return _generate(OFFICIAL, 5000, 0.8, length)[0]


def valid_split(length: int = LENGTH) -> Split:
    """2000 fresh sequences, drawn with another seed: all settings were chosen on them."""
    return _generate(VALID, 4000, 0.5, length)[0]


def test_split(length: int = LENGTH) -> Split:  # noqa: PT028  is no test
    """The package's 1000 test sequences, for the end of a run."""
    return _generate(OFFICIAL, 5000, 0.8, length)[1]


def fresh_split(length: int = LENGTH) -> Split:
    """10,000 fresh sequences of a third seed, for the end of a run, too."""
    return _generate(FRESH, 12_500, 0.8, length)[0]
