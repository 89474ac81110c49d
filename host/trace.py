# SPDX-License-Identifier: Apache-2.0
"""`antevolt trace`: waveforms and the operations of some steps of the simulated core.

The samples are those of `antevolt verify` with the same options, so that a difference found there
can be looked at here; without `--step`, the first difference is looked for.
"""

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import click
import numpy as np

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.memory_map import Region, size
from antevolt.hdl.spec.network import read
from antevolt.hdl.spec.program import Operation
from antevolt.host.comparison import Case
from antevolt.host.compile import compile
from antevolt.host.core_options import machine_of
from antevolt.host.device import Device
from antevolt.host.effects import Written, written
from antevolt.host.files import make_folder
from antevolt.host.model import ModelBackend
from antevolt.host.operands import operands
from antevolt.host.samples import Batch
from antevolt.host.verify_command import core_options, run_cases
from antevolt.host.words import signed, word_bits
from antevolt.sim.golden.core import GoldenCore

__all__ = ["command", "trace"]


def trace(case: Case, step: int, around: int, folder: Path) -> list[Path]:
    """Write `steps.vcd` and `operations.txt` for the steps `step - around` .. `step + around`.

    Returns the files. Raises BadInput for a step beyond the case's.
    """
    from antevolt.sim.rtl.device import RtlBackend  # loads the build tools

    if not 0 <= step < case.steps:
        raise BadInput(f"step is {step}; the run has the steps 0..{case.steps - 1}")
    compile(case.network, case.machine)  # what does not fit is refused before a simulator is built
    make_folder(folder)
    batch, parameters = case.batch(), case.weights()
    start, end = max(0, step - around), min(case.steps, step + around + 1)
    waves, listing = folder / "steps.vcd", folder / "operations.txt"
    rtl = RtlBackend(case.machine, case.deadline, trace=True)
    with Device("rtl", rtl) as device:
        device.load(case.network, parameters)
        _run(device, batch, 0, start)
        rtl.waveforms(waves)
        _run(device, batch, start, end)
        rtl.waveforms(None)
    model = ModelBackend(case.machine, case.deadline)
    with Device("model", model) as device:
        device.load(case.network, parameters)
        _run(device, batch, 0, start)
        with listing.open("w") as file:
            for k in range(start, end):
                lines = _listed(device, batch, k)
                file.writelines(f"{line}\n" for line in lines)
    return [waves, listing]


def _run(device: Device, batch: Batch, start: int, end: int) -> None:
    if start < end:
        part = Batch(batch.x[start:end], batch.y[start:end], batch.flags[start:end])
        x, y = part.words(device.machine.formats)
        outputs = device.sizes.streams * device.sizes.outputs
        device.backend.run(x, y, part.steps, outputs)


def _listed(device: Device, batch: Batch, step: int) -> Iterator[str]:
    """The operations of one step and what they left, while the model runs it."""
    machine = device.machine
    names = [flag.name or "" for flag in Flag]
    yield f"step {step}"
    for stream, word in enumerate(batch.flags[step].tolist()):
        said = " ".join(name.lower() for name, flag in zip(names, Flag, strict=True) if word & flag)
        yield f"  stream {stream}: {said or 'nothing'}; x {batch.x[step, stream].tolist()}"
        if word & Flag.TARGET_VALID:
            yield f"  stream {stream}: y {batch.y[step, stream].tolist()}"
    lines: list[str] = []
    numbers = count()

    def observe(op: Operation, core: GoldenCore) -> None:
        said = "".join(f" {name}={value}" for name, value in operands(op).items())
        lines.append(f"  {next(numbers)} {op.kind.name}{said}")
        for effect in written(op, machine):
            units = size(machine, effect.region)[0]
            for unit in range(effect.first, units, effect.every):
                lines.append(f"    {effect.what} {unit}: {_values(device, effect, unit)}")

    backend = device.backend
    if not isinstance(backend, ModelBackend):
        raise BadInput("operations are listed by the model")
    with backend.observed(observe):
        _run(device, batch, step, step + 1)
    yield from lines


def _values(device: Device, effect: Written, unit: int) -> str:
    """Integers after the operation; of pairs both."""
    machine = device.machine
    first, end = int(effect.index.min()), int(effect.index.max()) + 1
    words = device.backend.read(effect.region, unit, first, end - first)[effect.index - first]
    bits = word_bits(machine, effect.region)
    if effect.region in (Region.RATES, Region.WEIGHTS):
        word = machine.formats.word
        values = np.stack([signed(words, word), signed(words >> word, word)], axis=1).ravel()
    else:
        values = signed(words, bits)
    return " ".join(map(str, values.tolist()))


@click.command("trace")
@click.option("--network", type=click.Path(path_type=Path), required=True,
              help="A network's JSON file.")  # fmt: skip
@click.option("--step", type=click.IntRange(0), help="Default: the first difference.")
@click.option("--around", default=3, show_default=True, type=click.IntRange(0),
              help="Steps before and after it.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@click.option("--steps", default=1000, show_default=True, type=click.IntRange(1),
              help="Length of the run in which a difference is looked for.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@core_options
def command(
    network: Path,
    step: int | None,
    around: int,
    out: Path,
    steps: int,
    seed: int,
    profile: str,
    **core: Any,
) -> None:
    """Write waveforms (VCD) and a listing of the operations of some steps of the simulated core."""
    described, parameters = read(network)
    machine = machine_of(**core)
    length = steps if step is None else step + around + 1
    case = Case(described, machine, length, seed, profile, parameters)  # type: ignore[arg-type]
    if step is None:
        found = run_cases([case], quiet=True)[0].difference
        if found is None:
            click.echo(f"no difference in {steps} steps; --step says which step to look at")
            sys.exit(1)
        click.echo(f"first difference: {found}")
        step = found.step
    for path in trace(case, step, around, out):
        click.echo(str(path))
