# SPDX-License-Identifier: Apache-2.0
"""Google Speech Commands (arXiv 1804.03209): a second of speech, which of ten words is it?

For users who have the files: a folder a word, `validation_list.txt`, `testing_list.txt`, and
`_background_noise_`. Nothing is downloaded. Twelve classes: the ten words, any other word, silence.
Preprocessing as published for GLE (arXiv 2403.16933): 32 log-mel bands, 40 frames a second, each
utterance to mean zero and variance one.
"""

import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.sim.tasks.log_mel import log_mel

__all__ = ["BANDS", "CLASSES", "FRAMES", "WORDS", "Folder", "Part", "opened"]

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
UNKNOWN, SILENCE = 10, 11
CLASSES = 12
RATE, BANDS, WINDOW, HOP = 16_000, 32, 1024, 400
FRAMES = RATE // HOP
LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
NOISE = "_background_noise_"
SHIFT = RATE // 10  # most that a learned utterance begins earlier or later
NOISY, LOUDEST = 0.8, 0.1  # share of learned utterances with noise, and its largest volume

Part = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class Folder:
    """Files by part and class; those of UNKNOWN are of all other words.

    SILENCE has none: it is cut from `noises`.
    """

    files: dict[Part, tuple[tuple[Path, ...], ...]]
    noises: tuple[NDArray[np.float64], ...]

    def features(
        self, part: Part, classes: NDArray[np.int64], rng: np.random.Generator, varied: bool
    ) -> NDArray[np.float64]:
        """[n, FRAMES, BANDS]: of each class a file of the part, drawn by `rng`.

        varied  shifted in time, most of them with noise. Raises BadFile.
        """
        return np.stack([self._one(part, int(c), rng, varied) for c in classes])

    def _one(
        self, part: Part, chosen: int, rng: np.random.Generator, varied: bool
    ) -> NDArray[np.float64]:
        if chosen == SILENCE:
            return _scaled(rng.uniform(0, 1) * self._cut(rng))
        files = self.files[part][chosen]
        sound = _fitted(read(files[rng.integers(len(files))]))
        if varied:
            shift = int(rng.integers(-SHIFT, SHIFT + 1))
            sound = _fitted(np.pad(sound, (max(shift, 0), 0))[max(-shift, 0) :])
            if rng.uniform() < NOISY:
                sound = sound + rng.uniform(0, LOUDEST) * self._cut(rng)
        return _scaled(sound)

    def _cut(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """A second of noise."""
        noise = self.noises[rng.integers(len(self.noises))]
        begin = int(rng.integers(len(noise) - RATE + 1))
        return noise[begin : begin + RATE]


def _fitted(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """One second: cut, or filled up with zeros."""
    return np.pad(sound[:RATE], (0, max(0, RATE - len(sound))))


def _scaled(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    bands = log_mel(sound, RATE, BANDS, WINDOW, HOP)
    scaled: NDArray[np.float64] = (bands - bands.mean()) / max(float(bands.std()), 1e-6)
    return scaled


def read(path: Path) -> NDArray[np.float64]:
    """A wave file of one channel, 16 bits, 16 kHz, as numbers in +-1. Raises BadFile."""
    try:
        with wave.open(str(path), "rb") as file:
            found = file.getnchannels(), 8 * file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise BadFile(f"cannot read {path}: {error}") from error
    if found != (1, 16, RATE):
        raise BadFile(f"{path} has channels, bits, rate {found}; wanted are (1, 16, {RATE})")
    return np.frombuffer(data, "<i2") / 32768.0


@cache
def opened(folder: Path) -> Folder:
    """What is in a folder; its sounds are read when they are needed, but for the noise.

    Raises BadInput where something is missing.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}; --data is that of Google Speech Commands")
    listed = {part: _listed(folder / name) for part, name in LISTS.items()}
    words = sorted(p for p in folder.iterdir() if p.is_dir() and p.name != NOISE)
    files: dict[Part, list[list[Path]]] = {
        part: [[] for _ in range(CLASSES)] for part in ("train", "valid", "test")
    }
    for word in words:
        place = WORDS.index(word.name) if word.name in WORDS else UNKNOWN
        for path in sorted(word.glob("*.wav")):
            name = f"{word.name}/{path.name}"
            held = [part for part in listed if name in listed[part]]
            part: Part = "train" if not held else "valid" if "valid" in held else "test"
            files[part][place].append(path)
    for part, classes in files.items():
        empty = [(*WORDS, "other words")[n] for n, paths in enumerate(classes[:-1]) if not paths]
        if empty:
            raise BadInput(f"{folder} has no {part} files of {', '.join(empty)}")
    noises = [sound for p in sorted((folder / NOISE).glob("*.wav")) if len(sound := read(p)) > RATE]
    if not noises:
        raise BadInput(f"{folder / NOISE} has no wave file of more than a second")
    frozen = {part: tuple(map(tuple, classes)) for part, classes in files.items()}
    return Folder(frozen, tuple(noises))


def _listed(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text().split())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}: {error}; it came with the data") from error
