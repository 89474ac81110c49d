# SPDX-License-Identifier: Apache-2.0
"""The core: array, columns, apply lanes and the sequencer that plays the program."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from antevolt.hdl.core.apply import ApplyLane
from antevolt.hdl.core.array import Array
from antevolt.hdl.core.bundles import Access, ApplyRule, FilterCommand, flags
from antevolt.hdl.core.column import Column
from antevolt.hdl.core.gate import Gate, request
from antevolt.hdl.core.intake import Intake
from antevolt.hdl.core.key import KeyMixer, LaneKey
from antevolt.hdl.core.neurons import Neurons
from antevolt.hdl.core.outlet import Outlet
from antevolt.hdl.core.register_memory import RegisterMemory
from antevolt.hdl.core.registers import EVENT_BITS, Registers
from antevolt.hdl.core.sequencer import Sequencer
from antevolt.hdl.core.sweeps import Sweeps
from antevolt.hdl.core.tap import any_of, reply_latency
from antevolt.hdl.core.time_constants import Times
from antevolt.hdl.lib.registers import delay, hop, hops, register
from antevolt.hdl.spec.contents import Contents, is_sealed
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.flags import INPUT_FLAG_BITS
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, KINDS
from antevolt.hdl.spec.program import Kind
from antevolt.hdl.spec.timing import FEW_ROWS, Timing

__all__ = ["Core"]

W = KINDS.index("w")  # counted in the rows, all others in the columns


class Core(wiring.Component):
    """Runs any network that fits, and learns; `docs/ports.md` lists the ports.

    Members
    -------
    x : inputs with flags, per step in the order context, column, unit
    y : targets, in the same order, for streams whose flags are VALID and TARGET_VALID, and not
        TARGET_HELD
    out : outputs with their stream's flags, for every stream
    access, answer : read and write memories between steps (`spec.memory_map`)
    busy : inside a step

    `contents` is what the memories hold at power-up, instead of zeros; a reset does not restore it.
    Of sealed ones nothing reads or writes a memory through `access`, and nothing is there for it.
    Raises BadInput for contents of another core.
    """

    x: Any
    y: Any
    out: Any
    access: Any
    answer: Any
    busy: Any

    def __init__(self, machine: Machine, contents: Contents | None = None):
        self.machine, self.timing = machine, Timing(machine)
        if contents is not None and contents.machine != machine:
            raise BadInput(f"the contents are of core {contents.machine.name}, not {machine.name}")
        self.contents = contents
        word = machine.formats.word
        super().__init__(
            {
                "x": In(stream.Signature(word + INPUT_FLAG_BITS)),
                "y": In(stream.Signature(word)),
                "out": Out(stream.Signature(word + flags.size)),
                "access": In(stream.Signature(request)),
                "answer": Out(stream.Signature(DATA_BITS)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        machine, timing, contents = self.machine, self.timing, self.contents
        sealed = is_sealed(contents)
        # a read returns after its own register, the head's, the tiles, and one that joins both ways
        self.wait = reply_latency(machine.near)
        self.reach = max(timing.tiles_across, timing.tiles_down + timing.gathered) + self.wait
        way = self.wait + 2 if machine.near else self.reach + 3
        m.submodules.array = self.array = Array(machine, contents)
        m.submodules.sequencer = self.sequencer = Sequencer(machine, contents)
        m.submodules.sweeps = self.sweeps = Sweeps(machine)
        m.submodules.neurons = self.neurons = Neurons(machine, contents)
        if machine.time_constants:
            width = 2 * machine.formats.word - machine.formats.g_drop + 1
            self.times = Times(machine, width + machine.streams.bit_length(), contents)
            m.submodules.times = self.times
        self.in_memory = machine.near and not sealed  # registers that are read take fewer cells so
        registers = RegisterMemory if self.in_memory else Registers
        m.submodules.registers = self.registers = registers(machine, contents)
        m.submodules.intake = self.intake = Intake(machine)
        m.submodules.outlet = self.outlet = Outlet(machine, way, contents)
        m.submodules.gate = self.gate = Gate(way, machine.near, sealed)
        for inner, outer in (
            (self.intake.x, self.x),
            (self.intake.y, self.y),
            (self.outlet.o, self.out),
            (self.gate.i, self.access),
            (self.gate.o, self.answer),
        ):
            connect(m, inner, flipped(outer))
        self.row_count = Signal(EVENT_BITS)
        self._issue(m)
        bus = self._bus(m)
        rows = self._columns(m, bus)
        self._lanes(m)
        self._times(m)
        reply = Signal(DATA_BITS)
        m.d.sync += reply.eq(rows)
        m.d.comb += [self.gate.reply.eq(reply), self.outlet.reply.eq(reply)]
        return m

    def _issue(self, m: Module) -> None:
        """Who starts when, and what the registers count."""
        sequencer, sweeps, neurons = self.sequencer, self.sweeps, self.neurons
        intake, outlet, registers = self.intake, self.outlet, self.registers
        op, issue = sequencer.op, {kind: sequencer.issue[kind] for kind in Kind}
        start, again = Signal(), {kind: sequencer.again[kind] for kind in Kind}
        starts = ~sequencer.busy & self.x.valid & ~self.gate.wants
        idle = ~sequencer.busy & ~start & ~outlet.unsettled
        # never both are at work; a register, since what is held is much of the sequencer
        taking, leaving = delay(m, intake.taking | outlet.taking, 1, "taking", init=True), Signal()
        with m.If(issue[Kind.OUTPUT] | intake.start):  # the last to start is who is waited for
            m.d.sync += leaving.eq(issue[Kind.OUTPUT])
        if self.in_memory:
            starts, idle = starts & registers.ready, idle & registers.ready
        m.d.sync += self.gate.idle.eq(idle)
        # an operation is at hand a cycle before it is issued, and in a core that is near after it
        hand = m.d.comb if self.machine.near else m.d.sync
        hand += [
            *(intake.target.eq(op.kind == Kind.TARGET), intake.n.eq(op.n)),
            intake.address.eq(Mux(op.kind == Kind.TARGET, op.extra, op.rates)),
            *(intake.context.eq(op.context), intake.bias.eq(op.bias)),
            *(intake.keep.eq(op.output), intake.kept.eq(op.extra)),
        ]
        m.d.comb += [
            start.eq(starts),
            *(sequencer.go.eq(start), intake.new_step.eq(start), neurons.step.eq(start)),
            self.busy.eq(sequencer.busy),
            *(sequencer.due.eq(registers.due), sequencer.done.eq(intake.done | outlet.done)),
            sequencer.taking.eq(taking),
            *(sweeps.op.eq(op), sweeps.kinds.eq(sequencer.kinds)),
            *(neurons.op.eq(op), neurons.kinds.eq(sequencer.kinds)),
            *([sweeps.aside.eq(sequencer.aside)] if self.timing.aside else []),
            *(sweeps.start.eq(sequencer.sweeps), neurons.start.eq(sequencer.filters)),
            sweeps.back.eq(Cat(again[Kind.BACK], issue[Kind.BACK])),
            sweeps.apply.eq(Cat(again[Kind.APPLY], issue[Kind.APPLY])),
            *(sweeps.fresh.eq(registers.fresh), neurons.fresh.eq(registers.fresh)),
            intake.start.eq(issue[Kind.INPUT] | issue[Kind.TARGET]),
            *(outlet.start.eq(issue[Kind.OUTPUT]), outlet.n.eq(op.n), outlet.address.eq(op.extra)),
            *(outlet.context.eq(op.context), outlet.prior.eq(op.prior)),
            *(outlet.mode.eq(registers.output_mode), outlet.shift.eq(registers.output_shift)),
            outlet.due.eq(registers.output_due),
            registers.saturated_sums.eq(outlet.saturated),
            *(intake.flags_index.eq(outlet.flags_index), outlet.flags.eq(intake.flags)),
            *(registers.learns.eq(intake.learns), registers.ended.eq(sequencer.ended)),
            registers.busy.eq(sequencer.busy),
            registers.stalled_input.eq(
                intake.waiting & sequencer.blocked | sequencer.held & ~leaving
            ),
            registers.stalled_output.eq(
                outlet.waiting & sequencer.blocked | sequencer.held & leaving
            ),
            *(registers.slot.eq(sweeps.slot.en), self.array.slot.eq(sweeps.slot)),
        ]

    def _bus(self, m: Module) -> Any:
        """The access bus at its head: never more than one source at a time."""
        head = Signal(Access(), name="head")
        total: Any = 0
        step = 0 if self.machine.near else 1
        for name in ("gate", "intake", "outlet"):
            access = getattr(self, name).access
            strobe = delay(m, access.read | access.write, step, f"{name}_strobe")
            total = total | Mux(strobe, delay(m, access.as_value(), step, name), 0)
        m.d.sync += head.as_value().eq(total)
        for part in self._at_head():
            m.d.comb += part.access.eq(head)
        m.d.comb += [self.array.access_rows.eq(head), self.outlet.bus.eq(head)]
        return head

    def _columns(self, m: Module, bus: Any) -> Any:
        """Columns behind their hops; returns what came back over the bus."""
        machine, array, tiles = self.machine, self.array, self.timing.tiles_across
        accesses = [bus] if machine.near else hops(m, bus, tiles, "access")
        commands = (
            [self._beside(m)] if machine.near else hops(m, self.neurons.command, tiles, "command")
        )
        pushes = hops(m, self.sweeps.push, tiles, "push")
        reply: Any = self.outlet.bus_reply.data
        for part in self._at_head():
            reply = reply | part.reply.data
        beside: Any = Const(0, DATA_BITS)
        if machine.near:  # the head is no hop before the columns
            beside, reply = reply, Const(0, DATA_BITS)
        self.terms: Any = Const(0, 1)
        counts: list[Any] = [Const(0, EVENT_BITS) for _ in KINDS]
        for c, columns in enumerate(array.column_tiles):
            members = []
            for k in columns:
                m.submodules[f"column{k}"] = column = Column(machine, k, self.contents)
                members.append(column)
                m.d.comb += [
                    *(column.command.eq(commands[c]), column.push.eq(pushes[c])),
                    *(column.access.eq(accesses[c]), array.access[k].eq(accesses[c])),
                    *(column.d_lo.eq(array.d_lo[k]), column.d_hi.eq(array.d_hi[k])),
                    *(array.d_shift[k].eq(column.d_shift), array.e_shift[k].eq(column.e_shift)),
                    *(array.e_in[k].eq(column.e_in), column.q_data.eq(array.q_data[k])),
                    *(column.q_neuron.eq(array.q_neuron[k]), column.q_live.eq(array.q_live[k])),
                    column.q_context.eq(array.q_context[k]),
                    array.rates_data[k].eq(column.rates_data),
                    array.rates_address[k].eq(column.rates_address),
                    array.rates_en[k].eq(column.rates_en),
                    column.reply_rates.eq(array.reply_rates[k]),
                    column.reply_before.data.eq(reply if k == columns[0] else 0),
                    *(a.eq(b) for a, b in zip(array.flags[k], column.flags, strict=True)),
                ]
            reply = Const(0, DATA_BITS)
            for column in members:
                reply = reply | column.reply.data
            self.terms = self._sum(m, c, members)
            counts = [self._count(m, n, c, counts[n], members) for n in range(len(KINDS))]
        for n, count in enumerate(counts):
            # the last column may be far away; near is told by the time a memory takes a count
            count = delay(m, count, int(not machine.near), f"count{n}")
            m.d.comb += self.registers.saturated[n].eq(count + (self.row_count if n == W else 0))
        across = delay(m, reply, self.reach - self.wait - tiles, "reply")
        down = self.reach - self.wait - self.timing.tiles_down - self.timing.gathered
        return across | beside | delay(m, array.reply_rows.data, down, "reply_rows")

    def _beside(self, m: Module) -> Any:
        """A command that is told without a hop, and started as if there were one."""
        command = Signal(FilterCommand(self.machine), name="command_beside")
        m.d.comb += command.eq(self.neurons.command)
        m.d.comb += command.start.eq(delay(m, self.neurons.command.start, 1, "start"))
        return command

    def _at_head(self) -> list[Any]:
        """Parts on the access bus before its first hop."""
        times = [self.times] if self.machine.time_constants else []
        return [self.sequencer, self.neurons, self.registers, *times]

    def _sum(self, m: Module, c: int, members: list[Column]) -> Any:
        """Terms of the time constants up to this tile."""
        total: Any = self.terms
        for column in members:
            total = total + column.term
        out = register(f"terms{c}", total.shape())
        m.d.sync += out.eq(total)
        return out

    def _times(self, m: Module) -> None:
        """Learned time constants, behind the columns' last hop."""
        if not self.machine.time_constants:
            return
        times, neurons, sequencer = self.times, self.neurons, self.sequencer
        m.d.comb += [
            *(times.start.eq(sequencer.issue[Kind.TIMES]), times.op.eq(sequencer.op)),
            *(times.command.eq(neurons.command.start), times.live.eq(neurons.command.times)),
            *(times.index.eq(neurons.index), times.fresh.eq(neurons.anew)),
            times.terms.eq(self.terms),
            *(neurons.tune_en.eq(times.en), neurons.tune_address.eq(times.address)),
            neurons.tune_data.eq(times.data),
        ]

    def _count(self, m: Module, n: int, c: int, before: Any, members: list[Column]) -> Any:
        """Saturations of kind n up to this tile; a column may be far from where they are summed."""
        total: Any = before
        for column in members:
            of_column = f"saturated{n}_{column.number}"
            total = total + delay(m, column.saturated[n], int(not self.machine.near), of_column)
        out = register(f"count{n}_{c}", EVENT_BITS)
        m.d.sync += out.eq(total)
        return out

    def _lanes(self, m: Module) -> None:
        """Apply lanes behind their hops, one for every `apply_rows` rows."""
        machine, array, op = self.machine, self.array, self.sequencer.op
        m.submodules.key = key = LaneKey() if machine.near else KeyMixer()
        registers = self.registers
        rule = Signal(ApplyRule(machine.apply_rows))
        if self.in_memory:
            m.d.comb += registers.key.eq(self.sweeps.apply[0])
            seed, step = registers.word, registers.word
        else:
            seed, step = registers.seed, registers.step
        m.d.comb += [
            *(key.start.eq(self.sweeps.apply[0]), key.seed.eq(seed), key.step.eq(step)),
            key.projection.eq(op.n),
            *(rule.m.eq(op.interval[:3]), rule.k.eq(op.interval[3:])),
            *(rule.stochastic.eq(op.output), rule.key.eq(key.key)),
            *(rule.rule.eq(op.table), rule.first.eq(op.rates), rule.second.eq(op.neurons)),
            *([rule.skip.eq(op.skip)] if machine.apply_rows > 1 else []),
        ]
        rules, slots = [rule], [self.sweeps.lane]
        if not machine.near:
            rules = hops(m, rule, self.timing.tiles_down, "rule")
            slots = hops(m, self.sweeps.lane, self.timing.tiles_down, "lane")
        count: Any = Const(0, EVENT_BITS)
        beside = machine.tile_rows > 1 and not machine.near  # lanes that would share a hop
        for t, rows in enumerate(array.row_tiles):
            for i in rows[:: machine.apply_rows]:
                m.submodules[f"apply{i}"] = lane = ApplyLane(machine, i)
                # static long before a lane's first word, and much hangs on it: not shared
                own = hop(m, rules[t], f"rule{i}") if beside else rules[t]
                m.d.comb += [lane.rule.eq(own), lane.slot.eq(slots[t])]
                self._rows(m, lane, range(i, i + machine.apply_rows))
                if lane.makes_key:
                    m.d.comb += [
                        *(lane.key_takes.eq(key.takes), lane.key_word.eq(key.word)),
                        key.mixed.eq(lane.key_mixed),
                    ]
                if machine.moments:
                    m.d.comb += [
                        lane.moments.eq(array.moments[i].word),
                        array.moments[i].data.eq(lane.new_moments),
                        array.moments[i].address.eq(lane.moment_address),
                        array.moments[i].en.eq(lane.moment_en),
                    ]
                count = count + lane.saturated
            summed = register(f"row_count{t}", EVENT_BITS)
            m.d.sync += summed.eq(count)
            count = summed
        m.d.comb += self.row_count.eq(count)

    def _rows(self, m: Module, lane: ApplyLane, rows: range) -> None:
        """What a lane reads and writes; of several rows those that the rule says, whose words come
        from places apart, and so through registers."""
        array, turns, steps = self.array, len(rows), self.timing.shared
        words = {"gradient": array.lane_gradient, "weight": array.lane_weight}
        own: list[Any] = [Const(1, 1)]
        if turns > 1:  # static, as the rule is
            own = [delay(m, lane.rule.skip == n, 1, f"own{i}") for n, i in enumerate(rows)]
        for name, of_rows in words.items():
            some = [of_rows[i] for i in rows]
            if turns > 1:
                some = [Mux(turn, word, 0) for turn, word in zip(own, some, strict=True)]
            for step in range(steps):
                last = step == steps - 1
                few = turns if last else -(-turns // FEW_ROWS)
                some = [
                    any_of(m, some[n : n + few], 1, f"{name}{rows[0]}")
                    for n in range(0, len(some), few)
                ]
            m.d.comb += getattr(lane, name).eq(some[0])
        for i, turn in zip(rows, own, strict=True):
            m.d.comb += [
                *(array.lane_data[i].eq(lane.data), array.lane_address[i].eq(lane.address)),
                array.lane_en[i].eq(lane.en & turn),
                *([array.lane_folded[i].eq(lane.folded)] if self.machine.carry else []),
            ]
