# SPDX-License-Identifier: Apache-2.0
"""Which lines and branches of the gateware the short comparison reaches: counted by Verilator.

Verilator counts in the Verilog that Amaranth writes; a point is taken back to the line of the
gateware by the place that Amaranth put before or behind it.
"""

import os
import re
import tempfile
from collections import defaultdict
from ctypes import c_char_p, c_void_p
from dataclasses import dataclass
from pathlib import Path

from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.mutation.machines import MACHINE
from antevolt.sim.mutation.netlist import place
from antevolt.sim.mutation.netlist_subject import NetlistSubject
from antevolt.sim.mutation.short import observe
from antevolt.sim.mutation.subject import PATIENCE
from antevolt.sim.rtl.build import build_verilog

__all__ = ["Point", "by_file", "measure", "missed", "places", "points"]

DEADLINE = 300.0
ARTEFACT = "$auto$verilog_backend"  # empty branches that wake up simulators, of no source
SKIPPED = "-"
ENTRY = re.compile(r"C '(?P<fields>.*)' (?P<count>\d+)$")
SOURCE = re.compile(r'src = "([^"]*)"')
COMMENT = re.compile(r"/\*\s*(\S*\.py:\d+)[^*]*\*/")


@dataclass(frozen=True)
class Point:
    """A block or branch: what kind (`line`, `branch`), where, how often it was reached."""

    kind: str
    source: str
    count: int


def measure() -> list[Point]:
    """Drive a core that counts through the short comparison."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    from amaranth.back import verilog

    from antevolt.hdl.core.core import Core

    text = str(verilog.convert(Core(MACHINE), name="core", emit_src=True))
    front = Path(__file__).with_name("coverage.cpp")
    name = f"{MACHINE.name}-coverage"
    library = build_verilog(text, name, front=front, flags=("--coverage-line",), seconds=120)
    subject = NetlistSubject(MACHINE, library, None, PATIENCE, DEADLINE)
    for _ in observe(subject):
        pass
    with tempfile.TemporaryDirectory(prefix="antevolt-coverage-") as folder:
        path = Path(folder) / "coverage.dat"
        write = subject.rtl.library.antevolt_coverage
        write.restype, write.argtypes = None, [c_void_p, c_char_p]
        write(subject.rtl.handle, str(path).encode())
        subject.rtl.close()
        return points(path.read_text(errors="replace"), places(text))


def places(verilog: str) -> list[str]:
    """For every line of the Verilog, from 0: the line of the gateware it comes from."""
    found, current = [""], ""
    for line in verilog.splitlines():
        named = SOURCE.search(line) or COMMENT.search(line)
        if named:
            current = place(named[1])
        elif line.startswith("module "):
            current = ""
        found.append(SKIPPED if ARTEFACT in line else current)
    return found


def points(data: str, sources: list[str]) -> list[Point]:
    """The points in a file that Verilator wrote; raises BadFile for one with none."""
    found = []
    for line in data.splitlines():
        entry = ENTRY.match(line)
        if entry:
            pairs = (field.split("\2", 1) for field in entry["fields"].split("\1") if field)
            fields = dict(pair for pair in pairs if len(pair) == 2)
            number = int(fields.get("l", 0))
            source = sources[number] if number < len(sources) else ""
            if source == SKIPPED:
                continue
            kind = fields.get("t") or fields.get("page", "").split("/")[0].removeprefix("v_")
            found.append(Point(kind, source, int(entry["count"])))
    if not found:
        raise BadFile("Verilator wrote no coverage")
    return found


def by_file(found: list[Point]) -> dict[str, dict[str, tuple[int, int]]]:
    """Of every source file and kind: points reached, and points there are."""
    counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for point in found:
        entry = counts[point.source.rpartition(":")[0] or "(no place)"][point.kind]
        entry[0] += point.count > 0
        entry[1] += 1
    return {
        file: {kind: (a, b) for kind, (a, b) in sorted(kinds.items())}
        for file, kinds in sorted(counts.items())
    }


def missed(found: list[Point]) -> dict[str, int]:
    """Points that nothing reached, by source line, of every instance."""
    lines: dict[str, int] = defaultdict(int)
    for point in found:
        if not point.count:
            lines[f"{point.source or '(no place)'} {point.kind}"] += 1
    return dict(sorted(lines.items()))
