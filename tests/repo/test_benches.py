# SPDX-License-Identifier: Apache-2.0
"""Every file of `hdl/core` and `hdl/io` that describes gateware has a bench of its name; those of
`hdl/core` have pauses in all stall patterns. No bench waits for cycles without a name."""

import ast
from pathlib import Path

import pytest

from repository import ROOT

BENCHES = ROOT / "tests" / "rtl"
FOLDERS = ("core", "io")
COMPONENTS = {
    f"{folder}.{path.stem}": path.read_text()
    for folder in FOLDERS
    for path in sorted((ROOT / "hdl" / folder).glob("*.py"))
}


def imported(text: str) -> set[str]:
    """All names that a module imports, as `module.name`."""
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def describes_gateware(text: str) -> bool:
    """It adds statements to a module; others are layouts and tables."""
    return any(name.startswith("amaranth") and name.endswith(".Module") for name in imported(text))


def is_bench_of(name: str, path: Path) -> bool:
    """The file runs cocotb tests, with something of the component's file."""
    text = path.read_text() if path.exists() else ""
    own = any(module.startswith(f"antevolt.hdl.{name}.") for module in imported(text))
    return own and "@cocotb.test" in text and "def test_" in text


def has_pauses(path: Path) -> bool:
    """The file takes the table of stall patterns, and uses it."""
    tree = ast.parse(path.read_text())
    uses = any(isinstance(node, ast.Name) and node.id == "STALLS" for node in ast.walk(tree))
    return uses and PATTERNS in imported(path.read_text())


PATTERNS = "antevolt.sim.bench.streams.STALLS"
WITHOUT_PAUSES: dict[str, str] = {}
"""Components of `hdl/core` whose bench has none, and why; all can be left waiting so far."""

GATEWARE = [name for name, text in COMPONENTS.items() if describes_gateware(text)]


@pytest.mark.parametrize("name", GATEWARE)
def test_component_has_a_bench(name: str) -> None:
    path = bench_of(name)
    assert is_bench_of(name, path), f"write tests/rtl/{path.name} for hdl/{name}"


def bench_of(name: str) -> Path:
    return BENCHES / f"test_{name.split('.')[1]}_rtl.py"


@pytest.mark.parametrize("name", [name for name in GATEWARE if name.startswith("core.")])
def test_component_is_left_waiting(name: str) -> None:
    path = bench_of(name)
    if name in WITHOUT_PAUSES:
        assert WITHOUT_PAUSES[name].strip(), f"say why {path.name} has no pauses"
        assert not has_pauses(path), f"{path.name} has pauses: take it out of the list"
    else:
        assert has_pauses(path), f"let {path.name} use all of STALLS, or list it with a reason"


def test_the_list_has_no_stranger() -> None:
    assert set(WITHOUT_PAUSES) <= set(GATEWARE)


def test_a_bench_without_pauses_is_found(tmp_path: Path) -> None:
    path, text = tmp_path / "test_key_rtl.py", bench_of("core.key").read_text()
    path.write_text(text)
    assert has_pauses(path)
    path.write_text(text.replace("STALLS", "PATTERNS"))  # another table
    assert not has_pauses(path)
    path.write_text("from antevolt.sim.bench.streams import STALLS, Cycles\n")  # not used
    assert not has_pauses(path)


def test_only_layouts_and_tables_have_none() -> None:
    assert set(COMPONENTS) - set(GATEWARE) == {
        *("core.__init__", "core.bundles", "core.ports"),
        "io.__init__",
    }


def test_a_file_that_is_no_bench_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test_key_rtl.py"
    assert not is_bench_of("core.key", path)
    path.write_text("from antevolt.hdl.core.key import KeyMixer\n\n\ndef test_key():\n    pass\n")
    assert not is_bench_of("core.key", path)
    bench = (BENCHES / path.name).read_text()
    path.write_text(bench)
    assert is_bench_of("core.key", path)
    assert not is_bench_of("core.keys", path)


def waits(tree: ast.Module) -> list[ast.expr]:
    """What `cycles.run(...)` is told in a file, without pauses that are drawn."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        call.args[0]
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func).endswith("cycles.run")
        and "draw." not in ast.unparse(call.args[0])
    ]


def is_typed_in(wait: ast.AST) -> bool:
    """A number of cycles, or an offset of more than one; a factor is neither."""
    if isinstance(wait, ast.BinOp) and isinstance(wait.op, ast.Mult):
        return False
    if isinstance(wait, ast.BinOp):
        return is_typed_in(wait.left) or is_typed_in(wait.right)
    return isinstance(wait, ast.Constant) and isinstance(wait.value, int) and wait.value > 1


def nameless(text: str) -> list[str]:
    """Waits of a bench whose length is typed in: a component's latency comes from the component,
    any other is a constant of the bench, and beside it stands what these cycles are."""
    tree, lines = ast.parse(text), text.splitlines()
    found = [
        f"line {wait.lineno}: cycles.run({ast.unparse(wait)})"
        for wait in waits(tree)
        if is_typed_in(wait)
    ]
    used = {n.id for wait in waits(tree) for n in ast.walk(wait) if isinstance(n, ast.Name)}
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not any(map(is_typed_in, ast.walk(node.value))):
            continue
        names = {n.id for target in node.targets for n in ast.walk(target) if hasattr(n, "id")}
        if used & names and "cycles" not in lines[node.lineno - 1].partition("#")[2]:
            found.append(f"line {node.lineno}: say what these cycles are")
    return found


@pytest.mark.parametrize("path", sorted(BENCHES.glob("*.py")), ids=lambda path: path.stem)
def test_waits_have_names(path: Path) -> None:
    assert nameless(path.read_text()) == []


def test_a_wait_without_a_name_is_found() -> None:
    text = "LONG = 60{}\n\n\nasync def test():\n    await bench.cycles.run({})\n"
    assert nameless(text.format("  # cycles of a reply", "LONG + 1")) == []
    assert nameless(text.format("", "latency")) == nameless(text.format("", "2 * latency")) == []
    assert nameless(text.format("", "draw.randrange(20)")) == []
    assert nameless(text.format("", "7")) == ["line 5: cycles.run(7)"]
    assert nameless(text.format("", "latency + 2")) == ["line 5: cycles.run(latency + 2)"]
    assert nameless(text.format("  # of a reply", "LONG")) == ["line 1: say what these cycles are"]
