# SPDX-License-Identifier: Apache-2.0
"""`antevolt task mnist1d-ablations`: that its variants can be learned, and its record."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.compile import compile
from antevolt.host.device import open as open_device
from antevolt.sim.tasks import mnist1d_ablations as module
from antevolt.sim.tasks.mnist1d import MNIST1D, Settings
from antevolt.sim.tasks.mnist1d_ablations import VARIANTS, Variant, command
from antevolt.sim.tasks.mnist1d_ablations_figure import draw

SMALL = {"hidden": (9, 9), "train": 64, "valid": 40, "test": 20}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.folder)
def test_a_core_takes_it(variant: Variant) -> None:
    """The first steps of each, on the core that a run of it has."""
    settings = variant.settings(20)
    network, machine = MNIST1D.network(settings, 0), MNIST1D.machine(settings)
    assert compile(network, machine).timetable.cycles_learning > 0
    few = replace(settings, train=settings.streams)
    samples = MNIST1D.samples(few, 0, 0).head(2)
    with open_device("model", machine=machine) as core:
        core.load(network, MNIST1D.start(settings, 0))
        assert core.set_eta(None, settings.eta) == pytest.approx(settings.eta, rel=0.13)
        core.partial_fit(samples.x, samples.y, first=np.asarray(samples.first))
        assert core.counters()["steps"] == 2


def test_variants_differ_from_the_recipe_in_what_they_say() -> None:
    assert VARIANTS[0].settings(100) == replace(Settings(), every=25)
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    assert len({variant.folder for variant in VARIANTS}) == len(VARIANTS)
    recipe = VARIANTS[0].settings(20).to_dict()
    for variant in VARIANTS[1:]:
        own = variant.settings(20).to_dict()
        differing = {name for name in own if own[name] != recipe[name]}
        assert differing - {"eta"} == set(variant.changes) - {"eta"}, variant.name


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left for want of time, gone on with, and its record."""
    small = (Variant("recipe", SMALL), Variant("words of 8 bits", {**SMALL, "word": 8}))
    monkeypatch.setattr(module, "VARIANTS", small)
    arguments = ["--epochs=1", "--out", str(tmp_path)]
    left = CliRunner().invoke(command, [*arguments, "--deadline=0"])
    assert left.exit_code == 0, left.output
    assert "not finished" in left.stdout
    done = CliRunner().invoke(command, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result == json.loads((tmp_path / "mnist1d-ablations.json").read_text())
    assert (tmp_path / "mnist1d-ablations.png").read_bytes().startswith(b"\x89PNG")
    assert result["finished"]
    assert [one["name"] for one in result["rows"]] == ["recipe", "words of 8 bits"]
    assert [one["core"] for one in result["rows"]] == ["3x16w18m1", "3x16w8m1"]
    assert all(0 <= one[n] <= 1 for one in result["rows"] for n in ("train", "valid", "test"))
    assert result["rows"][0]["looks"].keys() == {"1"}
    again = CliRunner().invoke(command, [*arguments, "--only=recipe"])
    assert again.exit_code == 0, again.output
    assert "words of 8" not in again.stdout
    wrong = CliRunner().invoke(command, [*arguments, "--only=none"])
    assert isinstance(wrong.exception, BadInput)
    named = CliRunner().invoke(command, ["--names"])
    assert "word = 8" in named.stdout


def test_picture_of_nothing(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", {"epochs": 1, "seed": 0, "rows": []})
    assert (tmp_path / "a.png").exists()
