# SPDX-License-Identifier: Apache-2.0
"""`antevolt estimate` and `antevolt boards`: exact where they say so, by name where not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.estimate import estimate
from antevolt.hdl.spec.network import Network, Population, write
from antevolt.host.cli import antevolt
from antevolt.host.compile import compile

BOARD = BOARDS["ulx3s-12f"]
SMALL = Network(3, (Population(8, "tanh", tau_m=4.0), Population(2, "linear")), apply_every=4)
HUGE = Network(200, (Population(200, "tanh", tau_m=4.0), Population(2, "linear")))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(antevolt, arguments)


def test_cycles_are_the_compilers() -> None:
    found = estimate(SMALL, BOARD)
    table = compile(SMALL, BOARD.machine).timetable
    assert found.fits
    assert found.speed is not None
    assert found.speed.cycles_learning == table.cycles_learning
    assert (
        found.speed.cycles == table.cycles_plain + (table.cycles_learning - table.cycles_plain) / 4
    )
    assert found.speed.steps == pytest.approx(BOARD.pll.hz / found.speed.cycles)
    streams = BOARD.machine.total_streams
    assert found.speed.synapses == pytest.approx(SMALL.weight_count * streams * found.speed.steps)
    assert 0 < found.speed.latency <= 1e6 * table.cycles_plain / BOARD.pll.hz


def test_what_does_not_fit_is_named_with_the_largest_that_does() -> None:
    found = estimate(HUGE, BOARD)
    assert not found.fits
    assert found.speed is None
    assert "weight" in found.short
    (largest,) = found.largest or (0,)
    for size, fits in ((largest, True), (largest + 2, False)):
        hidden = Population(size, "tanh", tau_m=4.0)
        network = HUGE.with_(populations=(hidden, HUGE.populations[1]))
        assert estimate(network, BOARD).fits is fits, size


def test_the_largest_has_an_error_filter_too() -> None:
    size = 200
    kappa = tuple(1 + n / size for n in range(size))
    hidden = Population(size, "tanh", tau_m=4.0, kappa=kappa, tau_v=(2.0,) * size)
    (largest,) = (
        estimate(HUGE.with_(populations=(hidden, HUGE.populations[1])), BOARD).largest or ()
    )
    fewer = replace(hidden, size=largest, tau_m=4.0, tau_r=1.0, kappa=1.0, tau_v=2.0)
    assert estimate(HUGE.with_(populations=(fewer, HUGE.populations[1])), BOARD).fits


def test_a_core_that_is_too_large_for_its_part() -> None:
    board = replace(BOARD, machine=replace(BOARD.machine, rows=16, streams=8))
    found = estimate(SMALL, board)
    assert not found.core_fits
    assert "LFE5U-12F has" in found.short
    assert found.speed is not None  # the network itself has room


def test_the_line_is_the_limit_where_it_is() -> None:
    fast = estimate(SMALL, BOARD).speed
    slow = estimate(SMALL, replace(BOARD, baud=115_200)).speed
    assert fast is not None
    assert slow is not None
    assert slow.link_steps == pytest.approx(fast.link_steps * 115_200 / BOARD.baud)
    assert slow.link_load > 1


def test_the_command(tmp_path: Path) -> None:
    file = tmp_path / "small.json"
    write(file, SMALL)
    done = run("estimate", str(file), "--board", "ulx3s-12f", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["speed"]["cycles_plain"] > 0
    shown = run("estimate", str(file), "--board", "ulx3s-12f")
    assert "learned synapses per second" in shown.stdout
    write(file, HUGE)
    assert run("estimate", str(file), "--board", "ulx3s-12f").exit_code == 1


def test_the_list_claims_no_bench() -> None:
    found = json.loads(run("boards", "--json").stdout)
    assert [one["board"] for one in found] == list(BOARDS)
    states = {"placed and timed here", "estimated", "does not fit", "needs vendor tool"}
    assert {one["state"] for one in found} <= states
    assert not any(one["ran_on_a_bench"] for one in found)
    vendors = {one["board"] for one in found if one["state"] == "needs vendor tool"}
    assert vendors == {"arty-a7-35t", "arty-a7-100t"}
    shown = run("boards")
    assert "none has run on a bench" in shown.stdout
