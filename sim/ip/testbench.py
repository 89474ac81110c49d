# SPDX-License-Identifier: Apache-2.0
"""The self-checking testbench of an IP core: its Verilog, and what the model says should happen."""

from collections.abc import Iterable, Iterator
from importlib import resources
from string import Template

import numpy as np

from antevolt.hdl.spec.axi_map import AxiRegister
from antevolt.hdl.spec.flags import INPUT_FLAG_BITS, target_follows
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Address, Region, size
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.bake import Baked
from antevolt.host.compile import Image, compile
from antevolt.host.targets import known_only
from antevolt.host.words import signed
from antevolt.sim.golden.core import GoldenCore

__all__ = ["NETWORK", "STEPS", "testbench"]

NETWORK = Network(
    2,
    (Population(4, "tanh", (1.0, 2.5, 4.0, 1.0), 1.5, 0.1), Population(2, "linear", 1.5, 1.0)),
    eta=2.0**-5,
    seed=3,
)
STEPS = 40
CYCLES = 200_000  # of waiting, at most, beside those of the steps and the accesses
LOADS = "loads a small network over AXI4-Lite"
CHANCES = (0.9, 0.1, 0.1, 0.8, 0.9, 0.3)  # of the flags
MASK, WORD = (1 << 32) - 1, (1 << 36) - 1


def testbench(machine: Machine, baked: Baked | None) -> dict[str, str]:
    """The testbench, by name of the file. Raises DoesNotFit for a core too small for it.

    baked  the network that is in the core; None: it loads a small one of its own
    """
    image = compile(NETWORK, machine) if baked is None else baked.image
    network, core = image.network, GoldenCore(machine)
    banks = image.layout.pack_weights(network.random_parameters(network.seed))[0]
    blocks = [*image.words, *((Region.WEIGHTS, row, 0, w) for row, w in enumerate(banks))]
    if baked is not None:
        blocks = list(baked.contents.blocks())
    for block in blocks:
        core.write(*block)
    # a network that is there needs no write; this one changes nothing, and leaves no list empty
    writes = list(_writes(blocks)) if baked is None else [int(AxiRegister.PACKET) << 32]
    rng, fmt, word = np.random.default_rng(1), machine.formats.r, machine.formats.word
    shape = (STEPS, machine.total_streams)
    x = fmt.to_raw(rng.normal(0, 1.5, (*shape, network.inputs)))
    y = fmt.to_raw(rng.normal(0, 1.5, (*shape, network.outputs)))
    bits = rng.random((*shape, INPUT_FLAG_BITS)) < CHANCES
    flags = known_only(bits @ (1 << np.arange(INPUT_FLAG_BITS)))
    core.steps(flags, x, y)
    sent = target_follows(flags)
    inputs = (x & MASK) | (np.arange(network.inputs) == 0) * flags[:, :, None] << 32
    outs = (signed(core.sent, word) & MASK) | core.sent >> word << 32
    files = {
        "writes": (38, writes),
        "x": (38, inputs.ravel().tolist()),
        "y": (32, (y[sent] & MASK).ravel().tolist()),
        "out": (37, outs.tolist()),
        "reads": (68, list(_reads(core))),
    }
    text = Template(resources.files(__package__).joinpath("testbench.v").read_text()).substitute(
        {name.upper(): len(words) for name, (_, words) in files.items()},
        STEPS=STEPS,
        LOADS=LOADS if baked is None else "takes the network that is in the core",
        LIMIT=CYCLES + 40 * len(files["writes"][1]) + 4 * STEPS * _cycles(image),
        **{r.name: f"{int(r):02X}" for r in AxiRegister},
    )
    hexes = {f"antevolt_ip_{n}.hex": _hex(words, bits) for n, (bits, words) in files.items()}
    return {"antevolt_ip_tb.v": text, **hexes}


def _cycles(image: Image) -> int:
    return image.timetable.cycles_learning


def _writes(blocks: Iterable[tuple[Region, int, int, np.ndarray]]) -> Iterator[int]:
    """Register and word of every write; memories begin with zeros."""
    high = 0
    for region, unit, index, words in blocks:
        there = np.flatnonzero(words)
        if not there.size:
            continue
        yield int(AxiRegister.ADDRESS) << 32 | Address(region, unit, index).encode()
        for word in (words[: int(there[-1]) + 1] & WORD).tolist():
            if word >> 32 != high:
                high = word >> 32
                yield int(AxiRegister.DATA_HIGH) << 32 | high
            yield int(AxiRegister.DATA) << 32 | word & MASK


def _reads(core: GoldenCore) -> Iterator[int]:
    """Address and word of every weight, of the states, and of the gradients' first words."""
    for region in (Region.WEIGHTS, Region.GRADIENTS, Region.STATE):
        units, words = size(core.machine, region)
        for unit in range(units):
            for index, word in enumerate(core.read(region, unit, 0, min(words, 32)).tolist()):
                yield Address(region, unit, index).encode() << 36 | word


def _hex(words: Iterable[int], bits: int) -> str:
    return "".join(f"{word:0{-(-bits // 4)}x}\n" for word in words)
