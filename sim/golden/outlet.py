# SPDX-License-Identifier: Apache-2.0
"""OUTPUT as a numpy model: which words leave the core, and the sums over sequences.

Twin of `hdl.core.outlet`; the modes are those of `hdl.spec.outputs`.
"""

from collections.abc import Sequence

import numpy as np

from antevolt.hdl.spec.flags import FLAG_BITS, Flag
from antevolt.hdl.spec.formats import QFormat, Raw, saturate
from antevolt.hdl.spec.memory_map import OUTPUT_SUM_BITS, Register
from antevolt.hdl.spec.outputs import NEEDS_SUMS, OutputMode
from antevolt.hdl.spec.program import Operation
from antevolt.sim.golden.memories import Memories

__all__ = ["send"]

SUM = QFormat(OUTPUT_SUM_BITS, 0)


def send(memories: Memories, outputs: Sequence[Operation], flags: Raw, raw: Raw) -> Raw:
    """The words of the output port, flat, with their flags; changes sums and registers.

    outputs  the OUTPUT operations of a step;  flags  [N, S T];  raw  [N, S T, n], what they read
    """
    registers, fmt = memories.registers, memories.machine.formats
    flags = flags & (1 << FLAG_BITS) - 1  # the others are of the inputs alone
    if (
        registers[Register.OUTPUT_MODE] == OutputMode.EVERY
        and registers[Register.OUTPUT_EVERY] <= 1
        and completes(memories)
    ):
        registers[Register.OUTPUT_PASSED] = 0
        return (raw & (1 << fmt.word) - 1 | flags[:, : raw.shape[1], None] << fmt.word).reshape(-1)
    columns, sent = memories.machine.streams, []
    for own_flags, words in zip(flags, raw, strict=True):
        for n, op in enumerate(outputs):
            own = np.s_[op.context * columns : (op.context + 1) * columns]
            rows = words[n * columns : (n + 1) * columns]
            sent.append(put_out(memories, op, own_flags[own], rows))
        registers[Register.OUTPUT_PASSED] = 0 if completes(memories) else passed(memories)
    return np.concatenate(sent) if sent else np.zeros(0, dtype=np.int64)


def passed(memories: Memories) -> int:
    """Steps since the last output of the mode every, this one included."""
    return memories.registers[Register.OUTPUT_PASSED] + 1 & 0xFFFFFFFF


def completes(memories: Memories) -> bool:
    """This step completes OUTPUT_EVERY of them."""
    return passed(memories) >= memories.registers[Register.OUTPUT_EVERY]


def put_out(memories: Memories, op: Operation, flags: Raw, words: Raw) -> Raw:
    """The words of the output port, flat, with their flags; changes sums and registers.

    flags  [S], of the operation's context;  words  [S, n], what OUTPUT reads
    """
    registers, fmt = memories.registers, memories.machine.formats
    mode = registers[Register.OUTPUT_MODE]
    if mode in NEEDS_SUMS and memories.machine.sums:
        sums = _add(memories, op, flags, words)
    elif mode not in (OutputMode.EVERY, OutputMode.LAST):
        return np.zeros(0, dtype=np.int64)
    ended = flags & (Flag.VALID | Flag.LAST) == Flag.VALID | Flag.LAST
    if mode == OutputMode.EVERY:
        ended = np.full(len(flags), completes(memories))
    elif mode == OutputMode.SUM:
        words, lost = saturate(sums[ended] >> registers[Register.OUTPUT_SHIFT], fmt.r)
        registers[Register.SATURATED_SUMS] += lost
    elif mode == OutputMode.ARGMAX:
        words = np.argmax(sums[ended], axis=1)[:, None]  # the first of equals
    if mode in (OutputMode.EVERY, OutputMode.LAST):
        words = words[ended]
    return (words & (1 << fmt.word) - 1 | flags[ended, None] << fmt.word).ravel()


def _add(memories: Memories, op: Operation, flags: Raw, words: Raw) -> Raw:
    """The new sums [S, n]; those of streams that are not valid stay, and are not looked at."""
    place = np.s_[:, op.extra : op.extra + op.n]
    valid = flags & Flag.VALID != 0
    before = np.where(flags[:, None] & Flag.FIRST, 0, memories.sums[place])
    sums, _ = saturate(before + words, SUM)
    memories.registers[Register.SATURATED_SUMS] += int(
        np.count_nonzero((sums != before + words)[valid])
    )
    memories.sums[place] = np.where(valid[:, None], sums, memories.sums[place])
    return sums
