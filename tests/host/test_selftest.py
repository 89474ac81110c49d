# SPDX-License-Identifier: Apache-2.0
"""The self test passes on what is in order, and finds what is not."""

import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from antevolt.hdl.spec.errors import DeadlineExceeded
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.host import doctor
from antevolt.host.cli import antevolt
from antevolt.host.device import open as open_device
from antevolt.host.extras import install
from antevolt.host.model import ModelBackend
from antevolt.host.selftest import selftest
from repository import PROJECT

MACHINE = Machine(w_depth=64, r_depth=64, state_depth=64, q_depth=64, streams=2, moments=1)


def found(spoil: Callable[[pytest.MonkeyPatch], None] | None = None) -> dict[str, tuple[bool, str]]:
    with open_device("model", machine=MACHINE) as device:
        if spoil is not None:
            spoil(device.backend)
        return {check.name: (check.passed, check.found) for check in selftest(device)}


def test_in_order() -> None:
    checks = found()
    assert list(checks) == ["memories", "program", "array", "learning"]
    assert all(passed for passed, _ in checks.values())


def stuck(region: Region, unit: int, place: int, bit: int) -> Callable[[ModelBackend], None]:
    """A bit of one word that always reads as 1."""

    def spoil(backend: ModelBackend) -> None:
        whole = backend.read

        def read(at: Region, column: int, index: int, count: int) -> np.ndarray:
            words = whole(at, column, index, count)
            if (at, column) == (region, unit) and index <= place < index + count:
                words[place - index] |= 1 << bit
            return words

        backend.read = read  # type: ignore[method-assign]

    return spoil


@pytest.mark.parametrize(
    ("region", "unit", "place", "bit"),
    [(Region.WEIGHTS, 0, 63, 35), (Region.STATE, 1, 0, 0), (Region.MOMENTS, 0, 127, 7)],
)
def test_a_stuck_bit(region: Region, unit: int, place: int, bit: int) -> None:
    passed, about = found(stuck(region, unit, place, bit))["memories"]
    assert not passed
    assert f"{region.name} {unit}, word {place}" in about


def test_addresses_that_are_one() -> None:
    """A memory that has only half the words it says."""

    def spoil(backend: ModelBackend) -> None:
        whole = backend.write

        def write(region: Region, unit: int, index: int, data: Any) -> None:
            for k, word in enumerate(np.atleast_1d(data)):
                half = (index + k) % 32 if region == Region.RATES else index + k
                whole(region, unit, half, [word])

        backend.write = write  # type: ignore[method-assign]

    passed, about = found(spoil)["memories"]
    assert not passed
    assert "RATES" in about


@pytest.mark.parametrize("learning", [False, True])
def test_wrong_sums(learning: bool) -> None:
    """An output that is off by one bit; only in the second kind of run with `learning`."""

    def spoil(backend: ModelBackend) -> None:
        whole, calls = backend.run, []

        def run(*arguments: Any) -> np.ndarray:
            words = whole(*arguments)
            calls.append(1)
            if len(calls) > (2 if learning else 0):
                words[5] ^= 1
            return words

        backend.run = run  # type: ignore[method-assign]

    checks = found(spoil)
    assert checks["array"][0] is learning
    assert not checks["learning" if learning else "array"][0]
    assert "first in step" in checks["learning" if learning else "array"][1]


def test_a_device_that_hangs() -> None:
    def spoil(backend: ModelBackend) -> None:
        def read(*_: Any) -> np.ndarray:
            raise DeadlineExceeded("the core moved no word")

        backend.read = read  # type: ignore[method-assign]

    assert found(spoil) == {"memories": (False, "DeadlineExceeded: the core moved no word")}


def test_command() -> None:
    done = CliRunner().invoke(antevolt, ["selftest", "--device", "model", "--json"])
    assert done.exit_code == 0, done.output
    assert all(check["passed"] for check in json.loads(done.stdout))


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(antevolt, ["doctor", "--json"])
    assert done.exit_code == 0
    findings = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert findings["numpy"]["good"]
    assert all(entry["fix"] for entry in findings.values() if not entry["good"])
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    named = {"no-such-package": "", "nor-this": "build"}
    monkeypatch.setattr(doctor, "requirements", lambda: named)
    done = CliRunner().invoke(antevolt, ["doctor"])
    assert done.exit_code == 1
    assert "pip install no-such-package" in done.stdout
    assert install("build") in done.stdout
    assert "openFPGALoader" in done.stdout


def test_doctor_knows_what_pyproject_names() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    expected: dict[str, str] = {}
    for extra, texts in {"": PROJECT["project"]["dependencies"], **extras}.items():
        if extra not in ("test", "all"):
            for text in texts:
                expected.setdefault(Requirement(text).name, extra)
    assert doctor.requirements() == expected


def test_doctor_finds_packages_that_have_no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise PackageNotFoundError(name)

    needed = {name for name, extra in doctor.requirements().items() if not extra}
    monkeypatch.setattr(doctor.metadata, "version", unknown)
    findings = [one for one in doctor.examine() if one.name in needed]
    assert {one.name for one in findings} == needed
    assert all(one.good and not one.fix for one in findings)


def test_doctor_where_antevolt_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "requires", unknown)
    done = CliRunner().invoke(antevolt, ["doctor"])
    assert done.exit_code == 0
    assert "pip install --editable ." in done.stdout
