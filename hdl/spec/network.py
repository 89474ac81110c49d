# SPDX-License-Identifier: Apache-2.0
"""A network as its user thinks of it: populations, projections, constants; JSON and safetensors.

Symbols as in `docs/step.md`: tau_m and tau_r in the unit of dt, gamma the coupling of the error
into the soma, beta the strength of the cost, eta the learning rate of one APPLY.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from antevolt.hdl.spec import checks
from antevolt.hdl.spec.errors import BadFile, BadNetwork
from antevolt.hdl.spec.json_objects import keyed, parsed, several

__all__ = ["PHI", "Network", "Parameters", "Population", "Projection", "Rule", "read", "write"]

PHI = ("linear", "tanh", "sigmoid", "softplus", "relu", "hard_tanh")
Rule = Literal["gle", "instantaneous", "trace"]
RULES = ("gle", "instantaneous", "trace")
BACKWARD = ("transpose", "fixed", "learned")
OPTIMIZERS = ("sgd", "momentum", "sign", "adam", "momentum_sum", "sign_sum")
COSTS = ("squared_error", "cross_entropy")
SCHEDULES = ("sequential", "parallel")
OF_ERROR = ("kappa", "tau_v")
"""Constants of a population that None leaves to others."""
UNSAID = {"kappa": None, "tau_v": None, "r_max": 1.0}
"""What the JSON of a network leaves out: files and fingerprints are as before there were any."""

Parameters = dict[str, NDArray[np.float64]]
"""`{k}.weight` [target, source] and `{k}.bias` [target] of projection k, and `{k}.backward`
[target, source] where it has separate backward weights; float64."""


LARGEST = 1 << 16
"""Neurons of a population: no memory of a core has more words."""
WORDS = (1 << 32) - 1
"""The largest number in a register of a core."""


def _numbers(name: str, value: Any, size: int) -> tuple[float, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return (checks.real(name, value),) * size
    values = tuple(value)
    if len(values) != size:
        raise BadNetwork(f"{name} has {len(values)} values for {size} neurons; give one or {size}")
    return tuple(checks.real(name, each) for each in values)


@dataclass(frozen=True)
class Population:
    """Neurons that share phi, gamma and the error rule.

    size    neurons
    phi     one of `PHI`
    tau_m, tau_r  membrane and prospective time constants, one number or one per neuron
    gamma   coupling of the error into the membrane
    rule    how its weights learn. `gle`: prospective errors, dW = e r^T; `instantaneous`: e = eps;
            `trace`: e = eps, dW_ij = eps_i h_ij with h_ij the membrane filter of neuron i on r_j
            (neurons with equal time constants share it: let them stand together)
    g       local gain of the error, e = g (v + kappa delta)
    kappa, tau_v  error filter of rule `gle` apart from the membrane, v <- v + dt / tau_v delta;
            None: tau_m / tau_r and tau_r, the inverse of the membrane. kappa = 1: e = g eps
    r_max   scale of phi: r = r_max phi(p / r_max), as steep as phi at p = 0; with 0.5 a tanh ends
            at +-0.5, and what the next population sums up is half as large
    eta_tau_m, eta_tau_r  rates at which the time constants learn, 0: they stay.
            tau_m <- tau_m - eta_tau_m sum e u', tau_r <- tau_r + eta_tau_r sum eps u', >= dt
    """

    size: int
    phi: str = "tanh"
    tau_m: float | tuple[float, ...] = 1.0
    tau_r: float | tuple[float, ...] = 1.0
    gamma: float = 0.0
    rule: Rule = "gle"
    g: float = 1.0
    eta_tau_m: float = 0.0
    eta_tau_r: float = 0.0
    kappa: float | tuple[float, ...] | None = None
    tau_v: float | tuple[float, ...] | None = None
    r_max: float = 1.0

    def __post_init__(self) -> None:
        checks.integer("size", self.size, 1, LARGEST)
        checks.choice("phi", self.phi, PHI)
        for name in ("tau_m", "tau_r"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name), self.size))
            for tau in getattr(self, name):
                if tau <= 0:
                    raise BadNetwork(f"{name} is {tau}; a time constant is finite and positive")
        checks.choice("rule", self.rule, RULES)
        if (self.eta_tau_m or self.eta_tau_r) and self.rule == "trace":
            raise BadNetwork("time constants cannot learn under rule trace; use another rule")
        for name in ("gamma", "g", "eta_tau_m", "eta_tau_r", "r_max"):
            checks.real(name, getattr(self, name))
        if self.r_max <= 0:
            raise BadNetwork(f"r_max is {self.r_max}; it is finite and positive")
        self._check_error_filter()

    def _check_error_filter(self) -> None:
        """kappa and tau_v, where they are given."""
        for name in OF_ERROR:
            if getattr(self, name) is None:
                continue
            if not self.prospective_errors:
                raise BadNetwork(f"{name} is for rule gle; errors of rule {self.rule} have none")
            if self.eta_tau_m or self.eta_tau_r:
                raise BadNetwork(f"{name} cannot be set where time constants learn: they make it")
            object.__setattr__(self, name, _numbers(name, getattr(self, name), self.size))
            least = min(getattr(self, name))
            if least < 0:
                raise BadNetwork(f"{name} is {least} at least; it is finite and not negative")

    @property
    def function(self) -> tuple[str, float]:
        """phi and its scale, which is 1 where any would be the same: equal for equal functions."""
        return self.phi, 1.0 if self.phi in ("linear", "relu") else self.r_max

    @property
    def prospective_errors(self) -> bool:
        """e runs ahead of eps; else e = eps."""
        return self.rule == "gle"

    @property
    def time_constants(self) -> tuple[tuple[float, float], ...]:
        """The different (tau_m, tau_r) of its neurons, in the order of their first appearance."""
        pairs = zip(_each(self.tau_m), _each(self.tau_r), strict=True)
        return tuple(dict.fromkeys(pairs))

    @property
    def error_filter(self) -> tuple[tuple[float, float], ...]:
        """(kappa, tau_v) of each neuron; (1, inf) stands for e = eps, and any tau_v would do."""
        if not self.prospective_errors:
            return ((1.0, math.inf),) * self.size
        taus = list(zip(_each(self.tau_m), _each(self.tau_r), strict=True))
        kappa = [m / r for m, r in taus] if self.kappa is None else _each(self.kappa)
        tau_v = [r for _, r in taus] if self.tau_v is None else _each(self.tau_v)
        return tuple(zip(kappa, tau_v, strict=True))


def _each(tau: float | tuple[float, ...]) -> tuple[float, ...]:
    return tau if isinstance(tau, tuple) else (tau,)


@dataclass(frozen=True)
class Projection:
    """Weights from population `source` (0: the inputs) to population `target`.

    A projection to a higher population carries the rates of this step (in the sequential schedule),
    one to the same or a lower population is recurrent: it carries those of the step before, and
    hands back the error of the step before.

    bias      a weight of the constant one per target neuron
    learn     False: the projection is frozen
    eta       learning rate; None: the network's
    backward  what carries errors down. `transpose`: the weights; `fixed`: separate weights that
              stay; `learned`: separate weights that change by the same products as the forward ones
    """

    source: int
    target: int
    bias: bool = True
    learn: bool = True
    eta: float | None = None
    backward: Literal["transpose", "fixed", "learned"] = "transpose"

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            checks.integer(name, getattr(self, name), 0, LARGEST)
        for name in ("bias", "learn"):
            checks.flag(name, getattr(self, name))
        if self.eta is not None:
            checks.real("eta", self.eta)
        checks.choice("backward", self.backward, BACKWARD)

    @property
    def recurrent(self) -> bool:
        return self.source >= self.target


PARTS: tuple[tuple[str, type, int], ...] = (
    ("population", Population, 1),
    ("projection", Projection, 0),
)
"""What a network has several of, and the number of the first."""


@dataclass(frozen=True)
class Network:
    """A network and the constants of its step.

    inputs       size of population 0
    populations  populations 1..L, the last one is the output
    projections  default: each population from the one before
    dt           time step, in the unit of the time constants
    beta         strength of the cost
    cost         `squared_error`: error beta (y - r); `cross_entropy`: beta (onehot - softmax)
    schedule     `sequential` or `parallel` (`docs/step.md`)
    eta          learning rate of one APPLY; gradients are sums over streams and steps
    apply_every  learning steps per APPLY; 1 learns immediately
    softmax_gain, tau_z  of `cross_entropy`: softmax(softmax_gain z), where z is r or, with tau_z,
                 the leaky logits z <- z + dt/tau_z (r - z)
    optimizer    what an APPLY does with the gradient sum G (m, v: moments, zero at the start).
                 `sgd`: W += eta G; `momentum`: m <- momentum m + (1 - momentum) G, W += eta m;
                 `sign`: W += eta sign(m); `adam`: v <- momentum2 v + (1 - momentum2) G^2,
                 W += eta m / sqrt(v), without correction of the start; `momentum_sum`:
                 m <- momentum m + G, W += eta m; `sign_sum`: with this m, W += eta sign(m)
    seed         of the random bits of stochastic rounding
    """

    inputs: int
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    dt: float = 1.0
    beta: float = 1.0
    cost: Literal["squared_error", "cross_entropy"] = "squared_error"
    schedule: Literal["sequential", "parallel"] = "sequential"
    eta: float = 2.0**-6
    apply_every: int = 1
    seed: int = 0
    softmax_gain: float = 1.0
    tau_z: float | None = None
    optimizer: Literal["sgd", "momentum", "sign", "adam", "momentum_sum", "sign_sum"] = "sgd"
    momentum: float = 0.875
    momentum2: float = 1 - 2.0**-10

    def __post_init__(self) -> None:
        for name, kind, first in PARTS:
            parts = checks.several(name, getattr(self, f"{name}s"), kind, first)
            object.__setattr__(self, f"{name}s", parts)
        depth = len(self.populations)
        checks.integer("inputs", self.inputs, 1, LARGEST)
        if not depth:
            raise BadNetwork("a network needs at least one population")
        chain = self.projections or tuple(Projection(k, k + 1) for k in range(depth))
        object.__setattr__(self, "projections", tuple(chain))
        self._check_projections()
        for name, choices in (
            ("cost", COSTS),
            ("schedule", SCHEDULES),
            ("optimizer", OPTIMIZERS),
        ):
            checks.choice(name, getattr(self, name), choices)
        for name in ("dt", "beta", "eta", "momentum", "momentum2", "softmax_gain"):
            checks.real(name, getattr(self, name))
        if self.tau_z is not None:
            checks.real("tau_z", self.tau_z)
        checks.integer("apply_every", self.apply_every, 1, WORDS)
        checks.integer("seed", self.seed, 0, (1 << 64) - 1)
        if self.dt <= 0:
            raise BadNetwork(f"dt is {self.dt}; it must be positive")
        for name in ("momentum", "momentum2"):
            if not 0 <= getattr(self, name) < 1:
                raise BadNetwork(f"{name} is {getattr(self, name)}; it lies in 0 <= {name} < 1")
        if self.softmax_gain <= 0:
            raise BadNetwork(f"softmax_gain is {self.softmax_gain}; it is finite and positive")
        if self.tau_z is not None and self.tau_z < self.dt:
            raise BadNetwork(f"tau_z is {self.tau_z}; it is finite and at least dt = {self.dt}")
        for k, population in enumerate(self.populations, 1):
            for name in ("tau_m", "tau_r", "tau_v"):
                taus = getattr(population, name)
                if taus is not None and min(taus) < self.dt * (1 - 1e-9):
                    raise BadNetwork(
                        f"population {k}: {name} = {min(taus)} is below dt = "
                        f"{self.dt}, where a step overshoots; make it >= dt or dt smaller"
                    )

    def _check_projections(self) -> None:
        """Every population has an input, the last one is the output."""
        depth, seen = len(self.populations), set()
        biased: set[int] = set()
        for k, p in enumerate(self.projections):
            if not (0 <= p.source <= depth and 1 <= p.target <= depth):
                raise BadNetwork(
                    f"projection {k} goes from {p.source} to {p.target}; sources are 0 (the inputs)"
                    f" .. {depth}, targets 1 .. {depth}"
                )
            if p.source == depth:
                raise BadNetwork(
                    f"projection {k} starts at the output, population {depth}; "
                    "feed back from a hidden population"
                )
            if (p.source, p.target) in seen:
                raise BadNetwork(f"projection {k}: there is one from {p.source} to {p.target} yet")
            if p.bias and p.target in biased:
                raise BadNetwork(
                    f"projection {k}: population {p.target} has a bias already; set bias=False"
                )
            seen.add((p.source, p.target))
            biased |= {p.target} if p.bias else set()
        for target in range(1, depth + 1):
            if not any(p.target == target and not p.recurrent for p in self.projections):
                raise BadNetwork(f"population {target} has no projection from a lower one")

    def incoming(self, target: int) -> tuple[int, ...]:
        """Numbers of the projections to a population."""
        return tuple(k for k, p in enumerate(self.projections) if p.target == target)

    def outgoing(self, source: int) -> tuple[int, ...]:
        """Numbers of the projections from a population."""
        return tuple(k for k, p in enumerate(self.projections) if p.source == source)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of populations 0..L."""
        return (self.inputs, *(p.size for p in self.populations))

    @property
    def outputs(self) -> int:
        return self.sizes[-1]

    @property
    def weight_count(self) -> int:
        """Weights and biases, without separate backward weights."""
        n = self.sizes
        return sum((n[p.source] + p.bias) * n[p.target] for p in self.projections)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON, in hex: equal for equal descriptions."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def with_(self, **changes: Any) -> "Network":
        """A copy with some constants changed."""
        return replace(self, **changes)

    def to_json(self, indent: int | None = None) -> str:
        values = asdict(self)
        for population in values["populations"]:
            for name, usual in UNSAID.items():
                if population[name] == usual:
                    del population[name]
        return json.dumps(values, sort_keys=True, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> "Network":
        """Raises BadFile for text that is not a network, BadNetwork for a network that is wrong."""
        values = keyed(parsed(text), cls)
        for name, kind, first in PARTS:
            if f"{name}s" in values:
                values[f"{name}s"] = several(values[f"{name}s"], kind, name, first)
        return cls(**values)

    def random_parameters(self, seed: int, gain: float = 1.0) -> Parameters:
        """All weights and biases, drawn from U(-1, 1) gain / sqrt(columns)."""
        rng = np.random.default_rng(seed)
        n, drawn = self.sizes, {}
        for k, p in enumerate(self.projections):
            bound = gain / math.sqrt(n[p.source] + p.bias)
            drawn[f"{k}.weight"] = rng.uniform(-bound, bound, (n[p.target], n[p.source]))
            if p.bias:
                drawn[f"{k}.bias"] = rng.uniform(-bound, bound, n[p.target])
            if p.backward != "transpose":
                drawn[f"{k}.backward"] = rng.uniform(-bound, bound, (n[p.target], n[p.source]))
        return drawn

    def check_parameters(self, parameters: Mapping[str, Any]) -> Parameters:
        """Float64 copies of `parameters`; raises BadNetwork for a wrong name, shape, dtype or
        number."""
        if not isinstance(parameters, Mapping):
            raise BadNetwork(f"parameters is {checks.shown(parameters)}; expected arrays by name")
        n = self.sizes
        expected: dict[str, tuple[int, ...]] = {}
        for k, p in enumerate(self.projections):
            expected[f"{k}.weight"] = (n[p.target], n[p.source])
            if p.bias:
                expected[f"{k}.bias"] = (n[p.target],)
            if p.backward != "transpose":
                expected[f"{k}.backward"] = expected[f"{k}.weight"]
        if set(parameters) != set(expected):
            raise BadNetwork(
                f"parameters are {sorted(map(str, parameters))}; this network has "
                f"{sorted(expected)}"
            )
        return {
            name: checks.array(name, parameters[name], shape) for name, shape in expected.items()
        }


def write(path: str | Path, network: Network, parameters: Parameters | None = None) -> None:
    """Write `path` (JSON) and, with parameters, the same name with `.safetensors`.

    Raises BadNetwork for parameters that are not the network's; nothing is written then.
    """
    path = Path(path)
    checked = None if parameters is None else network.check_parameters(parameters)
    path.write_text(network.to_json(indent=2) + "\n")
    if checked is not None:
        data = save_tensors(checked, metadata={"fingerprint": network.fingerprint})
        path.with_suffix(".safetensors").write_bytes(data)


def read(path: str | Path) -> tuple[Network, Parameters | None]:
    """The network of a JSON file, and the parameters beside it (None where there are none).

    Raises BadFile for a file that is missing, truncated or foreign, BadNetwork for wrong values.
    """
    path = Path(path)
    try:
        network = Network.from_json(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot read {path}: {error}") from error
    except (BadFile, BadNetwork) as error:
        raise type(error)(f"{path}: {error}") from error
    tensors = path.with_suffix(".safetensors")
    if not tensors.exists():
        return network, None
    try:
        return network, network.check_parameters(load_tensors(tensors.read_bytes()))
    except (OSError, SafetensorError) as error:
        raise BadFile(f"{tensors} is not a whole safetensors file: {error}") from error
    except KeyError as error:
        raise BadFile(f"{tensors} holds numbers of type {error}, which numpy has not") from error
    except BadNetwork as error:
        raise BadFile(f"{tensors} does not belong to {path}: {error}") from error
