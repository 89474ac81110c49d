# SPDX-License-Identifier: Apache-2.0
"""Log-mel bands of a sound: the logarithm of its power in bands that are wider at high pitch."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_mel"]

BREAK, SCALE = 700.0, 2595.0  # mel = SCALE log10(1 + f / BREAK)
FLOOR = 1e-6  # of a band's power, before the logarithm


@cache
def _bank(bands: int, window: int, rate: int) -> NDArray[np.float64]:
    """Triangles [bands, window / 2 + 1], equally spaced in mel from 0 to half the rate."""
    top = SCALE * np.log10(1 + rate / 2 / BREAK)
    edges = BREAK * (10 ** (np.linspace(0, top, bands + 2) / SCALE) - 1)
    pitch = np.arange(window // 2 + 1) * rate / window
    rising = (pitch - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - pitch) / np.diff(edges)[1:, None]
    bank: NDArray[np.float64] = np.clip(np.minimum(rising, falling), 0, None)
    return bank


def log_mel(
    sound: NDArray[np.float64], rate: int, bands: int, window: int, hop: int
) -> NDArray[np.float64]:
    """[frames, bands] of sounds [samples], one frame each `hop` samples, the first around sample 0.

    Frames are of `window` samples, weighted by half a period of sin^2, and zero outside the sound.
    """
    padded = np.pad(sound, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(sound) : hop]
    shape = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    power = np.abs(np.fft.rfft(frames * shape)) ** 2
    bands_of: NDArray[np.float64] = np.log(power @ _bank(bands, window, rate).T + FLOOR)
    return bands_of
