# SPDX-License-Identifier: Apache-2.0
"""`antevolt selftest`: is this device in order: its line, its memories, its array, its learning."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click
import numpy as np
from rich.console import Console

from antevolt.hdl.spec.errors import AntevoltError
from antevolt.hdl.spec.memory_map import Region, size
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.core_options import machine_for, machine_options
from antevolt.host.device import Device
from antevolt.host.device import open as open_device
from antevolt.host.random_samples import random_batch
from antevolt.host.verify_worker import memories
from antevolt.host.words import word_bits

__all__ = ["Check", "command", "selftest"]

NETWORK = Network(2, (Population(5, "tanh", 3.0, 2.0), Population(2, "linear")), eta=2.0**-5)
STEPS = 120
PART = 1024  # words written at a time
NOT_PLAIN = (Region.PROGRAM, Region.REGISTERS)  # their words are compared after loading, or move
ECHO_BYTES, ECHOES = 240, 24


@dataclass(frozen=True)
class Check:
    """One part of the test: what was found, or what was wrong."""

    name: str
    passed: bool
    found: str
    seconds: float


def selftest(device: Device, seed: int = 0) -> Iterator[Check]:
    """The checks, as they are done. What the device held before is lost.

    link      (boards) echoes of all bytes and of patterns; nothing lost, both ends' counts equal
    memories  random words and their complements in every word of every memory, all written before
              the first is read
    program   what was loaded stands in the program memory
    array     steps that do not learn: the outputs are the model's
    learning  steps that learn: outputs and all memories are the model's
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, Callable[[Device, np.random.Generator], str]] = {
        "link": _link,
        "memories": _memories,
        "program": _program,
        "array": _array,
        "learning": _learning,
    }
    if not hasattr(device.backend, "session"):
        del parts["link"]
    for name, part in parts.items():
        start = time.monotonic()
        try:
            found, passed = part(device, rng), True
        except _Wrong as wrong:
            found, passed = str(wrong), False
        except AntevoltError as error:
            found, passed = f"{type(error).__name__}: {error}", False
        yield Check(name, passed, found, time.monotonic() - start)
        if not passed:
            return  # what follows would say the same in other words


class _Wrong(Exception):
    """What a check found."""


def _link(device: Device, rng: np.random.Generator) -> str:
    board = device.backend
    session, begin = board.session, board.session.transport.clock()  # type: ignore[attr-defined]
    patterns = [bytes([byte]) * ECHO_BYTES for byte in (0x00, 0xFF, 0x55, 0xAA)]
    patterns += [bytes(range(start, start + 128)) for start in (0, 128)]
    patterns += [rng.bytes(ECHO_BYTES) for _ in range(ECHOES)]
    for data in patterns:
        if not session.echo(data):
            raise _Wrong(f"an echo of {len(data)} bytes came back changed")
    board.check_counts()  # type: ignore[attr-defined]
    rate = sum(map(len, patterns)) / max(1e-9, session.transport.clock() - begin)
    counts = session.counts
    lost = f"{counts.resent} frames sent again, {counts.bad} damaged"
    return f"{session.baud} baud, {rate:.0f} bytes/s there and back in turns, {lost}"


def _memories(device: Device, rng: np.random.Generator) -> str:
    backend, total = device.backend, 0
    plain = [region for region in Region if region not in NOT_PLAIN]
    shapes = {region: size(backend.machine, region) for region in plain}
    words = {r: rng.integers(0, 1 << word_bits(backend.machine, r), shapes[r]) for r in plain}
    for turn in ("random words", "their complements"):
        for region, rows in words.items():
            mask = (1 << word_bits(backend.machine, region)) - 1
            if turn != "random words":
                rows = words[region] = rows ^ mask
            for unit, row in enumerate(rows):
                for start in range(0, row.size, PART):
                    backend.write(region, unit, start, row[start : start + PART])
        for region, rows in words.items():
            mask = (1 << word_bits(backend.machine, region)) - 1
            for unit, row in enumerate(rows):
                found = backend.read(region, unit, 0, row.size) & mask
                there = np.arange(row.size) % 4 != 3 if region == Region.COEFFICIENTS else True
                wrong = np.flatnonzero((found != row) & there)  # coefficients come in threes
                if wrong.size:
                    at = int(wrong[0])
                    raise _Wrong(
                        f"{region.name} {unit}, word {at}: {int(found[at]):x} instead of "
                        f"{int(row[at]):x} ({turn}; {wrong.size} of {row.size} are wrong)"
                    )
                total += row.size
    for region in (Region.PROGRAM, *plain):  # what no network uses must not differ from the model
        units, count = size(backend.machine, region)
        for unit in range(units):
            for start in range(0, count, PART):
                backend.write(region, unit, start, np.zeros(min(PART, count - start)))
    return f"{total // 2} words, each with random bits and their complements"


def _program(device: Device, _rng: np.random.Generator) -> str:
    device.load(NETWORK)
    for region, unit, index, words in device.image.words:
        if region == Region.PROGRAM:
            found = device.backend.read(region, unit, index, len(words))
            if not np.array_equal(found, np.asarray(words, dtype=np.int64)):
                raise _Wrong("the program that stands in the device is not what was written")
    return f"{len(device.image.operations)} operations"


def _array(device: Device, rng: np.random.Generator) -> str:
    return _compare(device, int(rng.integers(1 << 30)), learn=False)


def _learning(device: Device, rng: np.random.Generator) -> str:
    return _compare(device, int(rng.integers(1 << 30)), learn=True)


def _compare(device: Device, seed: int, learn: bool) -> str:
    """The device beside the model, from the same start."""
    with open_device("model", machine=device.machine) as model:
        batch = random_batch(device.sizes, STEPS, seed)
        x, y = (device.sizes.formats.r.to_real(raw) for raw in (batch.x, batch.y))
        outputs = []
        for each in (device, model):
            each.load(NETWORK)
            outputs.append(np.array(list(each.stream(x, y, learn))))
        differ = np.flatnonzero((outputs[0] != outputs[1]).reshape(STEPS, -1).any(axis=1))
        if differ.size:
            raise _Wrong(f"outputs differ from the model's, first in step {int(differ[0])}")
        own, other = memories(device.backend), memories(model.backend)
        for region in Region:
            if not np.array_equal(own[region], other[region]):
                raise _Wrong(f"{region.name} differs from the model's after {STEPS} steps")
    words = sum(words.size for words in own.values())
    return f"{STEPS} steps, outputs and {words} words of memory equal the model's"


@click.command("selftest")
@click.option("--device", default="rtl", show_default=True, help="The device to test.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@machine_options
def command(device: str, seed: int, as_json: bool, **core: Any) -> None:
    """Test a device: its line, its memories, its array, its learning. What it held is lost.

    Exit status: 0 in order, 1 not.
    """
    machine = machine_for(device, **core)
    checks = []
    with open_device(device, machine=machine, deadline=600.0) as opened:
        with Console(stderr=True).status("testing"):
            for check in selftest(opened, seed):
                checks.append(check)
                if not as_json:
                    said = "in order" if check.passed else "WRONG"
                    click.echo(f"{check.name}: {said} ({check.seconds:.1f} s)\n  {check.found}")
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks]))
    if not all(check.passed for check in checks):
        sys.exit(1)
