# SPDX-License-Identifier: Apache-2.0
"""Inputs, targets and flags as arrays [T, S, n] and [T, S], checked once before a run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network
from antevolt.sim.golden.activations import Array

__all__ = ["FlagLike", "Flags", "Sequences", "sequences"]

Flags = NDArray[np.bool_]
FlagLike = ArrayLike | None


@dataclass(frozen=True)
class Sequences:
    """x [T, S, inputs], y [T, S, outputs] (labels one-hot, zero where absent), flags [T, S]."""

    x: Array
    y: Array
    valid: Flags
    first: Flags
    target_valid: Flags
    learn: Flags
    dropped: bool
    """The stream axis was left out, and is to be left out of what comes back."""


def _floats(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise BadInput(f"{name} has dtype {array.dtype}; give real numbers")
    return array.astype(np.float64)


def _flag(name: str, value: FlagLike, default: bool, shape: tuple[int, int]) -> Flags:
    if value is None:
        return np.full(shape, default)
    array = np.asarray(value)
    if array.dtype.kind not in "biu" or (array.dtype.kind != "b" and ((array | 1) != 1).any()):
        raise BadInput(f"{name} has dtype {array.dtype}; a flag is False or True (0 or 1)")
    if array.ndim == 1:
        array = array[:, None]  # one flag for all streams of a step
    if array.shape not in ((), shape, (shape[0], 1)):
        raise BadInput(f"{name} has shape {array.shape}; give {shape} (steps, streams) or one bool")
    return np.broadcast_to(array.astype(bool), shape)


def _targets(network: Network, y: ArrayLike, present: Flags, dropped: bool) -> Array:
    raw = np.asarray(y)
    if dropped and raw.ndim >= 1:
        raw = raw[:, None]
    classes = network.outputs
    if raw.shape == present.shape and raw.dtype.kind in "iu":
        wrong = present & ((raw < 0) | (raw >= classes))
        if wrong.any():
            step, stream = (int(i) for i in np.argwhere(wrong)[0])
            raise BadInput(
                f"y is class {raw[step, stream]} at step {step}, stream {stream}; "
                f"this network has classes 0..{classes - 1}"
            )
        return np.where(present[..., None], np.eye(classes)[np.where(present, raw, 0)], 0.0)
    if raw.shape != (*present.shape, classes):
        raise BadInput(
            f"y has shape {np.shape(y)} and dtype {raw.dtype}; give {(*present.shape, classes)} "
            f"numbers, or {present.shape} class indices as integers"
        )
    values = np.where(present[..., None], _floats("y", raw), 0.0)
    if not np.isfinite(values).all():
        raise BadInput("y holds NaN or infinity where a target is valid; clear target_valid there")
    return values


def sequences(
    network: Network,
    streams: int,
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    valid: FlagLike = None,
    first: FlagLike = None,
    target_valid: FlagLike = None,
    learn: FlagLike = None,
) -> Sequences:
    """Check and complete the arrays of a run.

    x      [T, S, inputs]; [T, inputs] where there is one stream
    y      [T, S, outputs] numbers or [T, S] class indices (integers), without S where x is;
           None: no targets
    flags  bools [T, S], [T] for all streams alike, or one; default: valid, never first,
           target_valid and learn where there is a y

    Raises BadInput for a wrong shape or dtype, a class that is not there, NaN or infinity.
    """
    values = _floats("x", x)
    dropped = values.ndim == 2 and streams == 1
    if dropped:
        values = values[:, None, :]
    if values.ndim != 3 or values.shape[1:] != (streams, network.inputs):
        raise BadInput(
            f"x has shape {np.shape(x)}; give (steps, {streams}, {network.inputs}), that is "
            "(steps, streams, inputs)"
        )
    if not np.isfinite(values).all():
        raise BadInput("x holds NaN or infinity; clear `valid` and give zeros where data is absent")
    shape = (values.shape[0], streams)
    alive = _flag("valid", valid, True, shape)
    present = _flag("target_valid", target_valid, y is not None, shape)
    if y is None and present.any():
        raise BadInput("target_valid is set but there is no y")
    present = present & alive
    return Sequences(
        x=values,
        y=np.zeros((*shape, network.outputs))
        if y is None
        else _targets(network, y, present, dropped),
        valid=alive,
        first=_flag("first", first, False, shape),
        target_valid=present,
        learn=_flag("learn", learn, y is not None, shape),
        dropped=dropped,
    )
