# SPDX-License-Identifier: Apache-2.0
"""What a core says about itself: its parameters in six registers of 32 bits that nobody can write.

A host reads them before it does anything else: whether it talks to a core at all, and to which.
"""

from dataclasses import asdict
from typing import Any

from antevolt.hdl.spec.errors import WrongCore
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine

__all__ = ["FIELDS", "KIND", "WORDS", "check", "described", "machine_of", "markdown"]

KIND = 0x41560004
"""The first word of every core: "AV", and the version of this table and of what a step does."""

LOG2 = ("w_depth", "r_depth", "state_depth", "q_depth", "io_depth", "program_depth")
"""Depths are powers of two and stand there as their exponents."""

FIELDS: tuple[tuple[tuple[str, int], ...], ...] = (
    (("kind", 32),),
    (("rows", 9), ("streams", 9), ("contexts", 3), ("filters", 8), ("multipliers", 3)),
    (("tile_rows", 9), ("tile_streams", 9), ("tables", 8), ("phi_log2", 4)),
    tuple((name, 4) for name in LOG2),
    (("word", 6), ("guard", 6), ("accumulator", 6), ("q_drop", 6), ("g_drop", 6)),
    (("traces", 1), ("softmax", 1), ("time_constants", 1), ("sums", 1), ("moments", 2),
     ("carry", 1), ("lut_depth", 9), ("saturations", 1), ("spacing", 6),
     ("near", 1), ("paired", 1), ("apply_rows", 7)),
)  # fmt: skip
"""Fields of each word and their bits, the lowest first."""
WORDS = len(FIELDS)
LESS = ("apply_rows",)
"""Stand there less one: a core of before they were there is one with 1."""
FLAGS = ("traces", "softmax", "time_constants", "sums", "carry", "saturations", "near", "paired")


def described(machine: Machine) -> tuple[int, ...]:
    """The words of a core."""
    values: dict[str, Any] = asdict(machine)
    values |= {"kind": KIND, **asdict(machine.formats)}
    values |= {name: values[name].bit_length() - 1 for name in LOG2}
    values |= {name: values[name] - 1 for name in LESS}
    words = []
    for fields in FIELDS:
        word = shift = 0
        for name, bits in fields:
            word |= int(values[name]) << shift
            shift += bits
        words.append(word)
    return tuple(words)


def machine_of(words: tuple[int, ...]) -> Machine:
    """The parameters of a core that says so; raises WrongCore for what no core says."""
    if len(words) != WORDS or words[0] != KIND:
        raise WrongCore(
            f"no core of this version answers: the register CORE_KIND is {words[0]:#x}, "
            f"expected {KIND:#x}"
        )
    values: dict[str, Any] = {}
    for fields, word in zip(FIELDS, words, strict=True):
        for name, bits in fields:
            values[name] = word & (1 << bits) - 1
            word >>= bits
        if word:
            raise WrongCore(f"the core describes itself by words with unknown bits: {words}")
    values |= {name: 1 << values[name] for name in LOG2}
    values |= {name: values[name] + 1 for name in LESS}
    values |= {name: bool(values[name]) for name in FLAGS}
    formats = {name: values.pop(name) for name, _ in FIELDS[4]}
    del values["kind"]
    try:
        return Machine(**values, formats=Formats(**formats))
    except ValueError as error:
        raise WrongCore(f"the core describes itself as one that cannot be: {error}") from error


def check(machine: Machine, words: tuple[int, ...]) -> None:
    """Raises WrongCore where a core that answers `words` is not `machine`, by the names."""
    found, wanted = asdict(machine_of(words)), asdict(machine)
    found, wanted = ({**m, **m.pop("formats")} for m in (found, wanted))
    differ = [f"{n} is {found[n]}, not {wanted[n]}" for n in wanted if found[n] != wanted[n]]
    if differ:
        raise WrongCore(f"the core is another one than expected: {'; '.join(differ)}")


def _stands(name: str) -> str:
    return f"log2 of {name}" if name in LOG2 else f"{name} - 1" if name in LESS else name


def markdown() -> str:
    """The table for the manual."""
    lines = ["| register | fields, the lowest bits first |", "|---|---|"]
    names = ("KIND", "ARRAY", "TILES", "DEPTHS", "FORMATS", "FEATURES")
    for name, fields in zip(names, FIELDS, strict=True):
        told = [f"{_stands(field)} ({bits})" for field, bits in fields]
        lines.append(f"| `CORE_{name}` | {', '.join(told)} |")
    lines += ["", f"`CORE_KIND` is 0x{KIND:08x} in every core of this version."]
    return "\n".join(lines) + "\n"
