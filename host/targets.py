# SPDX-License-Identifier: Apache-2.0
"""Targets that last go to the core once: it keeps the last one of each stream, and so does this."""

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.flags import Flag, target_follows
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region

__all__ = ["Targets", "known_only"]


class Targets:
    """What a core's streams had as target last; nothing is known at first.

    Whoever sends steps to a core asks `hold` about all of them, and tells `wrote` of all writes:
    another program may have its targets elsewhere. A target is known only since it went to the core
    in this very order of calls, so that whatever reaches the core whole and in order is right: a
    new device, another program, a new session begin with whole targets.
    """

    def __init__(self, machine: Machine):
        self._word, self._streams = machine.formats.word, machine.total_streams
        self.forget()

    def forget(self) -> None:
        """The core may hold anything."""
        self._known = np.zeros(self._streams, dtype=np.bool_)
        self._last: Raw = np.zeros((self._streams, 0), dtype=np.int64)

    def wrote(self, region: Region) -> None:
        """A write into that memory is on its way to the core."""
        if region == Region.PROGRAM:
            self.forget()

    def hold(self, x_words: ArrayLike, y_words: ArrayLike, steps: int) -> tuple[Raw, Raw]:
        """The words of x [steps, S, inputs] and of y, flat, without the targets that are there.

        Streams whose target is left out carry TARGET_HELD. Words of targets that are not as many
        for each stream go as they are.
        """
        x, y = np.asarray(x_words, dtype=np.int64), np.asarray(y_words, dtype=np.int64).ravel()
        if not steps or not x.size or x.size % (steps * self._streams):
            self.forget()
            return x, y
        x = x.reshape(steps, self._streams, -1)
        follows = target_follows(x[:, :, 0] >> self._word)
        count = int(np.count_nonzero(follows))
        if not count and not y.size:
            return x, y
        if not y.size or y.size % count:
            self.forget()
            return x, y
        own = y.reshape(count, -1)
        if own.shape[1] != self._last.shape[1]:
            self.forget()
            self._last = np.zeros((self._streams, own.shape[1]), dtype=np.int64)
        # targets of a stream in the order of steps, behind the one that it had before
        step, stream = np.nonzero(follows)
        order = np.argsort(stream, kind="stable")
        sorted_own, sorted_stream = own[order], stream[order]
        starts = np.concatenate([[True], np.diff(sorted_stream) != 0])
        before = np.concatenate([own[:1], sorted_own[:-1]])
        before[starts] = self._last[sorted_stream[starts]]
        held = np.all(sorted_own == before, axis=1) & (~starts | self._known[sorted_stream])
        ends = np.concatenate([starts[1:], [True]])
        self._last[sorted_stream[ends]] = sorted_own[ends]
        self._known[sorted_stream] = True
        sent = np.ones(count, dtype=np.bool_)
        sent[order] = ~held
        x = x.copy()
        x[step[~sent], stream[~sent], 0] |= int(Flag.TARGET_HELD) << self._word
        return x, own[sent].ravel()


def known_only(flags: Raw) -> Raw:
    """Flags [steps, S] without TARGET_HELD where no target of that stream came before."""
    held, follow = int(Flag.TARGET_HELD), target_follows(flags & ~int(Flag.TARGET_HELD))
    before = np.cumsum(follow, axis=0) - follow
    return np.where(before > 0, flags, flags & ~held)
