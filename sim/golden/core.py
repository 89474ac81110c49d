# SPDX-License-Identifier: Apache-2.0
"""The core as a numpy model: it executes the loaded program, operation by operation.

Equal to the gateware bit for bit in every memory and in every register that does not count clock
cycles (those stay 0). Twins: `array`, `filter`, `apply` here are the files of these names in
`hdl/core`; the squared error is in `filter`, as it is there in `column`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register
from antevolt.hdl.spec.moments import SLOWEST, Rule, knows
from antevolt.hdl.spec.program import STRIDE, Bias, Kind, Operation
from antevolt.sim.golden.memories import Exact, Memories
from antevolt.sim.golden.neurons import ErrorFilter, Exp, Membrane, Norm, Trace
from antevolt.sim.golden.operations import Apply, Back, Forward
from antevolt.sim.golden.outlet import send
from antevolt.sim.golden.streams import Streams
from antevolt.sim.golden.time_constants import Times

__all__ = ["GoldenCore", "Observer"]

Observer = Callable[[Operation, "GoldenCore"], None]


class GoldenCore:
    """A core of `machine`, its memories zero.

    observer  called after every operation with the operation and the core
    memories  the words as numbers; what was changed there behind `write` is seen only in part
    sent      words of the output port in the last step, flat, with their flags

        core = GoldenCore(machine)
        core.write(Region.WEIGHTS, 0, 0, words)
        out = core.step(flags, x, y)
    """

    def __init__(self, machine: Machine):
        self.machine = machine
        self.memories = Memories(machine)
        self.observer: Observer | None = None
        self.sent: Raw = np.zeros(0, dtype=np.int64)
        self._decoded: list[tuple[Operation, Any]] = []
        self._loaded = -1

    @property
    def implementation(self) -> str:
        """What executes the steps: numpy or compiled."""
        return "numpy"

    def write(self, region: Region, unit: int, index: int, data: ArrayLike) -> None:
        """Write consecutive words, unsigned or signed; bits above a word's width do not count.

        Raises BadInput for words outside the region.
        """
        self.memories.write(region, unit, index, data)

    def read(self, region: Region, unit: int, index: int, count: int) -> Raw:
        """Read consecutive words, as unsigned numbers; bits above a word's width are zero.

        Raises BadInput for words outside the region.
        """
        return self.memories.read(region, unit, index, count)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The loaded program, END included."""
        self._decode()
        return tuple(op for op, _ in self._decoded)

    def step(self, flags: ArrayLike, x: ArrayLike, y: ArrayLike) -> Raw:
        """Run the program once.

        flags  [S T], words of `spec.flags.Flag`
        x, y   [S T, inputs], [S T, outputs], integers in format r; y of streams without a target,
               or whose target is held, is not looked at

        Returns the outputs [S T, outputs], whatever the output mode lets through (`sent`). Stream
        t S + k is that of column k and context t.
        Raises BadInput for a wrong shape, numbers beyond the word, or a program that is none.
        """
        given = (np.asarray(values, dtype=np.int64)[None] for values in (flags, x, y))
        words, inputs, targets = (values[0] for values in self._checked(*given))
        return self._step(words, inputs, targets)[0]

    def steps(self, flags: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[Raw, NDArray[np.bool_]]:
        """Run the program once for each of N steps.

        flags, x, y  as for `step`, each with an axis [N] before the others

        Returns the outputs [N, S T, outputs], and whether the step changed the weights [N].
        Raises what `step` raises; nothing was run then.
        """
        words, inputs, targets = self._checked(flags, x, y)
        if not len(words):
            units = next((op.n for op, _ in self._decoded if op.kind == Kind.OUTPUT), 0)
            return np.zeros((0, self.machine.total_streams, units), np.int64), np.zeros(0, bool)
        done, sent = [], []
        for each in zip(words, inputs, targets, strict=True):
            done.append(self._step(*each))
            sent.append(self.sent)
        self.sent = np.concatenate(sent)
        return np.stack([out for out, _ in done]), np.array([due for _, due in done])

    def _checked(self, flags: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[Raw, Raw, Raw]:
        """Arrays [N, ...] for the loaded program."""
        self._decode()
        words, total = np.asarray(flags, dtype=np.int64), self.machine.total_streams
        if words.ndim != 2 or words.shape[1] != total:
            raise BadInput(f"flags have shape {list(words.shape[1:])}; this core takes [{total}]")
        numbers = (self._numbers("x", x, Kind.INPUT), self._numbers("y", y, Kind.TARGET))
        for name, values in zip("xy", numbers, strict=True):
            if len(values) != len(words):
                raise BadInput(f"{name} has {len(values)} steps, flags have {len(words)}")
        return words, *numbers

    def _step(self, words: Raw, inputs: Raw, targets: Raw) -> tuple[Raw, bool]:
        """The outputs, and whether the weights changed."""
        total, columns = self.machine.total_streams, self.machine.streams
        contexts = [Streams.of(words[at : at + columns]) for at in range(0, total, columns)]
        registers = self.memories.registers
        learned = registers[Register.LEARNED]
        fresh = learned == 0
        learned += any(streams.learns for streams in contexts)
        due = learned >= registers[Register.APPLY_EVERY]
        acc: Exact = np.zeros((0, columns))
        out: list[Raw] = []
        for op, run in self._decoded:
            streams = contexts[op.context]
            own = slice(op.context * columns, (op.context + 1) * columns)
            if op.kind == Kind.FORWARD:
                acc = run(streams) if op.head else acc + run(streams)
                registers[Register.SLOTS] += run.slots
            elif op.kind in (Kind.MEMBRANE, Kind.TRACE):
                run(streams, acc)
            elif op.kind == Kind.ERROR:
                run(streams, fresh and op.context == 0)
            elif op.kind in (Kind.EXP, Kind.NORM):
                run(streams)
            elif op.kind == Kind.TIMES:
                if due:
                    run()
            elif op.kind == Kind.BACK:
                saturated = run(streams, fresh and op.context == 0)
                registers[Register.SATURATED + KINDS.index("q")] += saturated
                registers[Register.SLOTS] += run.slots
            elif op.kind == Kind.APPLY:
                if due:
                    registers[Register.SATURATED + KINDS.index("w")] += run()
            elif op.kind == Kind.INPUT:
                self._input(op, streams, inputs[own])
            elif op.kind == Kind.TARGET:
                self._target(op, streams, targets[own])
            elif op.kind == Kind.OUTPUT:
                out.append(self._output(op, streams))
            else:
                registers[Register.STEP] = (registers[Register.STEP] + 1) & 0xFFFFFFFF
                registers[Register.LEARNED] = 0 if due else learned
            if self.observer is not None:
                self.observer(op, self)
        raw = np.concatenate(out) if out else np.zeros((total, 0), dtype=np.int64)
        self.sent = self._send(words[None], raw[None])
        return raw, bool(due)

    def _send(self, flags: Raw, raw: Raw) -> Raw:
        """What the output mode lets through of steps: flags [N, S T], raw outputs [N, S T, n]."""
        outputs = [op for op, _ in self._decoded if op.kind == Kind.OUTPUT]
        return send(self.memories, outputs, flags, raw)

    def _input(self, op: Operation, streams: Streams, x: Raw) -> None:
        rates = self.memories.rates[2 * op.rates : 2 * op.rates + op.n]
        _copy(rates, x.T, streams.valid)
        if op.output:
            _copy(self.memories.output[op.extra : op.extra + op.n], x.T, streams.valid)
        if op.n % 2:
            one = 1 << self.machine.formats.r.frac if op.bias == Bias.HIGH else 0
            _copy(self.memories.rates[2 * op.rates + op.n], one, streams.valid)

    def _target(self, op: Operation, streams: Streams, y: Raw) -> None:
        _copy(self.memories.target[op.extra : op.extra + op.n], y.T, streams.sent)

    def _output(self, op: Operation, streams: Streams) -> Raw:
        words = self.memories.output[op.extra : op.extra + op.n].T.astype(np.int64)
        if op.prior and streams.starting is not None:
            words[streams.starting] = 0
        return words

    def _numbers(self, name: str, values: ArrayLike, kind: Kind) -> Raw:
        """[N, S T, n], integers in format r, for operations of this kind."""
        numbers = np.asarray(values, dtype=np.int64)
        n = next((op.n for op, _ in self._decoded if op.kind == kind), 0)
        shape, fmt = (self.machine.total_streams, n), self.machine.formats.r
        if numbers.ndim != 3 or numbers.shape[1:] != shape:
            given = numbers.shape[1:]
            raise BadInput(f"{name} has shape {list(given)}; this program takes {shape}")
        if numbers.size and (numbers.max() > fmt.raw_max or numbers.min() < fmt.raw_min):
            raise BadInput(f"{name} holds numbers beyond {fmt.raw_min}..{fmt.raw_max}; saturate it")
        return numbers

    def _decode(self) -> None:
        if self._loaded == self.memories.loaded:
            return
        program = self.memories.program.reshape(-1, STRIDE)
        decoded: list[tuple[Operation, Any]] = []
        for number, chunks in enumerate(program.tolist()):
            try:
                op = Operation.decode(chunks)
            except ValueError as error:
                raise BadInput(f"operation {number} of the program is none: {error}") from error
            self._check(number, op)
            make = _MAKE.get(op.kind)
            decoded.append((op, make(self.memories, op) if make else None))
            if op.kind == Kind.END:
                break
        else:
            raise BadInput("the program has no END; load a whole one")
        self._decoded, self._loaded = decoded, self.memories.loaded

    def _check(self, number: int, op: Operation) -> None:
        """Words outside the memories: the gateware would wrap around, a model has none."""
        m = self.machine
        neurons = op.groups * m.rows if op.kind == Kind.BACK else op.n
        sweeps = {Kind.FORWARD: op.words, Kind.APPLY: op.words, Kind.BACK: -(-op.words // 2)}
        pairs = sweeps.get(op.kind, 0)
        ends = {
            "context": (op.context + 1, m.contexts),
            "weights": (
                op.weights + op.groups * pairs,
                m.w_depth if pairs else m.coefficient_depth,
            ),
            "rates": (op.rates + (pairs or -(-(op.n + op.odd) // 2)), m.r_depth),
            "neurons": (op.neurons + neurons, m.state_depth),
            "extra": (op.extra + op.n, m.state_depth if op.q else m.io_depth),
            "table": (op.table, m.tables),
        }
        used = {
            Kind.INPUT: ("rates", *(["extra"] if op.output else [])),
            Kind.TARGET: ("extra",),
            Kind.OUTPUT: ("extra",),
            Kind.FORWARD: ("weights", "rates"),
            Kind.MEMBRANE: ("rates", "neurons", "table", *(["extra"] if op.output else [])),
            Kind.ERROR: ("neurons", *(["extra"] if op.cost else [])),
            Kind.BACK: ("weights", "rates", "neurons", *(["extra"] if op.q else [])),
            Kind.APPLY: ("weights",),
            Kind.END: (),
            Kind.TRACE: ("rates", "neurons", "extra"),
            Kind.EXP: ("neurons", "extra", "table"),
            Kind.NORM: ("neurons",),
            Kind.TIMES: (),
        }
        for name in ("context", *used[op.kind]):
            end, limit = ends[name]
            if end > limit:
                raise BadInput(
                    f"operation {number} ({op.kind.name}) reaches {name} {end - 1}; "
                    f"this core has 0..{limit - 1}"
                )
        if op.kind == Kind.APPLY:
            _check_rule(number, op, m)
            if op.skip >= m.apply_rows:
                raise BadInput(
                    f"operation {number} (APPLY) has skip {op.skip}; with apply_rows "
                    f"{m.apply_rows} it is 0..{m.apply_rows - 1}"
                )


def _check_rule(number: int, op: Operation, m: Machine) -> None:
    known = [rule for rule in Rule if knows(m.moments, m.carry, rule)]
    if op.table not in known or op.table and max(op.rates, op.neurons) > SLOWEST:
        rules = ", ".join(f"{rule} ({rule.name.lower()})" for rule in known)
        raise BadInput(
            f"operation {number} (APPLY) has rule {op.table}, k {op.rates} and {op.neurons}; "
            f"this core has rules {rules}, and k 0..{SLOWEST}"
        )


def _copy(memory: Exact, values: Any, where: Any) -> None:
    if where is None:
        memory[...] = values
    else:
        np.copyto(memory, values, where=where)


_MAKE: dict[Kind, Callable[[Memories, Operation], Any]] = {
    Kind.FORWARD: Forward,
    Kind.MEMBRANE: Membrane,
    Kind.ERROR: ErrorFilter,
    Kind.BACK: Back,
    Kind.APPLY: Apply,
    Kind.TRACE: Trace,
    Kind.EXP: Exp,
    Kind.NORM: Norm,
    Kind.TIMES: Times,
}
