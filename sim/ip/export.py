# SPDX-License-Identifier: Apache-2.0
"""All files of an IP core, written to a folder."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from string import Template

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.host.bake import Baked
from antevolt.host.files import make_folder, write_whole
from antevolt.sim.ip.header import header
from antevolt.sim.ip.testbench import testbench
from antevolt.sim.ip.verilog import FAMILIES, verilog

__all__ = ["export"]

FILES = {
    "antevolt_ip.v": "the core; module `antevolt_ip`",
    "antevolt_ip.h": "C: registers, memories, numbers of this core, access functions",
    "antevolt_ip_example.v": "how to instantiate it",
    "antevolt_ip_tb.v": "a self-checking testbench of the example; its data are the .hex files",
    "antevolt_ip.vlt": "what Verilator's -Wall may say about it, and why",
    "antevolt_ip.json": "the core's parameters, as `Machine.from_json` reads them",
}


def export(
    machine: Machine,
    family: str,
    folder: Path,
    progress: Callable[[str], None] = lambda part: None,
    baked: Baked | None = None,
) -> list[Path]:
    """Write the files and return their paths; files of these names are replaced.

    progress  told what is made next
    baked     a network that the core's memories hold at power-up, for this machine

    Raises BadInput for a family that there is not, DoesNotFit for a core too small for the
    testbench's network, BadFile for a folder that cannot be written.
    """
    if family not in FAMILIES:
        raise BadInput(f"there is no family {family!r}; there are {', '.join(FAMILIES)}")
    progress("testbench")
    files = testbench(machine, baked)
    progress("Verilog")
    files |= {
        "antevolt_ip.v": verilog(machine, family, baked),
        "antevolt_ip.h": header(machine),
        "antevolt_ip_example.v": _template("example.v", WORD=machine.formats.word),
        "antevolt_ip.vlt": _template("waivers.vlt"),
        "antevolt_ip.json": machine.to_json() + "\n",
        "README.md": _readme(machine, family, baked),
    }
    progress("files")
    make_folder(folder)
    for name, text in files.items():
        write_whole(folder / name, text)
    return [folder / name for name in files]


def _template(name: str, **values: object) -> str:
    text = resources.files(__package__).joinpath(name).read_text()
    return Template(text).substitute(values) if values else text


def _told(baked: Baked) -> tuple[str, ...]:
    told = baked.to_dict()
    return (
        "",
        f"Network {told['network']} is in its memories at power-up (program",
        f"{told['program']}, contents {told['contents']}): nothing has to be written.",
    )


def _readme(machine: Machine, family: str, baked: Baked | None) -> str:
    about = f"{machine.rows} rows, {machine.total_streams} streams, words of {machine.formats.word}"
    lines = [
        f"# antevolt IP core {machine.name}",
        "",
        f"{about} bits; family {family}: {FAMILIES[family]}.",
        "The manual's page is docs/ip-core.md.",
        *(_told(baked) if baked is not None else ()),
        "",
        "| file | what it is |",
        "|---|---|",
        *(f"| `{name}` | {about} |" for name, about in FILES.items()),
        "",
        "Run the testbench, here with Verilator 5; its last line begins with PASS or FAIL:",
        "",
        "```console",
        "$ verilator --binary --timing -Wno-fatal -Wno-lint --top-module antevolt_ip_tb \\",
        "    antevolt_ip_tb.v antevolt_ip_example.v antevolt_ip.v && obj_dir/Vantevolt_ip_tb",
        "```",
    ]
    return "\n".join(lines) + "\n"
