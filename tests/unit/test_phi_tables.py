# SPDX-License-Identifier: Apache-2.0
"""The tables of phi: their error for every p, their shape, and that no entry leaves the word."""

import numpy as np
import pytest

from antevolt.hdl.spec.formats import Formats, round_shift
from antevolt.hdl.spec.roundings import PRE
from antevolt.host.phi_tables import CORNERS, FUNCTIONS, table

WORST = {
    # word, log2, phi: worst error of phi and of phi', in LSB of r
    (18, 8, "tanh"): (3.82, 8.44),
    (18, 8, "softplus"): (7.52, 1.31),
    (18, 10, "tanh"): (1.10, 1.37),
    (18, 10, "softplus"): (7.50, 0.99),
    (18, 4, "tanh"): (1080.22, 1051.46),
    (16, 8, "tanh"): (1.61, 2.61),
    (16, 8, "softplus"): (3.39, 1.05),
    (16, 4, "softplus"): (65.18, 29.28),
    (18, 8, "sigmoid"): (1.31, 1.35),
    (18, 8, "exp"): (5.62, 0.0),
}
"""softplus ends at 8.0003, the word at 7.9999: the last interval cannot be better."""

CASES = [(word, log2, phi) for word in (12, 16, 18) for log2 in (4, 8, 10) for phi in FUNCTIONS]


def entries(words, word):
    """Value and slope of each interval."""
    half = 1 << (word - 1)
    return (((part & (2 * half - 1)) ^ half) - half for part in (words, words >> word))


def looked_up(words, f, log2):
    """What the filter makes of a table: for every p the wide sum and its rounded word."""
    p = np.arange(f.r.raw_min, f.r.raw_max + 1)
    value, slope = entries(words, f.word)
    inside = f.word - log2
    interval, low = (p - f.r.raw_min) >> inside, (p - f.r.raw_min) & ((1 << inside) - 1)
    rise = round_shift((low * slope[interval]) << PRE, PRE + f.word - 2 - f.guard)
    wide = (value[interval] << f.guard) + rise
    return p, wide, round_shift(wide, f.guard)


@pytest.mark.parametrize(("word", "log2", "phi"), WORST)
def test_worst_error_over_all_p(word, log2, phi):
    f = Formats(word)
    for which, worst in enumerate(WORST[word, log2, phi]):
        p, _, found = looked_up(table(phi, f, log2)[which], f, log2)
        wanted = FUNCTIONS[phi][which](f.r.to_real(p)) / f.r.lsb
        assert abs(found - wanted).max() == pytest.approx(worst, abs=0.006)


def test_only_the_end_of_the_word_makes_softplus_worse():
    f = Formats(18)
    p, _, found = looked_up(table("softplus", f, 8)[0], f, 8)
    wanted = FUNCTIONS["softplus"][0](f.r.to_real(p)) / f.r.lsb
    last = p >= f.r.raw_max + 1 - (1 << 10)
    assert abs(found - wanted)[~last].max() < 2


@pytest.mark.parametrize(("word", "log2", "phi"), CASES)
def test_nothing_saturates(word, log2, phi):
    f = Formats(word)
    for words in table(phi, f, log2):
        _, wide, found = looked_up(words, f, log2)
        assert f.u.raw_min <= wide.min()
        assert wide.max() <= f.u.raw_max
        assert f.r.raw_min <= found.min()
        assert found.max() <= f.r.raw_max
        slope = list(entries(words, word))[1]
        assert f.mantissa.raw_min < slope.min()
        assert slope.max() < f.mantissa.raw_max


@pytest.mark.parametrize(("word", "log2", "phi"), CASES)
def test_as_monotone_as_the_function(word, log2, phi):
    f = Formats(word)
    phi_words, slope_words = table(phi, f, log2)
    p, _, found = looked_up(phi_words, f, log2)
    assert (np.diff(found) >= 0).all()
    assert found[-1] > found[0]
    _, _, slope = looked_up(slope_words, f, log2)
    rising = np.diff(slope)
    if phi in ("tanh", "sigmoid", "hard_tanh"):  # their derivatives have their top at 0
        assert (rising[p[:-1] < 0] >= 0).all()
        assert (rising[p[:-1] >= 0] <= 0).all()
        assert slope[p == 0][0] == slope.max()
    else:
        assert (rising >= 0).all()
    assert slope.min() >= 0


@pytest.mark.parametrize("phi", FUNCTIONS)
def test_the_derivative_is_that_of_the_function(phi):
    p, step = np.linspace(-7.5, 7.5, 301) + 1e-3, 1e-5  # beside the corners
    function, derivative = FUNCTIONS[phi]
    if phi == "exp":  # that of a softmax's exponential is nowhere used
        function = np.zeros_like
    assert derivative(p) == pytest.approx(
        (function(p + step) - function(p - step)) / (2 * step), abs=1e-8
    )


@pytest.mark.parametrize("phi", CORNERS)
@pytest.mark.parametrize("log2", [4, 8, 10])
def test_straight_functions_are_exact(phi, log2):
    f = Formats(18)
    words = table(phi, f, log2)
    for which, function in enumerate(FUNCTIONS[phi]):
        p, _, found = looked_up(words[which], f, log2)
        real = f.r.to_real(p) + which * f.r.lsb / 2  # at a corner phi' is that above it
        assert (found == f.r.to_raw(function(real))).all()


def test_words_are_value_below_slope():
    f = Formats(16)
    words = table("tanh", f, 4)
    assert words.shape == (2, 16)
    assert words.min() >= 0
    assert words.max() < 1 << 32
    value, slope = entries(words[0], 16)
    # the interval that starts at p = 0: tanh 0 = 0, and the rise to tanh 1
    assert value[8] == 0
    assert slope[8] * f.mantissa.lsb == pytest.approx(np.tanh(1), abs=0.08)
