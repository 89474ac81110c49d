# SPDX-License-Identifier: Apache-2.0
"""The timetable: when each operation of a step is issued, and so how long a step takes.

Times count clock cycles from the issue of the first operation that is not blocking. Column c runs c
hops late in everything, so the hops cancel (`hdl.spec.timing`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import NEEDS, Rule
from antevolt.hdl.spec.program import ERRORS, Cost, Kind, Operation
from antevolt.hdl.spec.timing import (
    COEFFICIENTS,
    DIRECTION,
    DIVIDE,
    KEY,
    LEAD,
    MIN_DELAY,
    RESULT,
    RMW,
    WALKER,
    WEIGHT,
    WRITE,
    Timing,
)
from antevolt.host.gaps import LEARNING, insert

__all__ = ["LEARNING", "Timetable", "back_interval", "forward_interval", "schedule", "streaming"]

OVERHEAD = 4  # idle, fetch, load and end: cycles of a step outside its operations
COMMAND = WALKER + COEFFICIENTS
TAKING = 3  # issue of a TARGET or an OUTPUT to its first cycle, and its last to those who wait
READS = 2  # issue of an OUTPUT to the time of a command that would read its first word, at least
AGAIN = 3  # a word is read, and written no sooner than two cycles later; it takes one to be there
Q_WRITTEN = LEAD + WRITE + 3  # address of a finished q word to its place in the q memory


@dataclass(frozen=True)
class Timetable:
    """Operations with their delays, and the cycles of a step.

    cycles_learning : a step that ends with an APPLY;  cycles_plain : one that does not. Both with
    every stream valid, with a target, and never waiting for a stream.
    """

    operations: tuple[Operation, ...]
    machine: Machine

    def cycles(self, targets: int, applies: bool) -> int:
        """Cycles of a step in which `targets` streams have a target."""
        total, streams = OVERHEAD, self.machine.streams
        for op in self.operations[:-1]:
            if op.kind in LEARNING and op.keep and not applies:
                break  # it ends the step
            if op.kind == Kind.TARGET and op.blocking:
                total += streams + 1 + MIN_DELAY
            elif op.blocking:
                total += streaming(op, streams)
            else:
                total += MIN_DELAY if op.kind in LEARNING and not applies else op.delay
        blocks = [op.n for op in self.operations if op.kind == Kind.TARGET and op.blocking]
        return total + targets * max(blocks, default=0)

    @property
    def issues(self) -> tuple[int, ...]:
        """The cycle of each operation's issue, without those in which one that is blocking moves
        words."""
        return tuple(accumulate((op.delay for op in self.operations[:-1]), initial=0))

    @property
    def cycles_learning(self) -> int:
        return self.cycles(self.machine.total_streams, True)

    @property
    def cycles_plain(self) -> int:
        return self.cycles(self.machine.total_streams, False)


def streaming(op: Operation, streams: int) -> int:
    """Cycles in which an INPUT or an OUTPUT has the core for itself."""
    words = 1 + op.n * (1 + op.output) if op.kind == Kind.INPUT else op.n
    return streams * words + 1 + MIN_DELAY


def _late(timing: Timing, words: int) -> int:
    """How much later than it could a MEMBRANE starts, since operations are MIN_DELAY apart."""
    return max(0, MIN_DELAY - (words + WALKER + timing.slot_to_command - 1 - COMMAND))


def forward_interval(machine: Machine, words: int) -> int:
    """Cycles from group to group of a FORWARD and its MEMBRANE."""
    spacing, rows = machine.interval, machine.rows
    drained = (rows - 1) * spacing + 2 + _late(Timing(machine), words)
    least = max(words, rows * spacing, drained)
    return -(-least // spacing) * spacing


def back_interval(machine: Machine, columns: int, groups: int, q: bool) -> int:
    """Cycles from group to group of a BACK. All groups add to the same q, none to the same G."""
    timing = Timing(machine)
    slots = timing.slots(Operation(Kind.BACK, words=columns, q=int(q)))
    return max(slots, timing.lead + 1, RMW if q and groups > 1 else 1)


@dataclass
class _Clock:
    """What is known of the operations issued so far."""

    machine: Machine
    timing: Timing
    free: int = 0  # the operation before need not be at hand any more
    last_slot: int = -100
    aside: int = -100  # first slot of the last BACK that was kept aside
    vacant: int = 0  # first slot before it that nothing is swept in
    summed: int = -100  # last slot of the last FORWARD
    read: dict[int, int] = field(default_factory=dict)  # activity pair -> last slot that reads it
    last_push: int = -100
    last_command: int = -100
    after_errors: int = -100  # first command of neurons that are no errors
    drained: int = -100  # earliest last slot of a next FORWARD's first group
    finished: int = 0
    rates: dict[int, int] = field(default_factory=dict)  # activity pair -> first slot to read it
    partner: dict[int, int] = field(default_factory=dict)  # neuron -> first command to read it
    errors: dict[int, int] = field(default_factory=dict)  # neuron -> first push
    q: dict[int, int] = field(default_factory=dict)  # neuron -> first command to read it
    fetched: dict[int, int] = field(default_factory=dict)  # neuron -> its q is read
    outputs: dict[int, int] = field(default_factory=dict)  # word -> first command to read it
    gradients: dict[int, int] = field(default_factory=dict)  # group's first weight -> first slot
    sums: dict[int, int] = field(default_factory=dict)  # first q -> first slot to add to its sum
    chain: list[int] = field(default_factory=list)  # issues of the FORWARDs that follow
    swept: int = -100  # last q is written by a BACK
    shared: int = -100  # last q is written by an EXP or NORM
    taken: int = -100  # TARGET or OUTPUT in the background is done, if all streams have targets
    reading: list[tuple[int, int]] = field(default_factory=list)  # output memory: from .. until
    drawn: int = -100  # until when it is read by those who do not wait for an OUTPUT
    beside: bool = False  # an OUTPUT may still be at work, if it waits for its stream
    largest: int = -100  # first EXP command that knows the largest output
    total: int = -100  # first NORM command that knows the sum of exponentials


def schedule(operations: Sequence[Operation], machine: Machine) -> Timetable:
    """Fill the delays of a step's operations, as early as data and hardware allow."""
    clock = _Clock(machine, Timing(machine))
    back = clock.timing.at_hand
    issues: list[int] = []
    started = False
    operations, outputs = _apart(operations)
    for n, op in enumerate(operations):
        earliest = clock.free if started else 0
        if op.blocking:
            issue = max(earliest, clock.finished) if started else 0
            clock.finished = max(clock.finished, issue)
        else:
            issue = _ISSUE[op.kind](clock, op, earliest, operations[n + 1 :])
            started = True
        issues.append(issue)
        clock.free = issue + (back if op.kind == Kind.BACK else MIN_DELAY)
    for op in outputs:
        ready = max(clock.drawn, clock.taken, _written(clock, op))
        clock.taken = insert(
            operations, issues, op, ready, _takes(op, machine), clock.reading, back
        )
    filled = []
    for n, op in enumerate(operations):
        delay = MIN_DELAY
        if not op.blocking and n + 1 < len(operations):
            delay = issues[n + 1] - issues[n]
        filled.append(replace(op, delay=delay))
    last = next(n for n in range(len(filled) - 1, -1, -1) if filled[n - 1].kind not in LEARNING)
    if filled[last].kind in LEARNING:  # and nothing else from here on
        filled[last] = replace(filled[last], keep=1)
    return Timetable(tuple(filled), machine)


def _apart(operations: Sequence[Operation]) -> tuple[list[Operation], list[Operation]]:
    """The program, and the OUTPUTs in the background before its END, for which gaps are found."""
    last = len(operations) - 1
    first = last
    while first > 0 and operations[first - 1].kind == Kind.OUTPUT and operations[first - 1].keep:
        first -= 1
    return [*operations[:first], *operations[last:]], list(operations[first:last])


def _align(machine: Machine, issue: int, first_command: int) -> int:
    """Later by what puts the first command on the filters' grid."""
    return issue + -first_command % machine.interval


def _commands(op: Operation, machine: Machine, first: int, interval: int) -> list[int]:
    """When the neurons of a filter operation start."""
    rows, spacing = machine.rows, machine.interval
    return [first + j // rows * interval + j % rows * spacing for j in range(op.n)]


@dataclass(frozen=True)
class _Sums:
    """A FORWARD and all that add to the same sums after it: where they can be.

    offsets  of their issues, from that of the first;  total: slots of a group, pauses included
    command  the first of their MEMBRANE, from the first issue;  drain: last slot to the last
             neuron's sum
    """

    op: Operation
    offsets: tuple[int, ...]
    total: int
    command: int
    drain: int
    least: int  # earliest issue, but for the slots of others

    def issue(self, begin: int, machine: Machine) -> int:
        """The first one, with slots from `begin` on and commands on the filters' grid."""
        issue = max(self.least, begin - WALKER)
        return _align(machine, issue, issue + self.command)

    def last_slot(self, issue: int) -> int:
        return issue + WALKER + (self.op.groups - 1) * self.op.interval + self.total - 1


def _sums(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> _Sums:
    machine, timing = clock.machine, clock.timing
    length = next(n for n, other in enumerate((op, *after)) if other.tail)
    parts, membrane = (op, *after[:length]), after[length] if len(after) > length else None
    if membrane is None or membrane.kind != Kind.MEMBRANE:
        raise ValueError("a FORWARD is followed by its MEMBRANE")
    offsets = [0]
    for part in parts[:-1]:
        offsets.append(offsets[-1] + max(part.words, MIN_DELAY))
    tail = parts[-1]
    total = offsets[-1] + tail.words
    issue = earliest
    for part, offset in zip(parts, offsets, strict=True):
        for p in range(part.words):
            issue = max(issue, clock.rates.get(part.rates + p, 0) - offset - p - WALKER)
    issue = max(issue, clock.drained - (total - 1) - WALKER)
    to_command = WALKER + total - 1 + timing.slot_to_command + _late(timing, tail.words)
    command = max(clock.last_command + machine.interval, clock.after_errors)
    issue = max(issue, command - to_command)
    for j, command in enumerate(_commands(membrane, machine, 0, op.interval)):
        ready = clock.partner.get(membrane.neurons + j, -1000)
        read = clock.read.get(membrane.rates + (membrane.odd + j) // 2, -1000)
        anew = read + AGAIN - timing.filter.written
        issue = max(issue, max(ready, anew) - command - to_command)
    left = membrane.n - (op.groups - 1) * machine.rows  # of the last group
    drain = (left - 1) * machine.interval + 2 + _late(timing, tail.words)
    return _Sums(op, tuple(offsets), total, to_command, drain, issue)


def _forward(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    """A FORWARD with a head fixes the times of all that add to the same sums."""
    if not op.head:
        return clock.chain.pop(0)
    sums = _sums(clock, op, earliest, after)
    issue = sums.issue(clock.vacant, clock.machine)
    if sums.last_slot(issue) < clock.aside - 1:  # in the one before it the BACK is taken
        clock.vacant = sums.last_slot(issue) + 1
    else:
        issue = sums.issue(max(clock.last_slot + 1, clock.aside + 2), clock.machine)
        clock.last_slot = sums.last_slot(issue)
    clock.chain = [issue + offset for offset in sums.offsets[1:]]
    clock.summed = sums.last_slot(issue)
    clock.drained = clock.summed + sums.drain
    return issue


def _membrane(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    """Rigidly tied to the FORWARD before it."""
    machine, timing, written = clock.machine, clock.timing, clock.timing.filter.written
    groups = -(-op.n // machine.rows)
    last = clock.summed - (groups - 1) * op.interval
    first = last + timing.slot_to_command
    issue = first - COMMAND
    if issue < earliest:
        first += earliest - issue
        issue = earliest
    commands = _commands(op, machine, first, op.interval)
    for j, command in enumerate(commands):
        clock.partner[op.neurons + j] = command + written + 1
        clock.rates[op.rates + (op.odd + j) // 2] = command + written + 2
        if op.output:
            clock.outputs[op.extra + j] = command + written + 1
    clock.largest = commands[-1] + written + 1
    _filter_used(clock, commands[-1])
    return issue


def _dense(clock: _Clock, op: Operation, earliest: int, ready: Mapping[int, int]) -> list[int]:
    """Commands of an operation that no FORWARD sets the pace of; `ready` per neuron, from 0."""
    machine = clock.machine
    spacing = machine.interval
    issue = max(earliest, clock.last_command + spacing - COMMAND)
    if op.kind not in ERRORS:
        issue = max(issue, clock.after_errors - COMMAND)
    offsets = _commands(op, machine, COMMAND, machine.rows * spacing)
    issue = max([issue, *(ready.get(j, 0) - offset for j, offset in enumerate(offsets))])
    issue = _align(machine, issue, issue + COMMAND)
    commands = [issue + offset for offset in offsets]
    _filter_used(clock, commands[-1])
    if op.kind in ERRORS:
        clock.after_errors = commands[-1] + spacing + clock.timing.filter.gap
    return commands


def _target(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    """In the background: one cycle per word and one per stream, after those of its start."""
    issue = max(earliest, clock.taken)
    clock.taken, clock.beside = issue + TAKING + clock.machine.streams * (1 + op.n), False
    clock.finished = max(clock.finished, clock.taken)
    return issue


def _takes(op: Operation, machine: Machine) -> int:
    """Cycles from the issue of an OUTPUT until it is known to be done."""
    return TAKING + machine.streams * op.n


def _written(clock: _Clock, op: Operation) -> int:
    """First issue of an OUTPUT whose words are all there when they are read, in their order."""
    words = (clock.outputs.get(op.extra + j, 0) - j for j in range(op.n))
    return max(words, default=0) - READS


def _output(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    """In the background, where the program has it: after all that reads the output memory."""
    read = max((until for _, until in clock.reading), default=0)
    issue = max(earliest, clock.taken, read, 0 if op.prior else _written(clock, op))
    clock.taken, clock.beside = issue + _takes(op, clock.machine), True
    clock.finished = max(clock.finished, clock.taken)
    return issue


def _reads(clock: _Clock, op: Operation, commands: list[int]) -> None:
    """Commands that read the output memory."""
    until = commands[-1] + clock.machine.interval  # an operand rests that long at most
    clock.reading.append((commands[0] - COMMAND, until))
    if not op.joins:
        if clock.beside:
            raise ValueError(f"{op.kind.name} does not wait for an OUTPUT in the background")
        clock.drawn = until


def _error(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    written = clock.timing.filter.written
    fetch = clock.timing.filter.fetch if op.keep else 0
    ready = {}
    for j in range(op.n):
        neuron = op.neurons + j
        source = clock.outputs.get(op.extra + j, 0) if op.cost == Cost.SQUARED else 0
        if op.cost != Cost.SQUARED:
            source = clock.q.get(neuron, 0) - fetch
        ready[j] = max(clock.partner.get(neuron, 0), source)
    commands = _dense(clock, op, max(earliest, clock.taken if op.cost else 0), ready)
    clock.beside &= not op.cost
    if op.cost == Cost.SQUARED:
        _reads(clock, op, commands)
    if op.g:
        clock.finished = max(clock.finished, commands[-1] + clock.timing.times_sum + 4)
    for j, command in enumerate(commands):
        clock.partner[op.neurons + j] = clock.errors[op.neurons + j] = command + written + 1
        clock.fetched[op.neurons + j] = command + fetch
    return commands[0] - COMMAND


def _trace(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    ready = {j: clock.outputs.get(op.extra + j, 0) for j in range(op.n)}
    commands = _dense(clock, op, earliest, ready)
    for j, command in enumerate(commands):
        clock.rates[op.rates + j // 2] = command + clock.timing.filter.written + 2
    _reads(clock, op, commands)
    return commands[0] - COMMAND


def _exp(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    written = clock.timing.filter.written
    first = max(clock.largest, clock.swept - written)
    commands = _dense(clock, op, earliest, dict.fromkeys(range(op.n), first))
    clock.total = commands[-1] + written + DIVIDE + clock.machine.formats.word
    _shared(clock, op, commands)
    _reads(clock, op, commands)
    return commands[0] - COMMAND


def _norm(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    commands = _dense(clock, op, earliest, dict.fromkeys(range(op.n), clock.total))
    _shared(clock, op, commands)
    return commands[0] - COMMAND


def _shared(clock: _Clock, op: Operation, commands: list[int]) -> None:
    written = clock.timing.filter.written
    for j, command in enumerate(commands):
        clock.q[op.neurons + j] = command + written + 2
    clock.shared = commands[-1] + written + 2


def _filter_used(clock: _Clock, last: int) -> None:
    clock.last_command = last
    reach = clock.timing.filter.written + 3 + clock.timing.tiles_across
    clock.finished = max(clock.finished, last + reach)


def _back(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    rows, timing = clock.machine.rows, clock.timing
    pairs, slots = -(-op.words // 2), timing.slots(op)
    each = 1 if slots < op.words else 2  # slots of a pair
    # its first pushes beside the sweep before, but behind the last of a BACK before
    begin = clock.last_slot + 1 - WALKER
    issue = max(earliest, begin - timing.lead, clock.last_push + 1 - WALKER)
    for i in range(op.skip, op.skip + op.rows if not op.prior_e else op.skip):
        push = WALKER + i // rows * op.interval + timing.push * (i % rows)
        issue = max(issue, clock.errors.get(op.neurons + i, 0) - push)
    to_slot = WALKER + timing.lead
    for p in range(pairs if op.g else 0):
        issue = max(issue, clock.rates.get(op.rates + p, 0) - each * p - to_slot)
    last = (op.groups - 1) * op.interval
    for g in range(op.groups if op.g else 0):
        ready = clock.gradients.get(op.weights + g * pairs, 0)
        issue = max(issue, ready - to_slot - g * op.interval)
    if op.q:
        issue = max(issue, clock.shared - to_slot - last - timing.q_address)
        if not op.head:
            issue = max(issue, clock.sums[op.extra] - to_slot)
        for j in range(op.n if op.tail else 0):
            written = last + j + timing.q_address + Q_WRITTEN
            issue = max(issue, clock.fetched.get(op.extra + j, 0) + AGAIN - written - to_slot)
    first = issue + to_slot
    if timing.aside:
        first = _after_sums(clock, first, issue + MIN_DELAY, after)
        issue = first - to_slot
        clock.aside, clock.vacant = first, clock.last_slot + 1
    final = first + last
    clock.last_push, clock.last_slot = final, final + slots - 1
    ahead = op.words // 2 if clock.machine.paired and op.q else 0  # of this one a next may come
    for g in range(op.groups if op.g else 0):
        clock.gradients[op.weights + g * pairs] = first + g * op.interval + RMW + ahead
    for p in range(pairs if op.g else 0):
        clock.read[op.rates + p] = final + each * (p + 1) - 1
    if op.q:
        clock.sums[op.extra] = final + RMW
    if op.q and op.tail:
        for j in range(op.n):
            clock.q[op.extra + j] = final + j + timing.q_address + Q_WRITTEN
        clock.swept = final + op.n + timing.q_address + Q_WRITTEN
    reach = max(
        timing.q_address + Q_WRITTEN + timing.tiles_across,
        timing.g_address + RMW + timing.tiles_down,
    )
    clock.finished = max(clock.finished, clock.last_slot + reach + 2)
    return issue


def _after_sums(clock: _Clock, first: int, earliest: int, after: Sequence[Operation]) -> int:
    """The first slot of a BACK that lets a FORWARD after it in the program come before it, if that
    is shorter than to wait."""
    if not after or after[0].kind != Kind.FORWARD or not after[0].head:
        return first
    sums = _sums(clock, after[0], earliest, after[1:])
    issue = sums.issue(clock.last_slot + 1, clock.machine)
    last = sums.last_slot(issue)
    wanted = last + 2
    return wanted if first < wanted <= first + last - issue - WALKER + 1 else first


def _apply(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    issue = max(earliest, clock.last_slot, clock.finished)
    weights = 2 * op.words * op.groups
    written = KEY + clock.timing.apply_weight + weights + RESULT - WEIGHT + 4
    written += clock.timing.shared
    written += DIRECTION if NEEDS[Rule(op.table)] else 0
    clock.finished = max(clock.finished, issue + written + clock.timing.tiles_down + 2)
    return issue


def _times(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    issue = max(earliest, clock.finished)
    clock.finished = max(clock.finished, issue + 3 + op.n * clock.timing.times_neuron)
    return issue


def _end(clock: _Clock, op: Operation, earliest: int, after: Sequence[Operation]) -> int:
    return max(earliest, clock.finished)


_ISSUE = {
    Kind.TARGET: _target,
    Kind.OUTPUT: _output,
    Kind.FORWARD: _forward,
    Kind.MEMBRANE: _membrane,
    Kind.ERROR: _error,
    Kind.BACK: _back,
    Kind.APPLY: _apply,
    Kind.TRACE: _trace,
    Kind.EXP: _exp,
    Kind.NORM: _norm,
    Kind.TIMES: _times,
    Kind.END: _end,
}
