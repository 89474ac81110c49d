# SPDX-License-Identifier: Apache-2.0
"""The cases of `make verify`: array shapes, schedules, learning, word lengths, filters, depths.

Each case is one comparison of a device with the model (`verify.py`), learning on. A small core
makes more steps than a large one, since they take less time.
"""

import json
import subprocess
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from antevolt.hdl.spec.errors import BadInput, DoesNotFit
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.comparison import Case, Report
from antevolt.host.files import write_record
from antevolt.host.outputs import OutputSetting
from antevolt.host.random_samples import coarse, random_network
from antevolt.host.rehearse import rehearse
from antevolt.host.version import version

__all__ = ["campaign", "commit", "found", "random_cases", "result", "stress_network", "write"]

ROOM = {"w_depth": 2048, "r_depth": 512, "state_depth": 1024, "io_depth": 256}
ROOM |= {"program_depth": 1024, "tables": 6}
"""Depths that random networks want."""
RANDOM = 12  # random networks of the long run
DRAWS = 60  # networks drawn for one that is taken, at most
SHAPES = ((1, 1), (4, 1), (3, 1), (1, 8), (3, 8))
Key = tuple[str, int, int, str]
ELEMENTS = 24  # R S T of a core that makes the steps asked for


def _network(
    inputs: int,
    *sizes: int,
    schedule: str = "sequential",
    apply_every: int = 1,
    gamma: float = 0.1,
    eta: float = 2.0**-6,
) -> Network:
    """Hidden populations of tanh with slow and instantaneous units, a linear output."""
    populations = []
    for k, size in enumerate(sizes):
        slow = tuple(1.0 if i % 3 == 2 else 2.0 + (i % 5) for i in range(size))
        prospective = tuple(1.0 if i % 3 == 2 else 1.0 + (i % 4) for i in range(size))
        phi = "linear" if k == len(sizes) - 1 else ("tanh", "softplus")[k % 2]
        populations.append(Population(size, phi, slow, prospective, gamma))
    return Network(
        inputs,
        tuple(populations),
        schedule=schedule,  # type: ignore[arg-type]
        apply_every=apply_every,
        eta=eta,
        seed=1 + inputs,
    )


NETWORKS = (
    _network(1, 5, 3),
    _network(5, 7, 6, 4, schedule="parallel"),
    _network(3, 10, 8, 7, 2, apply_every=8, eta=2.0**-8),
    _network(2, 6, 5, 4, 5, 3, schedule="parallel", apply_every=5, eta=2.0**-8),
)
DEEP = (
    _network(4, 5, 4, 5, 3, 4, 5, 2),
    _network(4, 5, 4, 5, 3, 4, 5, 2, schedule="parallel", apply_every=3, eta=2.0**-8),
)


def _optimized(number: int, optimizer: str, eta: float = 2.0**-10) -> Network:
    return NETWORKS[number].with_(optimizer=optimizer, eta=eta)


def _tuned() -> Network:
    """Time constants of a hidden population learn."""
    hidden, output = NETWORKS[0].populations
    return NETWORKS[0].with_(populations=(replace(hidden, eta_tau_m=0.25, eta_tau_r=0.125), output))


def _short(word: int) -> Machine:
    formats = Formats(word)
    return Machine(rows=3, streams=2, formats=formats, phi_log2=formats.phi_log2)


CASES = {
    Machine(rows=2, streams=4, contexts=2): (*NETWORKS[:2], *DEEP),
    Machine(rows=3, streams=1, formats=Formats(word=16)): NETWORKS[:3],
    _short(12): (NETWORKS[1],),
    _short(8): (NETWORKS[0].with_(eta=2.0**-4),),
    Machine(rows=4, streams=1, filters=2, multipliers=5): (*NETWORKS[:2], DEEP[0]),
    Machine(rows=4, streams=2, filters=1, multipliers=2): NETWORKS[1:3],
    Machine(rows=3, streams=2, moments=1): (
        _optimized(1, "momentum", 2.0**-7),
        _optimized(2, "sign"),
    ),
    Machine(rows=3, streams=2, moments=2): (_optimized(0, "adam"), _optimized(3, "adam")),
    Machine(rows=3, streams=2, contexts=2, carry=True): (
        _optimized(1, "momentum_sum"),
        _optimized(2, "sign_sum"),
    ),
    Machine(rows=3, streams=2, contexts=2, multipliers=3, carry=True, paired=True): (
        NETWORKS[0],
        _optimized(1, "sign_sum"),
    ),
    Machine(rows=4, multipliers=3, tile_rows=2, paired=True, apply_rows=2): (NETWORKS[2], DEEP[0]),
    Machine(rows=6, multipliers=5, tile_rows=3, apply_rows=3, carry=True): (
        NETWORKS[2],
        _optimized(1, "sign_sum"),
        DEEP[1],
    ),
    Machine(rows=2, streams=2, time_constants=True): (_tuned(),),
}
"""Cores beside those of `SHAPES`, and the networks that run on each."""


def stress_network() -> Network:
    """A network in which, at full scale, every kind of saturation comes up.

    v saturates only by rounding, at its lower end and with 1/2 < a_r < 1; u by gamma e.
    """
    return Network(
        inputs=5,
        populations=(
            Population(7, "softplus", 1.5, 1.2, 2.0),
            Population(6, "linear", 1.3, 1.1, 2.0),
            Population(4, "linear", 1.1, 1.1),
        ),
        beta=8.0,
        eta=2.0**-4,
        seed=3,
    )


def campaign(seed: int = 0, steps: int = 1000, device: str = "rtl") -> list[Case]:
    """The cases; `steps` is the length on the largest core, a fifth of the average."""
    cases = [
        Case(net, Machine(rows=rows, streams=streams), steps, seed + k, device=device)
        for rows, streams in SHAPES
        for k, net in enumerate(NETWORKS)
    ]
    cases += [
        Case(net, machine, steps, seed, device=device)
        for machine, networks in CASES.items()
        for net in networks
    ]
    wide = Machine(rows=3, streams=8)
    cases.append(Case(stress_network(), wide, steps, seed, "stress", device=device))
    graphs = Machine(rows=3, streams=2, contexts=2, moments=2)
    random = random_cases(RANDOM, graphs, steps, seed, device)
    return [_long(case) for case in (*map(_random_outputs, cases), *random)]


def _long(case: Case) -> Case:
    """The case with as many steps as its core does in the time of a large one."""
    machine = case.machine
    times = ELEMENTS // (machine.rows * machine.streams * machine.contexts)
    return replace(case, steps=case.steps * max(times, 1))


def _random_outputs(case: Case) -> Case:
    """The case with an output mode drawn from its seed and its name."""
    seed = zlib.crc32(case.name.encode()) + case.seed
    return replace(case, outputs=OutputSetting.random(seed, case.machine))


def random_cases(
    count: int, machine: Machine, steps: int, seed: int = 0, device: str = "rtl"
) -> list[Case]:
    """Random networks, all on one machine (whose simulator is built once), made roomy for them.

    Networks that do not fit it, in which little learns or much saturates (the model says so, before
    any comparison) are drawn again. Raises DoesNotFit for a machine that hardly any fits.
    """
    machine = replace(machine, **{k: max(v, getattr(machine, k)) for k, v in ROOM.items()})
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    refused: DoesNotFit | None = None
    for _ in range(DRAWS * count):
        drawn = random_network(rng, moments=machine.moments, carry=machine.carry)
        network = coarse(drawn, machine.formats)
        case = Case(network, machine, steps, seed + len(cases), device=device)
        case = _random_outputs(case)
        try:
            cases += [case] if rehearse(case) else []
        except DoesNotFit as error:
            refused = error
        if len(cases) == count:
            return cases
    if refused is not None:
        raise refused
    raise BadInput(f"{len(cases)} of {count} random networks would prove something on this core")


def result(reports: list[Report], planned: int | None = None) -> dict[str, object]:
    """What a campaign found, for a file: date, commit, versions, every case with its seed.

    planned  cases that there are to be in the end; None: as many as there are
    """
    return {
        "planned": len(reports) if planned is None else planned,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "version": version(),
        "steps": sum(r.steps for r in reports),
        "words_compared": sum(r.words_compared for r in reports),
        "differing_bits": sum(r.differing_bits for r in reports),
        "passed": all(r.passed for r in reports),
        "cases": [r.to_dict() for r in reports],
    }


def write(path: Path, reports: list[Report], planned: int | None = None) -> None:
    """Write `result` as JSON; the file is whole at any time."""
    write_record(path, result(reports, planned), indent=2)


def found(path: Path, cases: list[Case]) -> dict[Key, Report]:
    """Cases that have passed already, by a result that was written at this very commit.

    Empty where there is no such result, or files have changed since the commit.
    """
    own = commit()
    try:
        before = json.loads(path.read_text())
        if not own or own.endswith("+") or before["commit"] != own:
            return {}
        passed = [Report.from_dict(case) for case in before["cases"] if case["passed"]]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    wanted = {key(case) for case in cases}
    return {key(report): report for report in passed if key(report) in wanted}


def key(case: Case | Report) -> Key:
    """What tells one case from another."""
    return case.name, case.seed, case.steps, case.device


def commit() -> str:
    """The commit of the checkout, `+` where files have changed since; empty without git."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return done.stdout.strip()

    try:
        changed = "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        return git("rev-parse", "HEAD") + changed
    except (OSError, subprocess.SubprocessError):
        return ""
