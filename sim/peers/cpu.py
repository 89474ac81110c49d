# SPDX-License-Identifier: Apache-2.0
"""The rival that counts: the same job, written by hand for one processor core (`cpu_gle.c`)."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.errors import BuildFailed, DeadlineExceeded
from antevolt.sim.cache import digest, folder_of, locked, processor

__all__ = ["Timing", "run"]

SOURCE = Path(__file__).with_name("cpu_gle.c")
OPTIONS = ("-O3", "-march=native", "-ffast-math")
COMPILERS = ("cc", "gcc", "clang")
LIMIT = 120.0  # seconds, of the compiler and of a measurement
TAIL = 1000  # characters of what failed printed
SECONDS = 0.4
"""Of one measurement, about."""

Timing = dict[str, Any]


def run(streams: int, sizes: tuple[int, ...], measurements: int = 3) -> Timing:
    """The fastest of some measurements: other programs can only make them slower.

    streams, synapses, steps, seconds, us_per_step, learned_synapses_per_s. Raises BuildFailed where
    there is no C compiler, or what it makes does not run, and DeadlineExceeded.
    """
    program = _build(streams)
    once = _measure(program, 20, sizes)
    steps = max(20, int(20 * SECONDS / max(once["seconds"], 1e-6)))
    found = [_measure(program, steps, sizes) for _ in range(measurements)]
    return max(found, key=lambda t: float(t["learned_synapses_per_s"]))


def _measure(program: Path, steps: int, sizes: tuple[int, ...]) -> Timing:
    words = [str(program), str(steps), *map(str, sizes)]
    found: Timing = json.loads(_run(words))
    return found


def _run(command: list[str]) -> str:
    """What it prints."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
    except OSError as error:
        raise BuildFailed(f"{name} does not start: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise DeadlineExceeded(f"{name} was not done within {LIMIT:g} s") from error
    if done.returncode:
        raise BuildFailed(f"{name} failed ({done.returncode}):\n{done.stderr[-TAIL:]}")
    return done.stdout


def _build(streams: int) -> Path:
    compiler = next((c for each in COMPILERS if (c := shutil.which(each))), None)
    if compiler is None:
        raise BuildFailed("there is no C compiler (cc, gcc or clang) to build the rival with")
    options = (*OPTIONS, f"-DSTREAMS={streams}")
    name = digest(SOURCE.read_bytes(), " ".join(options).encode(), processor().encode())[:16]
    folder = folder_of("peers")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"cpu_gle-{name}"
    with locked(folder / "lock"):
        if not program.exists():
            made = program.with_suffix(".new")
            _run([compiler, *options, str(SOURCE), "-o", str(made), "-lm"])
            made.rename(program)
    return program
