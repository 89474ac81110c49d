# SPDX-License-Identifier: Apache-2.0
"""One job on everything there is: boards by their cycles and stored clocks, a processor core,
the models, the simulated netlist.

The job: a network 1-53x6-10 of tanh neurons, squared error, weights changed after every step.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.results import stored
from antevolt.hdl.spec.errors import BadInput, DoesNotFit
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import compile
from antevolt.host.device import open as open_device
from antevolt.host.model_speed import seconds
from antevolt.sim.golden.compiled import CompiledCore
from antevolt.sim.golden.core import GoldenCore
from antevolt.sim.peers import cpu, tensors

__all__ = ["CPU_STREAMS", "NETWORK", "Row", "rows", "simulated"]

LAYERS, WIDTH, OUTPUTS = 6, 53, 10
NETWORK = Network(
    1,
    (
        *[Population(WIDTH, "tanh", tau_m=4.0, tau_r=2.0)] * LAYERS,
        Population(OUTPUTS, "linear"),
    ),
    eta=2.0**-8,
)
SIZES = NETWORK.sizes
CPU_STREAMS = (1, 8, 16, 48)
TORCH_STREAMS = (1, 40)
SIMULATED = Machine(rows=3, streams=2, w_depth=4096)
STEPS = 40

Say = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One contender.

    microseconds  of a step of all its streams
    synapses      learned per second: weights x streams x steps
    how           where the time comes from
    """

    name: str
    streams: int
    microseconds: float
    synapses: float
    how: str


def rows(say: Say, rtl: bool = True) -> Iterator[Row]:
    """All contenders. `rtl` : also the netlist, which takes minutes to build the first time."""
    for streams in CPU_STREAMS:
        say(f"one processor core, {streams} streams")
        found = cpu.run(streams, SIZES)
        yield Row(
            "one processor core", streams, found["us_per_step"], found["learned_synapses_per_s"],
            "measured, float, vectorised by hand",
        )  # fmt: skip
    yield from pytorch(say)
    yield from boards()
    for kind, core in (("golden model, numpy", GoldenCore), ("golden model, C++", CompiledCore)):
        say(kind)
        machine = Machine(rows=1, streams=16, w_depth=16384, state_depth=512)
        taken = seconds(core(machine))
        yield Row(kind, 16, 1e6 * taken, NETWORK.weight_count * 16 / taken, "measured")
    if rtl:
        say("the netlist in Verilator")
        yield simulated()


def pytorch(say: Say) -> Iterator[Row]:
    """PyTorch on one processor core; where it is not installed, only word of that."""
    for streams in TORCH_STREAMS:
        say(f"PyTorch, {streams} streams")
        try:
            found = tensors.run(streams, SIZES)
        except BadInput as error:
            say(str(error))
            return
        yield Row(
            "PyTorch, one core", streams, found["us_per_step"], found["learned_synapses_per_s"],
            "measured, float, straightforward",
        )  # fmt: skip


def boards() -> Iterator[Row]:
    """Boards whose core holds the network: cycles of a step that applies, and the median clock of
    the seeds of the stored build."""
    for board in BOARDS.values():
        result = stored(board)
        hz = board.pll.hz if result is None else 1e6 * result.median
        how = "the preset's clock, not placed yet" if result is None else f"build {result.id}"
        try:
            table = compile(NETWORK, board.machine).timetable
        except DoesNotFit:
            continue
        taken, streams = table.cycles_learning / hz, board.machine.total_streams
        yield Row(
            board.name, streams, 1e6 * taken, NETWORK.weight_count * streams / taken,
            f"{table.cycles_learning} cycles at {hz / 1e6:.1f} MHz, {how}",
        )  # fmt: skip


def simulated() -> Row:
    """The netlist: seconds of some steps, and its cycles against the compiler's."""
    with open_device("rtl", machine=SIMULATED, deadline=600.0) as device:
        device.load(NETWORK)
        x = np.zeros((STEPS, SIMULATED.total_streams, 1))
        y = np.zeros((STEPS, SIMULATED.total_streams, OUTPUTS))
        device.partial_fit(x[:2], y[:2])
        device.backend.write(Region.REGISTERS, 0, int(Register.BUSY), [0])
        start = time.perf_counter()
        device.partial_fit(x, y)
        taken = (time.perf_counter() - start) / STEPS
        busy = int(device.backend.read(Region.REGISTERS, 0, int(Register.BUSY), 1)[0])
    cycles = busy / STEPS + 1  # and one at rest, which the compiler counts too
    count = compile(NETWORK, SIMULATED).timetable.cycles_learning
    streams = SIMULATED.total_streams
    return Row(
        f"netlist {SIMULATED.name} in Verilator", streams, 1e6 * taken,
        NETWORK.weight_count * streams / taken,
        f"measured; {cycles:.1f} cycles a step, the compiler says {count}",
    )  # fmt: skip
