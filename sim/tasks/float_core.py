# SPDX-License-Identifier: Apache-2.0
"""The float model in place of a device, for tasks: what the number formats cost shows beside it.

The same network, start, samples, rule and optimizer in float64: nothing is rounded or saturated,
phi is no table, and constants are what the network says. Learning rates alone are those that the
core has, so that the arithmetic is all that differs.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from antevolt.hdl.spec.errors import BadFile, BadInput, BuildFailed
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS
from antevolt.hdl.spec.moments import Rule
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.host.checkpoint import State
from antevolt.host.device import open as open_device
from antevolt.host.files import write_whole
from antevolt.host.quantize import learning_rate, tau_rate
from antevolt.sim.golden.float_state import arrays, put
from antevolt.sim.golden.floats import CompiledFloats
from antevolt.sim.golden.reference import FloatNetwork
from antevolt.sim.tasks.learner import Learner

__all__ = ["CALL", "FloatCore", "open_core"]

CALL = 600.0  # seconds that one call of a device may take
KIND = "antevolt float state 1"
KEPT = ("u", "v", "r", "e", "slope", "q")


def open_core(name: str, machine: Machine) -> Learner:
    """The float model for "float", else the device of this name (`antevolt.host.device.open`)."""
    if name == "float":
        return FloatCore(machine)
    return open_device(name, machine=machine, deadline=CALL)


class FloatCore:
    """A network in float64 with the methods of a device that tasks use (`Learner`).

    machine  of the core that it stands for: its streams, and the rates that it has
    """

    def __init__(self, machine: Machine):
        self.machine = machine
        self._model: FloatNetwork | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._model = None

    @property
    def implementation(self) -> str:
        """What executes the steps."""
        return f"float64, {'compiled' if isinstance(self._model, CompiledFloats) else 'numpy'}"

    @property
    def network(self) -> Network:
        return self._loaded.network

    @property
    def _loaded(self) -> FloatNetwork:
        if self._model is None:
            raise BadInput("no network is loaded; call load first")
        return self._model

    def load(self, network: Network, parameters: Parameters | None = None) -> None:
        """Start from these parameters, by default `Network.random_parameters`."""
        chosen = network.random_parameters(network.seed) if parameters is None else parameters
        streams = self.machine.total_streams
        try:
            self._model = CompiledFloats(network, chosen, streams=streams)
        except BuildFailed:
            self._model = FloatNetwork(network, chosen, streams=streams)
        for k, way in enumerate(network.projections):
            if way.learn:
                self.set_eta(k, self._model.eta[k])
        formats = self.machine.formats
        for etas in (self._model.eta_tau, self._model.eta_tau_r):
            etas[:] = [tau_rate(eta, network.dt, formats)[1] if eta else 0.0 for eta in etas]

    def set_eta(self, projection: int | None, eta: float) -> float:
        """As `Device.set_eta`: the nearest rate that the core has."""
        model = self._loaded
        rule = Rule[model.network.optimizer.upper()]
        nearest = learning_rate(float(eta), self.machine.formats, rule)[1]
        for k in range(len(model.eta)) if projection is None else (projection,):
            model.eta[k] = nearest
        return nearest

    def stream(
        self,
        samples: Any,
        targets: ArrayLike | None = None,
        learn: ArrayLike = False,
        *,
        valid: ArrayLike = True,
        first: ArrayLike = False,
        target_valid: ArrayLike | None = None,
        chunk: int = 64,
    ) -> Iterator[NDArray[Any]]:
        """As `Device.stream`, of arrays."""
        model, steps = self._loaded, len(samples)
        wanted = targets is not None if target_valid is None else target_valid
        flags: dict[str, Any] = {
            "valid": valid,
            "first": first,
            "target_valid": wanted,
            "learn": learn,
        }
        for at in range(0, steps, chunk):
            part = slice(at, at + chunk)
            yield from model.run(
                samples[part],
                None if targets is None else np.asarray(targets)[part],
                **{k: v[part] if np.ndim(v) else v for k, v in flags.items()},
            ).out

    def predict(
        self, samples: ArrayLike, *, valid: ArrayLike = True, first: ArrayLike = False
    ) -> NDArray[np.float64]:
        """As `Device.predict`."""
        return self._loaded.predict(samples, valid=valid, first=first)

    def counters(self) -> dict[str, Any]:
        """As `Device.counters`, as far as there is something to count: steps."""
        on_host = dict.fromkeys(("inputs", "targets", "weights"), 0)
        return {"steps": self._loaded.steps, "busy": 0, "slots": 0,
                "saturated": dict.fromkeys(KINDS, 0), "saturated_on_host": on_host}  # fmt: skip

    def state_dict(self) -> State:
        """Weights, biases, states and, in steps, time constants; names as of `Device.state_dict`.

        There are no raw integers and no registers.
        """
        model = self._loaded
        found: State = {f"projection.{name}": value for name, value in model.parameters.items()}
        for l in range(len(model.tau_m)):
            found |= {f"population.{l + 1}.{q}": model.state(q)[l].copy() for q in KEPT}
            for name, taus in (("tau_m", model.tau_m), ("tau_r", model.tau_r)):
                found[f"population.{l + 1}.{name}"] = taus[l] / model.network.dt
        return found

    def save(self, path: str | Path) -> None:
        """Write everything that the next step depends on to one `.safetensors` file."""
        metadata = {"kind": KIND, "fingerprint": self.network.fingerprint}
        held = {k: np.ascontiguousarray(v) for k, v in arrays(self._loaded).items()}
        write_whole(Path(path), to_bytes(held, metadata=metadata))

    def restore(self, path: str | Path) -> None:
        """Read such a file; raises BadFile for a foreign one, and one of another network."""
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise BadFile(f"{path} is not a whole safetensors file: {error}") from error
        if metadata.get("kind") != KIND or metadata.get("fingerprint") != self.network.fingerprint:
            raise BadFile(f"{path} is not a state of this network in floating point")
        put(self._loaded, held)
