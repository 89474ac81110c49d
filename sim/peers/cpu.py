# SPDX-License-Identifier: Apache-2.0
"""The rival that counts: the same job, written by hand for one processor core (`cpu_gle.c`)."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.errors import BuildFailed
from antevolt.sim.cache import digest, folder_of, locked, processor

__all__ = ["Timing", "run"]

SOURCE = Path(__file__).with_name("cpu_gle.c")
OPTIONS = ("-O3", "-march=native", "-ffast-math")
COMPILERS = ("cc", "gcc", "clang")
LIMIT = 120.0
SECONDS = 0.4
"""Of one measurement, about."""

Timing = dict[str, Any]


def run(streams: int, sizes: tuple[int, ...], measurements: int = 3) -> Timing:
    """The fastest of some measurements: other programs can only make them slower.

    streams, synapses, steps, seconds, us_per_step, learned_synapses_per_s. Raises BuildFailed where
    there is no C compiler.
    """
    program = _build(streams)
    once = _measure(program, 20, sizes)
    steps = max(20, int(20 * SECONDS / max(once["seconds"], 1e-6)))
    found = [_measure(program, steps, sizes) for _ in range(measurements)]
    return max(found, key=lambda t: float(t["learned_synapses_per_s"]))


def _measure(program: Path, steps: int, sizes: tuple[int, ...]) -> Timing:
    words = [str(program), str(steps), *map(str, sizes)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=LIMIT)
    found: Timing = json.loads(done.stdout)
    return found


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
            command = [compiler, *options, str(SOURCE), "-o", str(made), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            if done.returncode:
                raise BuildFailed(f"{compiler} failed:\n{done.stderr[-1000:]}")
            made.rename(program)
    return program
