# SPDX-License-Identifier: Apache-2.0
"""The random bits of stochastic rounding: their definition, and that they look uniform."""

import warnings

import numpy as np
import pytest

from antevolt.hdl.spec.dither import BITS, ROTATIONS, dither, key, mix

I, J = np.arange(64)[:, None], np.arange(64)[None, :]


def plain_mix(word: int) -> int:
    for op, n in ROTATIONS:
        word = word + (word << n) & 0xFFFFFFFF if op == "add" else word ^ word >> n
    return word


def far_from_uniform(values) -> float:
    """Chi squared of the upper 4 bits, in standard deviations from its mean."""
    counts = np.bincount(np.asarray(values).ravel() >> (BITS - 4), minlength=16)
    expected = counts.sum() / 16
    return (((counts - expected) ** 2 / expected).sum() - 15) / np.sqrt(30)


def test_definition():
    for word in (0, 1, 0x12345678, 0xFFFFFFFF):
        assert int(mix(word)) == plain_mix(word)
    for seed, step, k in ((0, 0, 0), (7, 123456, 3), (0xFFFFFFFF, 1, 15)):
        own = key(seed, step, k)
        assert own == plain_mix(plain_mix(seed ^ step) ^ k)
        place = 5 << 16 ^ 9
        assert int(dither(own, 5, 9)) == plain_mix(place ^ own) >> 32 - BITS


def test_no_warnings_of_scalars_or_arrays():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = key(0xFFFFFFFF, 0, 9)
        dither(own, 32767, 65535)
        dither(own, I, J)
        mix(0xFFFFFFFF)
        mix(np.uint32(0xFFFFFFFF))


def test_shapes():
    assert mix(3).shape == ()
    assert mix([1, 2]).shape == (2,)
    assert dither(1, I, J).shape == (64, 64)


@pytest.mark.parametrize("seed", [0, 1, 2, 12345])
def test_uniform_over_places(seed):
    bits = dither(key(seed, 0, 0), I, J)
    assert bits.min() >= 0
    assert bits.max() < 1 << BITS
    assert far_from_uniform(bits) < 6
    assert abs(bits.mean() / (1 << BITS) - 0.5) < 0.03


def test_uniform_over_steps():
    """One weight over the steps: this is what makes small changes add up."""
    for i, j in ((0, 0), (0, 1), (52, 53)):
        bits = np.array([int(dither(key(1, step, 0), i, j)) for step in range(2000)])
        assert far_from_uniform(bits) < 6
        assert abs(bits.mean() / (1 << BITS) - 0.5) < 0.03
        later = np.corrcoef(bits[1:], bits[:-1])[0, 1]
        assert abs(later) < 0.1


def test_neighbours_are_not_alike():
    bits = dither(key(3, 5, 1), I, J).astype(float)
    for a, b in ((bits[1:], bits[:-1]), (bits[:, 1:], bits[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.1


def test_keys_differ():
    keys = {key(seed, step, k) for seed in range(4) for step in range(4, 500, 8) for k in range(8)}
    assert len(keys) == len(
        {(s ^ t, k) for s in range(4) for t in range(4, 500, 8) for k in range(8)}
    )
