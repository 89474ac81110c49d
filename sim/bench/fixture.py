# SPDX-License-Identifier: Apache-2.0
"""The pytest fixture `bench`: run the cocotb tests of the test's own file on a component.

A project makes it known in its `conftest.py`:

    from antevolt.sim.bench.fixture import bench
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from antevolt.sim.bench.simulator import build, installed, run

__all__ = ["Bench", "bench"]

Bench = Callable[..., None]


@pytest.fixture(params=installed())
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """`bench(component, only="", **values)`, once in every simulator that is installed.

    Builds the component's Verilog, runs the cocotb tests in the calling file (those whose names
    match `only`), and fails with the messages of those that failed, or when there was none. The
    tests get `values` from `antevolt.sim.bench.simulator.values()`.
    """

    def on(component: Any, only: str = "", **values: Any) -> None:
        simulator = request.param
        folder = build(component, simulator)
        result = run(folder, request.path, tmp_path, simulator=simulator, only=only, **values)
        if not result.tests:
            pytest.fail(f"no cocotb test in {request.path.name} matches {only!r}", pytrace=False)
        if result.failures:
            told = [f"{name}\n{text}" for name, text in result.failures.items()]
            head = f"{len(told)} of {len(result.tests)} cocotb tests failed in {simulator}"
            pytest.fail("\n\n".join([head, *told, f"log: {tmp_path / 'log'}"]), pytrace=False)

    return on
