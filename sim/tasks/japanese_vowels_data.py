# SPDX-License-Identifier: Apache-2.0
"""JapaneseVowels: nine speakers say a vowel; 12 numbers a step, 7 to 29 steps, who is it?

The packages aeon and sktime both ship it, with much besides: only the files are read, the packages
are not imported, so that one without what it requires will do. Nothing is downloaded. Source of the
data: Kudo, Toyama and Shimbo, Pattern Recognition Letters 20 (1999), by way of the UCI archive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile, BadInput

__all__ = ["CHANNELS", "CLASSES", "LENGTH", "Utterances", "read", "test_part", "train_part"]

CHANNELS, CLASSES, LENGTH = 12, 9, 29
PACKAGES = ("aeon", "sktime")
FOLDER = Path("datasets") / "data" / "JapaneseVowels"


@dataclass(frozen=True)
class Utterances:
    """x [n, LENGTH, CHANNELS], zero after the end; lengths [n]; speakers y [n], from 0 on."""

    x: NDArray[np.float64]
    lengths: NDArray[np.int64]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    def take(self, places: NDArray[np.int64]) -> "Utterances":
        """Some of them."""
        return Utterances(self.x[places], self.lengths[places], self.y[places])


def read(path: Path) -> Utterances:
    """A `.ts` file: a line an utterance, channels and the class between colons. Raises BadFile."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot read {path}: {error}") from error
    lines = [line for line in text.partition("@data\n")[2].splitlines() if line.strip()]
    parsed = [_line(path, number, line) for number, line in enumerate(lines, 1)]
    if not parsed:
        raise BadFile(f"{path} has no utterance after @data")
    x = np.zeros((len(parsed), LENGTH, CHANNELS))
    for n, (values, _) in enumerate(parsed):
        x[n, : len(values)] = values
    lengths, y = [len(values) for values, _ in parsed], [speaker for _, speaker in parsed]
    return Utterances(x, np.array(lengths), np.array(y))


def _line(path: Path, number: int, line: str) -> tuple[NDArray[np.float64], int]:
    *channels, speaker = line.split(":")
    try:
        values = np.array([[float(part) for part in channel.split(",")] for channel in channels])
        found = int(float(speaker)) - 1
    except ValueError as error:
        raise BadFile(f"{path}, utterance {number}: {error}") from error
    shape = values.shape
    if len(shape) != 2 or shape[0] != CHANNELS or shape[1] > LENGTH or not 0 <= found < CLASSES:
        raise BadFile(
            f"{path}, utterance {number} has shape {shape} and class {found + 1}; "
            f"there are {CHANNELS} channels, up to {LENGTH} steps, classes 1..{CLASSES}"
        )
    return values.T, found


def _path(name: str, packages: Sequence[str] = PACKAGES) -> Path:
    for package in packages:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder) / FOLDER / name
            if path.exists():
                return path
    raise BadInput(
        f"no {name} in {' or '.join(packages)}; pip install --no-deps aeon (only its data are read)"
    )


@cache
def _scaled(name: str) -> Utterances:
    """Each channel to mean zero and variance one of the training utterances."""
    trained = read(_path("JapaneseVowels_TRAIN.ts"))
    there = np.arange(LENGTH) < trained.lengths[:, None]
    mean, spread = trained.x[there].mean(axis=0), trained.x[there].std(axis=0)
    found = read(_path(name))
    there = np.arange(LENGTH) < found.lengths[:, None]
    return Utterances((found.x - mean) / spread * there[..., None], found.lengths, found.y)


def train_part() -> Utterances:
    """270 utterances, 30 of each speaker."""
    return _scaled("JapaneseVowels_TRAIN.ts")


def test_part() -> Utterances:
    """370 utterances, for the end of a run."""
    return _scaled("JapaneseVowels_TEST.ts")
