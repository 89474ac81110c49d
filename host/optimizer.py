# SPDX-License-Identifier: Apache-2.0
"""What an APPLY of a network does with its gradients, and how its rate is changed while it runs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from antevolt.hdl.spec.errors import BadInput, BadNetwork, DoesNotFit
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.moments import CARRYING, NEEDS, SLOWEST, Rule, knows
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import STRIDE, Kind
from antevolt.host.quantize import Eta, decay, learning_rate

if TYPE_CHECKING:
    from antevolt.host.compile import Image

__all__ = ["Optimizer", "changes", "optimizer_of", "rate_operand", "with_rate"]


@dataclass(frozen=True)
class Optimizer:
    """The rule of every APPLY, the k of its moments (0 for those it has not), and what they are."""

    rule: Rule
    decays: tuple[int, int]
    momenta: tuple[float, ...]

    @property
    def carries(self) -> bool:
        """Gradient sums are never started anew."""
        return self.rule in CARRYING


def optimizer_of(network: Network, machine: Machine) -> Optimizer:
    """Raises DoesNotFit where the core keeps too few moments or cannot carry sums on, or a sum
    could become too large, BadNetwork for other momenta."""
    rule = Rule[network.optimizer.upper()]
    if NEEDS[rule] > machine.moments:
        remedy = f"{_others(machine)} or a core with moments={NEEDS[rule]}"
        resource = f"moments per weight of optimizer {network.optimizer}"
        raise DoesNotFit(resource, NEEDS[rule], machine.moments, remedy)
    if rule in CARRYING and not machine.carry:
        learning = sum(p.learn for p in network.projections)
        resource = f"projections whose gradient sums are carried on ({network.optimizer})"
        raise DoesNotFit(resource, learning, 0, f"{_others(machine)} or a core with carry")
    names = ("momentum", "momentum2")[: NEEDS[rule] + (rule in CARRYING)]
    found = [decay(name, getattr(network, name)) for name in names]
    first, second = [*(k for k, _ in found), 0, 0][:2]
    if rule in CARRYING:
        _check_sums(network, machine, first)
    return Optimizer(rule, (first, second), tuple(value for _, value in found))


def _others(machine: Machine) -> str:
    """The optimizers that the core has, as what to do."""
    rules = [rule for rule in reversed(Rule) if knows(machine.moments, machine.carry, rule)]
    return f"use optimizer {', '.join(rule.name.lower() for rule in rules)}"


def _check_sums(network: Network, machine: Machine, k: int) -> None:
    """A sum that an APPLY carries on holds 2^k batches at most: G <= G (1 - 2^-k) + g there."""
    batch, most = machine.total_streams * network.apply_every, machine.formats.max_products
    if batch << k <= most:
        return
    least = next((n for n in range(SLOWEST, -1, -1) if batch << n <= most), 0)
    raise DoesNotFit(
        f"products in a gradient that is carried on with momentum {1 - 2.0**-k:g}",
        batch << k,
        most,
        f"use a momentum of at most {1 - 2.0**-least:g}, or a smaller apply_every",
    )


def rate_operand(eta: Eta) -> int:
    """eta as the operand of an APPLY."""
    m, k = eta
    return m | k << 3


def with_rate(image: "Image", projection: int | None, eta: float) -> "Image":
    """An image whose APPLY of one projection, or of all that learn, has another rate.

    Raises BadInput for a projection that is not there or does not learn, and for an eta that is not
    positive or beyond the core's range.
    """
    learning = [k for k, rate in enumerate(image.eta) if rate is not None]
    chosen = learning if projection is None else [projection]
    number = isinstance(eta, int | float | np.number) and not isinstance(eta, bool)
    if not (number and 0 < eta < math.inf):
        raise BadInput(f"eta is {eta!r}; it is a positive number")
    if not chosen or any(k not in learning for k in chosen):
        raise BadInput(f"projection {projection} does not learn; those that do: {learning}")
    rule = Rule[image.network.optimizer.upper()]
    try:
        rate, became = learning_rate(float(eta), image.machine.formats, rule)
    except BadNetwork as error:
        raise BadInput(str(error)) from error
    count = len(image.layout.network.projections)  # numbers from there on: backward weights
    operations = tuple(
        replace(op, interval=rate_operand(rate))
        if op.kind == Kind.APPLY and op.n % count in chosen
        else op
        for op in image.operations
    )
    chunks = np.array([chunk for op in operations for chunk in op.encode()], dtype=np.int64)
    words = tuple(
        (region, unit, index, chunks if region == Region.PROGRAM else data)
        for region, unit, index, data in image.words
    )
    etas = tuple(became if k in chosen else old for k, old in enumerate(image.eta))
    timetable = replace(image.timetable, operations=operations)
    return replace(image, timetable=timetable, words=words, eta=etas)


def changes(old: "Image", new: "Image") -> Iterator[tuple[int, Raw]]:
    """First program word and words of each operation that differs."""
    for n, (before, after) in enumerate(zip(old.operations, new.operations, strict=True)):
        if before != after:
            yield STRIDE * n, np.array(after.encode(), dtype=np.int64)
