# SPDX-License-Identifier: Apache-2.0
"""What a core will take of a part, before any synthesis.

Multipliers and block RAMs of ECP5 are counted as the gateware instantiates them. Tables and
flip-flops are a sum of what base, rows, streams, elements, filters and mechanisms took in stored
syntheses (`boards.measure`), fitted by least squares of relative errors; what no whole core was
synthesised for comes from components (`boards.pieces`). Other families are that sum times a factor.
"""

from dataclasses import asdict, replace
from functools import cache
from math import log2

import numpy as np
from numpy.typing import NDArray

from antevolt.boards.board import Board
from antevolt.boards.links import stored
from antevolt.boards.measure import PLAIN, Record, records
from antevolt.boards.pieces import added, compared
from antevolt.boards.sealed import stored as measured_sealed
from antevolt.boards.synthesis import Architecture, Usage
from antevolt.hdl.core.apply import MULTIPLY, may_multiply, scalers
from antevolt.hdl.core.register_memory import DEPTH
from antevolt.hdl.lib.lanes import TOGETHER
from antevolt.hdl.lib.ram import SHAPES
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, OUTPUT_SUM_BITS
from antevolt.hdl.spec.moments import WORD
from antevolt.hdl.spec.program import CHUNK, CHUNKS
from antevolt.hdl.spec.timing import Timing, filter_schedule

__all__ = ["TERMS", "errors", "link", "multipliers", "needed", "predict", "rams", "sealed"]

BITS = {"ecp5": SHAPES, "gowin": SHAPES, "xilinx": ((512, 36), (1024, 18), (2048, 9), (4096, 4),
        (8192, 2), (16384, 1)), "ice40": ((256, 16), (512, 8), (1024, 4), (2048, 2)),
        "ice40hx": ((256, 16), (512, 8), (1024, 4), (2048, 2))}  # fmt: skip
"""Shapes of a block RAM, shallow ones first."""

TERMS = (
    "base", "rows", "streams", "elements", "filters", "multipliers", "more multipliers", "contexts",
    "hops across", "hops down", "traces", "softmax", "times", "one moment", "two moments", "carry",
    "paired", "sums", "depth", "uncounted", "pace", "near", "uncounted and near",
    "shared lanes", "shared lanes that carry",
)  # fmt: skip
"""What the sum is over; `_terms` says how often a machine has each."""


def _terms(machine: Machine) -> list[float]:
    m, timing = machine, Timing(machine)
    depth = (m.rows * log2(m.w_depth / 512) + m.streams * log2(m.state_depth / 512)) / 2
    fewer = m.rows - m.rows // m.apply_rows  # lanes; what chooses among rows is as good as nothing
    return [
        1,
        m.rows,
        m.streams,
        m.rows * m.streams,
        m.streams * (m.filters - 1),
        m.streams * m.filters * (m.multipliers > 1),  # one waits for the next
        m.streams * m.filters * max(0, m.multipliers - 2),
        m.streams * (m.contexts - 1),
        m.rows * timing.tiles_across,
        m.streams * timing.tiles_down,
        m.traces * m.streams,
        m.softmax * (1 + m.streams) / 2,
        m.time_constants,
        (m.moments == 1) * m.rows,
        (m.moments == 2) * m.rows,
        m.carry * m.rows,
        m.paired * m.rows * (1 + m.streams) / 2,  # sums of a row, products of its elements
        m.sums,
        depth,
        not m.saturations,
        m.streams * m.filters * (1 - replace(m, spacing=1, near=False).interval / m.interval),
        m.near,
        m.near and not m.saturations,  # whose counters stand in a memory anyway
        -fewer,
        -fewer * m.carry,
    ]


def multipliers(machine: Machine, architecture: Architecture = "ecp5") -> int:
    """Multiplier blocks of a core."""
    m = machine
    own = m.streams * (2 * m.rows + m.filters * m.multipliers)
    if architecture in MULTIPLY and may_multiply(m):
        own += m.rows * scalers(m, MULTIPLY[architecture])
    return own + m.time_constants * m.streams + (m.moments == 2) * m.rows


def rams(machine: Machine, architecture: Architecture = "ecp5") -> int:
    """Block RAMs of a core's memories, each cut into slices of one block's width."""
    blocks, _ = _memories(machine, architecture)
    return sum(_blocks(width, depth, architecture) for width, depth in blocks)


Shapes = list[tuple[int, int]]
"""Width and depth of memories."""


def _memories(machine: Machine, architecture: Architecture) -> tuple[Shapes, Shapes]:
    """A core's memories: those in block RAMs, those in LUTs."""
    m, f = machine, machine.formats
    word, pair, wide = f.word, 2 * f.word, f.word + f.guard
    sums = 1 << (m.io_depth - 1).bit_length() + (m.streams - 1).bit_length()
    gradients = [(f.g.width, m.w_depth)] * 2 if m.paired else [(f.g.width, 2 * m.w_depth)]

    dense = filter_schedule(m).dense

    def lanes(count: int, width: int, depth: int) -> Shapes:
        """Words side by side."""
        if architecture in TOGETHER:
            return [(count * width, depth)]
        return [(width, depth)] * count

    shapes = [
        *lanes(CHUNKS, CHUNK, m.program_depth),
        *lanes(3, word + 6, 2 * m.coefficient_depth),
        *[(36, m.coefficient_depth)] * (4 * m.time_constants),
        *[(OUTPUT_SUM_BITS, sums)] * m.sums,
        *[(DATA_BITS, DEPTH)] * m.near,
        *[(pair, m.w_depth), *gradients] * m.rows,
        *[(WORD * m.moments, 2 * m.w_depth)] * (m.rows if m.moments else 0),
        *[(pair, m.r_depth), (f.q.width, m.q_depth), (wide, 2 * m.state_depth)] * m.streams,
        *[(word, 2 * m.state_depth), (word, m.state_depth), (word, m.state_depth)] * m.streams,
        *[(word, m.io_depth)] * (2 * m.streams),
        *[(word, m.state_depth)] * (m.time_constants * m.streams),
        *[(pair, 2 * m.tables << m.phi_log2)] * (m.streams * m.filters * (1 + dense)),
        *[(word, m.state_depth)] * (m.streams * dense),
    ]
    most = machine.lut_depth if architecture == "ecp5" else 0
    return [s for s in shapes if s[1] > most], [s for s in shapes if s[1] <= most]


CHOICE = {1: 0, 2: 1, 4: 4, 8: 6, 16: 21}
"""LUTs per bit that choose among so many times 16 words, as yosys makes them."""


def _luts(width: int, depth: int) -> int:
    """LUTs of a memory of such: 16 words of 4 bits in four, and what addresses further ones."""
    parts = -(-depth // 16)
    return parts * 4 * -(-width // 4) + width * CHOICE[parts] + (parts if parts > 1 else 0)


def _blocks(width: int, depth: int, architecture: Architecture) -> int:
    deepest = BITS[architecture][-1][0]
    shape = next((s for s in BITS[architecture] if s[0] >= depth), BITS[architecture][-1])
    return -(-width // shape[1]) * max(1, depth // deepest)


def predict(
    machine: Machine, architecture: Architecture, linked: bool = True, selective: bool = False
) -> Usage:
    """What a core takes, with the link around it unless told otherwise; `selective`: one that is.

    Raises BadInput for an architecture of which nothing was measured.
    """
    measured = [r for r in records(architecture) if not r.link]
    if not measured and compared(architecture) is None:
        raise BadInput(f"nothing was synthesised for {architecture} yet")
    luts, ffs = _logic(machine, tuple(_key(r) for r in measured), architecture)
    around = link(architecture, selective) if linked else Usage(0, 0, 0, 0)
    for width, depth in _memories(machine, architecture)[1]:
        luts += _luts(width, depth)
        ffs += width + log2(depth)  # of the word and of its address
    blocks = 0 if architecture == "ice40hx" else multipliers(machine, architecture)
    tables, registers = round(luts) + around.luts, round(ffs) + around.ffs
    own = 0.0  # share of the flip-flops that take a logic cell
    if measured and measured[0].usage.slots:
        own = sum((u.slots - u.luts) / u.ffs for u in (r.usage for r in measured)) / len(measured)
    return Usage(
        tables,
        registers,
        blocks,
        rams(machine, architecture) + around.rams,
        round(tables + own * registers) if own else 0,
    )


def needed(board: Board) -> Usage:
    """What a board's preset takes of its part. Raises BadInput as `predict` does."""
    if board.hostless:
        return sealed(board.machine, board.part.architecture)
    return predict(board.machine, board.part.architecture, board.linked, board.selective)


def sealed(machine: Machine, architecture: Architecture) -> Usage:
    """What a core takes that no host reads, with a network and a teacher in it: as much less than
    one that a host reads as was measured for another (`boards.sealed`).

    Raises BadInput for an architecture of which nothing was measured.
    """
    record = measured_sealed().get(architecture)
    if record is None:
        raise BadInput(f"no core without a host was synthesised for {architecture} yet")
    here, there = (predict(one, architecture, linked=False) for one in (machine, record.machine))
    luts, ffs, _, _, slots = (
        round(n * own / of) if of else 0
        for n, own, of in zip(here.values(), record.usage.values(), there.values(), strict=True)
    )
    blocks = record.usage - there
    return Usage(luts, ffs, here.multipliers, here.rams + blocks.rams, slots)


def link(architecture: Architecture, selective: bool = False) -> Usage:
    """What the link takes: a small core with it, less the same core without.

    Where that was not measured, it is what ECP5 takes, as much more or less as cores take there.
    What it takes to be selective was measured on links alone.
    """
    ways = stored().get(architecture) if selective else None
    if ways:
        return link(architecture) - (ways["going back"] - ways["selective"])
    found = records(architecture)
    for record in found:
        if record.link:
            bare = [r for r in found if r.machine == record.machine and not r.link]
            if bare:
                return record.usage - bare[0].usage
    if architecture == "ecp5" or not records("ecp5"):
        return Usage(0, 0, 0, 0)
    here = predict(PLAIN, architecture, linked=False)
    there, around = predict(PLAIN, "ecp5", linked=False), link("ecp5", selective)
    return Usage(
        around.luts * here.luts // there.luts,
        around.ffs * here.ffs // there.ffs,
        0,
        around.rams,
    )


Measured = tuple[Machine, int, int]


def _key(record: Record) -> Measured:
    return record.machine, record.usage.luts, record.usage.ffs


def _logic(
    machine: Machine, measured: tuple[Measured, ...], architecture: Architecture
) -> NDArray[np.float64]:
    """LUTs and flip-flops, from these measurements."""
    if architecture == "ecp5":
        return _sum(machine, measured)
    base = tuple(_key(r) for r in records("ecp5") if not r.link)
    here = _sum(machine, base)
    if not measured:
        scaled: NDArray[np.float64] = here * np.array(compared(architecture) or (1.0, 1.0))
        return scaled
    ratios = [np.array([luts, ffs]) / _sum(other, base) for other, luts, ffs in measured]
    factor: NDArray[np.float64] = here * np.mean(ratios, axis=0)
    return factor


def _sum(machine: Machine, measured: tuple[Measured, ...]) -> NDArray[np.float64]:
    weights, slope = _fit(measured)
    whole = np.array(_terms(machine)) @ weights
    narrow: NDArray[np.float64] = whole * (1 - slope * (18 - machine.formats.word) / 18)
    return narrow


@cache
def _fit(measured: tuple[Measured, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights [terms, 2], and how much of the whole follows the word's length [2]."""
    whole = {machine: np.array([luts, ffs]) for machine, luts, ffs in measured}
    slopes = [
        (1 - found / whole[wide]) * 18 / (18 - machine.formats.word)
        for machine, found in whole.items()
        if machine.formats.word < 18 and (wide := replace(machine, formats=PLAIN.formats)) in whole
    ]
    slope = np.mean(slopes, axis=0) if slopes else _slope()
    rows = np.array([_terms(machine) for machine in whole])
    words = np.array([machine.formats.word for machine in whole])
    found = np.array(list(whole.values())) / (1 - slope * (18 - words[:, None]) / 18)
    weights = np.empty((len(TERMS), 2))
    for n in range(2):
        relative = rows / found[:, n : n + 1]
        weights[:, n] = np.linalg.lstsq(relative, np.ones(len(rows)), rcond=None)[0]
    for n, term in enumerate(TERMS):
        known = added(term)
        if not rows[:, n].any() and known is not None:
            weights[n] = known.luts, known.ffs
    return weights, slope


def _slope() -> NDArray[np.float64]:
    """How much of a component follows the word's length."""
    whole, less = added("filters"), added("word")
    if whole is None or less is None:
        return np.zeros(2)
    return np.array([-less.luts / whole.luts, -less.ffs / whole.ffs]) * 18 / 2


def errors(architecture: Architecture) -> list[tuple[str, float, float]]:
    """Core, relative error of LUTs and of flip-flops, each predicted from all other records.

    Records without which a term would be unknown are left out: nothing else tells of them.
    """
    measured = tuple(_key(r) for r in records(architecture) if not r.link)
    found = []
    for n, (machine, luts, ffs) in enumerate(measured):
        rest = measured[:n] + measured[n + 1 :]
        if architecture == "ecp5" and _rank(rest) < _rank(measured):
            continue
        there = _logic(machine, rest, architecture)
        found.append((_name(machine), there[0] / luts - 1, there[1] / ffs - 1))
    return found


def _rank(measured: tuple[Measured, ...]) -> int:
    return int(np.linalg.matrix_rank(np.array([_terms(machine) for machine, *_ in measured])))


def _name(machine: Machine) -> str:
    """What differs from the plain core."""
    plain, own = asdict(PLAIN), asdict(machine)
    changed = [
        f"{name} {value['word'] if name == 'formats' else value}"
        for name, value in own.items()
        if value != plain[name]
    ]
    return ", ".join(changed) or "the plain core"
