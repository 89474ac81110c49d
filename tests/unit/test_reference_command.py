# SPDX-License-Identifier: Apache-2.0
"""`antevolt reference`: exit statuses, the table, JSON, and files that are not trajectories."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.reference_command import command
from antevolt.sim.golden.vectors import read

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
Arrays = dict[str, Any]


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def arrays() -> Arrays:
    """A small correct file: the first 20 steps of a recording that does not learn."""
    with np.load(VECTORS / "seq_regress.npz", allow_pickle=False) as archive:
        whole = {name: archive[name] for name in archive.files}
    meta = {**json.loads(whole["meta"].item()), "steps": 20, "lr": 0.0}
    small = {k: v[:20] if v.ndim == 3 else v for k, v in whole.items()}
    small.update({f"{k.split('_')[0]}_final": v for k, v in small.items() if k.endswith("_init")})
    return {**replayed(meta, small), "meta": np.array(json.dumps(meta))}


def replayed(meta: dict[str, Any], arrays: Arrays) -> Arrays:
    """Replace the recorded states by those of a run without learning, layer by layer."""
    result = dict(arrays)
    layers = len(meta["sizes"]) - 1
    batch, steps = meta["batch"], meta["steps"]
    state = {(q, k): np.zeros((batch, meta["sizes"][k + 1])) for q in "uve" for k in range(layers)}
    series = {f"{q}{k}": [] for q in "uvre" for k in range(layers)}  # type: ignore[var-annotated]
    for n in range(steps):
        r, slopes = arrays["x"][n], []
        for k, phi in enumerate(meta["phi"]):
            tau_m, tau_r = np.array(meta["tau_m"][k]), np.array(meta["tau_r"][k])
            drive = r @ arrays[f"W{k}_init"].T + arrays[f"b{k}_init"]
            u_dot = (drive + meta["gamma"] * state["e", k] - state["u", k]) / tau_m
            p = state["u", k] + tau_r * u_dot
            state["u", k] = state["u", k] + meta["dt"] * u_dot
            r = {"tanh": np.tanh(p), "softplus": np.log1p(np.exp(p)), "linear": p}[phi]
            slope = {"tanh": 1 - r * r, "softplus": 1 / (1 + np.exp(-p)), "linear": 1 + 0 * p}[phi]
            slopes.append(slope)
            series[f"r{k}"].append(r)
        q = meta["beta"] * (arrays["y"][n] - r)
        for k in reversed(range(layers)):
            tau_m, tau_r = np.array(meta["tau_m"][k]), np.array(meta["tau_r"][k])
            v_dot = (slopes[k] * q - state["v", k]) / tau_r
            state["e", k] = state["v", k] + tau_m * v_dot
            state["v", k] = state["v", k] + meta["dt"] * v_dot
            q = state["e", k] @ arrays[f"W{k}_init"]
        for k in range(layers):
            for name in "uve":
                series[f"{name}{k}"].append(state[name, k])
    result.update({name: np.array(values) for name, values in series.items()})
    result["out"] = result[f"r{layers - 1}"]
    return result


def save(path: Path, arrays: Arrays, **meta: Any) -> Path:
    """Write a file with some of its meta changed; None removes a key."""
    values = {**json.loads(arrays["meta"].item()), **meta}
    values = {key: value for key, value in values.items() if value is not None}
    np.savez(path, **{**arrays, "meta": np.array(json.dumps(values))})
    return path


def test_all_recordings_agree() -> None:
    result = run(*sorted(VECTORS.glob("*.npz")))
    assert result.exit_code == 0
    assert "6 of 6 files agree within 1e-09" in result.output
    for quantity in ("u", "v", "r", "e", "out", "W_final", "b_final", "tau_m_final"):
        assert f" {quantity} " in result.output


def test_json(arrays: Arrays, tmp_path: Path) -> None:
    path = save(tmp_path / "good.npz", arrays)
    result = run("--json", path)
    assert result.exit_code == 0
    report = json.loads(result.output)
    assert report["ok"] is True
    differences = report["files"][0]["differences"]
    # Three layers of u v r e W b tau_m, and out.
    assert len(differences) == 3 * 7 + 1
    assert all(d["ok"] and d["largest"] < 1e-12 for d in differences)


@pytest.mark.parametrize(
    ("name", "change", "wanted"),
    [("u1", 1e-8, 1e-8), ("out", 1e-8, 1e-8), ("W0_final", -2e-9, 2e-9), ("e2", np.nan, None)],
)
def test_difference_gives_status_1(
    name: str, change: float, wanted: float | None, arrays: Arrays, tmp_path: Path
) -> None:
    arrays[name] = arrays[name].copy()
    arrays[name].flat[-1] += change
    path = save(tmp_path / "off.npz", arrays)
    assert run(path).exit_code == 1
    result = run("--json", path)
    assert result.exit_code == 1
    off = [d for d in json.loads(result.output)["files"][0]["differences"] if not d["ok"]]
    assert len(off) == 1
    assert off[0]["largest"] == (wanted if wanted is None else pytest.approx(wanted, rel=1e-5))


def test_below_the_tolerance_agrees(arrays: Arrays, tmp_path: Path) -> None:
    arrays["u0"] = arrays["u0"] + 9e-10
    assert run(save(tmp_path / "near.npz", arrays)).exit_code == 0


def test_one_bad_file_does_not_hide_the_others(arrays: Arrays, tmp_path: Path) -> None:
    good = save(tmp_path / "good.npz", arrays)
    bad = save(tmp_path / "bad.npz", arrays, phi="gauss")
    result = run(bad, good)
    assert result.exit_code == 2
    assert "BadFile" in result.output
    assert "1 of 2 files agree" in result.output
    report = json.loads(CliRunner().invoke(command, ["--json", str(bad), str(good)]).stdout)
    assert [file["ok"] for file in report["files"]] == [False, True]
    assert "gauss" in report["files"][0]["error"]


def test_no_file_is_a_usage_error() -> None:
    assert run().exit_code == 2


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("phi", "gauss", "phi"),
        ("phi", ["tanh", "tanh"], "phi"),
        ("phi", ["tanh", "softplus", 3], "phi"),
        ("sizes", [2, 5, 4, 3], "has shape"),
        ("sizes", [2, 5, 4, 10**12], "has shape"),
        ("sizes", [2], "sizes"),
        ("sizes", [2, 5.0, 4, 2], "sizes"),
        ("sizes", [2, True, 4, 2], "sizes"),
        ("tau_m", [[0.4] * 5, [1.0] * 4], "tau_m"),
        ("tau_m", [[0.4] * 4, [1.0] * 4, [0.3] * 2], "tau_m"),
        ("tau_r", 0.0, "tau_r"),
        ("tau_r", "fast", "tau_r"),
        ("tau_r", float("nan"), "tau_r"),
        ("dt", None, "no 'dt'"),
        ("dt", -0.1, "positive"),
        ("dt", True, "finite number"),
        ("gamma", None, "no 'gamma'"),
        ("beta", float("inf"), "beta"),
        ("lr", "fast", "lr"),
        ("lr", 10**400, "lr"),
        ("lr_tau", None, "lr_tau"),
        ("bias", 1, "bias"),
        ("bias", False, "does not ask for"),
        ("prospective_errors", "yes", "prospective_errors"),
        ("loss", "hinge", "loss"),
        ("loss", ["mse"], "loss"),
        ("schedule", "random", "schedule"),
        ("batch", 2, "has shape"),
        ("batch", 0, "batch"),
        ("steps", 21, "has shape"),
        ("steps", None, "no 'steps'"),
        ("learn_from", -1, "learn_from"),
        ("apply_every", 0, "apply_every"),
        ("apply_every", 1.5, "apply_every"),
    ],
)
def test_wrong_meta(key: str, value: Any, message: str, arrays: Arrays, tmp_path: Path) -> None:
    path = save(tmp_path / "bad.npz", arrays, **{key: value})
    with pytest.raises(BadFile, match=message):
        read(path)
    assert run(path).exit_code == 2


def test_learned_tau_needs_its_least_value(arrays: Arrays, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no 'tau_min'"):
        read(save(tmp_path / "bad.npz", arrays, lr_tau=0.1, tau_min=None))
    with pytest.raises(BadFile, match="positive"):
        read(save(tmp_path / "bad.npz", arrays, lr_tau=0.1, tau_min=-1.0))


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", "[" * 100_000], ids=["empty", "list", "null", "cut", "deep"]
)
def test_meta_that_is_no_object(text: str, arrays: Arrays, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **{**arrays, "meta": np.array(text)})
    with pytest.raises(BadFile, match="meta"):
        read(tmp_path / "bad.npz")


@pytest.mark.parametrize("meta", [np.zeros(3), np.array(["{}", "{}"])], ids=["numbers", "two"])
def test_meta_that_is_no_string(meta: Any, arrays: Arrays, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **{**arrays, "meta": meta})
    with pytest.raises(BadFile, match="one string"):
        read(tmp_path / "bad.npz")


def test_each_array_is_needed(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    for name in arrays:
        np.savez(path, **{k: v for k, v in arrays.items() if k != name})
        with pytest.raises(BadFile, match=f"no array '{name}'"):
            read(path)


def test_each_shape_is_checked(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    for name, array in arrays.items():
        if name != "meta":
            np.savez(path, **{**arrays, name: array[..., None]})
            with pytest.raises(BadFile, match=f"{name} has shape"):
                read(path)
            np.savez(path, **{**arrays, name: array.astype(str)})
            with pytest.raises(BadFile, match=f"{name} has dtype"):
                read(path)


@pytest.mark.parametrize("name", ["x", "y", "W1_init", "b0_init"])
def test_inputs_are_finite(name: str, arrays: Arrays, tmp_path: Path) -> None:
    arrays[name] = arrays[name].copy()
    arrays[name].flat[0] = np.inf
    with pytest.raises(BadFile, match=f"{name} holds NaN or infinity"):
        read(save(tmp_path / "bad.npz", arrays))


def test_array_that_is_not_compared(arrays: Arrays, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="p0"):
        read(save(tmp_path / "bad.npz", {**arrays, "p0": np.zeros(3)}))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full((20, 3), 2), "classes 2..2"),
        (np.full((20, 3), -1), "classes -1..-1"),
        (np.zeros((20, 3)), "integers"),
        (np.zeros((20, 4), int), "has shape"),
    ],
)
def test_wrong_labels(y: Any, message: str, arrays: Arrays, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=message):
        read(save(tmp_path / "bad.npz", {**arrays, "y": y}, loss="ce"))


def test_pickles_are_refused(arrays: Arrays, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return Path.touch, (tmp_path / "sprung",)

    for name in ("x", "meta", "extra"):
        trapped = np.empty((), object)
        trapped[()] = Trap()
        with (tmp_path / "bad.npz").open("wb") as file:
            np.savez(file, **{**arrays, name: trapped})  # type: ignore[arg-type]
        assert run(tmp_path / "bad.npz").exit_code == 2
        assert not (tmp_path / "sprung").exists()


def test_not_an_archive(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    for content in (b"", b"hello", b"PK\x03\x04", b"\x80\x04K\x01."):
        path.write_bytes(content)
        assert run(path).exit_code == 2
    with path.open("wb") as file:
        np.save(file, arrays["x"])
    with pytest.raises(BadFile, match="single array"):
        read(path)
    assert run(tmp_path).exit_code == 2
    assert run(tmp_path / "missing.npz").exit_code == 2


def test_member_that_is_no_array_and_two_of_one_name(arrays: Arrays, tmp_path: Path) -> None:
    path = save(tmp_path / "bad.npz", arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(BadFile, match="not an array"):
        read(path)
    path = save(tmp_path / "bad.npz", arrays)
    buffer = io.BytesIO()
    np.save(buffer, arrays["x"] + 1)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x", buffer.getvalue())
    with pytest.raises(BadFile, match="two arrays"):
        read(path)


def test_truncated_or_damaged_files(arrays: Arrays, tmp_path: Path) -> None:
    whole = save(tmp_path / "good.npz", arrays).read_bytes()
    path = tmp_path / "bad.npz"
    for length in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(BadFile, match="cannot read"):
            read(path)
    rng = np.random.default_rng(0)
    for at in rng.integers(len(whole), size=150):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        # A bit that nothing depends on may flip; anything else is a BadFile or a difference.
        result = run(path)
        assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("name", ["Identity", "linear", "hardtanh", "hard_tanh"])
def test_names_of_phi(name: str, arrays: Arrays, tmp_path: Path) -> None:
    path = save(tmp_path / "names.npz", arrays, phi=name)
    wanted = "hard_tanh" if "tanh" in name else "linear"
    assert {p.phi for p in read(path).network.populations} == {wanted}
