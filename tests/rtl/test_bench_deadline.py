# SPDX-License-Identifier: Apache-2.0
"""A bench that comes to no end is stopped."""

import pytest

from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.spec.errors import DeadlineExceeded
from antevolt.sim.bench import simulator

HANGS = """
import cocotb

@cocotb.test()
async def hangs(dut):
    while True:
        pass
"""


@pytest.mark.parametrize("name", simulator.installed())
def test_a_bench_that_hangs(name, tmp_path, monkeypatch):
    module = tmp_path / "hanging.py"
    module.write_text(HANGS)
    folder = simulator.build(Multiplier(18), name)
    monkeypatch.setattr(simulator, "RUN_SECONDS", 2.0)
    with pytest.raises(DeadlineExceeded, match="not done within 2 s"):
        simulator.run(folder, module, tmp_path, simulator=name)
