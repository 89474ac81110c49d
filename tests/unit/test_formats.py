# SPDX-License-Identifier: Apache-2.0
"""Formats: what follows a word's length, sums that cannot wrap, and what no core can be made of."""

from dataclasses import replace
from typing import Any

import pytest

from antevolt.hdl.spec.formats import WORDS, Formats
from antevolt.hdl.spec.machine import Machine


@pytest.mark.parametrize("word", [16, 18])
def test_long_words_have_the_formats_they_had(word: int) -> None:
    f = Formats(word)
    assert f == Formats(word, 10, 46, 9, 12)
    assert (f.q.width, f.g.width) == (2 * word, 2 * word)
    assert (f.max_targets, f.max_products) == (1023, 8191)


@pytest.mark.parametrize("word", WORDS)
def test_the_largest_sums_fit(word: int) -> None:
    f = Formats(word)
    product = 1 << 2 * (word - 1)  # of two lowest words
    for fmt, drop, most in (
        (f.q, f.q_drop, f.max_targets),
        (f.g, f.g_drop, f.max_products),
        (f.drive, 0, f.max_inputs),
    ):
        assert (product >> drop) * most <= fmt.raw_max < (product >> drop) * (most + 1)
    assert f.max_targets == 1023
    assert f.max_products == 8191
    assert f.max_inputs >= 2047


@pytest.mark.parametrize("word", WORDS)
def test_reals_are_the_same_at_any_length(word: int) -> None:
    f, whole = Formats(word), Formats()
    for name in ("w", "r", "e", "u", "v", "q", "g", "mantissa"):
        assert getattr(f, name).real_min == getattr(whole, name).real_min


@pytest.mark.parametrize("word", WORDS)
def test_a_core_of_any_length_can_be(word: int) -> None:
    f = Formats(word)
    machine = Machine(formats=f, phi_log2=f.phi_log2, moments=2, carry=True)
    assert Machine.from_json(machine.to_json()) == machine


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"word": 13}, "word is 13 bits; a core has 8, 10, 12, 14, 16, 18 of them"),
        ({"guard": 0}, "guard is 0 bits"),
        ({"guard": 13}, "guard is 13 bits"),
        ({"accumulator": 23}, "accumulator is 23 bits; it is 24..42"),
        ({"q_drop": 9}, "q_drop is 9 bits; it is 0..8"),
        ({"g_drop": 14}, "g_drop is 14 bits; that is too many for words of 12"),
        ({"g_drop": -2}, "g_drop is -2 bits"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Formats(**{"word": 12, **changed})


def test_machines_that_cannot_be_are_refused() -> None:
    eight, twelve = Formats(8), Formats(12)
    with pytest.raises(ValueError, match="phi_log2 is 8; with words of 8 bits it is at most 7"):
        Machine(formats=eight)
    with pytest.raises(ValueError, match="time constants that learn need 16 or more"):
        Machine(formats=twelve, time_constants=True)
    shared: dict[str, Any] = {"rows": 6, "tile_rows": 3, "apply_rows": 3}
    for changed, message in (
        ({"apply_rows": 0}, r"apply_rows is 0; a core has 1\.\.64"),
        ({"rows": 4}, "apply_rows is 3; it divides rows, 4, and tile_rows, 3"),
        ({"tile_rows": 2}, "apply_rows is 3; it divides rows, 6, and tile_rows, 2"),
        ({"moments": 1}, "apply_rows is 3; with moments, and near, a row has its own lane"),
        ({"rows": 3, "spacing": 12, "near": True}, "apply_rows is 3; with moments, and near"),
    ):
        with pytest.raises(ValueError, match=message):
            Machine(**{**shared, **changed})
    typed: tuple[tuple[dict[str, Any], str], ...] = (
        ({"rows": 1.5}, "rows is 1.5; it is of type int"),
        ({"moments": True}, "moments is True; it is of type int"),
        ({"traces": "x"}, "traces is 'x'; it is of type bool"),
        ({"formats": 18}, "formats is 18; it is of type Formats"),
    )
    for changed, message in typed:
        with pytest.raises(ValueError, match=message):
            Machine(**changed)
    assert Machine(**shared).name == "6x1w18"
    with pytest.raises(ValueError, match="g_drop is 12 bits; that is too many for words of 12"):
        Machine(formats=replace(twelve, g_drop=12), moments=1)
