# SPDX-License-Identifier: Apache-2.0
"""The array's sums against sums of big integers, product by product."""

import numpy as np
import pytest

from antevolt.hdl.spec.formats import Formats
from antevolt.sim.golden.array import back, forward, gradient


def words(rng, shape, word, extreme):
    low, high = -(1 << (word - 1)), (1 << (word - 1)) - 1
    if extreme == "lowest":
        return np.full(shape, low)
    if extreme == "ends":
        return rng.choice([low, low + 1, -1, 0, 1, high], size=shape)
    return rng.integers(low, high + 1, size=shape)


def half_up(value: int, shift: int) -> int:
    return (value + (1 << shift >> 1)) >> shift


def plain(a, b, drop):
    """sum_m half_up(a[m, i] b[m, j], drop), in Python's integers."""
    a, b = a.tolist(), b.tolist()
    return [
        [
            sum(half_up(p[i] * q[j], drop) for p, q in zip(a, b, strict=True))
            for j in range(len(b[0]))
        ]
        for i in range(len(a[0]))
    ]


CASES = [(extreme, word) for extreme in ("any", "lowest", "ends") for word in (8, 12, 16, 18)]


@pytest.mark.parametrize(("extreme", "word"), CASES)
def test_forward_is_the_exact_sum(extreme, word):
    rng = np.random.default_rng(1)
    w, r = words(rng, (5, 12), word, extreme), words(rng, (3, 12), word, extreme)
    exact = [
        [sum(a * b for a, b in zip(x, y, strict=True)) for y in w.tolist()] for x in r.tolist()
    ]
    assert forward(w.astype(float), r.astype(float)).astype(int).tolist() == exact


@pytest.mark.parametrize(("extreme", "word"), CASES)
def test_back_rounds_every_product(extreme, word):
    rng, f = np.random.default_rng(2), Formats(word)
    w, e = words(rng, (9, 6), word, extreme), words(rng, (4, 9), word, extreme)
    q = back(w.astype(float), e.astype(float), f.q_drop)
    assert q.astype(int).tolist() == plain(e.T, w, f.q_drop)


@pytest.mark.parametrize(("extreme", "word"), CASES)
def test_gradient_rounds_every_product(extreme, word):
    rng, f = np.random.default_rng(3), Formats(word)
    e, r = words(rng, (7, 5), word, extreme), words(rng, (7, 6), word, extreme)
    g = gradient(e.astype(float), r.astype(float), f.g_drop)
    assert g.astype(int).tolist() == plain(e, r, f.g_drop)


def test_longest_sum_of_ties():
    """As many neurons as a population may have, every product a tie: each of them goes up."""
    f = Formats()
    w, e = np.full((f.max_targets, 2), 1 << (f.q_drop - 1)), np.full((1, f.max_targets), -1)
    q = back(w.astype(float), e.astype(float), f.q_drop)
    assert q.tolist() == [[0.0, 0.0]]  # half_up of the sum would be -max_targets / 2
    q = back(w.astype(float), -e.astype(float), f.q_drop)
    assert q.tolist() == [[f.max_targets, f.max_targets]]


def test_views_are_read_right():
    """Operands come as slices of memories, with strides of their own."""
    rng = np.random.default_rng(4)
    store, w = words(rng, (10, 8), 18, "any"), words(rng, (5, 4), 18, "any")
    e = store[::2, 1:6].T.astype(float).T[:, ::-1]
    assert back(w.astype(float), e, 9).astype(int).tolist() == plain(e.astype(int).T, w, 9)


def test_no_stream_adds_nothing():
    assert gradient(np.zeros((0, 3)), np.zeros((0, 2)), 12).tolist() == [[0.0, 0.0]] * 3
