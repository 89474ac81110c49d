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
from antevolt.sim.bench.streams import Cycles
from antevolt.sim.golden.arithmetic import Limits, narrow, product

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
    for n in range(count + NARROW):
        if n < count:
            dut.a.value, dut.b.value, dut.shift.value = int(a[n]), int(b[n]), int(shift[n])
        if 0 <= n - BASE < count:
            dut.base.value = int(base[n - BASE])
        await cycles.step()
        # a rising edge has passed: outputs are those of cycle n + 1
        if 0 <= (at := n + 1 - WIDE) < count:
            assert dut.wide.value.to_signed() == wide[at], at
            assert int(dut.wide_saturated.value) == changed[at], at
        if 0 <= (at := n + 1 - NARROW) < count:
            assert dut.narrow.value.to_signed() == words[at], at
            assert int(dut.saturated.value) == limited[at], at
    assert 0 < np.count_nonzero(changed) < np.count_nonzero(limited) < count


@pytest.mark.parametrize("word", [16, 18])
def test_product(bench, word):
    bench(Product(Formats(word=word)), word=word)
