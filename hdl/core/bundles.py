# SPDX-License-Identifier: Apache-2.0
"""The bundles of signals that travel through the array and its columns, one hop per tile."""

from typing import Any

from amaranth.hdl import Array
from amaranth.lib import data

from antevolt.hdl.spec.flags import FLAG_BITS
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, INDEX_BITS, UNIT_BITS
from antevolt.hdl.spec.moments import SLOWEST
from antevolt.hdl.spec.timing import filter_schedule

__all__ = [
    "FLAGS_REGION",
    "TARGET_REGION",
    "Access",
    "ApplyRule",
    "ApplySlot",
    "FilterCommand",
    "Push",
    "Reply",
    "Slot",
    "bits",
    "coefficient",
    "first_stream",
    "flags",
    "ranges",
]

SHIFT_BITS = 6
TARGET_REGION, FLAGS_REGION = 14, 15
"""Regions of the access bus that only the sequencer's own operations write."""


def bits(depth: int) -> int:
    """Address bits of a memory of `depth` words."""
    return (depth - 1).bit_length()


def ranges(machine: Machine) -> tuple[int, int]:
    """Bits of a number of words and of a place, for what goes through the core's streams: as the
    program has them, or, in a core that is near, as its memories can have them."""
    if not machine.near:
        return 12, 14
    depth = max(machine.r_depth, machine.state_depth, machine.io_depth)
    return min(12, (2 * depth).bit_length()), bits(depth)


def first_stream(machine: Machine, context: Any) -> Any:
    """The first stream of a context: chosen, since a product would take a multiplier of the part,
    and the way there and back."""
    return Array(t * machine.streams for t in range(machine.contexts))[context]


flags = data.StructLayout({"valid": 1, "first": 1, "last": 1, "target_valid": 1, "learn": 1})
"""A stream's flags, in the order of `spec.flags.Flag`."""
if flags.size != FLAG_BITS:
    raise RuntimeError("flags and spec.flags.Flag disagree")


def coefficient(machine: Machine) -> data.StructLayout:
    """Mantissa and right shift of a filter coefficient."""
    return data.StructLayout({"mantissa": machine.formats.word, "shift": SHIFT_BITS})


class Slot(data.StructLayout):
    """One cycle of a sweep: a forward slot takes a column pair, a back slot one column."""

    def __init__(self, machine: Machine):
        super().__init__(
            {
                "en": 1,
                "back": 1,
                "first": 1,  # of its group
                "last": 1,  # of its group
                "half": 1,  # back: the odd column of the pair
                # back: both columns of it, or, with `half`, the even one alone
                **({"both": 1} if machine.paired else {}),
                "mask_low": 1,  # this rate reads as zero for a stream that starts
                "mask_high": 1,
                "context": 2,
                "weights": bits(machine.w_depth),
                "gradients": 1 + bits(machine.w_depth),
                "rates": bits(machine.r_depth),
                "q": bits(machine.state_depth),
                "q_live": 1,
                "q_clear": 1,
                "q_done": 1,  # the last group: q is complete
                "g_live": 1,
                "g_clear": 1,
                # an APPLY carries this sum on; a bit for each row that shares a lane
                **({"fold": machine.apply_rows} if machine.carry else {}),
            }
        )


class ApplySlot(data.StructLayout):
    """What an APPLY tells the lanes of all rows: a weight's numbers, and when to write a pair."""

    def __init__(self, machine: Machine):
        super().__init__(
            {
                "i": 15,  # of row 0's neuron, for the random bits
                "j": 13,
                "live": 1,  # the lane's result is the weight at `weights`, `half`
                "weights": bits(machine.w_depth),
                "half": 1,
                "moment_i": 15,  # as i and j, for the random bits of the moments
                "moment_j": 13,
                "moment": 1 + bits(machine.w_depth),  # where the new moment belongs
                "moment_live": 1,
            }
        )


class ApplyRule(data.StructLayout):
    """How an APPLY changes weights; static while it runs."""

    def __init__(self, apply_rows: int = 1) -> None:
        k = SLOWEST.bit_length()
        of_moments = {"rule": 3, "first": k, "second": k}  # of m, or of a sum, and of v
        # which of the rows that share a lane
        turn = {"skip": bits(apply_rows)} if apply_rows > 1 else {}
        super().__init__({"m": 3, "k": 6, "stochastic": 1, "key": 32, **of_moments, **turn})


class FilterCommand(data.StructLayout):
    """One neuron of a filter operation, for all columns."""

    def __init__(self, machine: Machine):
        super().__init__(
            {
                "start": 1,
                "unit": bits(machine.filters),
                "error": 1,
                "neuron": bits(machine.state_depth),
                "c": data.ArrayLayout(coefficient(machine), 3),
                "context": 2,
                "prior": 1,
                **({"keep": 1} if filter_schedule(machine).dense else {}),  # q needs no scale
                "cost": 1,  # q is a difference to the target
                "softmax": 1,  # of the q memory's word
                "drawn": 1,  # s comes from the output memory, not from the drain
                "exp": 1,
                "norm": 1,
                "times": 1,  # sum what moves the time constants
                "first": 1,  # of the population: a new largest value, a new sum
                "output": 1,
                "table": bits(machine.tables + 1),
                "rates": bits(machine.r_depth),
                "odd": 1,  # upper half of its activity pair
                "last": 1,  # last neuron of the operation
                "one": 1,  # the constant one follows an odd number of neurons
                "extra": bits(machine.io_depth),
            }
        )


class Push(data.StructLayout):
    """Shift the e of one neuron into the array's e chain."""

    def __init__(self, machine: Machine):
        super().__init__(
            {
                "en": 1,
                "neuron": bits(machine.state_depth),
                "live": 1,  # else its e is taken as zero
                "prior": 1,  # e is of the step before: zero for a stream that starts
                "context": 2,
            }
        )


class Access(data.StructLayout):
    """A read or write of one memory word; it passes every row and column."""

    def __init__(self) -> None:
        super().__init__(
            {
                "write": 1,
                "read": 1,
                "region": 4,
                "unit": UNIT_BITS,
                "index": INDEX_BITS,
                "data": DATA_BITS,
            }
        )


class Reply(data.StructLayout):
    """Answers of read accesses, or-ed from tile to tile."""

    def __init__(self) -> None:
        super().__init__({"data": DATA_BITS})
