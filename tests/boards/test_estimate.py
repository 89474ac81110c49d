# SPDX-License-Identifier: Apache-2.0
"""`antevolt estimate` and `antevolt boards`: exact where they say so, by name where not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.estimate import estimate
from antevolt.hdl.spec.network import Network, Population, Projection, write
from antevolt.host.cli import antevolt
from antevolt.host.compile import compile
from antevolt.sim.tasks import mnist1d

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


def test_the_largest_has_the_mixture_of_time_constants() -> None:
    """As many traces as the network itself; equal neurons stand together."""

    def net(size: int) -> Network:
        settings = mnist1d.Settings.of(optimizer="sign_sum", hidden=(size,) * 6)
        return mnist1d.network(settings, 0)

    board = BOARDS["ulx3s-85f"]
    assert estimate(net(53), board).largest == (30,) * 6
    assert estimate(net(30), board).fits
    assert estimate(net(31), board).largest == (30,) * 6


def test_the_largest_is_the_same_from_anywhere() -> None:
    def net(size: int) -> Network:
        return Network(4, (Population(size, "tanh", tau_m=4.0), Population(3, "linear")))

    assert estimate(net(65536), BOARD).largest == estimate(net(1000), BOARD).largest == (204,)
    assert estimate(net(204), BOARD).fits
    assert not estimate(net(205), BOARD).fits


@pytest.mark.parametrize("network", [HUGE.with_(inputs=60_000), Network(
    4, (*[Population(10, "tanh")] * 300, Population(3, "linear")))])  # fmt: skip
def test_where_no_size_fits_it_says_so(network: Network, tmp_path: Path) -> None:
    write(tmp_path / "net.json", network)
    assert estimate(network, BOARD).largest is None
    shown = run("estimate", str(tmp_path / "net.json"), "--board", "ulx3s-12f")
    assert "no hidden size fits" in shown.stdout


def test_what_is_frozen_learns_nothing() -> None:
    frozen, half = (
        SMALL.with_(projections=(Projection(0, 1, learn=False), Projection(1, 2, learn=learn)))
        for learn in (False, True)
    )
    speed = estimate(frozen, BOARD).speed
    assert speed is not None
    assert speed.synapses == 0
    speed = estimate(half, BOARD).speed
    assert speed is not None
    streams = BOARD.machine.total_streams
    assert speed.synapses == pytest.approx(9 * 2 * streams * speed.steps)


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


OUTPUTS = Network(1, (Population(4, "tanh"), Population(30, "linear")))


@pytest.mark.parametrize(
    ("network", "name", "first", "modes"),
    [
        (SMALL, "ulx3s-12f", "to the board", "every k-th step, last, sum, argmax, none"),
        (OUTPUTS, "ulx3s-12f", "from the board", "every k-th step, last, sum, argmax, none"),
        (OUTPUTS, "ulx3s-12f-latency", "from the board", "every k-th step, last, none"),
    ],
)
def test_the_busier_direction_is_named(
    network: Network, name: str, first: str, modes: str, tmp_path: Path
) -> None:
    speed = estimate(network, BOARDS[name]).speed
    assert speed is not None
    assert speed.link is not None
    assert speed.link_steps == min(speed.link.to_board, speed.link.from_board)
    assert speed.link.held > speed.link.to_board
    write(tmp_path / "net.json", network)
    shown = " ".join(run("estimate", str(tmp_path / "net.json"), "--board", name).stdout.split())
    assert f"the line {first} is the limit" in shown
    assert f"with set_outputs: {modes} (docs" in shown
    assert f"{speed.steps:,.0f} at 150 MHz, {speed.link_steps:,.0f} with the line" in shown
    assert "a new target in each step is assumed" in shown
    assert f"without new ones it carries {speed.link.held:,.0f} steps per second" in shown


def test_the_command(tmp_path: Path) -> None:
    file = tmp_path / "small.json"
    write(file, SMALL)
    done = run("estimate", str(file), "--board", "ulx3s-12f", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["speed"]["cycles_plain"] > 0
    shown = run("estimate", str(file), "--board", "ulx3s-12f")
    assert "learned synapses per second" in shown.stdout
    rows = [line.split("│")[1].strip() for line in shown.stdout.splitlines() if "│" in line]
    assert rows[:5] == ["LUTs", "flip-flops", "multipliers", "RAMs", "cycles per step"]
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
