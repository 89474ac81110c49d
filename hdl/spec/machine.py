# SPDX-License-Identifier: Apache-2.0
"""What a core is built with: the parameters of the array, its filters and its memories."""

import json
from dataclasses import asdict, dataclass, field, fields

from antevolt.hdl.spec import checks
from antevolt.hdl.spec.formats import Formats

__all__ = ["Machine"]

LIMITS = {"rows": 256, "streams": 256, "tile_rows": 256, "tile_streams": 256} | {
    "contexts": 255,
    "filters": 255,
    "tables": 255,
    "spacing": 63,
    "apply_rows": 64,
}
"""What the access port can address, and the core's description hold."""
SHORTEST_TIMES = 16  # words of time constants that learn: their ratios are large coefficients
NEAR_SPACING = 12  # what a neuron is told must last until its first product
PRODUCTS = 5  # products per neuron in a MEMBRANE operation, the longer of the two filter modes


@dataclass(frozen=True)
class Machine:
    """Elaboration parameters of a core.

    rows          R, target neurons that a sweep works on at once (one weight bank each)
    streams       S, columns: independent streams sharing the weights
    contexts      T, streams that take turns on one column; the core serves S T streams
    filters       F, filter units per column
    multipliers   M, multipliers per filter unit, 1..5; with 5 in one unit a neuron per cycle passes
                  it, in tiles of two rows or more, where time constants do not learn
    tile_rows, tile_streams  elements that share one register hop
    w_depth       weight pairs per row bank
    r_depth       activity pairs per column, all contexts together
    state_depth   neurons per column, all contexts together
    q_depth       columns of the widest projection
    io_depth      outputs per column, all contexts together
    program_depth program words
    tables        non-linear activation functions that can be loaded at once
    phi_log2      log2 of the intervals of one table
    traces        with TRACE: presynaptic traces, recurrent projections
    softmax       with EXP and NORM: cross-entropy
    time_constants  with TIMES: they learn
    moments       per weight: 0 (plain SGD only), 1 (also momentum and sign), 2 (also Adam)
    sums          of outputs over a sequence: output modes sum and argmax
    carry         an APPLY may carry gradient sums on: momentum_sum and sign_sum, without moments
    paired        a BACK that only sums gradients takes a column pair per slot, as a FORWARD does;
                  sums are added as a whole then, not in halves, unless they are carried on
    apply_rows    rows of a tile that share an apply lane, an operation for each: fewer LUTs, and as
                  many times the cycles of an APPLY; without moments, and not in a core that is near
    saturations   are counted; without, `Device.counters` names none
    spacing       cycles from one neuron to the next in a filter at least: 1 for as few as its
                  multipliers allow; with more, fewer registers hold what several neurons need
    near          no registers that only keep wires short, for parts on which none is long, and the
                  core's registers in one memory: in one tile, and with a spacing of NEAR_SPACING or
                  more
    lut_depth     memories of at most so many words are made of LUTs where a family can (ECP5), to
                  save block RAMs; 0: none
    """

    rows: int = 1
    streams: int = 1
    contexts: int = 1
    filters: int = 1
    multipliers: int = 1
    tile_rows: int = 1
    tile_streams: int = 1
    w_depth: int = 512
    r_depth: int = 512
    state_depth: int = 512
    q_depth: int = 512
    io_depth: int = 64
    program_depth: int = 128
    tables: int = 2
    phi_log2: int = 8
    traces: bool = True
    softmax: bool = True
    time_constants: bool = False
    moments: int = 0
    sums: bool = True
    carry: bool = False
    paired: bool = False
    apply_rows: int = 1
    saturations: bool = True
    spacing: int = 1
    near: bool = False
    lut_depth: int = 0
    formats: Formats = field(default_factory=Formats)

    def __post_init__(self) -> None:
        checks.typed(self)
        for name, most in LIMITS.items():
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; a core has 1..{most}")
        if not 1 <= self.multipliers <= PRODUCTS:
            raise ValueError(f"multipliers is {self.multipliers}; a filter unit has 1..{PRODUCTS}")
        if self.contexts > 4:
            raise ValueError(f"contexts is {self.contexts}; the program has room for 4")
        for name in ("w_depth", "r_depth", "state_depth", "q_depth", "io_depth", "program_depth"):
            depth = getattr(self, name)
            if depth < 16 or depth & (depth - 1) or depth > 1 << 14:
                raise ValueError(f"{name} is {depth}; a memory has a power of two, 16..16384 words")
        if self.program_depth > 1 << 13:
            raise ValueError(f"program_depth is {self.program_depth}; it is at most 8192")
        if not 4 <= self.phi_log2 <= 10:
            raise ValueError(f"phi_log2 is {self.phi_log2}; a table has 2^4..2^10 intervals")
        word = self.formats.word
        if self.phi_log2 >= word:
            raise ValueError(
                f"phi_log2 is {self.phi_log2}; with words of {word} bits it is at most {word - 1}"
            )
        if self.time_constants and word < SHORTEST_TIMES:
            raise ValueError(
                f"word is {word} bits; time constants that learn need {SHORTEST_TIMES} or more"
            )
        if self.near and (self.rows > self.tile_rows or self.streams > self.tile_streams):
            raise ValueError("near is for a core in one tile: tile_rows and tile_streams say so")
        if self.near and self.interval < NEAR_SPACING:
            raise ValueError(
                f"spacing is {self.spacing}; a core that is near has {NEAR_SPACING} or more"
            )
        if self.moments not in (0, 1, 2):
            raise ValueError(f"moments is {self.moments}; a core keeps 0, 1 or 2 per weight")
        if self.rows % self.apply_rows or self.tile_rows % self.apply_rows:
            raise ValueError(
                f"apply_rows is {self.apply_rows}; it divides rows, {self.rows}, and tile_rows, "
                f"{self.tile_rows}"
            )
        if self.apply_rows > 1 and (self.moments or self.near):
            raise ValueError(
                f"apply_rows is {self.apply_rows}; with moments, and near, a row has its own lane"
            )
        if self.lut_depth and (
            not 16 <= self.lut_depth <= 256 or self.lut_depth & (self.lut_depth - 1)
        ):
            raise ValueError(f"lut_depth is {self.lut_depth}; it is 0, or a power of two, 16..256")
        if self.sums and self.streams * self.io_depth > 1 << 14:
            raise ValueError(
                f"streams x io_depth is {self.streams * self.io_depth}; a core with sums has at "
                "most 16384"
            )

    @property
    def total_streams(self) -> int:
        return self.streams * self.contexts

    @property
    def coefficient_depth(self) -> int:
        """Neurons that have coefficients, and time constants that learn; contexts share them."""
        own = -(-self.state_depth // self.contexts)
        return max(16, 1 << (own - 1).bit_length())

    @property
    def interval(self) -> int:
        """D: cycles from one neuron to the next in a filter. Every cycle one can be drained where
        a tile knows the row behind its last (`core.array`), and sums one term of it."""
        per_unit = -(-PRODUCTS // self.multipliers)
        drained = 1 if self.tile_rows > 1 or self.rows == 1 else 2
        least = 2 if self.time_constants else drained
        return max(least, -(-per_unit // self.filters), self.spacing)

    @property
    def name(self) -> str:
        """`R x S`, contexts where there are several, the word; m: moments, t: time constants that
        learn, c: gradient sums are carried on."""
        contexts = f"x{self.contexts}" if self.contexts > 1 else ""
        moments = f"m{self.moments}" if self.moments else ""
        times = "t" if self.time_constants else ""
        kept = f"{moments}{times}{'c' if self.carry else ''}"
        return f"{self.rows}x{self.streams}{contexts}w{self.formats.word}{kept}"

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Machine":
        """Raises ValueError for unknown or missing keys and for values out of range."""
        values = json.loads(text)
        known = {f.name for f in fields(cls)}
        if not isinstance(values, dict) or set(values) != known:
            raise ValueError(f"a core description has the keys {sorted(known)}")
        return cls(**{**values, "formats": Formats(**values["formats"])})
