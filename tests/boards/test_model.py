# SPDX-License-Identifier: Apache-2.0
"""The resource model: counts equal the gateware's, errors stay small, records are of cores."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import Fragment

from antevolt.boards.measure import PLAIN, campaign, records
from antevolt.boards.model import errors, link, multipliers, predict, rams
from antevolt.boards.pieces import stored
from antevolt.boards.synthesis import Architecture, Usage, usage
from antevolt.hdl.core.core import Core
from antevolt.hdl.lib.family import Ecp5
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine

MACHINES = (
    PLAIN,
    Machine(rows=2, streams=2, moments=2, filters=2, multipliers=2),
    Machine(rows=3, streams=1, moments=1, time_constants=True, w_depth=4096, state_depth=2048),
    Machine(rows=1, streams=2, tables=5, formats=Formats(word=16), io_depth=1024),
    Machine(rows=2, streams=2, q_depth=128, io_depth=32, lut_depth=128),
    Machine(rows=2, contexts=3, state_depth=2048, time_constants=True, carry=True),
    Machine(rows=3, paired=True, w_depth=1024, lut_depth=64),
    Machine(rows=4, tile_rows=2, apply_rows=2, carry=True),
)
WITHIN = 0.10  # the goal for LUTs


def parts(machine: Machine) -> Counter[str]:
    """Multipliers and blocks of RAM that an elaborated core instantiates."""
    count: Counter[str] = Counter()

    def walk(fragment: Any) -> None:
        for sub, *_ in fragment.subfragments:
            made = (sub.origins or (None,))[0]
            if isinstance(made, Multiplier):
                count["multipliers"] += 1
            elif isinstance(made, Ram):
                count["rams"] += made.blocks
            else:
                walk(sub)

    walk(Fragment.get(Core(machine), Ecp5()))
    return count


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_multipliers_and_rams_are_those_of_the_gateware(machine: Machine) -> None:
    found = parts(machine)
    assert (found["multipliers"], found["rams"]) == (multipliers(machine), rams(machine))


def test_multipliers_and_rams_are_those_of_every_netlist() -> None:
    bare = [r for r in records("ecp5") if not r.link]
    assert len(bare) >= 9
    for record in bare:
        own = record.usage
        assert (own.multipliers, own.rams) == (multipliers(record.machine), rams(record.machine))


def test_tables_and_flip_flops_are_predicted_from_the_other_cores() -> None:
    found = errors("ecp5")
    assert len(found) >= 6
    for name, luts, ffs in found:
        assert abs(luts) < WITHIN, name
        assert abs(ffs) < WITHIN, name


@pytest.mark.parametrize("architecture", ["gowin", "ice40"])
def test_logic_cells_are_those_of_the_netlists(architecture: Architecture) -> None:
    """Tables and flip-flops do not share as they like: both may fit where together they do not."""
    for record in records(architecture):
        needs = predict(record.machine, architecture, record.link)
        assert needs.slots > max(needs.luts, needs.ffs)
        assert abs(needs.slots / record.usage.slots - 1) < WITHIN
    assert predict(PLAIN, "ecp5").slots == 0


def test_the_link_is_added_once() -> None:
    bare, linked = predict(PLAIN, "ecp5", linked=False), predict(PLAIN, "ecp5")
    assert linked - bare == link("ecp5")


def test_a_larger_core_needs_more() -> None:
    small = predict(PLAIN, "ecp5")
    for change in ({"rows": 2}, {"streams": 2}, {"traces": True}, {"softmax": True}):
        large = predict(replace(PLAIN, **change), "ecp5")  # type: ignore[arg-type]
        assert large.luts > small.luts, change
        assert large.ffs > small.ffs, change


@pytest.mark.parametrize("carry", [False, True])
def test_rows_that_share_a_lane_need_as_many_lanes_less(carry: bool) -> None:
    own = replace(PLAIN, rows=12, tile_rows=6, carry=carry)
    lane = stored("ecp5", "ApplyLane", replace(PLAIN, carry=carry))
    assert lane is not None
    for shared in (1, 2, 3, 6):
        saved = predict(own, "ecp5") - predict(replace(own, apply_rows=shared), "ecp5")
        fewer = 12 - 12 // shared
        assert abs(saved.luts - fewer * lane.luts) <= 1
        assert abs(saved.ffs - fewer * lane.ffs) <= 1
        assert (saved.multipliers, saved.rams) == (0, 0)


def test_what_was_never_synthesised_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing was synthesised for xilinx2"):
        predict(PLAIN, "xilinx2")  # type: ignore[arg-type]


def test_cells_are_counted_by_the_longest_name() -> None:
    cells = {"LUT4": 3, "CCU2C": 2, "TRELLIS_FF": 5, "MULT18X18D": 1, "DP16KD": 4, "VHI": 1}
    assert usage("ecp5", cells) == Usage(7, 5, 1, 4)
    assert usage("xilinx", {"RAMB18E1": 1, "RAMB36E1": 1, "LUT6": 2, "FDRE": 3}).rams == 3


def test_the_campaign_changes_one_thing_at_a_time() -> None:
    cores = list(campaign("ecp5"))
    assert (PLAIN, False) in cores
    assert (PLAIN, True) in cores
    assert len(cores) == len(set(cores))
