# SPDX-License-Identifier: Apache-2.0
"""Moments and directions against float64, and by hand."""

import numpy as np
import pytest

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.moments import (
    FRACTION,
    MANTISSA,
    ONE,
    SCALE,
    WORD,
    ZERO,
    Rule,
)
from antevolt.sim.golden.apply import apply
from antevolt.sim.golden.direction import Decay, direction
from antevolt.sim.golden.moments import Small, average, magnitude, split

N = 20000
F = Formats()
WIDTH = F.g.width
HALF = 1 << 15


def value(small, which, places=FRACTION):
    """A float's fields as a real number, in raw gradients (squared)."""
    sign = np.where(small.negative, -1.0, 1.0)
    return sign * np.ldexp(
        small.mantissa.astype(float), small.exponent - (1 + which) * ZERO - places
    )


def word(which, exponent, fraction=0, negative=0):
    """The word of (1 + fraction / ONE) 2^exponent."""
    field = exponent + (1 + which) * ZERO
    return np.array([(negative << WORD - 1) * (1 - which) | field << FRACTION | fraction])


def gradients(rng, n):
    g = rng.integers(-(1 << 35), 1 << 35, n) >> rng.integers(0, 36, n)
    g[:4] = -(1 << 35), (1 << 35) - 1, 0, -1
    return g


def test_magnitude_by_hand():
    g, square = magnitude(np.array([0, 1, -6, -(1 << 35)]))
    assert g.negative.tolist() == [0, 0, 1, 1]
    assert g.mantissa.tolist() == [0, 1 << MANTISSA, 3 << MANTISSA - 1, 1 << MANTISSA]
    assert g.exponent.tolist() == [0, ZERO, ZERO + 2, ZERO + 35]
    assert square.exponent.tolist() == [0, 2 * ZERO, 2 * ZERO + 4, 2 * ZERO + 70]
    assert square.mantissa[0] == 0
    assert square.negative.tolist() == [0, 0, 0, 0]


def test_magnitude_against_float():
    g = gradients(np.random.default_rng(0), N)
    g = g[g != 0]
    for which, limit in ((0, 2.0**-MANTISSA), (1, 0.008)):
        real = np.abs(g.astype(float)) ** (1 + which)
        found = np.abs(value(magnitude(g)[which], which, MANTISSA))
        assert np.max(np.abs(found / real - 1)) < limit


@pytest.mark.parametrize("k", [0, 1, 3, 10, 15])
@pytest.mark.parametrize("which", [0, 1])
def test_average_against_float(which, k):
    rng = np.random.default_rng(k)
    words, target = rng.integers(0, 1 << WORD, N), magnitude(gradients(rng, N))[which]
    x, t = value(split(words, which), which), value(target, which, MANTISSA)
    want = x + (t - x) * 2.0**-k
    low, high = (
        value(split(average(words, target, k, np.full(N, random), which), which), which)
        for random in (0, 2 * HALF - 1)
    )
    # what cancels keeps the error of what it came from
    scale = np.maximum(np.abs(want), np.maximum(np.abs(x), np.abs(t)) * 2.0**-24)
    least = 2.0 ** -((1 + which) * ZERO - 2)
    assert (np.abs(low - want) <= 2.0**-FRACTION * scale + least).all()
    assert (np.abs(high - want) <= 2.0**-FRACTION * scale + least).all()
    assert (np.abs(low) <= np.abs(high)).all()


@pytest.mark.parametrize(("which", "k"), [(0, 3), (1, 10), (1, 15)])
def test_random_bits_make_a_small_increment_true_on_average(which, k):
    every = np.arange(1 << 16)
    start = np.broadcast_to(word(which, 5, 321), every.shape)
    one = magnitude(np.array([3]))[which]
    target = Small(*(np.broadcast_to(field, every.shape) for field in one))
    moved = value(split(average(start, target, k, every, which), which), which)
    x, t = value(split(start[:1], which), which), value(one, which, MANTISSA)
    assert np.isclose(moved.mean(), (x + (t - x) * 2.0**-k).item(), rtol=1e-8)


def test_average_by_hand():
    eight, minus = (magnitude(np.array([g]))[0] for g in (8, -8))
    zero = np.array([0])
    half = np.array([HALF])
    assert average(zero, eight, 3, half, 0) == word(0, 0)
    assert average(word(0, 3), eight, 3, half, 0) == word(0, 3)
    assert average(word(0, 3), minus, 1, half, 0) == 0
    assert average(word(0, 3), minus, 0, half, 0) == word(0, 3, 0, 1)
    assert average(word(0, 2, ONE // 2), magnitude(zero)[0], 1, half, 0) == word(0, 1, ONE // 2)
    smallest = word(0, 1 - ZERO)
    assert average(smallest, magnitude(zero)[0], 1, half, 0) == 0
    assert average(zero, magnitude(zero)[1], 10, half, 1) == 0


def step(rule, g, moments, k=0, decay=(0, 0)):
    """The direction of one weight as a real number, and its new moments."""
    bits = np.array([HALF]), np.array([HALF])
    way, new = direction(np.array([g]), moments, Decay(rule, *decay), k, bits, WIDTH)
    return way.number.item() * 2.0 ** (k - way.shift.item()), new


def test_directions_by_hand():
    zero = np.array([0])
    assert step(Rule.SGD, -5, zero)[0] == -5
    assert step(Rule.MOMENTUM, -5, zero, 20)[0] == -5
    assert step(Rule.MOMENTUM, 12, zero, 20, (2, 0))[0] == 3
    for g, sign in ((7, 1), (-1 << 35, -1), (0, 0)):
        assert step(Rule.SIGN, g, zero, 20, (3, 0))[0] == sign * 2.0**SCALE
    for g in (1, -100, 12345, 1 << 34):
        found, moments = step(Rule.ADAM, g, zero, 20, (3, 10))
        assert np.isclose(found, np.sign(g) * 2.0 ** (SCALE + 2), rtol=0.01)  # 2^-3 / 2^-5
        assert moments >> WORD > 0
    assert step(Rule.ADAM, 0, zero, 20)[0] == 0
    assert step(Rule.SIGN, 1, word(1, 3) << WORD)[1] == word(0, 0)  # v goes where none is kept


def test_adam_factor_error():
    """m / sqrt(v) of any words: the table of roots makes an error below 0.4 %."""
    rng = np.random.default_rng(1)
    words = rng.integers(30, 40, N) << FRACTION | rng.integers(0, ONE, N)
    second = rng.integers(40, 70, N) << FRACTION | rng.integers(0, ONE, N)
    # k = 15 and G = 0 leave the words nearly as they are; compare with what they became
    way, new = direction(
        np.zeros(N, dtype=np.int64), second << WORD | words, Decay(Rule.ADAM, 15, 15), 20,
        (np.full(N, HALF), np.full(N, HALF)), WIDTH,
    )  # fmt: skip
    m = value(split(new & (1 << WORD) - 1, 0), 0)
    v = value(split(new >> WORD, 1), 1)
    found = np.ldexp(way.number.astype(float), 20 - way.shift)
    error = np.abs(found / (m / np.sqrt(v) * 2.0**SCALE) - 1)
    assert np.max(error) < 0.0040
    assert np.sqrt(np.mean(error**2)) < 0.0020


def learn(rule, steps=400, exact=False):
    """Losses of a linear regression, by the twin or in float64."""
    rng = np.random.default_rng(3)
    k, k2, eta = 3, 7, {Rule.MOMENTUM: 2.0**-6}.get(rule, 2.0**-8)
    x = rng.normal(size=(64, 8)) * np.geomspace(1, 0.1, 8)
    goal = rng.uniform(-1, 1, (8, 1))
    w, moments = np.zeros((8, 1)), np.zeros((8, 1), dtype=np.int64)
    m, v = np.zeros((8, 1)), np.zeros((8, 1))
    losses = []
    for _ in range(steps):
        error = x @ (goal - w)
        losses.append(float((error**2).mean()))
        g = F.g.to_raw(x.T @ error / 8)
        if exact:
            real = F.g.to_real(g)
            m += (real - m) * 2.0**-k
            v += (real**2 - v) * 2.0**-k2
            root = np.sqrt(v)
            safe = np.where(root > 0, root, 1)
            w = w + eta * {1: m, 2: np.sign(m), 3: m / safe}[int(rule)]
            continue
        bits = [rng.integers(0, 1 << 16, w.shape) for _ in range(3)]
        gain = F.g.frac if rule == Rule.MOMENTUM else SCALE
        eta_k = 2 - int(np.log2(eta)) - F.w.frac + gain
        way, moments = direction(g, moments, Decay(rule, k, k2), eta_k, tuple(bits[:2]), WIDTH)
        raw = F.w.to_raw(w).astype(float)
        new, _ = apply(raw, way.number.astype(float), (4, way.shift), bits[2], F)
        w = F.w.to_real(new)
    return np.array(losses)


@pytest.mark.parametrize("rule", [Rule.MOMENTUM, Rule.SIGN, Rule.ADAM])
def test_learning_curve_follows_float(rule):
    chip, real = learn(rule), learn(rule, exact=True)
    assert chip[-1] < 0.05 * chip[0]
    assert np.max(np.abs(chip - real)) < 0.02 * chip[0]
