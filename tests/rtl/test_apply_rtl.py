# SPDX-License-Identifier: Apache-2.0
"""The apply lane against its twin: any gradient, any eta, both roundings, saturation."""

import cocotb
import numpy as np

from antevolt.hdl.core.apply import ApplyLane
from antevolt.hdl.core.bundles import ApplyRule, ApplySlot
from antevolt.hdl.spec.dither import dither
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.timing import NUMBERS, RESULT, WEIGHT
from antevolt.host.words import signed
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import Cycles
from antevolt.sim.bench.timeline import Timeline, packed
from antevolt.sim.golden.apply import apply

ROW = 3
RULES, PAIRS = 40, 24


def draw_gradients(draw, n, width):
    """Of all magnitudes, with the ends of the range among them."""
    gradients = draw.integers(-(1 << (width - 1)), 1 << (width - 1), n)
    gradients >>= draw.integers(0, width, n)
    gradients[:2] = -(1 << (width - 1)), (1 << (width - 1)) - 1
    return gradients


@cocotb.test()
async def equals_the_model(dut):
    machine = Machine.from_json(values()["machine"])
    f, slot_layout = machine.formats, ApplySlot(machine)
    draw, cycles, saturations = np.random.default_rng(7), Cycles(dut), 0
    await cycles.reset()
    for number in range(RULES):
        eta, stochastic = (4 + number % 4, int(draw.integers(0, 64))), bool(draw.integers(2))
        key = int(draw.integers(1 << 32))
        dut.rule.value = packed(ApplyRule(), m=eta[0], k=eta[1], stochastic=stochastic, key=key)
        gradients = draw_gradients(draw, 2 * PAIRS, f.g.width)
        weights = draw.integers(f.w.raw_min, f.w.raw_max, 2 * PAIRS, endpoint=True)
        first, columns = (
            int(draw.integers(1 << 14)),
            np.arange(2 * PAIRS) + 2 * int(draw.integers(99)),
        )
        starts = np.cumsum(2 + draw.integers(0, 3, PAIRS) * draw.integers(0, 2, PAIRS))
        play, slots = Timeline(cycles), {}
        for n in range(2 * PAIRS):
            at, pair, half = int(starts[n // 2]) + n % 2, n // 2, n % 2
            play.set(at, "gradient", gradients[n])
            play.set(at + WEIGHT, "weight", weights[n])
            slots.setdefault(at + NUMBERS, {}).update(i=first, j=int(columns[n]))
            slots.setdefault(at + RESULT, {}).update(live=1, weights=pair, half=half)
            play.look(at + RESULT, "en")
            play.look(at + RESULT + 1, "saturated")
            if half:
                play.look(at + RESULT, "data")
                play.look(at + RESULT, "address")
        for at, fields in slots.items():
            play.set(at, "slot", packed(slot_layout, **fields))
        await play.play()
        random = dither(key, np.int64(first + ROW), columns) if stochastic else None
        expected, saturated = apply(weights.astype(float), gradients.astype(float), eta, random, f)
        words = [play.seen["data", int(at) + 1 + RESULT] for at in starts]
        got = [n for word in words for n in signed([word, word >> f.word], f.word).tolist()]
        assert got == expected.astype(int).tolist()
        assert [play.seen["address", int(at) + 1 + RESULT] for at in starts] == list(range(PAIRS))
        counted = sum(value for (port, _), value in play.seen.items() if port == "saturated")
        assert counted == saturated
        enables = {at: value for (port, at), value in play.seen.items() if port == "en"}
        assert enables == {int(at) + half + RESULT: half for at in starts for half in (0, 1)}
        saturations += saturated
    assert saturations > RULES


def test_apply_18(bench):
    machine = Machine(w_depth=64)
    bench(ApplyLane(machine, ROW), machine=machine.to_json())


def test_apply_16(bench):
    machine = Machine(w_depth=64, formats=Formats(word=16))
    bench(ApplyLane(machine, ROW), machine=machine.to_json())
