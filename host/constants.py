# SPDX-License-Identifier: Apache-2.0
"""Constants of a loaded network that can be changed while it runs, and the words that change."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.moments import CARRYING, Rule
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import Kind, Operation
from antevolt.host.compile import Image, compile
from antevolt.host.optimizer import changes, with_rate
from antevolt.host.quantize import learns_times

__all__ = ["OF_NETWORK", "OF_POPULATION", "changed", "words"]

OF_NETWORK: tuple[str, ...] = ("beta", "momentum", "momentum2", "softmax_gain", "apply_every")
OF_POPULATION: tuple[str, ...] = ("tau_m", "tau_r", "gamma", "g", "kappa", "tau_v")


def changed(image: Image, population: int | None, constants: Mapping[str, Any]) -> Image:
    """An image of the same program with other constants; learning rates stay what they are.

    Raises BadInput for constants that cannot be changed, or only by another program; BadNetwork
    and DoesNotFit as `compile` does.
    """
    network = _network(image.network, population, constants)
    new = compile(network, image.machine)
    before = image.network.apply_every
    if network.apply_every > before and Rule[network.optimizer.upper()] in CARRYING:
        raise BadInput(
            f"apply_every is {before}; with {network.optimizer} it can only become less, or the "
            "sums that are carried on could become too large: load the network anew"
        )
    for k, eta in enumerate(image.eta):
        if eta is not None and eta != new.eta[k]:
            new = with_rate(new, k, eta)
    if [_fixed(op) for op in new.operations] != [_fixed(op) for op in image.operations]:
        raise BadInput(
            f"with {_told(constants)} the network needs another program; load it anew, and its "
            "state with load_state_dict"
        )
    return new


def words(old: Image, new: Image) -> Iterator[tuple[Region, int, Raw]]:
    """Region, first index and words of all that differs; nothing that a step changes."""
    for index, chunks in changes(old, new):
        yield Region.PROGRAM, index, chunks
    pairs = (
        [block for block in image.words if block[0] == Region.COEFFICIENTS] for image in (old, new)
    )
    for (_, _, first, before), (_, _, _, after) in zip(*pairs, strict=True):
        for n in np.flatnonzero(before != after).tolist():
            yield Region.COEFFICIENTS, first + n, after[n : n + 1]
    if old.network.apply_every != new.network.apply_every:
        value = np.array([new.network.apply_every], dtype=np.int64)
        yield Region.REGISTERS, int(Register.APPLY_EVERY), value


def _network(network: Network, population: int | None, constants: Mapping[str, Any]) -> Network:
    known, whose, others, call = (
        (OF_NETWORK, "a network", OF_POPULATION, "of a population: set(population, {}=...)")
        if population is None
        else (OF_POPULATION, "a population", OF_NETWORK, "of the network: set({}=...)")
    )
    wrong = sorted(set(constants) - set(known))
    if elsewhere := [name for name in wrong if name in others]:
        raise BadInput(f"{elsewhere[0]} is {call.format(elsewhere[0])}")
    if wrong or not constants:
        named = ", ".join(wrong) or "nothing"
        raise BadInput(f"{named} cannot be changed; of {whose} there are {', '.join(known)}")
    if population is None:
        return network.with_(**constants)
    count = len(network.populations)
    if type(population) is not int or not 1 <= population <= count:
        raise BadInput(f"population is {population!r}; this network has 1..{count}")
    old = network.populations[population - 1]
    if learns_times(old) and {"tau_m", "tau_r"} & set(constants):
        raise BadInput(
            f"the time constants of population {population} learn; load_state_dict sets them"
        )
    new = list(network.populations)
    new[population - 1] = replace(old, **constants)
    return network.with_(populations=tuple(new))


def _fixed(op: Operation) -> Operation:
    """Without what constants change: an APPLY holds eta and the decays of its moments."""
    return replace(op, interval=0, rates=0, neurons=0) if op.kind == Kind.APPLY else op


def _told(constants: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in constants.items())
