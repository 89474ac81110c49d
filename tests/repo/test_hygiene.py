# SPDX-License-Identifier: Apache-2.0
"""What no file of the repository may hold."""

import ast
import re
from pathlib import Path

import pytest

from repository import ROOT, files, modules

# Written so that this file does not match itself.
NOT_HERE = {
    "a path of one machine": r"(?<![\w.~$}>-])/(?:home|root|Users|work|mnt|opt)/\w",
    "a host of a package registry": (
        r"(?:pypi|pythonhosted|crates|npmjs|registry\.yarnpkg|rubygems|conda)\.(?:org|com|io)\b"
    ),
}
UNSAFE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve"}
# What joblib sends to processes of its own is no file that others could have made; these are.
UNSAFE |= {"joblib.dump", "joblib.load"}
SOURCES = {".py", ".cpp", ".h", ".sh", ".toml"}
BENCH = ROOT / "sim" / "bench"


def texts() -> dict[Path, str]:
    found = {}
    for path in files():
        data = path.read_bytes()
        if b"\0" not in data:
            found[path.relative_to(ROOT)] = data.decode()
    return found


TEXTS = texts()
PYTHON = {path: text for path, text in TEXTS.items() if path.suffix == ".py"}
SHIPPED = {path.relative_to(ROOT): path for _, path in modules()}


def lines(pattern: str, text: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(pattern, line)]


def unsafe(text: str) -> list[str]:
    """Lines that import a serializer that runs code, or let numpy use it."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {str(node.module).split(".")[0]}
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            off = isinstance(node.value, ast.Constant) and node.value.value is False
            names = set() if off else UNSAFE
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in UNSAFE:
            names = {ast.unparse(node)}
        else:
            continue
        if names & UNSAFE:
            found.append(ast.unparse(node))
    return found


def asserts(text: str) -> list[str]:
    return [ast.unparse(n) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Assert)]


@pytest.mark.parametrize("what", NOT_HERE)
def test_no_file_mentions(what: str) -> None:
    found = {path: lines(NOT_HERE[what], text) for path, text in TEXTS.items()}
    assert {path: where for path, where in found.items() if where} == {}


def test_nothing_is_pickled() -> None:
    assert {path: found for path, text in PYTHON.items() if (found := unsafe(text))} == {}


def test_input_is_not_checked_by_assert() -> None:
    """`python -O` removes asserts. Benches are tests and may use them."""
    shipped = {path: where for path, where in SHIPPED.items() if BENCH not in where.parents}
    found = {path: asserts(where.read_text()) for path, where in shipped.items()}
    assert {path: where for path, where in found.items() if where} == {}


def test_every_source_names_its_licence() -> None:
    line = "SPDX-License-Identifier: " + "Apache-2.0"
    sources = {path: text for path, text in TEXTS.items() if path.suffix in SOURCES}
    assert [path for path, text in sources.items() if line not in text[:200]] == []


def test_text_files_end_with_one_newline() -> None:
    bad = [p for p, text in TEXTS.items() if text and (text[-1] != "\n" or text[-2:] == "\n\n")]
    assert bad == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of one machine", "see " + "/ho" + "me/jo/antevolt"),
        ("a path of one machine", '"/wo' + 'rk/main"'),
        ("a host of a package registry", "https://files.python" + "hosted.org/packages"),
    ],
)
def test_a_mention_is_found(what: str, line: str) -> None:
    assert lines(NOT_HERE[what], line)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from shelve import open",
        "joblib.load(path)",
        "from joblib import dump",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=option)",
    ],
)
def test_pickles_are_found(text: str) -> None:
    assert unsafe(text)


def test_asserts_are_found() -> None:
    assert asserts("def f(x):\n    assert x > 0")
