# SPDX-License-Identifier: Apache-2.0
"""Reference trajectories: files of recorded steps, read strictly and replayed in the float model.

A file is an `.npz` without pickles. Its array `meta` holds one JSON object:

    sizes                populations 0..L
    tau_m, tau_r         one number, or one entry per layer: a number or one number per neuron
    phi                  one name, or one per layer
    gamma, bias, prospective_errors   one value, or one per layer
    loss                 `mse`: error beta (y - r); `ce`: labels, error beta (onehot - softmax)
    dt, beta             numbers
    lr, lr_tau, tau_min  learning rates of weights and biases, and of tau_m (0: fixed); its least
                         value after a change (needed where lr_tau is not 0)
    batch, steps         B and T
    learn_from           first step that learns
    apply_every          learning steps per change (absent: 1)
    schedule             `sequential` or `parallel`

and beside it, for layers l = 0..L-1, x [T, B, n0]; y [T, B, nL], or class indices [T, B] as
integers; W{l}_init, b{l}_init; after each step u{l} v{l} r{l} e{l} [T, B, n]; out [T, B, nL];
W{l}_final, b{l}_final, tau_m{l}_final. Gradients are means over the batch. All of these must be
there and nothing else: what cannot be compared is not passed over in silence.
"""

import json
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import AntevoltError, BadFile
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection
from antevolt.sim.golden.activations import ACTIVATIONS, Array
from antevolt.sim.golden.reference import FloatNetwork

__all__ = ["TOLERANCE", "Difference", "Trajectory", "read", "replay"]

TOLERANCE = 1e-9
"""Absolute; both sides are float64 and differ in the order of additions only."""

SYNONYMS = {
    "identity": "linear",
    "hardtanh": "hard_tanh",
    "hard-tanh": "hard_tanh",
    "logistic": "sigmoid",
}
COSTS: dict[str, Literal["squared_error", "cross_entropy"]] = {
    "mse": "squared_error",
    "ce": "cross_entropy",
}
QUANTITIES = ("u", "v", "r", "e", "out", "W_final", "b_final", "tau_m_final")

UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    RecursionError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
)
"""What numpy, zipfile and the decompressors raise for a file that is damaged or not theirs."""

T = TypeVar("T")


@dataclass(frozen=True)
class Trajectory:
    """One file: the network, its constants, what goes in and what was recorded.

    recorded  {(quantity, layer): array}; quantity as in `QUANTITIES`
    tau_m, tau_r  per layer [neuron]; the network's are raised to dt, the least it can describe
    """

    path: Path
    network: Network
    parameters: Parameters
    tau_m: list[Array]
    tau_r: list[Array]
    eta_tau: float
    tau_min: float | None
    learn_from: int
    batch: int
    x: Array
    y: NDArray[Any]
    recorded: dict[tuple[str, int], Array]


@dataclass(frozen=True)
class Difference:
    """How far the replay is from the record, for one quantity of one layer.

    largest     largest absolute difference; NaN where either side is not finite
    first_step  first step at which it reaches the tolerance; None: never, or not a time series
    """

    quantity: str
    layer: int
    largest: float
    first_step: int | None

    @property
    def agrees(self) -> bool:
        return self.largest < TOLERANCE


class _Meta:
    """Typed access to the JSON object of a file."""

    def __init__(self, path: Path, values: dict[str, Any]):
        self.path, self.values = path, values

    def fail(self, key: str, wanted: str) -> BadFile:
        if key not in self.values:
            return BadFile(f"{self.path}: meta has no {key!r}; it must be {wanted}")
        return BadFile(f"{self.path}: meta {key!r} is {self.values[key]!r}; it must be {wanted}")

    def number(self, key: str) -> float:
        value = _number(self.values.get(key))
        if value is None:
            raise self.fail(key, "a finite number")
        return value

    def count(self, key: str, least: int) -> int:
        value = self.values.get(key)
        if type(value) is not int or value < least:
            raise self.fail(key, f"an integer >= {least}")
        return value

    def per_layer(
        self, key: str, layers: int, convert: Callable[[Any], T | None], wanted: str
    ) -> list[T]:
        """One value for all layers, or a list with one for each."""
        value = self.values.get(key)
        entries = value if isinstance(value, list) else [value] * layers
        if len(entries) != layers:
            raise self.fail(key, f"{wanted}, or a list of {layers} of them (one per layer)")
        converted = [convert(entry) for entry in entries]
        if any(entry is None for entry in converted):
            raise self.fail(key, f"{wanted}, or a list of {layers} of them (one per layer)")
        return [entry for entry in converted if entry is not None]

    def taus(self, key: str, sizes: list[int]) -> list[Array]:
        wanted = "positive numbers: one, one per layer, or per layer one for each neuron"
        value = self.values.get(key)
        entries = value if isinstance(value, list) else [value] * len(sizes)
        if len(entries) != len(sizes):
            raise self.fail(key, wanted)
        taus = []
        for entry, size in zip(entries, sizes, strict=True):
            row = entry if isinstance(entry, list) else [entry] * size
            numbers = [_number(tau) for tau in row]
            positive = [tau for tau in numbers if tau is not None and tau > 0]
            if len(positive) != size or len(row) != size:
                raise self.fail(key, wanted)
            taus.append(np.array(positive))
        return taus


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _phi(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    name = SYNONYMS.get(name, name)
    return name if name in ACTIVATIONS else None


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:  # of our own: numpy leaves a broken archive open
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise BadFile(f"{path} holds a single array; a trajectory is an .npz archive")
            with loaded as archive:
                # `files` strips ".npy", so that two members may claim one name.
                if len(set(archive.files)) != len(archive.files):
                    raise BadFile(f"{path} holds two arrays of one name")
                arrays = {name: archive[name] for name in archive.files}
    except BadFile:
        raise
    except UNREADABLE as error:
        raise BadFile(
            f"cannot read {path}: {type(error).__name__}: {error}; "
            "it must be a whole .npz archive without pickled objects"
        ) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise BadFile(f"{path}: member {name!r} is not an array")
    return arrays


def _meta(path: Path, arrays: dict[str, NDArray[Any]]) -> _Meta:
    if "meta" not in arrays:
        raise BadFile(f"{path} has no array 'meta'; without its constants nothing can be replayed")
    array = arrays.pop("meta")
    if array.shape != () or array.dtype.kind not in "US":
        raise BadFile(
            f"{path}: meta has shape {array.shape} and dtype {array.dtype}; it must be one string"
        )
    text = array.item()
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{path}: meta is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise BadFile(f"{path}: meta is a JSON {type(values).__name__}, not an object")
    return _Meta(path, values)


def _take(
    path: Path, arrays: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    if name not in arrays:
        raise BadFile(f"{path} has no array {name!r}; it must be there with shape {shape}")
    array = arrays.pop(name)
    if array.shape != shape:
        raise BadFile(f"{path}: {name} has shape {array.shape}; meta says {shape}")
    if array.dtype.kind not in "fiu":
        raise BadFile(f"{path}: {name} has dtype {array.dtype}; it must hold real numbers")
    return array


def _finite(path: Path, name: str, array: NDArray[Any]) -> Array:
    values = np.asarray(array, dtype=np.float64)
    if not np.isfinite(values).all():
        raise BadFile(f"{path}: {name} holds NaN or infinity")
    return values


def _network(
    meta: _Meta, sizes: list[int], bias: list[bool], tau_m: list[Array], tau_r: list[Array]
) -> Network:
    layers = len(sizes) - 1
    dt = meta.number("dt")
    if dt <= 0:
        raise meta.fail("dt", "a positive number")
    loss, schedule = meta.values.get("loss"), meta.values.get("schedule")
    if loss not in list(COSTS):
        raise meta.fail("loss", "'mse' or 'ce'")
    if schedule not in ["sequential", "parallel"]:
        raise meta.fail("schedule", "'sequential' or 'parallel'")
    phi = meta.per_layer("phi", layers, _phi, f"one of {', '.join(ACTIVATIONS)}")
    gamma = meta.per_layer("gamma", layers, _number, "a finite number")
    prospective = meta.per_layer("prospective_errors", layers, _bool, "true or false")
    try:
        return Network(
            inputs=sizes[0],
            populations=tuple(
                Population(
                    size=sizes[k + 1],
                    phi=phi[k],
                    tau_m=tuple(np.maximum(tau_m[k], dt)),
                    tau_r=tuple(np.maximum(tau_r[k], dt)),
                    gamma=gamma[k],
                    rule="gle" if prospective[k] else "instantaneous",
                )
                for k in range(layers)
            ),
            projections=tuple(Projection(k, k + 1, bias=bias[k]) for k in range(layers)),
            dt=dt,
            beta=meta.number("beta"),
            cost=COSTS[loss],
            schedule=schedule,
            eta=meta.number("lr"),
            apply_every=meta.count("apply_every", 1) if "apply_every" in meta.values else 1,
        )
    except BadFile:
        raise
    except AntevoltError as error:
        raise BadFile(f"{meta.path}: {error}") from error


def read(path: str | Path) -> Trajectory:
    """The trajectory in `path`.

    Raises BadFile for a file that cannot be read, that holds pickles, whose meta lacks or
    contradicts something, or whose arrays are not exactly those that meta asks for.
    """
    path = Path(path)
    arrays = _load(path)
    meta = _meta(path, arrays)
    sizes = meta.values.get("sizes")
    if (
        not isinstance(sizes, list)
        or len(sizes) < 2
        or not all(type(n) is int and n >= 1 for n in sizes)
    ):
        raise meta.fail("sizes", "a list of two or more integers >= 1")
    layers = len(sizes) - 1
    batch, steps = meta.count("batch", 1), meta.count("steps", 1)
    bias = meta.per_layer("bias", layers, _bool, "true or false")

    # The arrays first: once their shapes agree with sizes, sizes are known to be of this world.
    x = _finite(path, "x", _take(path, arrays, "x", (steps, batch, sizes[0])))
    y = _read_targets(path, arrays, (steps, batch, sizes[-1]))
    parameters: Parameters = {}
    recorded: dict[tuple[str, int], Array] = {}
    for k in range(layers):
        shapes: dict[str, tuple[int, ...]] = {"W": (sizes[k + 1], sizes[k])}
        if bias[k]:
            shapes["b"] = (sizes[k + 1],)
        for letter, shape in shapes.items():
            name = f"{letter}{k}_init"
            start = _finite(path, name, _take(path, arrays, name, shape))
            parameters[f"{k}.{'weight' if letter == 'W' else 'bias'}"] = start
            recorded[f"{letter}_final", k] = _take(path, arrays, f"{letter}{k}_final", shape)
        recorded["tau_m_final", k] = _take(path, arrays, f"tau_m{k}_final", (sizes[k + 1],))
        for letter in "uvre":
            shape = (steps, batch, sizes[k + 1])
            recorded[letter, k] = _take(path, arrays, f"{letter}{k}", shape)
    recorded["out", layers - 1] = _take(path, arrays, "out", (steps, batch, sizes[-1]))
    if arrays:
        raise BadFile(
            f"{path} holds {', '.join(sorted(arrays))}, which its meta does not ask for; "
            "what cannot be compared must not be in the file"
        )
    tau_m, tau_r = meta.taus("tau_m", sizes[1:]), meta.taus("tau_r", sizes[1:])
    network = _network(meta, sizes, bias, tau_m, tau_r)
    eta_tau = meta.number("lr_tau")
    tau_min = meta.number("tau_min") if eta_tau else None
    if tau_min is not None and tau_min <= 0:
        raise meta.fail("tau_min", "a positive number")
    return Trajectory(
        path=path,
        network=network,
        parameters=parameters,
        tau_m=tau_m,
        tau_r=tau_r,
        eta_tau=eta_tau,
        tau_min=tau_min,
        learn_from=meta.count("learn_from", 0),
        batch=batch,
        x=x,
        y=y,
        recorded={key: np.asarray(value, dtype=np.float64) for key, value in recorded.items()},
    )


def _read_targets(
    path: Path, arrays: dict[str, NDArray[Any]], shape: tuple[int, int, int]
) -> NDArray[Any]:
    if "y" not in arrays or arrays["y"].ndim != 2:
        return _finite(path, "y", _take(path, arrays, "y", shape))
    y, classes = _take(path, arrays, "y", shape[:2]), shape[2]
    if y.dtype.kind not in "iu":
        raise BadFile(f"{path}: y is {y.dtype} [T, B]; class indices are integers")
    if y.min() < 0 or y.max() >= classes:
        raise BadFile(f"{path}: y holds classes {y.min()}..{y.max()}; there are 0..{classes - 1}")
    return y


def replay(trajectory: Trajectory) -> tuple[Difference, ...]:
    """Run the float model over the file's inputs and compare all that was recorded."""
    model = FloatNetwork(
        trajectory.network,
        trajectory.parameters,
        streams=trajectory.batch,
        mean_over_streams=True,
        eta_tau=trajectory.eta_tau,
        tau_min=trajectory.tau_min,
        learn_from=trajectory.learn_from,
        tau_m=trajectory.tau_m,
        tau_r=trajectory.tau_r,
    )
    # Overflow in a diverging file shows as a difference that is not finite.
    with np.errstate(all="ignore"):
        run = model.run(trajectory.x, trajectory.y, record=True)
        replayed: dict[tuple[str, int], Array | None] = {}
        for k in range(len(model.weights)):
            for letter in "uvre":
                replayed[letter, k] = getattr(run, letter)[k]
            replayed["W_final", k] = model.weights[k]
            replayed["b_final", k] = model.biases[k]
            replayed["tau_m_final", k] = model.tau_m[k]
        replayed["out", len(model.weights) - 1] = run.out
        differences = [
            _difference(quantity, layer, replayed[quantity, layer], recorded)
            for (quantity, layer), recorded in trajectory.recorded.items()
        ]
    order = {quantity: at for at, quantity in enumerate(QUANTITIES)}
    return tuple(sorted(differences, key=lambda d: (order[d.quantity], d.layer)))


def _difference(quantity: str, layer: int, replayed: Array | None, recorded: Array) -> Difference:
    apart = np.abs(np.asarray(replayed, dtype=np.float64) - recorded)
    largest = float(apart.max()) if np.isfinite(apart).all() else math.nan
    first = None
    if apart.ndim == 3:
        off = ~(apart < TOLERANCE).all(axis=(1, 2))
        first = int(off.argmax()) if off.any() else None
    return Difference(quantity, layer, largest, first)
