# SPDX-License-Identifier: Apache-2.0
"""A core without a host: from its reset on, without a write, it does what the model does."""

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from refused import refusal

from antevolt.boards.demonstration import NETWORK
from antevolt.boards.presets import ALONE
from antevolt.hdl.alone import Alone, lesson, memories
from antevolt.hdl.core.core import Core
from antevolt.hdl.core.gate import request
from antevolt.hdl.lagged import FLAGS, GOOD, SHARE, Lagged, samples
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, Register
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.bake import bake
from antevolt.host.words import signed
from antevolt.sim.bench.core import MemoryBench, load_model
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import Cycles

SMALL = {"w_depth": 64, "r_depth": 32, "state_depth": 32, "q_depth": 16, "io_depth": 16}
SMALL |= {"program_depth": 64, "tables": 1, "phi_log2": 5}
MACHINES = {
    "1x1": Machine(**SMALL),
    "2x2x2": Machine(rows=2, streams=2, contexts=2, moments=1, time_constants=True, **SMALL),
}
NETWORKS = {
    "1x1": NETWORK,
    "2x2x2": Network(
        1,
        (
            Population(5, "tanh", (1.5, 2.0, 3.0, 4.0, 6.0), eta_tau_m=2.0**-4),
            Population(1, "linear"),
        ),
        eta=2.0**-3,
        optimizer="momentum",
        apply_every=3,
        seed=2,
    ),
}
MACHINES["near"] = ALONE
NETWORKS["near"] = NETWORKS["1x1"]
STEPS = {"1x1": 400, "2x2x2": 200, "near": 400}
HEARD = 4  # cycles in which the teacher has heard the last word of a step that ended
SOME = 40  # cycles; a step is under way then


class Watched(wiring.Component):
    """`Lagged`, and beside it ports to see the outputs and the memories; it ends after `steps`.

    heard, taken : the word of `out`, and that it was taken
    look, seen : the core's `access` and `answer`
    """

    def __init__(self, machine, network, steps):
        self.inner, self.words = Lagged(machine, network), steps * machine.total_streams
        width = machine.formats.word + 5
        super().__init__(
            {
                **lesson(machine), **memories(), "look": In(stream.Signature(request)),
                "seen": Out(stream.Signature(DATA_BITS)),
                "heard": Out(width), "taken": Out(1),
                **{name: self.inner.signature.members[name] for name in ("error", "learned")},
            }
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = self.inner
        left = Signal(range(self.words + 1), init=self.words)  # words of x; a reset starts anew
        with m.If(self.x.valid & self.x.ready):
            m.d.sync += left.eq(left - 1)
        m.d.comb += [
            *(self.x.payload.eq(inner.x.payload), self.x.valid.eq(inner.x.valid & left.any())),
            inner.x.ready.eq(self.x.ready & left.any()),
            *(self.error.eq(inner.error), self.learned.eq(inner.learned)),
            *(self.heard.eq(self.out.payload), self.taken.eq(self.out.valid & self.out.ready)),
        ]
        connect(m, inner.y, flipped(self.y))
        connect(m, flipped(self.out), inner.out)
        connect(m, flipped(self.look), flipped(self.access))
        connect(m, flipped(self.answer), flipped(self.seen))
        return m


class Sealed(wiring.Component):
    """`Watched` without a way to the memories."""

    def __init__(self, machine, network, steps):
        self.inner = Watched(machine, network, steps)
        names = ("x", "y", "out", "heard", "taken", "error", "learned")
        super().__init__({name: self.inner.signature.members[name] for name in names})

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = self.inner
        for name in ("x", "y", "out"):
            connect(m, flipped(getattr(self, name)), getattr(inner, name))
        for name in ("heard", "taken", "error", "learned"):
            m.d.comb += getattr(self, name).eq(getattr(inner, name))
        return m


class Heard:
    """The words of `out` as they are taken."""

    def __init__(self, cycles):
        self.dut, self.words = cycles.dut, []
        cycles.drivers.append(self)

    def drive(self):
        pass

    def sample(self):
        if int(self.dut.taken.value):
            self.words.append(int(self.dut.heard.value))


SEALED = bool(values().get("sealed"))
"""What is in the memories shows in all later outputs, and in nothing else."""


@cocotb.test()
async def equals_the_model_without_a_write(dut):
    """Every output, every word of every memory: 0 differing bits; and the teacher's own error."""
    name = values()["name"]
    machine, network, steps = MACHINES[name], NETWORKS[name], STEPS[name]
    cycles = Cycles(dut)
    bench = None if SEALED else MemoryBench(cycles, machine, "look", "seen")
    heard = Heard(cycles)
    await cycles.reset()
    words = steps * machine.total_streams
    await cycles.until(lambda: len(heard.words) == words, limit=10**6)
    await cycles.until(lambda: not int(dut.busy.value))
    await cycles.run(HEARD)
    got, learned = int(dut.error.value), int(dut.learned.value)
    parameters = network.random_parameters(network.seed)
    image = bake(network, machine).image
    model = load_model(image, parameters)
    x, y = (machine.formats.r.to_raw(values) for values in samples(machine, steps))
    flags = np.full((steps, machine.total_streams), FLAGS)
    expected, _ = model.steps(flags, x, y)
    word = machine.formats.word
    found = signed(np.array(heard.words), word)
    assert found.tolist() == expected.ravel().tolist()
    if bench is not None:
        assert await bench.differences(model) == []
        assert not bench.access.words
    before = load_model(image, parameters).memories.weights
    changed = np.count_nonzero(model.memories.weights != before)
    assert changed > network.weight_count / 2  # it did learn
    mean = (1 << word + SHARE) - 1
    for difference in np.abs(y.ravel() - found).tolist():
        mean += difference - (mean >> SHARE)
    assert got == mean >> SHARE
    assert learned == (got < GOOD * (1 << machine.formats.r.frac))


@cocotb.test(skip=SEALED)
async def a_reset_goes_on_from_what_was_learned(dut):
    """Weights stay; the registers are those of the contents again."""
    name = values()["name"]
    machine, network = MACHINES[name], NETWORKS[name]
    cycles = Cycles(dut)
    bench, heard = MemoryBench(cycles, machine, "look", "seen"), Heard(cycles)
    await cycles.reset()
    steps = 7
    words = steps * machine.total_streams
    await cycles.until(lambda: len(heard.words) == words)
    await cycles.run(SOME)
    await cycles.reset()
    for part in (bench.access, bench.answer):
        part.clear()
    heard.words.clear()
    await cycles.until(lambda: len(heard.words) == STEPS[name] * machine.total_streams, 10**6)
    await cycles.until(lambda: not int(dut.busy.value))
    assert await bench.register(Register.STEP) == STEPS[name]
    assert await bench.register(Register.SEED) == network.seed


@pytest.mark.parametrize(
    ("name", "sealed"), [("1x1", False), ("2x2x2", False), ("2x2x2", True), ("near", True)]
)
def test_alone(bench, name, sealed):
    if bench.simulator != "verilator":
        pytest.skip("hundreds of steps: too slow elsewhere")
    machine, network = MACHINES[name], NETWORKS[name]
    teacher = (Sealed if sealed else Watched)(machine, network, STEPS[name])
    bench(Alone(machine, bake(network, machine).contents, teacher), name=name, sealed=sealed)


class Busy(wiring.Component):
    """A teacher with a port of the core's name."""

    def __init__(self, machine):
        super().__init__({**lesson(machine), "busy": Out(1)})


def test_a_teacher_that_does_not_match_is_refused():
    machine, network, short = MACHINES["1x1"], NETWORKS["1x1"], Machine(formats=Formats(word=16))
    contents = bake(network, machine).contents
    said = refusal(lambda: Alone(machine, contents, Lagged(short, network)))
    assert said.startswith("the teacher's member x is not ")
    assert "call it otherwise" in refusal(lambda: Alone(machine, contents, Busy(machine)))
    said = refusal(lambda: Core(short, contents=contents))
    assert said == "the contents are of core 1x1w18, not 1x1w16"
    wide = Network(2, (Population(1, "linear"),))
    assert "the network has 2 inputs and 1 outputs" in refusal(lambda: Lagged(machine, wide))
