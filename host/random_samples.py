# SPDX-License-Identifier: Apache-2.0
"""Random samples and networks for comparing devices, drawn from a seed.

`normal`: smooth signals of about half the range of phi, so that units work and do not saturate.
`stress`: full-scale values held for some steps, so that everything saturates.
"""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Formats, QFormat, Raw
from antevolt.hdl.spec.moments import Rule, knows
from antevolt.hdl.spec.network import PHI, Network, Parameters, Population, Projection
from antevolt.host.phi_tables import FUNCTIONS
from antevolt.host.samples import Batch, Sizes

__all__ = ["LONG_ENOUGH", "Profile", "coarse", "random_batch", "random_network", "weights"]

Profile = Literal["normal", "stress"]

MEMORY = 0.9  # of the smooth signals, per step
SPREAD = 0.45  # their standard deviation
LONGEST_HOLD = 24  # steps
LONG_ENOUGH = 14  # bits of a word; with fewer, errors are of its last bits
PHI_ON_CHIP = tuple(phi for phi in PHI if phi == "linear" or phi in FUNCTIONS)

CHANCES: dict[str, float] = {
    "VALID": 0.9,
    "FIRST": 0.03,
    "LAST": 0.03,
    "TARGET_VALID": 0.85,
    "LEARN": 0.85,
}


def random_batch(sizes: Sizes, steps: int, seed: int, profile: Profile = "normal") -> Batch:
    """`steps` steps for all streams, with random flags; targets everywhere, used where flagged."""
    rng = np.random.default_rng(seed)
    make = _smooth if profile == "normal" else _held
    fmt = sizes.formats.r
    x = make(rng, (steps, sizes.streams, sizes.inputs), fmt)
    y = make(rng, (steps, sizes.streams, sizes.outputs), fmt)
    flags = np.zeros((steps, sizes.streams), dtype=np.int64)
    for name, chance in CHANCES.items():
        flags |= (rng.random(flags.shape) < chance) * int(Flag[name])
    return Batch(x, y, flags)


def weights(network: Network, seed: int, profile: Profile = "normal") -> Parameters:
    """Weights for a network that has none; under stress all over their range, +-4."""
    drawn = network.random_parameters(seed)
    if profile == "stress":
        rng = np.random.default_rng(seed)
        for name, value in drawn.items():
            drawn[name] = rng.uniform(-4.0, 4.0, value.shape)
    return drawn


def random_network(
    rng: np.random.Generator,
    largest: int = 13,
    deepest: int = 6,
    moments: int = 0,
    carry: bool = False,
) -> Network:
    """A network with a random graph, sizes, constants, rules and cost; always one that learns.

    moments  per weight that its optimizer may need;  carry  it may carry gradient sums on; without
             either, plain SGD
    """
    apart = rng.spawn(1)[0]
    depth = int(rng.integers(1, deepest + 1)) + 1
    softmax, parallel = rng.random() < 0.35, rng.random() < 0.4
    projections = _graph(rng, depth)
    looped = {l for p in projections if p.recurrent for l in range(p.target, p.source + 1)}
    populations = tuple(
        _population(rng, apart, largest, k == 1, k == depth, k in looped)
        for k in range(1, depth + 1)
    )
    apply_every = int(rng.choice([1, 1, 3, 8]))
    network = Network(
        inputs=int(rng.integers(1, largest + 1)),
        populations=populations,
        projections=projections,
        beta=1.0,
        cost="cross_entropy" if softmax else "squared_error",
        softmax_gain=float(rng.choice([1.0, 2.5, 4.0])) if softmax else 1.0,
        tau_z=6.0 if softmax and not parallel and rng.random() < 0.6 else None,
        schedule="parallel" if parallel else "sequential",
        # accumulated changes round to nearest: small ones vanish unless eta is larger
        eta=(2.0**-6 if apply_every == 1 else 2.0**-5) * (0.25 if softmax or looped else 1.0),
        apply_every=apply_every,
        seed=int(rng.integers(0, 1 << 31)),
    )
    return _optimized(network, rng, moments, carry) if moments or carry else network


def coarse(network: Network, formats: Formats) -> Network:
    """The same for words below 14 bits, whose last bit of e is up to a quarter: errors larger by
    a power of two, else most of them are rounded to zero and nothing learns. What they add to the
    membranes stays what it is."""
    more = 2.0 ** max(0, (LONG_ENOUGH - formats.word) // 2)
    populations = tuple(replace(p, gamma=p.gamma / more) for p in network.populations)
    return network.with_(beta=network.beta * more, populations=populations)


def _optimized(network: Network, rng: np.random.Generator, moments: int, carry: bool) -> Network:
    """With an optimizer: steps of sign and Adam have the size of eta, whatever the gradient."""
    rule = Rule(int(rng.choice([rule for rule in Rule if knows(moments, carry, rule)])))
    k, k2 = int(rng.integers(0, 6)), int(rng.integers(4, 12))
    eta = network.eta
    if rule == Rule.MOMENTUM_SUM:  # a sum is 2^k times the mean
        eta *= 2.0**-k
    elif rule not in (Rule.SGD, Rule.MOMENTUM):
        eta = 2.0 ** -int(rng.integers(9, 13))
    name: Any = rule.name.lower()
    return network.with_(optimizer=name, momentum=1 - 2.0**-k, momentum2=1 - 2.0**-k2, eta=eta)


def _population(
    rng: np.random.Generator,
    apart: np.random.Generator,
    largest: int,
    first: bool,
    last: bool,
    looped: bool,
) -> Population:
    """With a size, function, constants and rule; error filters of their own come from `apart`."""
    size = int(rng.integers(2, largest + 1))  # one unit alone lets little through
    phi = "linear" if last else str(rng.choice(PHI_ON_CHIP))
    if phi == "relu" and not first:  # in a row they die, and what is dead proves nothing
        phi = "softplus"
    tau_m, tau_r = _taus(rng, size)
    rule = str(rng.choice(["gle", "gle", "instantaneous", "trace"]))
    if looped and rule == "gle":  # errors that run ahead in a loop run away
        rule = "instantaneous"
    errors = {}
    if rule == "gle" and apart.random() < 0.25:  # an error filter apart from the membrane
        errors = {"kappa": float(apart.uniform(0, 2)), "tau_v": float(apart.uniform(1, 4))}
    return Population(
        size,
        phi,
        tau_m,
        tau_r,
        float(rng.choice([0.0, 0.1])),
        rule,  # type: ignore[arg-type]
        float(rng.choice([1.0, 1.0, 0.75])),
        **errors,
    )


def _taus(rng: np.random.Generator, size: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """tau_m and tau_r of each neuron: few different ones, as traces want them, or any."""
    groups = rng.integers(0, 3, size)
    tau_m = np.where(groups == 0, 1.0, rng.uniform(1.0, 12.0, 3)[groups])
    tau_r = np.where(groups == 1, tau_m, rng.uniform(1.0, 6.0, 3)[groups])
    if rng.random() < 0.5:
        tau_m = np.where(rng.random(size) < 0.3, 1.0, rng.uniform(1.0, 12.0, size))
        tau_r = np.where(rng.random(size) < 0.5, tau_m, rng.uniform(1.0, 6.0, size))
    return tuple(tau_m.tolist()), tuple(tau_r.tolist())


def _graph(rng: np.random.Generator, depth: int) -> tuple[Projection, ...]:
    """A chain, and now and then skips, loops and separate backward weights."""
    pairs = [(k, k + 1) for k in range(depth)]
    for _ in range(int(rng.choice([0, 0, 1, 2]))):
        source, target = int(rng.integers(0, depth)), int(rng.integers(1, depth + 1))
        if (source, target) not in pairs and not (target == depth and source >= target):
            pairs.append((source, target))
    biased: set[int] = set()
    projections = []
    for source, target in pairs:
        bias = target not in biased and rng.random() < 0.8
        biased |= {target} if bias else set()
        backward = str(rng.choice(["transpose"] * 4 + ["fixed", "learned"])) if source else ""
        projections.append(
            Projection(source, target, bias, backward=backward or "transpose")  # type: ignore[arg-type]
        )
    return tuple(projections)


def _smooth(rng: np.random.Generator, shape: tuple[int, int, int], fmt: QFormat) -> Raw:
    noise = rng.standard_normal(shape) * (SPREAD * np.sqrt(1 - MEMORY**2))
    value: NDArray[np.float64] = rng.standard_normal(shape[1:]) * SPREAD
    raw = np.empty(shape, dtype=np.int64)
    for t, change in enumerate(noise):
        value = MEMORY * value + change
        raw[t] = fmt.to_raw(value)
    return raw


def _held(rng: np.random.Generator, shape: tuple[int, int, int], fmt: QFormat) -> Raw:
    raw = np.empty(shape, dtype=np.int64)
    t = 0
    while t < len(raw):
        length = int(rng.integers(1, LONGEST_HOLD + 1))
        value = rng.integers(fmt.raw_min, fmt.raw_max + 1, shape[1:])
        kind = rng.integers(0, 3, shape[1:])
        value = np.where(kind == 0, fmt.raw_min, np.where(kind == 1, fmt.raw_max, value))
        raw[t : t + length] = value
        t += length
    return raw
