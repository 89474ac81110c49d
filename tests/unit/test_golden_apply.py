# SPDX-License-Identifier: Apache-2.0
"""The change of the weights against big integers."""

import numpy as np
import pytest

from antevolt.hdl.spec.formats import Formats
from antevolt.sim.golden.apply import apply

SHAPE = (6, 10)


def plain(w, g, eta, random, word):
    """w' and whether it was limited, in Python's integers."""
    m, k = eta
    new = w + ((((g * m) << 16) >> k) + random >> 16)
    kept = min(max(new, -(1 << (word - 1))), (1 << (word - 1)) - 1)
    return kept, kept != new


@pytest.mark.parametrize("word", [8, 12, 16, 18])
@pytest.mark.parametrize("m", [4, 5, 7])
@pytest.mark.parametrize("k", [0, 1, 12, 16, 17, 30, 63])
@pytest.mark.parametrize("stochastic", [True, False])
def test_apply(word, m, k, stochastic):
    rng, f = np.random.default_rng(64 * m + k), Formats(word)
    half, wide = 1 << (word - 1), 1 << (f.g.width - 1)
    w = rng.integers(-half, half, SHAPE)
    g = rng.integers(-wide, wide, SHAPE) >> rng.integers(0, f.g.width, SHAPE)
    w[0, :4], g[0, :4] = [-half, half - 1, -half, half - 1], [-wide, -wide, wide - 1, wide - 1]
    random = rng.integers(0, 1 << 16, SHAPE) if stochastic else np.full(SHAPE, 1 << 15)
    new, saturated = apply(
        w.astype(float), g.astype(float), (m, k), random if stochastic else None, f
    )
    want = [
        plain(*each, (m, k), z, word)
        for *each, z in zip(*(a.ravel().tolist() for a in (w, g, random)), strict=True)
    ]
    assert new.astype(int).ravel().tolist() == [value for value, _ in want]
    assert saturated == sum(hit for _, hit in want)


def test_rounding_half_up_and_by_bits():
    f, half = Formats(), np.array([[1 << 11]], dtype=float)  # eta G is one half
    zero = np.zeros((1, 1))
    assert apply(zero, half, (4, 14), None, f)[0].item() == 1
    assert apply(zero, half - 1, (4, 14), None, f)[0].item() == 0
    assert apply(zero, half, (4, 14), np.array([[(1 << 15) - 1]]), f)[0].item() == 0
    assert apply(zero, half, (4, 14), np.array([[1 << 15]]), f)[0].item() == 1


def test_saturation_is_counted_once_per_weight():
    f = Formats()
    w = np.array([[f.w.raw_max, f.w.raw_max, f.w.raw_min, 0]], dtype=float)
    g = np.array([[1 << 20, 0, -(1 << 20), 1]], dtype=float)
    new, saturated = apply(w, g, (4, 2), None, f)
    assert (new.ravel().tolist(), saturated) == ([f.w.raw_max, f.w.raw_max, f.w.raw_min, 1], 2)
