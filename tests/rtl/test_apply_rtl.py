# SPDX-License-Identifier: Apache-2.0
"""The apply lane against its twin: any gradient, moment, rule and eta, both roundings, limits.

A weight pair takes two cycles in a row; what pauses is the time between pairs. The patterns follow
one another, each over every rule and eta.
"""

from itertools import islice
from random import Random

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.apply import ApplyLane
from antevolt.hdl.core.bundles import ApplyRule, ApplySlot
from antevolt.hdl.spec.dither import dither
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import (
    CARRYING,
    FRACTION,
    KEYS,
    NEEDS,
    SLOWEST,
    WORD,
    Rule,
    knows,
)
from antevolt.hdl.spec.timing import (
    AVERAGE,
    DIRECTION,
    FOLD,
    MOMENT_NUMBERS,
    NORMAL,
    NUMBERS,
    Timing,
)
from antevolt.host.words import signed
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline, packed
from antevolt.sim.golden.apply import apply
from antevolt.sim.golden.carried import carried, steps
from antevolt.sim.golden.direction import Decay, Direction, direction
from antevolt.sim.golden.moments import magnitude
from flow import gaps

ROW = 3
RULES, PAIRS = 40, 24
CHANGED = NORMAL + AVERAGE
OPERANDS = ("gradient", "weight", "moments")


def draw_gradients(draw, n, width):
    """Of all magnitudes, with the ends of the range among them."""
    gradients = draw.integers(-(1 << (width - 1)), 1 << (width - 1), n)
    gradients >>= draw.integers(0, width, n)
    gradients[:2] = -(1 << (width - 1)), (1 << (width - 1)) - 1
    return gradients


def draw_moments(draw, gradients):
    """Any words; zeros and ends; and some that nearly cancel their gradient."""
    words = draw.integers(0, 1 << 2 * WORD, gradients.size)
    words[::8], words[1::8] = 0, (1 << 2 * WORD) - 1
    words[2::16] &= (1 << FRACTION) - 1 << WORD | 1 << WORD - 1 | (1 << FRACTION) - 1  # no exponent
    size = magnitude(gradients)[0]
    opposite = (1 - size.negative) << WORD - 1 | size.exponent << FRACTION
    opposite |= size.mantissa >> 5 & (1 << FRACTION) - 1
    return np.where(draw.random(gradients.size) < 0.3, words >> WORD << WORD | opposite, words)


def draw_decay(draw, rule):
    """Small k as often as large ones."""
    first, second = (int(k) for k in draw.integers(0, draw.choice([2, SLOWEST + 1]), 2))
    return Decay(rule, first, second)


@cocotb.test()
async def equals_the_model(dut):
    machine = Machine.from_json(values()["machine"])
    f, slot_layout = machine.formats, ApplySlot(machine)
    timing = Timing(machine)
    rules = [rule for rule in Rule if knows(machine.moments, machine.carry, rule)]
    draw, cycles, saturations = np.random.default_rng(7), Cycles(dut), 0
    waits, noise = {idle: gaps(idle) for idle in STALLS}, Random(7)
    operands = [port for port in OPERANDS if port != "moments" or machine.moments]
    await cycles.reset()
    for number in range(RULES * len(rules)):
        decay = draw_decay(draw, rules[number % len(rules)])
        eta = 4 + number // len(rules) % 4, int(draw.integers(0, 64))
        stochastic, key = bool(draw.integers(2)), int(draw.integers(1 << 32))
        skip = int(draw.integers(machine.apply_rows)) if machine.apply_rows > 1 else 0
        turn = {"skip": skip} if machine.apply_rows > 1 else {}
        dut.rule.value = packed(
            ApplyRule(machine.apply_rows), m=eta[0], k=eta[1], stochastic=stochastic, key=key,
            rule=decay.rule, first=decay.first, second=decay.second, **turn,
        )  # fmt: skip
        later = DIRECTION if NEEDS[decay.rule] else 0
        gradients = draw_gradients(draw, 2 * PAIRS, f.g.width)
        gradients[2] = 0
        moments = draw_moments(draw, gradients) & (1 << WORD * machine.moments) - 1
        weights = draw.integers(f.w.raw_min, f.w.raw_max, 2 * PAIRS, endpoint=True)
        first = int(draw.integers(1 << 14))
        columns = np.arange(2 * PAIRS) + 2 * int(draw.integers(99))
        # slower than eta, so that each pattern meets every eta
        idle = STALLS[number // (4 * len(rules)) % len(STALLS)]
        starts = np.cumsum([2 + wait for wait in islice(waits[idle], PAIRS)])
        play, slots = Timeline(cycles), {}
        for n in range(2 * PAIRS):
            at, pair, half = int(starts[n // 2]) + n % 2, n // 2, n % 2
            numbers, result = {"i": first, "j": int(columns[n])}, at + later + timing.result
            play.set(at, "gradient", gradients[n])
            play.set(at + later + timing.weight, "weight", weights[n])
            ahead = NUMBERS - timing.shared
            slots.setdefault(at + later + ahead, {}).update(numbers)
            slots.setdefault(result, {}).update(live=1, weights=pair, half=half)
            if decay.rule in CARRYING:
                play.look(at + FOLD, "folded")
            if half:
                play.look(result, "data")
                play.look(result, "address")
            if later:
                play.set(at + NORMAL, "moments", moments[n])
                slots.setdefault(at + MOMENT_NUMBERS, {}).update(
                    {f"moment_{name}": value for name, value in numbers.items()}
                )
                slots.setdefault(at + CHANGED, {}).update(moment=n, moment_live=1)
                for port in ("new_moments", "moment_address", "moment_en"):
                    play.look(at + CHANGED, port)
        for at, fields in slots.items():
            play.set(at, "slot", packed(slot_layout, **fields))
        play.fill(operands, noise)
        play.fill(["slot"], noise, quiet=packed(slot_layout, live=1, moment_live=1))
        for at in range(play.last + 2):
            play.look(at, "en")
            play.look(at, "saturated")
        await play.play()
        i = np.int64(first + ROW + skip)
        random = dither(key, i, columns) if stochastic else None
        rounding = tuple(dither(key ^ own, i, columns) for own in KEYS)
        told = f"{decay}, eta {eta}"
        if decay.rule in CARRYING:
            sums = gradients.astype(float)
            way = Direction(steps(sums, decay.rule).astype(np.int64), np.array(eta[1]))
            left = [value for _, value in sorted(
                (at, value) for (port, at), value in play.seen.items() if port == "folded"
            )]  # fmt: skip
            assert signed(left, f.g.width).tolist() == carried(sums, decay.first).tolist(), told
        else:
            way, changed = direction(gradients, moments, decay, eta[1], rounding, f.g.width)
        new, saturated = apply(
            weights.astype(float), way.number.astype(float), (eta[0], way.shift), random, f
        )
        if later:
            ends = [int(starts[n // 2]) + n % 2 + CHANGED for n in range(2 * PAIRS)]
            assert [play.seen["new_moments", at] for at in ends] == changed.tolist(), told
            assert [play.seen["moment_address", at] for at in ends] == list(range(2 * PAIRS))
            assert all(play.seen["moment_en", at] for at in ends)
        ends = [int(at) + 1 + later + timing.result for at in starts]
        words = [play.seen["data", at] for at in ends]
        got = [n for word in words for n in signed([word, word >> f.word], f.word).tolist()]
        assert got == new.astype(int).tolist(), told
        assert [play.seen["address", at] for at in ends] == list(range(PAIRS))
        counted = sum(value for (port, _), value in play.seen.items() if port == "saturated")
        assert counted == saturated
        enables = [at for (port, at), value in play.seen.items() if port == "en" and value]
        assert enables == ends
        saturations += saturated
    assert saturations > RULES


@pytest.mark.parametrize("moments", [0, 1, 2])
def test_apply_18(bench, moments):
    machine = Machine(w_depth=64, moments=moments)
    bench(ApplyLane(machine, ROW), machine=machine.to_json())


@pytest.mark.parametrize(("moments", "word"), [(1, 12), (2, 8)])
def test_apply_short(bench, moments, word):
    machine = Machine(w_depth=64, formats=Formats(word=word), moments=moments, phi_log2=6)
    bench(ApplyLane(machine, ROW), machine=machine.to_json())


@pytest.mark.parametrize("moments", [0, 2])
def test_apply_16(bench, moments):
    machine = Machine(w_depth=64, formats=Formats(word=16), moments=moments)
    bench(ApplyLane(machine, ROW), machine=machine.to_json())


@pytest.mark.parametrize(("moments", "word"), [(0, 18), (0, 16), (2, 18), (0, 12)])
def test_apply_with_sums_that_are_carried_on(bench, moments, word):
    machine = Machine(w_depth=64, formats=Formats(word=word), moments=moments, carry=True)
    bench(ApplyLane(machine, ROW), machine=machine.to_json())


@pytest.mark.parametrize(
    ("shared", "carry", "word"), [(2, False, 18), (3, True, 18), (5, True, 12)]
)
def test_apply_for_several_rows(bench, shared, carry, word):
    machine = Machine(
        rows=shared, tile_rows=shared, apply_rows=shared, w_depth=64, carry=carry,
        formats=Formats(word=word),
    )  # fmt: skip
    bench(ApplyLane(machine, ROW), machine=machine.to_json())


@pytest.mark.parametrize(("word", "widest"), [(12, 18), (12, 16), (16, 18), (18, 16)])
def test_apply_by_multipliers(bench, word, widest):
    formats = Formats(word=word)
    machine = Machine(w_depth=64, formats=formats, spacing=12, near=True)
    lane = ApplyLane(machine, ROW)
    assert lane.may_multiply
    lane.multiplies = widest  # without the block of the family that has them
    bench(lane, machine=machine.to_json())
