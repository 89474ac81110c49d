# SPDX-License-Identifier: Apache-2.0
"""The program of a core: operations, their operands and their encoding in the program memory.

The program is a timetable: the sequencer issues an operation, waits its `delay`, issues the next.
Hazards are the compiler's business (`antevolt.host.schedule`), so that the cycles of a step are a
property of the program. INPUT, TARGET and OUTPUT alone wait for the streams; a TARGET or an OUTPUT
can do so in the background (`Operation.background`), while the program goes on to what waits for
its end (`Operation.joins`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum
from itertools import islice

__all__ = [
    "CHUNK",
    "CHUNKS",
    "ERRORS",
    "FILTERS",
    "LAYOUT",
    "MEANING",
    "STREAMS",
    "STRIDE",
    "SWEEPS",
    "Bias",
    "Cost",
    "Kind",
    "Operation",
    "markdown",
]

CHUNK = 36  # bits of one word of the program memory
CHUNKS = 5  # words per operation
STRIDE = 8  # from one operation to the next; words between are not there


class Kind(IntEnum):
    """What an operation does; `MEANING` says what its operands are."""

    END = 0
    INPUT = 1
    TARGET = 2
    OUTPUT = 3
    FORWARD = 4
    MEMBRANE = 5
    ERROR = 6
    BACK = 7
    APPLY = 8
    TRACE = 9
    EXP = 10
    NORM = 11
    TIMES = 12


STREAMS = (Kind.INPUT, Kind.TARGET, Kind.OUTPUT)
"""Operations that move words of a stream."""

SWEEPS = (Kind.FORWARD, Kind.BACK, Kind.APPLY)
"""Operations that walk the array."""

FILTERS = (Kind.MEMBRANE, Kind.ERROR, Kind.TRACE, Kind.EXP, Kind.NORM)
"""Operations of the filters."""

ERRORS = (Kind.ERROR, Kind.NORM)
"""Those of them that have the filter's second mode, and its coefficients."""


class Cost(IntEnum):
    """Where an ERROR takes q from."""

    HIDDEN = 0  # the q memory: what BACK made
    SQUARED = 1  # y - r
    SOFTMAX = 2  # y - softmax, which NORM left in the q memory


class Bias(IntEnum):
    """Where the constant one stands in the last activity pair of a projection's inputs."""

    NONE = 0
    LOW = 1
    HIGH = 2


LAYOUT: dict[str, int] = {
    "kind": 4,
    "delay": 20,
    "context": 2,
    "prior": 1,
    "bias": 2,
    "q": 1,
    "g": 1,
    "cost": 2,
    "output": 1,
    "table": 3,
    "n": 12,
    "words": 12,
    "groups": 10,
    "interval": 12,
    "weights": 14,
    "rates": 14,
    "neurons": 14,
    "extra": 14,
    "head": 1,
    "tail": 1,
    "prior_e": 1,
    "odd": 1,
    "keep": 1,
    "shared": 1,
    "skip": 6,
    "rows": 12,
}
"""Bits of each operand, from bit 0 up."""

MEANING: dict[Kind, dict[str, str]] = {
    Kind.END: {},
    Kind.INPUT: {
        "n": "inputs per stream",
        "rates": "first activity pair",
        "bias": "the last pair's upper half is the constant one (HIGH) or zero",
        "output": "also write the inputs to the output memory",
        "extra": "first word of the output memory",
    },
    Kind.TARGET: {
        "n": "targets per stream",
        "extra": "first word of the target memory",
        "keep": "the program goes on meanwhile; INPUT, TARGET, OUTPUT, END and ERROR with a cost "
        "wait until it is done",
    },
    Kind.OUTPUT: {
        "n": "outputs per stream",
        "extra": "first word of the output memory",
        "prior": "the outputs are those of the step before: zero for a stream that starts",
        "keep": "the program goes on meanwhile, as beside a TARGET; no TRACE or EXP may follow "
        "before what waits until it is done",
    },
    Kind.FORWARD: {
        "words": "activity pairs per neuron",
        "groups": "groups of R target neurons",
        "interval": "cycles from group to group",
        "weights": "first weight pair",
        "rates": "first activity pair",
        "bias": "where the constant one stands in the last pair",
        "prior": "the rates are those of the step before",
        "head": "the first projection into these neurons: their sums start from zero",
        "tail": "the last projection into these neurons: their sums are drained",
    },
    Kind.MEMBRANE: {
        "n": "neurons",
        "interval": "cycles from group to group, equal to FORWARD's",
        "neurons": "first neuron in the state memories",
        "weights": "first neuron in the coefficient memory",
        "rates": "first activity pair to write",
        "bias": "the last pair's upper half is the constant one (HIGH) or zero",
        "table": "0: linear; k: loaded table k",
        "output": "also write r to the output memory",
        "extra": "first word of the output memory",
        "prior": "e is that of the step before",
        "head": "the search for the largest r starts anew",
        "odd": "the first neuron takes the upper half of the first pair",
    },
    Kind.ERROR: {
        "n": "neurons",
        "neurons": "first neuron in the state memories",
        "weights": "first neuron in the coefficient memory",
        "cost": "where q comes from: 0 the q memory, 1 y - r, 2 y - softmax (of the q memory)",
        "extra": "first word of the target and output memories",
        "prior": "q, r' and the output are those of the step before",
        "keep": "q is taken as it is, for its scale is 1; where a filter takes a neuron per cycle, "
        "it is read later then",
        "g": "sum the gradients of the time constants",
    },
    Kind.BACK: {
        "words": "columns (inputs, and the bias)",
        "groups": "groups of R target neurons",
        "interval": "cycles from group to group",
        "n": "columns that have a q: the inputs",
        "weights": "first weight pair",
        "rates": "first activity pair",
        "neurons": "first target neuron (whose e is swept)",
        "extra": "first source neuron (whose q is made)",
        "q": "make q",
        "g": "sum the gradient",
        "bias": "the last column is the constant one",
        "prior": "the rates are those of the step before",
        "head": "the first operation that adds to these q: they start from zero",
        "tail": "the last operation that adds to these q: they are rounded and kept",
        "prior_e": "e is that of the step before: zero for a stream that starts",
        "keep": "add to the gradient sums also where they start anew",
        "skip": "neurons of the first group whose e is taken as zero",
        "rows": "neurons after them whose e counts; it is zero for the rest",
    },
    Kind.APPLY: {
        "words": "weight pairs per neuron",
        "groups": "groups of R target neurons",
        "weights": "first weight pair",
        "interval": "eta = m 2^-k: m (4..7) in bits 0..2, k in bits 3..8",
        "n": "number of the projection, for the random bits",
        "output": "stochastic rounding (else half up)",
        "table": "rule: 0 sgd, 1 momentum, 2 sign, 3 adam, 4 momentum_sum, 5 sign_sum",
        "rates": "k of m <- m + (G - m) 2^-k, or of G <- G - G 2^-k (4 and 5), at most 15",
        "neurons": "k of v <- v + (G^2 - v) 2^-k, at most 15",
        "skip": "only of the rows i with i mod apply_rows = skip",
        "keep": "nothing but APPLY and TIMES comes behind it: where nothing is due the step ends",
    },
    Kind.TRACE: {
        "n": "rates, in the output memory",
        "extra": "first word of the output memory",
        "prior": "they are those of the step before: zero for a stream that starts",
        "neurons": "first filter in the state memories",
        "weights": "coefficient of all of them (0, a_m, rho)",
        "rates": "first activity pair to write",
        "bias": "the last pair's upper half is the constant one (HIGH) or zero",
        "shared": "1: all filters have one coefficient",
    },
    Kind.EXP: {
        "n": "outputs",
        "extra": "first word of the output memory; their largest value is that of the MEMBRANE "
        "before",
        "neurons": "first neuron in the q memory, where the exponentials go",
        "weights": "coefficient of all of them (0, 0, gain)",
        "table": "loaded table of the exponential",
        "shared": "1",
    },
    Kind.NORM: {
        "n": "outputs",
        "neurons": "first neuron in the q memory: exponentials become shares of their sum",
        "weights": "coefficient of all of them (-, 0, 1)",
        "shared": "1",
    },
    Kind.TIMES: {
        "n": "neurons",
        "weights": "first neuron in the coefficient memory",
        "interval": "rate of tau_m: m (0: fixed, or 4..7) in bits 0..2, k in bits 3..8",
        "words": "rate of tau_r, likewise",
        "output": "also the coefficients of ERROR",
        "keep": "as of APPLY",
    },
}


@dataclass(frozen=True)
class Operation:
    """One operation; operands that a kind does not name stay zero."""

    kind: Kind
    delay: int = 1
    context: int = 0
    prior: int = 0
    bias: int = 0
    q: int = 0
    g: int = 0
    cost: int = 0
    output: int = 0
    table: int = 0
    n: int = 0
    words: int = 0
    groups: int = 0
    interval: int = 0
    weights: int = 0
    rates: int = 0
    neurons: int = 0
    extra: int = 0
    head: int = 1
    tail: int = 1
    prior_e: int = 0
    odd: int = 0
    keep: int = 0
    shared: int = 0
    skip: int = 0
    rows: int = 0

    def __post_init__(self) -> None:
        for name, bits in LAYOUT.items():
            if not 0 <= getattr(self, name) < 1 << bits:
                raise ValueError(
                    f"{self.kind.name}: {name} is {getattr(self, name)}, its field has {bits} bits"
                )

    @property
    def blocking(self) -> bool:
        """The next operation waits until this one's stream has moved."""
        return self.kind in STREAMS and not self.background

    @property
    def background(self) -> bool:
        """A TARGET or an OUTPUT beside which the program goes on."""
        return self.kind in (Kind.TARGET, Kind.OUTPUT) and bool(self.keep)

    @property
    def joins(self) -> bool:
        """Waits for the end of a TARGET or an OUTPUT in the background."""
        return self.kind in (*STREAMS, Kind.END) or self.kind == Kind.ERROR and bool(self.cost)

    @property
    def eta_m(self) -> int:
        return self.interval & 7

    @property
    def eta_k(self) -> int:
        return self.interval >> 3

    def encode(self) -> list[int]:
        """The operation as `CHUNKS` words of `CHUNK` bits, low bits first, and the gap after it."""
        word, at = 0, 0
        for name, bits in LAYOUT.items():
            word |= int(getattr(self, name)) << at
            at += bits
        chunks = [word >> CHUNK * i & (1 << CHUNK) - 1 for i in range(CHUNKS)]
        return chunks + [0] * (STRIDE - CHUNKS)

    @classmethod
    def decode(cls, chunks: Iterable[int]) -> "Operation":
        """Inverse of `encode`; raises ValueError for a kind that does not exist."""
        word = sum(int(c) << CHUNK * i for i, c in enumerate(islice(chunks, CHUNKS)))
        values = {}
        for name, bits in LAYOUT.items():
            values[name] = word & (1 << bits) - 1
            word >>= bits
        return cls(**{**values, "kind": Kind(values["kind"])})  # type: ignore[arg-type]


def markdown() -> str:
    """The operations and their operands as tables, for the manual."""
    lines = ["| operand | bits |", "|---|---|"]
    lines += [f"| `{name}` | {bits} |" for name, bits in LAYOUT.items()]
    for kind in Kind:
        lines += ["", f"**{kind.name}** ({int(kind)})", ""]
        lines += [f"* `{name}`: {text}" for name, text in MEANING[kind].items()]
    return "\n".join(lines) + "\n"


if {f.name for f in fields(Operation)} != set(LAYOUT) or sum(LAYOUT.values()) > CHUNK * CHUNKS:
    raise RuntimeError("Operation and LAYOUT disagree")
