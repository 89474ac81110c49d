# SPDX-License-Identifier: Apache-2.0
"""Coefficients and learning rates as integers: how exact, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadNetwork
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.roundings import PRE
from antevolt.host.quantize import coefficient, learning_rate, shifts

WORDS = [8, 12, 16, 18]


def parts(word, f):
    """Mantissa and shift of a coefficient."""
    half = 1 << (f.word - 1)
    return ((word & (2 * half - 1)) ^ half) - half, word >> f.word


def multiplied(word, a, f):
    """What the filter adds to its base for the factor `a`, before it rounds."""
    mantissa, shift = parts(word, f)
    return Fraction(a * mantissa << PRE, 1 << shift)


def values():
    drawn = np.random.default_rng(5)
    return (drawn.choice([-1, 1], 300) * 2 ** drawn.uniform(-30, 8.9, 300)).tolist()


@pytest.mark.parametrize("word", WORDS)
def test_coefficients_are_as_exact_as_a_mantissa(word):
    f = Formats(word)
    # d [r or e] to u or v has `guard` bits more; gamma e goes from the format e to u, beta (y - r)
    # from r to v
    gains = f.guard, f.u.frac - f.e.frac, f.v.frac - f.r.frac
    for shift, gain in zip(shifts(f), gains, strict=True):
        for value in values():
            if abs(value) >= 2.0 ** (shift + 1):
                with pytest.raises(BadNetwork):
                    coefficient("c", value, shift, f)
                continue
            made = coefficient("c", value, shift, f)
            wanted = Fraction(value) * Fraction(2) ** gain
            assert abs(multiplied(made, 1, f) - wanted) <= abs(wanted) / 2 ** (word - 1)
            mantissa, _ = parts(made, f)
            assert 1 << (word - 2) <= abs(mantissa) < 1 << (word - 1)
            assert 0 <= made < 1 << (word + 6)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("exponent", [-20, -1, 0, 1, 8])
@pytest.mark.parametrize("sign", [-1, 1])
def test_powers_of_two_are_exact(word, exponent, sign):
    f = Formats(word)
    most = shifts(f)[0]
    if exponent > most:
        with pytest.raises(BadNetwork, match="filters go up to"):
            coefficient("c", sign * 2.0**exponent, most, f)
        return
    made = coefficient("c", sign * 2.0**exponent, most, f)
    assert multiplied(made, 3, f) == sign * 3 * Fraction(2) ** (exponent + f.guard)


@pytest.mark.parametrize("word", WORDS)
def test_a_mantissa_that_rounds_up_to_two(word):
    f = Formats(word)
    made = coefficient("c", np.nextafter(2.0, 0), shifts(f)[0], f)
    assert made == coefficient("c", 2.0, shifts(f)[0], f)
    assert parts(made, f) == (1 << (word - 2), shifts(f)[0] - 1)


@pytest.mark.parametrize("word", WORDS)
def test_zero_and_what_is_too_small(word):
    f = Formats(word)
    shift = shifts(f)[0]
    assert coefficient("c", 0.0, shift, f) == 0
    least = 2.0 ** (shift - 63)
    assert parts(coefficient("c", least, shift, f), f) == (1 << (word - 2), 63)
    assert coefficient("c", np.nextafter(least / 2, 0), shift, f) == 0


@pytest.mark.parametrize("word", WORDS)
def test_what_is_too_large(word):
    f = Formats(word)
    shift = shifts(f)[0]
    most = 2.0 ** (shift + 1) * (1 - 2.0**-word)
    assert parts(coefficient("c", most * 0.999, shift, f), f)[1] == 0
    with pytest.raises(BadNetwork, match=rf"kappa of x is .*up to {2 ** (shift + 1)}"):
        coefficient("kappa of x", 2.0 ** (shift + 1), shift, f)
    with pytest.raises(BadNetwork, match="kappa of x"):
        coefficient("kappa of x", -(2.0 ** (shift + 1)), shift, f)


@pytest.mark.parametrize("word", WORDS)
def test_learning_rates_are_the_nearest(word):
    f = Formats(word)
    gain = 2.0 ** (f.w.frac - f.g.frac)
    possible = np.array([m * 2.0**-k / gain for m in range(4, 8) for k in range(64)])
    for eta in 2 ** np.random.default_rng(6).uniform(-40, -1, 200):
        (m, k), used = learning_rate(float(eta), f)
        assert 4 <= m <= 7
        assert 0 <= k <= 63
        assert used == m * 2.0**-k / gain
        assert abs(used - eta) == abs(possible - eta).min()


@pytest.mark.parametrize("word", WORDS)
def test_a_learning_rate_moves_weights_by_eta_times_gradient(word):
    """Between raw gradient and raw weight, as APPLY multiplies."""
    f = Formats(word)
    (m, k), used = learning_rate(0.0123, f)
    gradient = 1 << 20
    change = Fraction(gradient * m, 2**k)
    assert float(change) * f.w.lsb == pytest.approx(used * gradient * f.g.lsb, rel=1e-15)
    assert used == pytest.approx(0.0123, rel=1 / 8)


def test_a_learning_rate_that_rounds_up_an_octave():
    assert learning_rate(2.0**-6 * 0.99, Formats())[1] == 2.0**-6


@pytest.mark.parametrize("eta", [0.0, -0.5, float("nan")])
def test_a_learning_rate_is_positive(eta):
    with pytest.raises(BadNetwork, match=r"eta is .*positive.*learn=False"):
        learning_rate(eta, Formats())


@pytest.mark.parametrize("word", WORDS)
def test_learning_rates_have_ends(word):
    f = Formats(word)
    gain = 2.0 ** (f.w.frac - f.g.frac)
    assert learning_rate(7 / gain, f)[0] == (7, 0)
    assert learning_rate(4 * 2.0**-63 / gain, f)[0] == (4, 63)
    for eta in (8 / gain, 3.4 * 2.0**-63 / gain):
        with pytest.raises(BadNetwork, match=r"this core takes .* \.\. "):
            learning_rate(eta, f)
