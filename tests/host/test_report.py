# SPDX-License-Identifier: Apache-2.0
"""The page about a run: one file, nothing from elsewhere, and the run's numbers in it."""

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.network import Network, Population, Projection, write
from antevolt.host.cli import antevolt
from antevolt.host.report.drawing import drawing
from antevolt.host.report.series import MOST, Bands, Lines, of_log, short, tapped
from antevolt.host.report.tables import number
from antevolt.host.run_folder import read_run

NAME = "<b>&run"  # must be escaped
STEPS = 1200
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Elements in order; `open` ones that were never closed; ids; what is asked for elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.ids, self.refs, self.open = Counter[str](), Counter[str](), [], []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name == "id":
                self.ids[value or ""] += 1
            if name in ("src", "href", "xlink:href", "data", "action", "poster", "srcset"):
                self.refs.append(value or "")
            if "url(" in (value or ""):
                self.refs.append((value or "").split("url(")[1].split(")")[0])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run of a classifier with skip and recurrent projections; some of it saturates."""
    base = tmp_path_factory.mktemp("report")
    network = Network(
        2,
        (Population(7, "tanh", tau_m=3.0), Population(2, "linear")),
        (
            Projection(0, 1),
            Projection(1, 1, bias=False, learn=False),
            Projection(1, 2, backward="fixed"),
            Projection(0, 2, bias=False),
        ),
        cost="cross_entropy",
        eta=2.0**-7,
        seed=5,
    )
    write(base / "net.json", network)
    x = np.random.default_rng(3).uniform(-9, 9, (STEPS, 2))
    np.savez(base / "data.npz", x=x, y=np.eye(2)[(x[:, 0] > 0).astype(int)])
    words = ["--data", str(base / "data.npz"), "--out", str(base / NAME), "--every", "300"]
    taps = ["--tap", "energy", "--tap", "weight", "--tap", "population.*.u", "--tap-every", "10"]
    command = ["run", str(base / "net.json"), *words, *taps, "--learn"]
    done = CliRunner().invoke(antevolt, command)
    assert done.exit_code == 0, done.output
    return base / NAME


def report(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(antevolt, ["report", str(folder), *more])


def test_one_file_that_needs_no_other(folder: Path) -> None:
    done = report(folder)
    assert done.exit_code == 0, done.output
    text = (folder / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.tags["script"] == page.tags["link"] == page.tags["img"] == 0
    assert all(ref.startswith("#") for ref in page.refs)
    assert set(page.ids.values()) == {1}
    assert {ref[1:] for ref in page.refs} <= set(page.ids)
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert len(text) < 1_000_000


def test_it_says_what_the_run_holds(folder: Path) -> None:
    assert report(folder).exit_code == 0
    text = (folder / "report.html").read_text()
    page, run = Page(text), read_run(folder)
    assert NAME in page.text
    assert "<b>&run" not in text
    for title in ("Loss", "Accuracy", "Energy", "Saturations", "Speed", "First outputs"):
        assert title in page.text
    for title in ("Projection 0: weights", "Projection 2: backwards", "Tap: population.1.u"):
        assert title in page.text
    first, last = run.log[0]["accuracy"], run.log[-1]["accuracy"]
    assert f"{first:.1%} → {last:.1%}" in page.text
    assert 0 < last <= 1
    assert run.network.fingerprint in page.text
    assert run.about["data"] in page.text
    assert run.about["versions"]["numpy"] in page.text
    saturated = sum(sum(line["saturated"].values()) for line in run.log)
    assert saturated > 0
    assert f"{saturated:,}" in page.text
    figures = 6 + 1 + 5 + len(run.taps) + 1  # curves, last outputs, weights, taps, the network
    assert page.tags["svg"] == figures
    assert "var(--ink)" in text
    assert "#010203" not in text


def test_targets_and_another_place(folder: Path, tmp_path: Path) -> None:
    data, out = str(folder.parent / "data.npz"), tmp_path / "page.html"
    assert report(folder, "--data", data, "--out", str(out)).exit_code == 0
    assert "target dashed" in out.read_text()
    np.savez(tmp_path / "other.npz", x=np.zeros((5, 2)))
    wrong = report(folder, "--data", str(tmp_path / "other.npz"))
    assert "not the data of" in str(wrong.exception)
    nowhere = report(folder, "--out", str(tmp_path / "none" / "page.html"))
    assert isinstance(nowhere.exception, BadFile)


def test_a_run_that_has_just_begun(folder: Path, tmp_path: Path) -> None:
    """Killed before its first checkpoint: what there is, is shown."""
    for name in ("run.json", "start.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert report(tmp_path).exit_code == 0
    page = Page((tmp_path / "report.html").read_text())
    assert f"0 of {STEPS:,}" in page.text
    assert report(tmp_path / "none").exception is not None


def test_words_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    """The name of a file or of a port need not be text."""
    about = json.loads((folder / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(about | {"device": "serial:\udcff"}))
    (tmp_path / "start.safetensors").write_bytes((folder / "start.safetensors").read_bytes())
    assert report(tmp_path).exit_code == 0
    assert "serial:?" in (tmp_path / "report.html").read_text()


def test_a_line_is_shown(folder: Path, tmp_path: Path) -> None:
    """Of a board's run, whose log has the line's use."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    use = {"out": 1e5, "into": 2e5, "baud": 3_000_000, "fullest": 449, "window": 2040}
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    lines = [json.dumps(line | {"link": use | {"resent": 2, "bad": 1}}) + "\n" for line in log]
    (tmp_path / "log.jsonl").write_text("".join(lines))
    assert report(tmp_path).exit_code == 0
    page = Page((tmp_path / "report.html").read_text())
    assert "3,000,000 baud; at most 449 of 2,040 bytes" in page.text
    assert "8 frames sent again, 4 damaged" in page.text


def test_long_series_keep_their_extremes() -> None:
    x, y = np.arange(10_000.0), np.zeros((10_000, 1))
    y[1234], y[7777] = 5.0, -3.0
    few, drawn = short(x, y)
    assert len(few) == len(drawn) == MOST
    assert (drawn.max(), drawn.min()) == (5.0, -3.0)
    assert np.array_equal(short(x[:10], y[:10])[1], y[:10])


def test_series_of_a_log() -> None:
    log = [{"step": 10, "a": 1.5, "b": {"c": 1, "d": 2}, "e": [3, 4], "f": None}]
    assert of_log([], "a") is None
    assert of_log(log, "f") is None
    assert of_log(log, "f", "g") is None
    found = of_log(log, "b")
    assert found is not None
    assert found.names == ("c", "d")
    assert found.y.tolist() == [[1, 2]]
    assert [of_log(log, *path).y.tolist() for path in (("a",), ("e",), ("b", "d"))] == [
        [[1.5]],
        [[3, 4]],
        [[2]],
    ]


def test_few_numbers_get_lines_and_many_get_bands() -> None:
    steps = np.array([5, 10])
    few = tapped(steps, np.arange(8.0).reshape(2, 2, 2))
    assert isinstance(few, Lines)
    assert few.names == ("0, 0", "0, 1", "1, 0", "1, 1")
    many = tapped(steps, np.arange(40.0).reshape(2, 20))
    assert isinstance(many, Bands)
    assert many.y[0].tolist() == pytest.approx([0, 1.9, 9.5, 17.1, 19])
    assert many.count == 20


def test_the_drawing_has_every_projection() -> None:
    populations = (Population(3), Population(4), Population(2))
    own = ((0, 1), (1, 2), (2, 3), (0, 3), (2, 1), (2, 2))
    network = Network(
        5, populations, tuple(Projection(a, b, bias=b == a + 1, learn=a > 0) for a, b in own)
    )
    text = drawing(network)
    assert text.count("marker-end") == len(own)
    assert text.count("arrow frozen") == 2
    assert text.count('class="box"') == 4
    for count in (18, 16, 10):
        assert f">{count}<" in text
    page = Page(text)
    assert page.open == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (12345, "12,345"),
        (0.1234567891, "0.123457"),
        (None, "-"),
        ((2.0,) * 9, "2"),
        ((1.0, 2.0), "1, 2"),
        (tuple(map(float, range(9))), "0 .. 8 (9 values)"),
        (tuple("abcdefgh"), "8 values"),
    ],
)
def test_values_as_people_read_them(value: object, shown: str) -> None:
    assert number(value) == shown
