# SPDX-License-Identifier: Apache-2.0
"""The filter's product against its twin: whole range, every shift, both saturations."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.product import Product
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.roundings import PRE
from antevolt.hdl.spec.timing import BASE, NARROW, WIDE
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.golden.arithmetic import Limits, narrow, product
from flow import flow

PER_SHIFT, SHIFTS = 48, 64


def drawn(draw, bits, count):
    """Of all magnitudes, the ends of the range and the numbers around zero among them."""
    half = 1 << (bits - 1)
    words = draw.integers(-half, half, count) >> draw.integers(0, bits, count)
    ends = np.array([-half, half - 1, -1, 0, 1, 1 - half])
    return np.where(draw.random(count) < 0.3, draw.choice(ends, count), words)


@cocotb.test()
async def equals_the_model(dut):
    f = Formats(word=values()["word"])
    cycles, draw, count = Cycles(dut), np.random.default_rng(f.word), PER_SHIFT * SHIFTS
    await cycles.reset()
    a, b = drawn(draw, f.word, count), drawn(draw, f.word, count)
    shift = draw.permutation(np.repeat(np.arange(SHIFTS), PER_SHIFT))
    base = drawn(draw, f.word + f.guard + 1, count)
    # just below where rounding leaves the word's range, with little added
    top = draw.random(count) < 0.1
    base[top] = (1 << (f.word + f.guard - 1)) - 1 - draw.integers(0, 2 << f.guard, top.sum())
    wide = product(a.astype(float), np.ldexp(b.astype(float), PRE - shift), base.astype(float))
    limits = Limits(f.word + f.guard)
    changed = limits.outside(wide)
    words, limited = narrow(wide.copy(), f)
    limits.clip(wide)
    for number, idle in enumerate(
        STALLS
    ):  # all at once, and a part of them with each of the pauses
        own = slice(None) if idle == "none" else slice(number, None, len(STALLS))
        await flow(
            cycles,
            {
                "a": (0, a[own]),
                "b": (0, b[own]),
                "shift": (0, shift[own]),
                "base": (BASE, base[own]),
            },
            {
                "wide": (WIDE, wide[own]),
                "wide_saturated": (WIDE, changed[own]),
                "narrow": (NARROW, words[own]),
                "saturated": (NARROW, limited[own]),
            },
            idle,
        )
    assert 0 < np.count_nonzero(changed) < np.count_nonzero(limited) < count


@pytest.mark.parametrize("word", [8, 12, 16, 18])
def test_product(bench, word):
    bench(Product(Formats(word=word)), word=word)
