# SPDX-License-Identifier: Apache-2.0
"""The pytest fixture `bench`: run the cocotb tests of the test's own file on a component.

A project makes it known in its `conftest.py`:

    from antevolt.sim.bench.fixture import bench
"""

from pathlib import Path
from typing import Any

import pytest

from antevolt.sim.bench.simulator import build, installed, run

__all__ = ["Bench", "bench"]


class Bench:
    """Runs the cocotb tests in one file.

    simulator  where: `verilator` or `icarus`
    """

    def __init__(self, simulator: str, module: Path, scratch: Path):
        self.simulator, self.module, self.scratch = simulator, module, scratch

    def __call__(self, component: Any, only: str = "", **values: Any) -> None:
        """Build the component's Verilog and run the tests whose names match `only`.

        The tests get `values` from `antevolt.sim.bench.simulator.values()`. Fails with the messages
        of those that failed, or when there was none.
        """
        folder, simulator = build(component, self.simulator), self.simulator
        result = run(folder, self.module, self.scratch, simulator=simulator, only=only, **values)
        if not result.tests:
            pytest.fail(f"no cocotb test in {self.module.name} matches {only!r}", pytrace=False)
        if result.failures:
            told = [f"{name}\n{text}" for name, text in result.failures.items()]
            head = f"{len(told)} of {len(result.tests)} cocotb tests failed in {simulator}"
            log = f"log: {self.scratch / 'log'}"
            pytest.fail("\n\n".join([head, *told, log]), pytrace=False)


@pytest.fixture(params=installed())
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """`bench(component, only="", **values)`, once in every simulator that is installed."""
    return Bench(request.param, request.path, tmp_path)
