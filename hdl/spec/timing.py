# SPDX-License-Identifier: Apache-2.0
"""Latencies of the machine in clock cycles: the gateware keeps them, the compiler counts them.

Column c runs c hops behind column 0; where two events happen in the same column the hops cancel,
and that is how the numbers below are meant. A *slot* is a cycle of the array, a *command* the start
of a neuron in the filter.
"""

from dataclasses import dataclass

from antevolt.hdl.spec.machine import PRODUCTS, Machine
from antevolt.hdl.spec.program import Kind, Operation

__all__ = ["DIRECTION", "LAG", "LEAD", "RMW", "FilterSchedule", "Timing"]

LAG = 1  # high parts trail low parts
LEAD = 3  # address of a sum to its word
PRODUCT = 8  # slot to the products of its operands
WRITE = LAG + 2  # further to the cycle in which a new sum is written, with a lag
RMW = LEAD + WRITE + 1  # from one read of a sum to the next allowed read of it

# inside a filter unit, from its operands to its results
BASE = 7  # when a product's base must be there
WIDE = 10  # saturated result
NARROW = 12  # rounded to a word
STATE = 3  # command at a column to u or v, and e or r'
FETCH = 5  # command at a column to q, and so to the first product
FETCH_LATE = 3  # address of a q that is taken as it is to its place at the product
CHOOSE = 1  # an operand's register before its product
LOOKUP = 3  # p to interval value and slope
DRIVE = 3  # a drained sum to s

# inside an apply lane, from its gradient word (with a rule that has moments: DIRECTION later);
# where the lane has to choose what it scales, WEIGHT and RESULT come `Timing.choice` later
NUMBERS = 1  # when the weight's numbers must be there
WEIGHT = 8  # when the weight must be there
RESULT = 11  # when the new weight is there
FOLD = WRITE  # when the gradient sum that is carried on is there; a new one would be

# inside an apply lane with moments, from its gradient word
NORMAL = 10  # when what the moments move to is there, and they must be
AVERAGE = 19  # further to the new moments
DIRECTION = NORMAL + AVERAGE + 6  # when what moves the weight is there, as a gradient is without
MOMENT_NUMBERS = NORMAL + AVERAGE - 2 - 6  # when the weight's numbers must be there for them

FEW_ROWS = 4  # whose memories stand near each other
LONGEST_REST = 16  # far below what a neuron takes: nothing of it is written before

WALKER = 3  # issue of an operation to its first slot
COEFFICIENTS = 3  # further to its first command at the columns' head: coefficients are read
KEY = 16  # issue of an APPLY to its first gradient, while the key of the random bits is made
DIVIDE = 6  # last exponential written to the reciprocal of the sum, beside a cycle per bit
RATIO = 10  # a ratio, beside a cycle per bit of the word
MOVE = 9  # a step of a time constant, likewise
TIMES_READ = 3  # time constants and sums of a neuron are read
MIN_DELAY = 4  # from one operation's issue to the next: fetch and decode


@dataclass(frozen=True)
class FilterSchedule:
    """When each of the five products of a neuron starts, from the command, and on which multiplier.

    MEMBRANE: gamma e | rho d | phi | phi' | a_m d.
    ERROR: scale q | r' q | kappa delta | a_r delta | eps, where time constants learn.
    Starts on one multiplier differ modulo the interval at which a unit takes neurons. With a
    multiplier for each product an ERROR has times of its own: r' q as late as kappa delta allows,
    so that a q that needs no scale may come later (`fetch`).
    """

    starts: tuple[int, ...]
    multipliers: tuple[int, ...]
    period: int
    fifth: int  # latency of the fifth product

    @property
    def dense(self) -> bool:
        """A neuron per cycle."""
        return self.period == 1

    @property
    def errors(self) -> tuple[int, ...]:
        """Starts of an ERROR's products."""
        first, second, *rest = self.starts
        return (first, rest[0] - NARROW - CHOOSE if self.dense else second, *rest)

    @property
    def gap(self) -> int:
        """Cycles by which a MEMBRANE must come later after an ERROR than after another one."""
        return self.errors[1] - self.starts[1]

    @property
    def fetch(self) -> int:
        """Command to the address of a q that is taken as it is."""
        return self.errors[1] - CHOOSE - FETCH_LATE if self.dense else 0

    @property
    def done(self) -> int:
        """Command to the cycle in which all results are there."""
        return max(self.starts[3] + NARROW, self.starts[4] + self.fifth)

    @property
    def written(self) -> int:
        """Command to the cycle in which state, partner and outputs are written; rates 1 later."""
        return self.done + 1


def filter_schedule(machine: Machine) -> FilterSchedule:
    """Earliest starts in the order of need, first free multiplier."""
    period = machine.interval * machine.filters
    taken: set[tuple[int, int]] = set()
    starts: list[int] = []
    multipliers: list[int] = []
    for product in range(PRODUCTS):
        ready = {
            0: FETCH + CHOOSE,
            1: starts[0] + NARROW + CHOOSE if starts else 0,
            2: starts[1] + NARROW + LOOKUP + CHOOSE if len(starts) > 1 else 0,
            3: starts[2] + int(period > 1) if len(starts) > 2 else 0,
            4: starts[int(machine.time_constants)] + NARROW + CHOOSE if len(starts) > 1 else 0,
        }[product]
        start, multiplier = next(
            (t, n)
            for t in range(ready, ready + period)
            for n in range(machine.multipliers)
            if (t % period, n) not in taken
        )
        taken.add((start % period, multiplier))
        starts.append(start)
        multipliers.append(multiplier)
    fifth = NARROW if machine.time_constants else WIDE
    return FilterSchedule(tuple(starts), tuple(multipliers), period, fifth)


@dataclass(frozen=True)
class Timing:
    """Latencies of one core."""

    machine: Machine

    @property
    def tiles_down(self) -> int:
        return -(-self.machine.rows // self.machine.tile_rows)

    @property
    def gathered(self) -> int:
        """Cycles more for the answers of a tile's rows, where these are many."""
        return int(
            min(self.machine.rows, self.machine.tile_rows) > FEW_ROWS and not self.machine.near
        )

    @property
    def tiles_across(self) -> int:
        return -(-self.machine.streams // self.machine.tile_streams)

    @property
    def lead(self) -> int:
        """First push of a BACK to its first slot. Sweeps before it go on meanwhile."""
        return self.push * (self.machine.rows - 1)

    @property
    def aside(self) -> bool:
        """A BACK is kept aside until its sweep begins, while the program goes on; else it stays at
        hand. With a neuron per cycle pushes are what the array would wait for."""
        return self.push == 1 and self.lead + 2 > MIN_DELAY

    @property
    def at_hand(self) -> int:
        """Cycles from the issue of a BACK to that of the next operation, at least."""
        return MIN_DELAY if self.aside else max(MIN_DELAY, self.lead + 2)

    @property
    def push(self) -> int:
        """Cycles from one row's e to the next, as it is pushed."""
        return min(2, self.machine.interval)

    def slots(self, op: Operation) -> int:
        """Slots of a group of a FORWARD or a BACK: of a column pair each, or of one column."""
        both = self.machine.paired and op.kind == Kind.BACK and not op.q
        return -(-op.words // 2) if both else op.words

    @property
    def lag(self) -> int:
        """Cycles by which high parts trail low parts. None in a core that is near, or is paired and
        has twice the sums, for the registers that this saves; but where sums are carried on."""
        m = self.machine
        return 0 if (m.near or m.paired) and not m.carry else LAG

    @property
    def drive(self) -> int:
        """Low part of a drained sum, as its column takes it, to s."""
        return self.lag + self.stay + DRIVE

    @property
    def stay(self) -> int:
        """Cycles that a drained sum waits in its column. A MEMBRANE is issued MIN_DELAY after its
        FORWARD or later: by that long its sum may be ahead, and a sweep of one word is as short
        as others. With one stream the latency of every layer counts for more."""
        return 0 if self.machine.near or self.machine.streams == 1 else MIN_DELAY - 1

    @property
    def ahead(self) -> int:
        """Cycles by which a column asks for the next sum before it takes the one at hand: it is
        there 2 cycles later, and the next neuron `Machine.interval` later. So its first sum waits,
        since the tile below has its own a cycle later."""
        return int(self.machine.interval == 1)

    @property
    def q_address(self) -> int:
        """Slot to the address of its q word, in column tile 0."""
        levels = (min(self.machine.tile_rows, self.machine.rows) - 1).bit_length()
        return PRODUCT + 1 + levels + self.tiles_down - 1 - LEAD

    @property
    def g_address(self) -> int:
        """Slot to the address of its G word, in row tile 0."""
        levels = (min(self.machine.tile_streams, self.machine.streams) - 1).bit_length()
        return PRODUCT + 1 + levels + self.tiles_across - 1 - LEAD

    @property
    def gradient(self) -> int:
        """Slot to the gradient word at row tile 0's lanes."""
        return self.g_address + LEAD

    @property
    def choice(self) -> int:
        """Cycles in which an apply lane chooses what it scales: a sum, its sign, or what the
        moments make of it. One that rows share has time for a register there, too."""
        return int(self.machine.carry or self.machine.moments > 0 or self.shared > 0)

    @property
    def shared(self) -> int:
        """Cycles from the words of the rows that share a lane to the lane's: it takes one behind a
        register, and of many rows one of a few first."""
        return int(self.machine.apply_rows > 1) + int(self.machine.apply_rows > FEW_ROWS)

    @property
    def fold(self) -> int:
        """Gradient word of a row to what is carried on of it, FOLD behind its lane's."""
        return FOLD + self.shared

    @property
    def weight(self) -> int:
        """Gradient word to the cycle in which the weight must be there."""
        return WEIGHT + self.choice

    @property
    def result(self) -> int:
        """Gradient word to the new weight."""
        return RESULT + self.choice

    @property
    def apply_weight(self) -> int:
        """Slot that reads a gradient to the slot that reads its weight; with moments DIRECTION
        more."""
        return self.gradient + self.weight - 4

    @property
    def slot_to_command(self) -> int:
        """Last slot of a group to the command (at the head) of its first neuron."""
        return PRODUCT + 3 + self.ahead - (FETCH + BASE - self.drive)

    @property
    def times_sum(self) -> int:
        """Command (at the head) of an ERROR to the sum over the streams of e d."""
        return self.tiles_across + self.filter.written + 5

    @property
    def times_neuron(self) -> int:
        """Cycles of TIMES per neuron: read, five ratios and two steps, write."""
        word = self.machine.formats.word
        return TIMES_READ + 5 * (RATIO + word + 1) + 2 * (MOVE + word + 1) + 1

    @property
    def rest(self) -> int:
        """Cycles after its start in which a command at a column still says the same; all that is
        read by it, too. In a core that is near it stands there since before its start."""
        lasts = min(self.machine.interval, LONGEST_REST)
        return lasts - (1 + COEFFICIENTS + 1 if self.machine.near else 1)

    @property
    def filter(self) -> FilterSchedule:
        return filter_schedule(self.machine)
