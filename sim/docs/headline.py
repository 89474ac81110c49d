# SPDX-License-Identifier: Apache-2.0
"""The README's table: what a visitor asks first, answered from the records."""

from statistics import fmean

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.results import builds, clock
from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.docs import pairs, results, verified
from antevolt.sim.docs.mutants import record

__all__ = ["headline"]

SEEDS = 5
"""Runs that a mean takes to stand in the table."""


def headline() -> str:
    """Questions, answers, and where to read more."""
    rows = (
        ("Does the core equal the simulator?", _equal(), "[verify](docs/verify.md)"),
        ("And what synthesis makes?", _netlists(), "[netlists](docs/verify.md#after-synthesis)"),
        ("Would the comparison notice?", _mutants(), "[mutants](docs/mutants.md)"),
        ("Does it learn?", _learns(), "[results](docs/results.md)"),
        ("What does fixed point cost?", _cost(), "[pairs](docs/results.md#against-floating-point)"),
        ("Does it fit a board?", _placed(), "[fit](docs/fit.md)"),
        ("Can the link be trusted?", _link(), "[link](docs/link.md)"),
    )
    lines = ["| | measured | more |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _equal() -> str:
    found = [record(name) for name in verified.CAMPAIGNS]
    steps, words, bits = (
        sum(one[name] for one in found) for name in ("steps", "words_compared", "differing_bits")
    )
    cases = sum(len(one["cases"]) for one in found)
    return (
        f"**{bits} bits differ** in {words:,} words after {steps:,} steps of learning, "
        f"{cases} networks"
    )


def _netlists() -> str:
    parts = []
    for family, name in verified.FAMILIES.items():
        found = record(f"netlist-{family}.json")
        parts.append(f"{name}: {found['differing_bits']} in {found['words_compared']:,} words")
    return f"differing bits, {'; '.join(parts)}"


def _mutants() -> str:
    netlist, model = record("mutants-netlist.json"), record("mutants-model.json")
    return (
        f"{netlist['killed']} of {netlist['mutants']} faults put into the core, "
        f"{model['killed']} of {model['mutants']} put into the model"
    )


def _learns() -> str:
    chosen: dict[str, tuple[float, float]] = {}
    for _, found in results.records("mnist1d-*.json"):
        if len(found.get("seeds", ())) < SEEDS or not found["finished"]:
            continue
        valid = fmean(run["epochs"][-1]["valid"] for run in found["runs"])
        kind = _kind(found["weights"], found["settings"])
        chosen[kind] = max(chosen.get(kind, (0.0, 0.0)), (valid, found["mean_test"]))
    if not chosen:
        raise BadFile(f"no record of MNIST-1D has {SEEDS} seeds")
    vowels = results.records("japanese-vowels*.json")[0][1]
    loop = results.records("delayed-xor-loop.json")[0][1]
    by_test = sorted(chosen.items(), key=lambda item: -item[1][1])
    classified = "; ".join(f"{100 * test:.1f} % ({kind})" for kind, (_, test) in by_test)
    return (
        f"MNIST-1D, test: {classified}. Japanese vowels: {100 * vowels['mean_test']:.1f} %. "
        f"Delayed XOR, recurrent: {100 * loop['mean_test']:.0f} %. Means of {SEEDS} seeds, "
        "in the chip's arithmetic"
    )


def _kind(weights: int, settings: results.Record) -> str:
    """What sets a run of MNIST-1D apart from the recipe."""
    more = ", one stream, online" if settings["streams"] == 1 else ""
    if settings.get("board"):
        more += f", the core of the {BOARDS[settings['board']].title}"
    return f"rule {settings['rule']}, {weights:,} weights, {settings['word']} bits{more}"


def _cost() -> str:
    core, exact = pairs.found()
    one, other = pairs.figures(core, "fresh"), pairs.figures(exact, "fresh")
    gap, had = pairs.difference(one, other), pairs.settings(core)
    return (
        f"MNIST-1D, core minus float64, {had['epochs']} epochs with r_max = {had['r_max']:g} and "
        f"beta = {had['beta']:g}, at {fmean(one):.1f} %: {gap.mean:+.2f} points ({len(one)} pairs, "
        f"95 %: {gap.mean - gap.half:+.2f} .. {gap.mean + gap.half:+.2f})"
    )


def _placed() -> str:
    found = builds(BOARDS.values())
    parts = [
        f"{board.title} {clock(board, result)}{' without link' if board.hostless else ''}"
        for board, result in found
    ]
    return f"placed, routed and timed, with the link: {', '.join(parts)}; never run on a board"


def _link() -> str:
    faults, soak = record("faults.json"), record("soak.json")
    return (
        f"{faults['injected']:,} faults on the line: {faults['undetected']} unnoticed, "
        f"{faults['hangs']} hung; {soak['bytes']:,} bytes with pauses: {soak['wrong']} wrong"
    )
