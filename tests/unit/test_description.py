# SPDX-License-Identifier: Apache-2.0
"""The core's description: every field goes there and back, and what is wrong is named."""

import sys
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from antevolt.hdl.spec.description import FIELDS, KIND, check, described, machine_of
from antevolt.hdl.spec.errors import BadInput, WrongCore
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import LIMITS, Machine
from antevolt.hdl.spec.memory_map import READ_ONLY, Region, Register
from antevolt.host.backend import BACKENDS
from antevolt.host.device import open
from antevolt.host.model import ModelBackend

OTHERS: dict[str, object] = {
    "rows": 256, "streams": 256, "contexts": 4, "filters": 255, "multipliers": 5,
    "tile_rows": 256, "tile_streams": 256, "tables": 255, "phi_log2": 10,
    "w_depth": 1 << 14, "r_depth": 16, "state_depth": 1 << 13, "q_depth": 64, "io_depth": 32,
    "program_depth": 1 << 13, "traces": False, "softmax": False, "time_constants": True,
    "moments": 2, "sums": False, "carry": True, "lut_depth": 256,
    "saturations": False, "spacing": 63, "near": True, "paired": True, "apply_rows": 64,
    "formats": Formats(16, 11, 47, 10, 13),
}  # fmt: skip


def test_every_parameter_is_told() -> None:
    assert set(OTHERS) == {f.name for f in fields(Machine)}
    for name, value in OTHERS.items():
        small: dict[str, object] = {"sums": False} if name in ("io_depth", "streams") else {}
        small |= {"spacing": 12} if name == "near" else {}
        small |= {"rows": 64, "tile_rows": 64} if name == "apply_rows" else {}
        other = replace(Machine(), **{**small, name: value})  # type: ignore[arg-type]
        assert machine_of(described(other)) == other
        assert described(other) != described(Machine())
    whole = Machine(**{**OTHERS, "apply_rows": 1})  # type: ignore[arg-type]
    assert machine_of(described(whole)) == whole


def test_the_words_fit_32_bits_and_hold_what_a_machine_may_be() -> None:
    sizes = {name: bits for word in FIELDS for name, bits in word}
    assert all(sum(bits for _, bits in word) <= 32 for word in FIELDS)
    for name, most in LIMITS.items():
        if name != "contexts":
            assert most < 1 << sizes[name]
            with pytest.raises(ValueError, match=name):
                replace(Machine(), **{name: most + 1})
    assert len(FIELDS) == len(READ_ONLY)


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        (0, 0, "no core of this version"),
        (0, KIND + 1, "no core of this version"),
        (1, 0, "cannot be"),
        (4, 1 << 31, "unknown bits"),
    ],
)
def test_what_is_no_description_is_refused(word: int, value: int, message: str) -> None:
    words = list(described(Machine()))
    words[word] = value
    with pytest.raises(WrongCore, match=message):
        machine_of(tuple(words))


def test_another_core_is_refused_by_name() -> None:
    other = Machine(rows=2, moments=1, formats=Formats(word=16))
    with pytest.raises(WrongCore) as caught:
        check(Machine(), described(other))
    for told in ("rows is 2, not 1", "moments is 1, not 0", "word is 16, not 18"):
        assert told in str(caught.value)
    assert "streams" not in str(caught.value)
    check(other, described(other))


class Mistaken(ModelBackend):
    """A backend that takes its core for another one."""

    closed = False

    def __init__(self, machine: Machine, deadline: float):
        super().__init__(Machine(rows=2), deadline)
        self.machine = machine

    def close(self) -> None:
        Mistaken.closed = True


def test_a_device_that_is_another_core_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "mistaken", (__name__, "Mistaken"))
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__, SimpleNamespace()))
    monkeypatch.setattr(sys.modules[__name__], "Mistaken", Mistaken, raising=False)
    with pytest.raises(WrongCore, match="rows is 2, not 1"):
        open("mistaken")
    assert Mistaken.closed


@pytest.mark.parametrize("device", ["model", "model:numpy"])
def test_the_registers_tell_it_and_cannot_be_written(device: str) -> None:
    machine = Machine(streams=2, softmax=False)
    with open(device, machine=machine) as opened:
        words = np.full(len(READ_ONLY), (1 << 36) - 1)
        opened.backend.write(Region.REGISTERS, 0, Register.CORE_KIND, words)
        found = opened.backend.read(Region.REGISTERS, 0, Register.CORE_KIND, len(READ_ONLY))
        assert tuple(found.tolist()) == described(machine)
        with pytest.raises(BadInput):
            opened.backend.read(Region.REGISTERS, 0, Register.CORE_FEATURES + 1, 1)
