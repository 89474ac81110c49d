# SPDX-License-Identifier: Apache-2.0
"""A teacher to begin with: a wave out of a small table, and as target what it was some steps ago.

What to write for a signal of your own: something that offers words at `x` and `y`, and takes those
of `out`. Here each of the three walks through the table by itself, since the core takes inputs,
targets and outputs at different times.
"""

import math
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import io, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out
from numpy.typing import NDArray

from antevolt.hdl.alone import lesson
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network

__all__ = ["GOOD", "LAG", "PLACES", "Lagged", "Wave", "samples"]

PLACES = 64  # of the table, a period of the wave in steps
LAG = 4  # steps
SHARE = 8  # of a new error in the mean: 2^-SHARE
GOOD = 2.0**-4  # a mean error below which the lamp is lit
Real = NDArray[np.float64]
FLAGS = int(Flag.VALID | Flag.TARGET_VALID | Flag.LEARN)


def table(machine: Machine) -> list[int]:
    """A period of the wave, format r: two sines."""
    angles = [2 * math.pi * n / PLACES for n in range(PLACES)]
    one = 1 << machine.formats.r.frac
    return [round(one * (0.5 * math.sin(a) + 0.25 * math.sin(3 * a + 1))) for a in angles]


def samples(machine: Machine, steps: int) -> tuple[Real, Real]:
    """Inputs and targets of the first steps, each [steps, S T, 1], to try on the model."""
    streams, period = machine.total_streams, machine.formats.r.to_real(np.array(table(machine)))
    at = np.arange(steps)[:, None] + np.arange(streams) * (PLACES // streams)
    x, y = (period[(at - lag) % PLACES][..., None] for lag in (0, LAG))
    return x, y


class Wave(wiring.Component):
    """Endless: one word per stream and step; stream s is s / streams of a period ahead.

    Members
    -------
    o : words, format r

    start : place of stream 0 in the first step; negative ones count from the end of the table
    """

    o: Any

    def __init__(self, machine: Machine, start: int):
        self.machine, self.start = machine, start % PLACES
        super().__init__({"o": Out(stream.Signature(signed(machine.formats.word)))})

    def elaborate(self, platform: object) -> Module:
        m, streams = Module(), self.machine.total_streams
        shape = signed(self.machine.formats.word)
        m.submodules.table = rom = Memory(shape=shape, depth=PLACES, init=table(self.machine))
        read = rom.read_port(domain="comb")
        step, number = Signal(range(PLACES), init=self.start), Signal(range(streams))
        place, moves, last = Signal(range(PLACES)), Signal(), number == streams - 1
        m.d.comb += [
            place.eq(step + number * (PLACES // streams)),
            *(read.addr.eq(place), moves.eq(~self.o.valid | self.o.ready)),
        ]
        with m.If(moves):
            m.d.sync += [self.o.payload.eq(read.data), self.o.valid.eq(1)]
            m.d.sync += number.eq(Mux(last, 0, number + 1))
            with m.If(last):
                m.d.sync += step.eq(step + 1)
        return m


class Lagged(wiring.Component):
    """Teaches a network with one input and one output the wave, LAG steps late, without end.

    Members
    -------
    x, y, out : as `antevolt.hdl.alone.lesson` says
    error : a running mean, format r:  error <- error + (|target - output| - error) 2^-SHARE
    learned : the error is below GOOD, a while after the start; on a board, its first lamp

    Raises BadInput for a network with other inputs or outputs.
    """

    x: Any
    y: Any
    out: Any
    error: Any
    learned: Any

    def __init__(self, machine: Machine, network: Network):
        if (network.inputs, network.outputs) != (1, 1):
            raise BadInput(
                f"this teacher has 1 input and 1 target; the network has {network.inputs} inputs "
                f"and {network.outputs} outputs"
            )
        self.machine, self.parallel = machine, network.schedule == "parallel"
        word = machine.formats.word
        super().__init__({**lesson(machine), "error": Out(word + 1), "learned": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m, word = Module(), self.machine.formats.word
        m.submodules.inputs = inputs = Wave(self.machine, 0)
        m.submodules.targets = targets = Wave(self.machine, -LAG)
        # in the parallel schedule an output is that of the step before
        m.submodules.wanted = wanted = Wave(self.machine, -LAG - self.parallel)
        m.d.comb += [
            *(self.x.payload.eq(inputs.o.payload), self.x.payload[word:].eq(FLAGS)),
            *(self.x.valid.eq(inputs.o.valid), inputs.o.ready.eq(self.x.ready)),
            *(self.y.payload.eq(targets.o.payload), self.y.valid.eq(targets.o.valid)),
            targets.o.ready.eq(self.y.ready),
            *(wanted.o.ready.eq(self.out.valid), self.out.ready.eq(wanted.o.valid)),
        ]
        self._score(m, wanted.o.payload, self.out.payload[:word].as_signed())
        self._lamp(m, platform)
        return m

    def _score(self, m: Module, wanted: Any, output: Any) -> None:
        """The mean, with SHARE bits below the word; it begins with the largest error."""
        word = self.machine.formats.word
        difference, size, arrived = Signal(signed(word + 1)), Signal(word + 1), Signal(2)
        mean = Signal(word + 1 + SHARE, init=(1 << word + SHARE) - 1)
        m.d.sync += [
            difference.eq(wanted - output),
            size.eq(Mux(difference[-1], -difference, difference)),
            arrived.eq(Cat(self.out.valid & self.out.ready, arrived)),
        ]
        with m.If(arrived[1]):
            m.d.sync += mean.eq(mean - (mean >> SHARE) + size)
        limit = int(GOOD * (1 << self.machine.formats.r.frac))
        m.d.comb += self.error.eq(mean >> SHARE)
        m.d.sync += self.learned.eq(self.error < limit)

    def _lamp(self, m: Module, platform: Any) -> None:
        """On a board that has one."""
        if ("led", 0) in getattr(platform, "resources", {}):
            m.submodules.led = led = io.Buffer("o", platform.request("led", 0, dir="-"))
            m.d.comb += led.o.eq(self.learned)
