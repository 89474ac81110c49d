# SPDX-License-Identifier: Apache-2.0
"""Build a compiled model with the user's C++ compiler: once, then it is kept.

`twin.cpp` is the fixed-point model, `floats.cpp` the one in double.

It is kept like a simulator (`antevolt.sim.cache`), under a name that holds a hash of its source,
the compiler and its flags, and this processor, for which it is made.
"""

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from antevolt.hdl.spec.errors import BuildFailed
from antevolt.sim.cache import digest, folder_of, locked, processor, said

__all__ = ["build", "floats", "library"]

COMPILERS = ("c++", "g++", "clang++")
FLAGS = (
    *("-std=c++17", "-O3", "-shared", "-fPIC"),
    # Floor and selection become vectors where no trap and no errno is asked for. Sums stay in the
    # order that is written (no -ffast-math); the twin's products are exact, so that fused ones are
    # equal.
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
)
NATIVE = "-march=native"  # left out where the compiler does not know it
SECONDS = 300.0
TAIL = 2000  # characters of a failed compiler's output that go into the message


def _sources(name: str) -> list[Path]:
    """`name.cpp` and what it includes."""
    folder = Path(__file__).parent
    return [folder / f"{name}.cpp", *sorted(folder.glob(f"{name}*.h"))]


def _compiler() -> list[str]:
    """`$CXX`, or what is found; with its arguments."""
    named = shlex.split(os.environ.get("CXX", ""))
    for command in [named] if named else [[name] for name in COMPILERS]:
        found = shutil.which(command[0])
        if found is not None:
            return [found, *command[1:]]
    names = named[:1] or COMPILERS
    raise BuildFailed(f"there is no C++ compiler ({', '.join(names)})")


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"{command[0]} does not work: {error}") from error
    if done.returncode:
        raise BuildFailed(f"{command[0]} failed ({done.returncode}):\n{done.stdout[-TAIL:]}")
    return done.stdout


def build(name: str = "twin") -> Path:
    """The shared library; raises BuildFailed where there is no compiler or it fails."""
    compiler = _compiler()
    parts = [_run([*compiler, "--version"]), *compiler, *FLAGS, processor()]
    sources = _sources(name)
    key = digest(*(p.encode() for p in parts), *(path.read_bytes() for path in sources))
    folder = folder_of("twin")
    kept = folder / f"{name}-{key[:24]}.so"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not kept.exists():
            with locked(kept.with_suffix(".lock")):
                if not kept.exists():
                    with said("compiling the model, about 10 s, once"):
                        _compile(compiler, sources[0], kept)
    except OSError as error:
        raise BuildFailed(f"{folder} cannot be written to: {error}") from error
    return kept


def _compile(compiler: list[str], source: Path, library: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".building-", dir=library.parent) as temporary:
        made = Path(temporary) / library.name
        command = [*compiler, *FLAGS, "-o", str(made), str(source)]
        try:
            _run([*command, NATIVE])
        except BuildFailed:
            _run(command)
        made.replace(library)


def _loaded(name: str) -> ctypes.CDLL:
    path = build(name)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildFailed(f"{path} cannot be loaded: {error}") from error


@cache
def floats() -> ctypes.CDLL:
    """The model in double with the types of its functions; raises BuildFailed."""
    made, number, array = _loaded("floats"), ctypes.c_int64, ctypes.c_void_p
    made.floats_sizes.argtypes, made.floats_sizes.restype = [], number
    made.floats_steps.argtypes, made.floats_steps.restype = [array, number, *[array] * 4], number
    return made


@cache
def library() -> ctypes.CDLL:
    """The fixed-point model with the types of its functions; raises BuildFailed."""
    made = _loaded("twin")
    handle, number, array = ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p
    made.twin_sizes.argtypes, made.twin_sizes.restype = [], number
    made.twin_new.argtypes, made.twin_new.restype = [ctypes.c_void_p], handle
    made.twin_free.argtypes, made.twin_free.restype = [handle], None
    made.twin_begin.argtypes, made.twin_begin.restype = [handle, *[array] * 4], ctypes.c_int
    made.twin_run.argtypes, made.twin_run.restype = [handle, number, number], None
    made.twin_steps.argtypes, made.twin_steps.restype = [handle, number, *[array] * 5], None
    return made


if __name__ == "__main__":
    try:
        build()
    except BuildFailed as failed:  # numpy does it then
        print(failed, file=sys.stderr)
