# SPDX-License-Identifier: Apache-2.0
"""The filter's products, roundings and counts against big integers, one neuron at a time."""

from collections import Counter

import numpy as np
import pytest

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.roundings import PRE
from antevolt.host.quantize import coefficient, shifts
from antevolt.sim.golden.arithmetic import Limits, factors, lookup, narrow, product
from antevolt.sim.golden.filter import Tables, difference, drive, error, membrane

N = 400


def half_up(value: int, shift: int) -> int:
    return value << -shift if shift <= 0 else (value + (1 << (shift - 1))) >> shift


def limited(value: int, bits: int) -> tuple[int, bool]:
    kept = min(max(value, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)
    return kept, kept != value


def plain_product(a, m, shift, base, f):
    return limited(base + half_up(a * m << PRE, shift), f.word + f.guard)


def plain_narrow(wide, f):
    return limited(half_up(wide, f.guard), f.word)


def plain_word(a, m, shift, base, f):
    wide, first = plain_product(a, m, shift, base, f)
    word, second = plain_narrow(wide, f)
    return word, first or second


def signed(rng, bits, size=N):
    """Numbers of all magnitudes, and the ends of the range."""
    drawn = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), size) >> rng.integers(0, bits, size)
    ends = [-(1 << (bits - 1)), (1 << (bits - 1)) - 1, 0, -1, 1]
    return np.where(rng.random(size) < 0.2, rng.choice(ends, size), drawn)


def coefficients(rng, f):
    """(mantissas, shifts) [3, N], and their words."""
    mantissa = rng.integers(1 << (f.word - 2), 1 << (f.word - 1), (3, N))
    mantissa *= rng.choice([-1, 1, 1, 1, 0], (3, N))
    centre = PRE + f.word - 2 - f.guard
    shift = np.clip(rng.integers(centre - 8, centre + 9, (3, N)), 0, 63)
    shift[:, :6] = [0, 1, 62, 63, 40, PRE]
    return mantissa, shift, shift << f.word | mantissa & (1 << f.word) - 1


class Seen(Counter):
    """Saturations told by the model."""

    def __call__(self, kind, where):
        self[kind] += int(np.count_nonzero(where))


def row(values):
    return np.asarray(values, dtype=float).reshape(1, -1)


def ints(values):
    return np.asarray(values).astype(np.int64).ravel().tolist()


@pytest.mark.parametrize("word", [8, 12, 16, 18])
def test_product_and_narrow(word):
    rng, f = np.random.default_rng(word), Formats(word)
    a, base = signed(rng, word), signed(rng, word + f.guard)
    m, shift, code = coefficients(rng, f)
    wide = product(row(a), row(factors(code[0], f)), row(base))
    exact = [
        b + half_up(x * y << PRE, s)
        for x, y, s, b in zip(*map(ints, (a, m[0], shift[0], base)), strict=True)
    ]
    assert ints(wide) == exact
    words, where = narrow(wide, f)
    plain = [plain_word(*z, f) for z in zip(*map(ints, (a, m[0], shift[0], base)), strict=True)]
    assert ints(words) == [value for value, _ in plain]
    assert where is not None
    assert where.ravel().tolist() == [hit for _, hit in plain]
    assert any(hit for _, hit in plain)
    assert not all(hit for _, hit in plain)


@pytest.mark.parametrize("word", [8, 12, 16, 18])
def test_narrow_at_its_edges(word):
    f = Formats(word)
    top = 1 << (word + f.guard - 1)
    edges = [s * top + d for s in (-1, 1) for d in (-1025, -514, -513, -512, -511, -1, 0, 1, 512)]
    for edge in edges:
        wide, first = limited(edge, word + f.guard)
        value, second = plain_narrow(wide, f)
        words, where = narrow(row([edge, 0]), f)
        assert ints(words) == [value, 0]
        assert (where is not None and bool(where[0, 0])) == (first or second)


def test_limits():
    limits = Limits(4)
    assert limits.holds(row([-8, 7]))
    assert not limits.holds(row([8]))
    assert not limits.holds(row([-9]))
    assert limits.outside(row([-9, -8, 7, 8])).tolist() == [[True, False, False, True]]
    assert limits.clip(row([-9, 8])).tolist() == [[-8, 7]]


def random_tables(rng, f, log2):
    """Words of phi and phi' of small slopes, so that no interval leaves the word."""
    value = rng.integers(-(1 << (f.word - 3)), 1 << (f.word - 3), (2, 1 << log2))
    slope = rng.integers(-(1 << (f.word - 2)), 1 << (f.word - 2), (2, 1 << log2))
    mask = (1 << f.word) - 1
    return value, slope, value & mask | (slope & mask) << f.word


def plain_lookup(p, value, slope, f, log2):
    at, inside = p + (1 << (f.word - 1)), f.word - log2
    index, fraction = at >> inside, at & (1 << inside) - 1
    shift = PRE + f.word - 2 - f.guard
    return plain_word(fraction, slope[index], shift, value[index] << f.guard, f)[0]


@pytest.mark.parametrize(("word", "log2"), [(16, 8), (18, 8), (18, 4), (16, 10), (12, 8), (8, 6)])
def test_lookup_of_every_p_that_matters(word, log2):
    rng, f = np.random.default_rng(word + log2), Formats(word)
    value, slope, code = random_tables(rng, f, log2)
    answers = lookup(code[0], f, log2)
    half = 1 << (word - 1)
    tries = [-half, -half + 1, -1, 0, 1, half - 1, *rng.integers(-half, half, 500).tolist()]
    lists = value[0].tolist(), slope[0].tolist()
    assert answers.shape == (1 << word,)
    assert [int(answers[p + half]) for p in tries] == [
        plain_lookup(p, *lists, f, log2) for p in tries
    ]


@pytest.mark.parametrize("word", [8, 12, 16, 18])
@pytest.mark.parametrize("linear", [True, False])
def test_membrane(word, linear):
    rng, f, log2 = np.random.default_rng(3 * word + linear), Formats(word), 6
    acc, e = signed(rng, f.accumulator), signed(rng, word)
    u = signed(rng, word + f.guard)
    m, shift, code = coefficients(rng, f)
    value, slope, tables = random_tables(rng, f, log2)
    want, hits = [], Counter()
    for n in range(N):
        s, hit = limited(half_up(int(acc[n]), f.drive.frac - f.u.frac), word + f.guard)
        hits["drive"] += hit
        of = [(int(m[k, n]), int(shift[k, n])) for k in range(3)]
        d, hit = plain_word(int(e[n]), *of[0], s - int(u[n]), f)
        hits["d"] += hit
        p, hit = plain_word(d, *of[2], int(u[n]), f)
        hits["p"] += hit
        u_next, hit = plain_product(d, *of[1], int(u[n]), f)
        hits["u"] += hit
        r, r_slope = p, 1 << f.r.frac
        if not linear:
            r, r_slope = (
                plain_lookup(p, value[k].tolist(), slope[k].tolist(), f, log2) for k in range(2)
            )
        want.append((u_next, r, r_slope))
    seen = Seen()
    made = None if linear else Tables(*(lookup(half, f, log2) for half in tables))
    gamma, a_m, rho = (row(factors(code[k], f)) for k in range(3))
    got = membrane(drive(row(acc), f, seen), row(e), row(u), (gamma, a_m, rho), made, f, seen)
    assert list(zip(*map(ints, got), strict=True)) == want
    assert seen == hits
    assert all(hits[kind] for kind in ("drive", "d", "u", "p"))


@pytest.mark.parametrize("word", [8, 12, 16, 18])
def test_error(word):
    rng, f = np.random.default_rng(word), Formats(word)
    slope, v = signed(rng, word), signed(rng, word + f.guard)
    q = np.where(rng.random(N) < 0.3, signed(rng, word + 1), signed(rng, word))  # y - r is longer
    m, shift, code = coefficients(rng, f)
    want, hits = [], Counter()
    for n in range(N):
        of = [(int(m[k, n]), int(shift[k, n])) for k in range(3)]
        kept, far = limited(int(q[n]), word)
        scaled, hit = plain_word(kept, *of[0], 0, f)
        hits["beta"] += hit or far
        hits["far"] += far and not hit
        own_shift = PRE + f.r.frac - f.guard
        delta, hit = plain_word(int(slope[n]), scaled, own_shift, -int(v[n]), f)
        hits["delta"] += hit
        e, hit = plain_word(delta, *of[2], int(v[n]), f)
        hits["e"] += hit
        v_next, hit = plain_product(delta, *of[1], int(v[n]), f)
        hits["v"] += hit
        want.append((v_next, e))
    assert hits.pop("far")
    seen = Seen()
    scale, a_r, kappa = (row(factors(code[k], f)) for k in range(3))
    got = error(row(q), row(slope), row(v), (scale, a_r, kappa), f, seen)
    assert list(zip(*map(ints, got), strict=True)) == want
    assert seen == hits
    assert all(hits[kind] for kind in ("beta", "delta", "e", "v"))


@pytest.mark.parametrize("word", [8, 12, 16, 18])
def test_squared_error(word):
    rng = np.random.default_rng(word)
    y, r = signed(rng, word), signed(rng, word)
    got = difference(row(y), row(r), np.array([True]))
    assert ints(got) == [int(a) - int(b) for a, b in zip(y, r, strict=True)]
    assert not difference(row(y), row(r), np.array([False])).any()


@pytest.mark.parametrize("word", [8, 12, 16, 18])
@pytest.mark.parametrize("beta", [2.0, 8.0, 30.0])
def test_an_error_at_the_output_is_rounded_once(word, beta):
    """y - r is rounded once, when beta has multiplied it."""
    f = Formats(word)
    raw = np.arange(-12.0, 13.0)
    scale = coefficient("beta", beta, shifts(f)[2], f)
    factor = factors(np.full((1, len(raw)), scale), f)
    one = row(np.full(len(raw), 1 << f.r.frac))
    unity = factors(np.full((1, len(raw)), coefficient("c", 1.0, shifts(f)[0], f)), f)
    _, e = error(row(raw), one, row(np.zeros(len(raw))), (factor, unity, unity), f, Seen())
    wanted = beta * raw / 2.0 ** (f.r.frac - f.e.frac)
    assert ints(e) == np.floor(wanted + 0.5).astype(int).tolist()


def test_operands_are_left_alone():
    """State is read by views of memories: only `acc` may be used up."""
    rng, f = np.random.default_rng(0), Formats()
    kept = [row(signed(rng, 18)) for _ in range(5)]
    before = [k.copy() for k in kept]
    one = (row(np.ones(N)),) * 3
    membrane(row(np.ones(N)), kept[0], kept[1], one, None, f, Seen())
    error(kept[2], kept[3], kept[4], one, f, Seen())
    assert all((a == b).all() for a, b in zip(kept, before, strict=True))
