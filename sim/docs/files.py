# SPDX-License-Identifier: Apache-2.0
"""What each file holds: the first sentences of the modules, by folder."""

import ast
from pathlib import Path

from antevolt.hdl.spec.errors import BadFile

__all__ = ["files"]

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "hdl/spec": "the contract; plain Python, imported by everybody",
    "hdl/lib": "building blocks of the gateware",
    "hdl/core": "the core",
    "hdl/io": "what joins the core to a serial line, or to a bus",
    "hdl": "the top level of boards, and the IP core",
    "host": "compiler, devices, comparison, command line",
    "host/report": "the page about a run",
    "host/link": "the host's end of the serial link",
    "sim/golden": "models in numpy; the fixed-point one also compiled (`twin.cpp`)",
    "sim/rtl": "the core's netlist in a simulator",
    "sim/ip": "the IP core as files",
    "sim/bench": "benches on the netlist, with cocotb",
    "sim/mutation": "does the comparison notice mistakes",
    "sim/fuzz": "does broken input do any harm",
    "sim/tasks": "demonstrations",
    "sim/docs": "the generated parts of this manual",
    "sim/peers": "the same job elsewhere, for comparison",
    "boards": "boards: pins, presets, synthesis, place and route, estimates",
}


def files() -> str:
    """One table per folder; raises BadFile for a module without a docstring."""
    parts = []
    for folder, about in FOLDERS.items():
        lines = [f"**`{folder}/`**: {about}", "", "| file | what it holds |", "|---|---|"]
        for path in sorted((ROOT / folder).glob("*.py")):
            if path.name != "__init__.py":
                lines.append(f"| [{path.name}](../{folder}/{path.name}) | {_about(path)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _about(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text()))
    if not text:
        raise BadFile(f"{path.relative_to(ROOT)} has no docstring; say in one what it holds")
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")
