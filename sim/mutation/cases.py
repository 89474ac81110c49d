# SPDX-License-Identifier: Apache-2.0
"""The networks of the short comparison, and their samples: a little of all that a core can do."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.host.campaign import stress_network
from antevolt.host.compile import Image
from antevolt.host.random_samples import Profile, random_batch, random_network
from antevolt.host.samples import Batch, Sizes
from antevolt.sim.mutation.placed import Offsets

__all__ = ["Case", "cases", "full", "graph", "learned", "narrow", "network", "of_short_words"]

Place = Literal["bottom", "drawn", "top"]

RATIO = 1000.0  # most that the filters allow of one time constant over the other, nearly
SUM: dict[str, Any] = {"optimizer": "momentum_sum", "momentum": 0.75, "eta": 2.0**-6}
CARRIED = (20, 26)  # random networks whose gradient sums are carried on


@dataclass(frozen=True)
class Case:
    """A network and its samples; `percent` of the cycles the streams are held back."""

    name: str
    network: Network
    steps: int
    seed: int
    profile: Profile = "normal"
    percent: int = 0
    alike: bool = False  # the same samples for all streams
    place: Place = "bottom"  # of the memories; drawn: anywhere
    slow: bool = False  # with pauses in the program

    def offsets(self, image: Image) -> Offsets:
        """Where the network stands."""
        room = Offsets.room(image)
        drawn = room.drawn(np.random.default_rng(self.seed))
        return {"bottom": Offsets(), "drawn": drawn, "top": room}[self.place]

    def batch(self, machine: Machine) -> Batch:
        """Random samples; streams start and pause more often than in a long run."""
        net = self.network
        sizes = Sizes(machine.total_streams, net.inputs, net.outputs, machine.formats)
        batch = random_batch(sizes, self.steps, self.seed, self.profile)
        rng = np.random.default_rng(self.seed)
        starts = (rng.random(batch.flags.shape) < 0.15) * int(Flag.FIRST)
        pauses = rng.random(batch.flags.shape) < 0.1
        flags = (batch.flags | starts) & ~(pauses * int(Flag.VALID))
        if self.steps > 2:
            flags[self.steps // 2] &= ~int(Flag.LEARN)  # a step in which no stream learns
        if self.alike:  # they saturate in the same cycle
            batch.x[:], batch.y[:] = batch.x[:, :1], batch.y[:, :1]
            flags[:] = flags[:, :1]
        return Batch(batch.x, batch.y, flags)


def network(inputs: int, *sizes: int, **settings: object) -> Network:
    """A chain with slow and instantaneous neurons, a linear output; settings of `Network`."""
    populations = []
    for k, n in enumerate(sizes):
        slow = tuple(1.0 if i % 3 == 2 else 2.0 + i % 5 for i in range(n))
        ahead = tuple(1.0 if i % 3 == 2 else 1.0 + i % 4 for i in range(n))
        phi = "linear" if k == len(sizes) - 1 else ("tanh", "softplus")[k % 2]
        populations.append(Population(n, phi, slow, ahead, 0.1))
    return Network(inputs, tuple(populations), **settings)  # type: ignore[arg-type]


def _random(seed: int, profile: Profile, carry: bool = False) -> Case:
    """A random network that fits `MACHINE`, with constants from all over their ranges: some time
    constants are huge, couplings and rates of learning tiny, so that all shifts come up."""
    rng = np.random.default_rng(seed)
    net = random_network(rng, largest=7, deepest=2, carry=carry)
    populations = []
    for population in net.populations:
        slow = np.where(
            rng.random(population.size) < 0.5,
            2.0 ** rng.uniform(0.0, 24.0, population.size),
            rng.uniform(1.0, 12.0, population.size),
        )
        ahead = np.where(rng.random(population.size) < 0.3, slow, rng.uniform(1.0, 6.0, slow.shape))
        ahead = np.clip(ahead, slow / RATIO, slow * RATIO)
        gamma = float(2.0 ** -rng.uniform(0.0, 24.0))
        populations.append(
            replace(
                population, tau_m=tuple(slow.tolist()), tau_r=tuple(ahead.tolist()), gamma=gamma
            )
        )
    smallest = 16 if profile == "normal" else 36
    net = net.with_(
        populations=tuple(populations),
        eta=float(rng.integers(4, 8)) * 2.0 ** -float(rng.integers(3, smallest)),
        beta=float(2.0 ** rng.uniform(-12.0, 2.0)),
    )
    return Case(
        f"random {seed}", net, 50, seed, profile, percent=int(rng.integers(0, 30)), place="drawn"
    )


def graph() -> Network:
    """Traces of two time constants, a loop, a skip, backward weights of both kinds, a softmax."""
    traced = Population(5, "tanh", (1.0, 1.0, 1.0, 3.0, 3.0), rule="trace", g=0.75)
    hidden = Population(3, "sigmoid", 2.0, rule="instantaneous")
    output = Population(3, "linear", rule="instantaneous")
    return Network(
        3,
        (traced, hidden, output),
        (
            Projection(0, 1),
            Projection(1, 1, bias=False),
            Projection(1, 2, backward="learned"),
            Projection(0, 2, bias=False),
            Projection(2, 3, backward="fixed"),
        ),
        cost="cross_entropy",
        softmax_gain=3.0,
        tau_z=4.0,
        eta=2.0**-4,
        seed=5,
    )


def parted() -> Network:
    """The same with outputs that two projections enter, so that they come group by group."""
    net = graph()
    output = Population(5, "linear", rule="instantaneous")
    return net.with_(
        populations=(*net.populations[:-1], output),
        projections=(*net.projections, Projection(1, 3, bias=False)),
        tau_z=None,  # leaky logits would come in one part
    )


def learned(network: Network) -> Network:
    """The same with time constants that learn, where its rules allow it."""
    populations = tuple(
        replace(population, eta_tau_m=0.5, eta_tau_r=0.25)
        for population in network.populations[:-1]
    )
    return network.with_(populations=(*populations, network.populations[-1]))


def apart(network: Network) -> Network:
    """The same with error filters apart from the membranes."""
    *hidden, output = network.populations
    errors = [replace(population, kappa=0.75, tau_v=2.5) for population in hidden]
    return network.with_(populations=(*errors, output))


def deep(layers: int) -> Network:
    """One neuron after another: a long program."""
    return network(1, *(1 for _ in range(layers)), eta=2.0**-3, seed=9)


def full() -> Network:
    """One projection that fills the weight memories of the small core."""
    return network(15, 16)


def narrow() -> Network:
    """Many neurons for few weights."""
    return network(2, 16, 1, 16, 1, 14, 2, eta=2.0**-5, seed=11)


def cases() -> tuple[Case, ...]:
    """In the order they run; the last one after the reset."""
    one = network(3, 5, 4, 3, eta=2.0**-4, seed=0x1234ABCD)
    other = network(4, 3, 6, 2, schedule="parallel", apply_every=3, eta=2.0**-4, seed=7)
    single = network(1, 2, 1, eta=2.0**-3, seed=3)
    wide = network(125, 2, optimizer="adam", eta=2.0**-7)
    high = network(20, 3, 31, optimizer="momentum", momentum=0.75, eta=2.0**-4)
    stress, adam = stress_network(), stress_network().with_(optimizer="adam")
    parallel = graph().with_(schedule="parallel", tau_z=None)
    carried = apart(other).with_(**SUM)
    return (
        Case("sequential", one, 12, 1),
        Case("parallel", other, 13, 2, percent=60, place="top"),
        Case("full scale", stress, 12, 3, "stress"),
        Case("full scale, alike", stress, 40, 5, "stress", alike=True, place="top"),
        Case("small", single, 6, 4, percent=90, place="drawn"),
        Case("graph", graph(), 14, 6, percent=20),
        Case("graph, parallel", parallel, 14, 7, place="top"),
        Case("graph, outputs in parts", parted(), 14, 26, percent=20, place="drawn"),
        Case("graph, slow", graph(), 3, 18, place="drawn", slow=True),
        Case("graph, parallel, slow", parallel, 3, 19, percent=20, slow=True),
        Case("long program", deep(24), 5, 20, place="top"),
        Case("many inputs", wide, 5, 21, "stress"),
        Case("many outputs", high, 6, 22, "stress"),
        Case("momentum", one.with_(optimizer="momentum", momentum=0.75), 10, 8, place="drawn"),
        Case("sign", one.with_(optimizer="sign", momentum=0.875, eta=2.0**-7), 10, 9, percent=30),
        Case("momentum sum", carried, 14, 23, percent=30, place="top"),
        Case("momentum sum, full scale", stress.with_(**SUM), 12, 24, "stress", place="drawn"),
        Case("sign sum", parallel.with_(optimizer="sign_sum", eta=2.0**-8), 14, 25, percent=20),
        Case("adam", other.with_(optimizer="adam", eta=2.0**-7), 21, 10, place="top"),
        Case("adam, full scale", adam, 12, 11, "stress"),
        Case("time constants", learned(one), 16, 12, percent=20, place="top"),
        Case("time constants, full scale", learned(one), 12, 13, "stress", place="drawn"),
        *(_random(seed, "normal") for seed in range(11, 15)),
        *(_random(seed, "stress") for seed in range(15, 18)),
        *(_random(seed, "normal", carry=True) for seed in CARRIED),
        Case("after reset", one, 6, 5, percent=20, place="drawn"),
    )


def of_short_words() -> tuple[Case, ...]:
    """For a core of 8-bit words, whose weights move by large steps only."""
    one = network(3, 5, 4, 3, eta=2.0**-3, seed=0x1234ABCD)
    other = network(4, 3, 6, 2, schedule="parallel", apply_every=3, eta=2.0**-3, seed=7)
    return (
        Case("short words", one, 12, 1),
        Case("short words, parallel", other, 13, 2, percent=40, place="top"),
        Case("short words, full scale", stress_network().with_(eta=2.0**-3), 12, 3, "stress"),
        Case("short words, graph", graph().with_(eta=2.0**-3), 14, 6, percent=20, place="drawn"),
        Case("short words, sums", apart(other).with_(**SUM), 14, 8, place="top"),
    )
