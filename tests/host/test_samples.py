# SPDX-License-Identifier: Apache-2.0
"""Samples: shapes, flags, rounding, saturation, packing."""

from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Formats
from antevolt.host.samples import Flags, Sample, Sizes, collect, steps_of

ONE = Sizes(1, 1, 1, Formats())
TWO = Sizes(2, 3, 1, Formats())
LSB = Formats().r.lsb


def test_three_shapes_are_one_for_a_single_stream_and_unit() -> None:
    x = np.array([0.5, -1.0, 0.25])
    batches = [steps_of(ONE, a).batch(0, 3) for a in (x, x[:, None], x[:, None, None])]
    for batch in batches:
        assert batch.x[:, 0, 0].tolist() == [8192, -16384, 4096]


def test_rounding_is_half_up_and_saturation_is_counted() -> None:
    real = np.array([1.5 * LSB, -1.5 * LSB, 8.0, 8.0 - LSB, -8.0, -9.0, 1e308])
    batch = steps_of(ONE, real).batch(0, 7)
    assert batch.x[:, 0, 0].tolist() == [2, -1, 131071, 131071, -131072, -131072, 131071]
    assert batch.saturated_inputs == 3


def test_words_carry_flags_on_the_first_word_of_a_stream() -> None:
    x = np.zeros((1, 2, 3))
    x[0, :, 0] = -LSB
    y = np.full((1, 2, 1), LSB)
    flags = Flags(valid=[[True, False]], first=[[False, True]], learn=True)
    words, targets = steps_of(TWO, x, y, flags).batch(0, 1).words(TWO.formats)
    first = int(Flag.VALID | Flag.TARGET_VALID | Flag.LEARN)
    second = int(Flag.FIRST | Flag.TARGET_VALID | Flag.LEARN)
    low = (1 << 18) - 1
    assert words.tolist() == [first << 18 | low, 0, 0, second << 18 | low, 0, 0]
    assert targets.tolist() == [1]  # none for the stream that is not valid


def test_flags_per_step_hold_for_all_streams() -> None:
    steps = steps_of(TWO, np.zeros((3, 2, 3)), flags=Flags(first=[True, False, False]))
    assert (steps.flags & Flag.FIRST).tolist() == [[2, 2], [0, 0], [0, 0]]


def test_a_sample_may_be_a_mapping_a_tuple_or_just_inputs() -> None:
    x, y = np.full((2, 3), 0.5), np.full((2, 1), 0.25)
    items = [Sample(x, y), (x, y), {"x": x, "y": y}]
    batch = collect(TWO, items, 0, learn=True)
    assert (batch.x == 8192).all()
    assert (batch.y == 4096).all()
    assert len(np.unique(batch.flags)) == 1
    plain = collect(TWO, [x], 0, learn=False)
    assert (plain.flags == int(Flag.VALID)).all()


BAD_ARRAYS: list[tuple[Any, str]] = [
    (np.zeros((4, 2)), r"shape \[4, 2\]; expected \[T, 2, 3\]"),
    (np.zeros((4, 3, 2)), r"shape \[4, 3, 2\]"),
    (np.zeros(4), r"shape \[4\]"),
    (np.float64(1.0), r"shape \[\]"),
    (np.full((4, 2, 3), "a"), "dtype"),
    (np.full((4, 2, 3), None), "dtype object"),
    (np.zeros((4, 2, 3), dtype=complex), "dtype complex"),
    ([[[1, 2, 3], [1, 2]]], "not an array"),
]


@pytest.mark.parametrize(("array", "message"), BAD_ARRAYS)
def test_bad_arrays_are_refused(array: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        steps_of(TWO, array)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_named(number: float) -> None:
    x = np.zeros((5000, 2, 3))
    x[4999, 1, 2] = number
    with pytest.raises(BadInput, match=r"samples\[4999, 1, 2\] is -?(nan|inf)"):
        steps_of(TWO, x)
    with pytest.raises(BadInput, match=r"step 7: x\[1, 2\]"):
        collect(TWO, [x[4999]], 7, learn=False)
    y = np.zeros((5000, 2, 1))
    y[3, 1, 0] = number
    with pytest.raises(BadInput, match=r"targets\[3, 1, 0\]"):
        steps_of(TWO, np.zeros((5000, 2, 3)), y)


BAD_FLAGS: list[tuple[dict[str, Any], str]] = [
    ({"valid": [True, False]}, r"valid has shape \[2\]"),
    ({"first": np.zeros((4, 3))}, r"first has shape \[4, 3\]"),
    ({"first": np.zeros((4, 2, 1))}, r"first has shape \[4, 2, 1\]"),
    ({"last": 2}, "last is 2; it is true or false"),
    ({"learn": "yes"}, "learn has dtype"),
    ({"target_valid": True}, "there is no target"),
]


@pytest.mark.parametrize(("flags", "message"), BAD_FLAGS)
def test_bad_flags_are_refused(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        steps_of(TWO, np.zeros((4, 2, 3)), flags=Flags(**flags))


BAD_ITEMS: list[tuple[Any, str]] = [
    ((), "tuple of 0"),
    ({"y": 1}, "no x"),
    ({"x": np.zeros((2, 3)), "lern": True}, "lern"),
    (np.zeros((3, 2)), r"shape \[3, 2\]; expected \[2, 3\]"),
    (None, "dtype object"),
    ("text", "dtype"),
    (Sample(np.zeros((2, 3)), np.zeros(2)), r"y has shape \[2\]"),
    (Sample(np.zeros((2, 3)), valid=[True] * 3), r"valid has shape \[3\]"),
]


@pytest.mark.parametrize(("item", "message"), BAD_ITEMS)
def test_bad_items_are_refused_with_their_step(item: Any, message: str) -> None:
    with pytest.raises(BadInput, match=f"step 12: .*{message}"):
        collect(TWO, [np.zeros((2, 3)), item], 11, learn=False)


def test_targets_must_be_as_long_as_samples() -> None:
    with pytest.raises(BadInput, match=r"targets has shape \[3, 2, 1\]; expected \[4, 2, 1\]"):
        steps_of(TWO, np.zeros((4, 2, 3)), np.zeros((3, 2, 1)))
