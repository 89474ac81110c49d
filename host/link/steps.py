# SPDX-License-Identifier: Apache-2.0
"""Steps of a core as frames for a board: inputs, and the targets that go with them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.flags import INPUT_FLAG_BITS, target_follows
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.link import PAYLOAD_BYTES, Kind
from antevolt.host.link import codec

__all__ = ["step_frames"]

HEAD = 10  # bytes of a frame that are not its words


def step_frames(x: Raw, y: Raw, word: int, places: int) -> Iterator[tuple[Kind, bytes]]:
    """Kind and payload of the frames, in order.

    x       [steps, S, inputs], words with the flags of a stream on its first one
    y       targets of the streams whose flags announce some, flat, as many for each
    places  words of inputs that a board keeps until the core takes them
    """
    if not len(x):
        return
    flags = x[:, :, 0] >> word
    follow = np.count_nonzero(target_follows(flags), axis=1)
    ends = np.cumsum(follow) * (y.size // max(1, int(follow.sum())))
    x = x & (1 << word) - 1 | flags[:, :, None] << word  # all words of a stream, so they pack
    done = 0
    for start, stop in _parts(follow, max(1, places // x[0].size)):
        yield from _inputs(x[start:stop].ravel(), word)
        yield from _packed(Kind.Y, b"", y[done : ends[stop - 1]], word)
        done = int(ends[stop - 1])


def _parts(follow: NDArray[np.int64], group: int) -> Iterator[tuple[int, int]]:
    """Steps whose inputs are sent before their targets, [start, end).

    follow  [steps], targets that are sent
    group   steps whose inputs have a place on the board. From the first on that waits for a target
            there are no more than that in a part, else the target would not get through behind them
    """
    start, sent = 0, np.flatnonzero(follow)
    while start < len(follow):
        first = int(np.searchsorted(sent, start))
        stop = len(follow) if first == sent.size else min(len(follow), int(sent[first]) + group)
        yield start, stop
        start = stop


def _inputs(words: Raw, word: int) -> Iterator[tuple[Kind, bytes]]:
    """Frames with one set of flags for all, or, where that costs more, with flags per word."""
    flags = words >> word
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flags)) + 1, [words.size]])
    shared = HEAD * (len(starts) - 1) + words.size * word / 8
    if shared > words.size * (word + INPUT_FLAG_BITS) / 8:
        yield from _packed(Kind.X_FLAGS, b"", words, word + INPUT_FLAG_BITS)
        return
    for a, b in zip(starts[:-1], starts[1:], strict=True):
        yield from _packed(Kind.X, bytes((int(flags[a]),)), words[a:b], word)


def _packed(kind: Kind, head: bytes, words: Raw, width: int) -> Iterator[tuple[Kind, bytes]]:
    per_frame = (PAYLOAD_BYTES - len(head)) * 8 // width
    for start in range(0, words.size, per_frame):
        yield kind, head + codec.pack(words[start : start + per_frame], width)
