# SPDX-License-Identifier: Apache-2.0
"""Says in which simulators the benches ran."""

from typing import Any

from antevolt.sim.bench.simulator import SIMULATORS, installed

BENCHES = "tests/rtl/"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for some in terminalreporter.stats.values() for report in some]
    if any(getattr(report, "nodeid", "").startswith(BENCHES) for report in reports):
        missing = [name for name in SIMULATORS if name not in installed()]
        terminalreporter.write_line(f"benches on the Verilog ran in {', '.join(installed())}")
        if missing:
            terminalreporter.write_line(f"NOT in {', '.join(missing)}, which is not installed")
