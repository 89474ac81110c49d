# SPDX-License-Identifier: Apache-2.0
"""The step of a network in float64, compiled: `FloatNetwork`, its steps executed by `floats.cpp`.

Sums are taken in another order, so that results differ from those of numpy in the last digits. An
APPLY is that of numpy. Recorded runs are those of numpy altogether.
"""

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.network import Network, Parameters
from antevolt.sim.golden.library import floats
from antevolt.sim.golden.reference import FloatNetwork
from antevolt.sim.golden.run import Run
from antevolt.sim.golden.sequences import FlagLike, sequences

__all__ = ["CompiledFloats"]

PHIS = ("linear", "tanh", "sigmoid", "softplus", "relu", "hard_tanh")
"""In the order of `enum Phi`."""
IN_PLACE = ("u", "v", "r", "e", "slope", "u_dot", "q", "eps")


def _fields(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class _Population(ctypes.Structure):
    """As `struct Population`."""

    _fields_ = [
        *_fields(ctypes.c_int64, "n phi prospective copies"),
        *_fields(ctypes.c_double, "gamma g r_max"),
        *_fields(ctypes.c_void_p, "copy a_m a_r rho kappa tau_m copy_a_m copy_rho"),
        *_fields(ctypes.c_void_p, " ".join(IN_PLACE)),
        *_fields(ctypes.c_void_p, "sum_m sum_r"),
    ]


class _Projection(ctypes.Structure):
    """As `struct Projection`."""

    _fields_ = [
        *_fields(ctypes.c_int64, "source target traced"),
        *_fields(ctypes.c_void_p, "weights bias down sums bias_sums h_u"),
    ]


class _Network(ctypes.Structure):
    """As `struct Network`."""

    _fields_ = [
        *_fields(ctypes.c_int64, "streams populations projections inputs outputs"),
        *_fields(ctypes.c_int64, "parallel softmax apply_every"),
        *_fields(ctypes.c_double, "beta gain leak share"),
        *_fields(ctypes.c_void_p, "population projection z"),
        *_fields(ctypes.c_int64, "learned"),
    ]


class _Kept:
    """Arrays that C works on, which must not go away meanwhile."""

    def __init__(self) -> None:
        self._arrays: list[Any] = []

    def at(self, array: ArrayLike | None, dtype: Any = np.float64) -> int | None:
        """Its address; of what C only reads a copy will do where it is not laid out as C has it."""
        if array is None:
            return None
        self._arrays.append(np.ascontiguousarray(array, dtype=dtype))
        return int(self._arrays[-1].ctypes.data)

    def rows(self, structures: Any) -> int:
        """The address of an array of structures."""
        self._arrays.append(structures)
        return ctypes.addressof(structures)


class CompiledFloats(FloatNetwork):
    """A `FloatNetwork` that is fast. Raises BuildFailed where it cannot be compiled."""

    def __init__(self, network: Network, parameters: Parameters, **options: Any):
        sizes = [ctypes.sizeof(part) for part in (_Network, _Projection, _Population)]
        if floats().floats_sizes() != sizes[0] * 1000000 + sizes[1] * 1000 + sizes[2]:
            raise RuntimeError("floats.cpp and floats.py disagree on what they exchange")
        super().__init__(network, parameters, **options)

    def run(
        self,
        x: ArrayLike,
        y: ArrayLike | None = None,
        *,
        valid: FlagLike = None,
        first: FlagLike = None,
        target_valid: FlagLike = None,
        learn: FlagLike = None,
        record: bool = False,
    ) -> Run:
        """As `FloatNetwork.run`; of streams that are not valid, `out` is the rate they have."""
        given: dict[str, Any] = {"valid": valid, "first": first, "target_valid": target_valid}
        if record:
            return super().run(x, y, **given, learn=learn, record=True)
        data = sequences(self.network, self.streams, x, y, **given, learn=learn)
        steps = len(data.x)
        result = Run.blank(self.network, (steps, self.streams), record=False)
        learns = data.learn & (self.steps + np.arange(steps)[:, None] >= self.learn_from)
        flags = sum(
            flag.astype(np.uint8) << bit
            for bit, flag in enumerate((data.valid, data.first, data.target_valid, learns))
        )
        arrays = [np.ascontiguousarray(part) for part in (data.x, data.y, flags, result.out)]
        self._own()
        done = 0
        while done < steps:
            done += self._steps(steps - done, [part[done:].ctypes.data for part in arrays])
        if data.dropped:
            result.drop_streams()
        return result

    def _steps(self, steps: int, places: Iterable[int]) -> int:
        """Steps as far as the next APPLY, and this; how many."""
        kept = _Kept()
        network = self._handed(kept)
        done = int(floats().floats_steps(ctypes.byref(network), steps, *places))
        if done < 0:
            raise MemoryError("no memory for the compiled model")
        self.steps += done
        self.learned = network.learned
        if self.learned >= self.network.apply_every:
            self.apply()
        return done

    def _own(self) -> None:
        """Give every state an array of its own, to be changed in place."""
        for name in (*IN_PLACE, "h_u", "z"):
            values = self.state(name)
            values[:] = [np.array(value, dtype=np.float64) for value in values]

    def _handed(self, kept: _Kept) -> _Network:
        net, at = self.network, kept.at
        populations = (_Population * self._depth)()
        for l, own in enumerate(net.populations):
            traces, c = self._traces[l], self._coefficients[l]
            leaders = traces.leaders if traces else []
            populations[l] = _Population(
                n=own.size,
                phi=PHIS.index(own.phi),
                prospective=own.prospective_errors,
                copies=traces.copies if traces else 1,
                gamma=own.gamma,
                g=own.g,
                r_max=own.function[1],
                copy=at(traces.copy_of if traces else np.zeros(own.size), np.int64),
                copy_a_m=at(c.a_m[leaders]),
                copy_rho=at(c.rho[leaders]),
                tau_m=at(self.tau_m[l]),
                sum_m=at(self.gradient.tau_m[l]),
                sum_r=at(self.gradient.tau_r[l]),
                **{name: at(getattr(c, name)) for name in ("a_m", "a_r", "rho", "kappa")},
                **{name: at(self.state(name)[l]) for name in IN_PLACE},
            )
        projections = (_Projection * len(net.projections))()
        for k, way in enumerate(net.projections):
            projections[k] = _Projection(
                source=way.source,
                target=way.target,
                traced=self._traces[way.target - 1] is not None,
                weights=at(self.weights[k]),
                bias=at(self.biases[k]),
                down=at(self._down(k)),
                sums=at(self.gradient.weights[k]),
                bias_sums=at(self.gradient.biases[k]),
                h_u=at(self._h_u[k]),
            )
        return _Network(
            streams=self.streams,
            populations=self._depth,
            projections=len(net.projections),
            inputs=net.inputs,
            outputs=net.outputs,
            parallel=net.schedule == "parallel",
            softmax=net.cost == "cross_entropy",
            apply_every=net.apply_every,
            beta=net.beta,
            gain=net.softmax_gain,
            leak=self._b_z,
            share=self._share,
            population=kept.rows(populations),
            projection=kept.rows(projections),
            z=at(self._z[0]),
            learned=self.learned,
        )
