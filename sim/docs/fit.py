# SPDX-License-Identifier: Apache-2.0
"""Tables of what cores take and how fast they are placed, from the records in `boards/records`."""

from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean

from antevolt.boards import components as own_components
from antevolt.boards import deep as core_of_deep
from antevolt.boards import pace
from antevolt.boards.board import Board
from antevolt.boards.build import Build
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.measure import MECHANISMS, PLAIN, records
from antevolt.boards.model import errors, link, needed, predict, rams
from antevolt.boards.parts import PARTS
from antevolt.boards.pieces import added
from antevolt.boards.results import builds, clock, stored
from antevolt.boards.sealed import stored as stored_sealed
from antevolt.boards.synthesis import ARCHITECTURES, Usage
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import compile
from antevolt.host.placing import place

__all__ = [
    "boards",
    "components",
    "deep",
    "left_out",
    "mechanisms",
    "model",
    "placed",
    "sealed",
    "small",
]

LARGE = Network(
    1,
    (*[Population(90, "tanh", (1.0,) * 30 + (8.0,) * 60, rule="trace")] * 6,
     Population(10, "linear", rule="instantaneous")),
    cost="cross_entropy", tau_z=8.0,
)  # fmt: skip
"""42,040 weights: the network that the published work learned MNIST-1D with."""


def boards() -> str:
    """The presets: what they need of their parts, and in which state they are."""
    lines = [
        "| board | part | core | clock | LUTs | flip-flops | multipliers | RAMs | cells | state |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    notes = []
    for board in BOARDS.values():
        needs, holds = needed(board), board.part.holds
        cells = [_share(a, b) for a, b in zip(needs.values(), holds.values(), strict=True)]
        cells[-1] = cells[-1] if needs.slots else ""
        result, over = stored(board), _over(needs, holds)
        state = "estimated"
        if board.vendor:
            state = f"project for {board.vendor}"
        elif result is not None:
            how = " without a host" if board.hostless else ""
            state = f"placed here{how}: {clock(board, result)}"
        elif over:
            state = "**does not fit**"
        lines.append(
            f"| `{board.name}` | {board.part_name} | {board.machine.name} "
            f"| {board.pll.hz / 1e6:g} MHz | {' | '.join(cells)} | {state} |"
        )
        adapter = f" It needs {board.adapter}." if board.adapter else ""
        notes.append(f"* `{board.name}`, {board.title}: leaves out {board.lacks}.{adapter}")
    return "\n".join([*lines, "", *notes])


def placed() -> str:
    """Builds that were placed, routed and timed."""
    lines = [
        (
            "| board | core | wanted | reached | median | slowest path | logic, wires "
            "| LUTs (the estimate now) | flip-flops | build |"
        ),
        "|---" * 10 + "|",
    ]
    for board, result in builds(BOARDS.values()):
        each = ", ".join(f"{mhz:.1f}" for mhz in result.megahertz)
        late = "".join(f"; seed {seed} was stopped" for seed in result.stopped)
        ends, times = "-", "-"
        if result.path is not None:
            ends = f"`{result.path.start}` to `{result.path.end}`"
            times = f"{result.path.logic}, {result.path.wire} ns"
        lines.append(
            f"| `{board.name}` | {result.core} | {result.target:g} MHz | {each} MHz{late} "
            f"| {clock(board, result)} | {ends} | {times} | {_both(board, result, 'luts')} "
            f"| {_both(board, result, 'ffs')} | `{result.id}` |"
        )
    if len(lines) == 2:
        return "None yet: run `make fit`."
    return "\n".join(lines)


def _both(board: Board, result: Build, name: str) -> str:
    """What a build took, and what is estimated for its board."""
    expected = needed(board).to_dict()[name]
    return f"{result.usage[name]:,} ({expected:,})"


LEAST = 90
"""LUTs below which a component of the smallest core has no line of its own."""


def components() -> str:
    """What the smallest core takes on iCE40, by component, beside what two parts have."""
    found = own_components.stored()
    if found is None:
        return "None yet: run `python -m antevolt.boards.components`."
    lines = ["| component | LUTs | flip-flops | multipliers | RAMs |", "|---|---|---|---|---|"]
    for name in ("iCE40UP5K", "iCE40HX8K"):
        holds = PARTS[name].holds
        cells = " | ".join(f"{n:,}" for n in holds.values()[:4])
        lines.append(f"| {name} has (a logic cell is one LUT and one flip-flop) | {cells} |")
    for name, each in sorted(found.items(), key=lambda item: (item[0] != "", item[0])):
        if each.luts >= LEAST:
            cells = " | ".join(f"{n:,}" for n in each.values()[:4])
            lines.append(f"| {f'`{name}`' if name else '**all**'} | {cells} |")
    return "\n".join(lines)


def small() -> str:
    """Netlists of the smallest core beside the parts that it should fit."""
    parts = {"gowin": "GW1NR-9C", "ice40": "iCE40UP5K", "ice40hx": "iCE40HX8K"}
    return _beside(
        (name, f"{record.machine.name}{', with the link' if record.link else ''}", record.usage)
        for architecture, name in parts.items()
        for record in records(architecture)  # type: ignore[arg-type]
    )


def sealed() -> str:
    """The demonstration without a host, beside the parts that hold it."""
    found = stored_sealed()
    parts = (board.part for board in BOARDS.values() if board.hostless)
    ones = ((part.name, found[part.architecture]) for part in parts)
    return _beside((name, one.machine.name, one.usage) for name, one in ones)


def _beside(rows: Iterable[tuple[str, str, Usage]]) -> str:
    """A table of parts: name, core, and what that takes of it."""
    lines = [
        "| part | core | LUTs | flip-flops | multipliers | RAMs | cells |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, core, usage in rows:
        pairs = zip(usage.values(), PARTS[name].holds.values(), strict=True)
        cells = " | ".join(_share(need, has) for need, has in pairs)
        lines.append(f"| {name} | {core} | {cells} |")
    return "\n".join(lines)


def mechanisms() -> str:
    """What each mechanism adds on ECP5, from two syntheses: of the plain core, or of the
    component that it is in (without its memories)."""
    found = {r.machine: r.usage for r in records("ecp5") if not r.link}
    base = found[PLAIN]
    changes: dict[str, Machine] = {
        name: replace(PLAIN, **change) for name, change in MECHANISMS.items()
    }
    changes |= {
        "a second row": replace(PLAIN, rows=2),
        "a second stream": replace(PLAIN, streams=2),
        "a second context": replace(PLAIN, contexts=2),
        "a second filter unit": replace(PLAIN, filters=2),
        "one more multiplier in the filter unit": replace(PLAIN, multipliers=2),
        "two more multipliers in the filter unit": replace(PLAIN, multipliers=3),
        "words of 16 bits instead of 18": replace(PLAIN, formats=Formats(word=16)),
    }
    lines = ["| | LUTs | flip-flops | multipliers | block RAMs |", "|---|---|---|---|---|"]
    lines.append(f"| **the plain core** | {' | '.join(f'{n:,}' for n in base.values()[:4])} |")
    for name, machine in changes.items():
        if machine in found:
            more = found[machine] - base
            lines.append(f"| {name} | {' | '.join(f'{n:+,}' for n in more.values()[:4])} |")
    for term, name in {
        "one moment": "one moment per weight, by its component, per row",
        "two moments": "two moments per weight, by its component, per row",
        "carry": "gradient sums that are carried on, by its component, per row",
        "sums": "sums of outputs, by its component",
        "filters": "a second filter unit, by its component, per stream",
        "multipliers": "a second multiplier in the filter unit, by its component, per stream",
    }.items():
        known = added(term)
        if known is not None:
            lines.append(f"| {name} | {' | '.join(f'{n:+,}' for n in known.values()[:4])} |")
    around = link("ecp5")
    if around.luts:
        lines.append(f"| the serial link | {' | '.join(f'{n:+,}' for n in around.values()[:4])} |")
    return "\n".join(lines)


def model() -> str:
    """Errors of the resource model, each core predicted from all others."""
    lines = ["| cores | syntheses | LUTs: mean error, largest | flip-flops: mean error, largest |"]
    lines.append("|---|---|---|---|")
    for architecture in ARCHITECTURES:
        found = errors(architecture)
        if not found:
            continue
        columns = [[abs(luts) for _, luts, _ in found], [abs(ffs) for _, _, ffs in found]]
        cells = [f"{fmean(column):.1%}, {max(column):.1%}" for column in columns]
        count = len([r for r in records(architecture) if not r.link])
        lines.append(f"| {architecture} | {len(found)} of {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def left_out() -> str:
    """Each placed board beside what is estimated without its own build: LUTs and flip-flops by the
    model of syntheses, which holds no build, and the clock by the builds of the others."""
    lines = [
        "| board | core | LUTs | flip-flops | clock foretold | found | error |",
        "|---" * 7 + "|",
    ]
    off: dict[str, list[float]] = {"LUTs": [], "flip-flops": [], "clock": []}
    for board, result in builds(BOARDS.values()):
        if board.hostless:  # estimated from a synthesis of the same
            continue
        expected, foretold = needed(board).to_dict(), pace.expected(board)
        luts, ffs = (expected[name] / result.usage[name] - 1 for name in ("luts", "ffs"))
        off["LUTs"].append(luts)
        off["flip-flops"].append(ffs)
        told = "too few others", "-"
        if foretold is not None:
            off["clock"].append(foretold / result.median - 1)
            told = f"{foretold:.1f} MHz", f"{off['clock'][-1]:+.1%}"
        lines.append(
            f"| `{board.name}` | {result.core} | {luts:+.1%} | {ffs:+.1%} | {told[0]} "
            f"| {clock(board, result)} | {told[1]} |"
        )
    means = [
        f"{name} {fmean(abs(o) for o in errors):.1%}, {max(errors, key=abs):+.1%}"
        for name, errors in off.items()
        if errors
    ]
    return "\n".join([*lines, "", f"Mean error, largest: {'; '.join(means)}."])


def deep() -> str:
    """Does the largest network of the literature fit an ECP5-85F: by the memories it takes, and
    one core that does, by its synthesis."""
    holds = PARTS["LFE5U-85F"].holds
    lines = [
        f"{LARGE.weight_count:,} weights (1-90x6-10, rule `trace`, leaky logits).",
        f"An ECP5-85F has {holds.rams} block RAMs (all: with the link).",
        "",
        "| core | streams | sums | `lut_depth` | pairs per row | RAMs: rows | all | LUTs | fits |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for machine in _candidates():
        needs = predict(machine, "ecp5")
        pairs = _pairs(machine)
        each = rams(replace(machine, rows=2)) - rams(replace(machine, rows=1))
        rows = each * machine.rows
        lines.append(
            f"| {machine.name} | {machine.total_streams} | {'yes' if machine.sums else 'no'} "
            f"| {machine.lut_depth} | {pairs:,} of {machine.w_depth:,} | {rows} | {needs.rams} "
            f"| {needs.luts:,} | {'no' if _over(needs, holds) else 'yes'} |"
        )
    return "\n".join([*lines, "", *_synthesised(holds)])


def _synthesised(holds: Usage) -> list[str]:
    """The last of the candidates: what its step takes, and estimate beside synthesis."""
    machine = core_of_deep.MACHINE
    step = compile(LARGE.with_(optimizer="sign_sum"), machine).timetable
    needs, record = predict(machine, "ecp5"), core_of_deep.stored()
    cycles = f"{step.cycles_learning:,} cycles with an APPLY, {step.cycles_plain:,} without"
    lines = [
        f"On the last one it compiles, with the optimizer `sign_sum`; a step takes {cycles}.",
        "",
        f"| {machine.name}, with the link | LUTs | flip-flops | multipliers | block RAMs |",
        "|---|---|---|---|---|",
        f"| the part has | {' | '.join(f'{n:,}' for n in holds.values()[:4])} |",
        f"| estimate | {' | '.join(f'{n:,}' for n in needs.values()[:4])} |",
    ]
    if record is not None:
        found = record.usage.values()[:4]
        off = (a / b - 1 for a, b in zip(needs.values()[:4], found, strict=True))
        lines.append(f"| synthesis | {' | '.join(f'{n:,}' for n in found)} |")
        lines.append(f"| the estimate is off by | {' | '.join(f'{n:+.1%}' for n in off)} |")
    return lines


def _candidates() -> list[Machine]:
    base = Machine(
        rows=12, w_depth=2048, r_depth=1024, state_depth=1024, io_depth=512, program_depth=512
    )
    narrow = Formats(word=16)
    return [
        replace(base, streams=4, moments=1),
        replace(base, streams=1, moments=1),
        replace(base, streams=4),
        replace(base, streams=2),
        replace(base, streams=1),
        replace(base, streams=2, formats=narrow),
        replace(base, rows=23, w_depth=1024, streams=3, carry=True),
        replace(core_of_deep.MACHINE, sums=True),
        replace(core_of_deep.MACHINE, sums=True, lut_depth=128),
        core_of_deep.MACHINE,
    ]


def _pairs(machine: Machine) -> int:
    """Weight pairs in a row."""
    layout = place(LARGE, replace(machine, w_depth=1 << 14))
    return sum(a * b for a, b in zip(layout.pairs, layout.groups, strict=True))


def _over(needs: Usage, holds: Usage) -> bool:
    return any(a > b for a, b in zip(needs.values(), holds.values(), strict=True))


def _share(need: int, has: int) -> str:
    return f"{need:,} of {has:,}" if has else f"{need:,} of none"
