# SPDX-License-Identifier: Apache-2.0
"""From a network to a core: the program, every word of the image, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadNetwork, DoesNotFit
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register, size
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.hdl.spec.program import STRIDE, Bias, Kind, Operation
from antevolt.host.compile import compile
from antevolt.host.phi_tables import table
from antevolt.host.quantize import coefficient, shifts
from antevolt.sim.golden.core import GoldenCore

SMALL = {"w_depth": 64, "r_depth": 64, "state_depth": 64, "q_depth": 16, "io_depth": 16}


def network(**changes):
    populations = (
        Population(5, "tanh", tau_m=(4.0, 2.0, 1.0, 3.0, 5.0), tau_r=1.5, gamma=-0.25),
        Population(4, "linear", tau_m=3.0, tau_r=2.0, rule="instantaneous"),
        Population(3, "softplus", tau_m=2.0, tau_r=2.0),
    )
    return Network(2, populations, **{"eta": 0.01, "beta": 0.75, "seed": 9, **changes})


def machine(rows=1, streams=1, contexts=1, word=18, **depths):
    formats = Formats(word)
    return Machine(rows, streams, contexts, formats=formats, **{**SMALL, **depths})


def chain(*learn):
    """Projections 0 -> 1 -> .. of which some learn."""
    return tuple(Projection(k, k + 1, learn=some) for k, some in enumerate(learn))


def told(op):
    """An operation in short: kind, context, and the flags that are set."""
    names = ("prior", "q", "g", "cost", "output", "keep")
    return " ".join([f"{op.kind.name}{op.context}", *(n for n in names if getattr(op, n))])


def memory(image, region):
    """What the words of the image make of a region, [units, words]; -1 is not written."""
    found = np.full(size(image.machine, region), -1, dtype=np.int64)
    for where, unit, index, words in image.words:
        if where == region:
            found[unit, index : index + len(words)] = words
    return found


SEQUENTIAL = """
INPUT0; INPUT1; TARGET0 keep
FORWARD0; MEMBRANE0 prior; FORWARD1; MEMBRANE1 prior
TARGET1 keep
FORWARD0; MEMBRANE0 prior output; ERROR0 cost; FORWARD1; MEMBRANE1 prior output
OUTPUT0 keep; BACK0 q g; ERROR1 cost; OUTPUT1 keep; BACK1 q g
ERROR0; BACK0 g; ERROR1; BACK1 g
APPLY0 output keep; APPLY0 output
END0
"""
PARALLEL = """
INPUT0; INPUT1; TARGET0; TARGET1
OUTPUT0 prior keep; ERROR0 prior; OUTPUT1 prior keep; ERROR1 prior
ERROR0 prior cost; ERROR1 prior cost
FORWARD0 prior; MEMBRANE0 output; FORWARD1 prior; MEMBRANE1 output
BACK0 prior q g; BACK1 prior q g
FORWARD0; MEMBRANE0; FORWARD1; MEMBRANE1
BACK0 g; BACK1 g
APPLY0 output keep; APPLY0 output
END0
"""


@pytest.mark.parametrize(
    ("schedule", "expected"), [("sequential", SEQUENTIAL), ("parallel", PARALLEL)]
)
def test_order_of_the_program(schedule, expected):
    net = Network(2, (Population(3), Population(1)), schedule=schedule)
    found = [told(op) for op in compile(net, machine(contexts=2)).operations]
    assert found == expected.strip().replace("\n", "; ").split("; ")


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_frozen_projections(schedule):
    """No gradient, no APPLY; the first layer, which makes no q, needs no BACK at all."""
    net = network(projections=chain(False, True, False), schedule=schedule)
    image = compile(net, machine())
    ops = image.operations
    assert [told(op) for op in ops if op.kind == Kind.BACK] == (
        ["BACK0 q", "BACK0 q g"]
        if schedule == "sequential"
        else ["BACK0 prior q", "BACK0 prior q g"]
    )
    assert [op.n for op in ops if op.kind == Kind.APPLY] == [1]
    assert [eta is None for eta in image.eta] == [True, False, True]


@pytest.mark.parametrize(("apply_every", "stochastic"), [(1, 1), (2, 0), (50, 0)])
def test_immediate_changes_are_rounded_with_random_bits(apply_every, stochastic):
    image = compile(network(apply_every=apply_every), machine())
    applies = [op for op in image.operations if op.kind == Kind.APPLY]
    assert [op.output for op in applies] == [stochastic] * 3


def test_rows_that_share_a_lane_are_applied_one_after_the_other():
    """None of those beyond the last neuron; a step that does not apply ends before them."""
    net, own = of_sizes(2, 5, 2), Machine(rows=6, tile_rows=3)
    one, three = (compile(net, replace(own, apply_rows=shared, **SMALL)) for shared in (1, 3))
    applies = [[op for op in image.operations if op.kind == Kind.APPLY] for image in (one, three)]
    assert [(op.n, op.skip) for op in applies[0]] == [(0, 0), (1, 0)]
    assert [(op.n, op.skip) for op in applies[1]] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert {replace(op, skip=0, delay=0, keep=0) for op in applies[1]} == {
        replace(op, delay=0, keep=0) for op in applies[0]
    }
    tables = one.timetable, three.timetable
    assert tables[1].cycles_plain == tables[0].cycles_plain
    lasts = [[op.delay for op in each if op.n == 0][0] for each in applies]
    assert lasts[1] == lasts[0] + 2  # registers of a lane that is shared: before it, and in it


def test_learning_rates_are_reported_as_the_core_has_them():
    projections = (Projection(0, 1, eta=0.5), Projection(1, 2), Projection(2, 3, learn=False))
    image = compile(network(eta=0.01, projections=projections), machine())
    assert image.eta == (0.5, 5 * 2.0**-9, None)
    f = image.machine.formats
    for op, eta in zip(
        [op for op in image.operations if op.kind == Kind.APPLY], image.eta, strict=False
    ):
        assert op.eta_m * 2.0**-op.eta_k == eta * 2.0 ** (f.w.frac - f.g.frac)


def test_operands_of_one_layer():
    """A 5 -> 4 projection with bias on 3 rows, context 1, by hand."""
    image = compile(network(), machine(rows=3, contexts=2))
    forward = [op for op in image.operations if op.kind == Kind.FORWARD][3]
    membrane = [op for op in image.operations if op.kind == Kind.MEMBRANE][3]
    back = [op for op in image.operations if op.kind == Kind.BACK][3]
    # pairs: inputs 2 + 1 -> 2, 5 + 1 -> 3, 4 + 1 -> 3, 3 -> 2; neurons 5, 4, 3
    assert (forward.weights, forward.words, forward.groups) == (2 * 2, 3, 2)
    assert (forward.rates, forward.bias) == (10 + 2, Bias.HIGH)
    assert (membrane.neurons, membrane.weights, membrane.n) == (12 + 5, 5, 4)
    assert (membrane.rates, membrane.bias, membrane.table) == (10 + 2 + 3, Bias.LOW, 0)
    assert (back.words, back.n, back.groups) == (6, 5, 2)
    assert (back.neurons, back.extra, back.weights, back.rates) == (12 + 5, 12, 4, 12)
    assert back.bias == Bias.HIGH
    assert forward.interval == membrane.interval >= 3


def test_no_trace_where_it_is_the_rate_itself():
    """Neurons with tau_m = tau_r: the filter of the membrane passes everything on at once."""
    taus = (2.0, 1.0, 3.0, 3.0, 1.0), (2.0, 1.0, 3.0, 3.0, 1.0)
    same, other = Population(5, "tanh", *taus), Population(2, "linear", 2.0, 2.0)
    by_rule = [
        compile(Network(3, tuple(replace(p, rule=rule) for p in (same, other))), machine(rows=2))
        for rule in ("instantaneous", "trace")
    ]
    assert not by_rule[1].layout.traces
    assert by_rule[0].operations == by_rule[1].operations
    mixed = Population(4, "tanh", (2.0, 2.0, 5.0, 5.0), (2.0, 2.0, 1.0, 1.0), rule="trace")
    image = compile(Network(3, (mixed,)), machine(rows=2))
    assert [(t.tau_m, t.tau_r) for t in image.layout.traces] == [(5.0, 1.0)]
    backs = [op for op in image.operations if op.kind == Kind.BACK]
    assert [op.rates for op in backs] == [
        image.layout.rates[0].pairs[0], image.layout.traces[0].rates.pairs[0]
    ]  # fmt: skip


@pytest.mark.parametrize("contexts", [1, 2, 4])
@pytest.mark.parametrize("rows", [1, 3, 4])
def test_nothing_overlaps(rows, contexts):
    image = compile(network(), machine(rows, 1, contexts, state_depth=128, io_depth=16))
    layout, net = image.layout, image.network
    neurons, pairs = [], []
    for t in range(contexts):
        for l, n in enumerate(net.sizes):
            first = layout.rates[l].pairs[t]
            pairs += range(first, first + (n + (l < 3) + 1) // 2)
            if l:
                neurons += range(layout.neurons[t][l - 1], layout.neurons[t][l - 1] + n)
    assert sorted(neurons) == list(range(len(neurons)))
    assert sorted(pairs) == list(range(len(pairs)))
    weights = [
        w
        for k in range(3)
        for w in range(layout.weights[k], layout.weights[k] + layout.pairs[k] * layout.groups[k])
    ]
    assert weights == list(range(len(weights)))


def test_the_program_in_its_memory():
    image = compile(network(), machine())
    chunks = memory(image, Region.PROGRAM)[0]
    count = len(image.operations)
    found = [Operation.decode(c) for c in chunks[: count * STRIDE].reshape(-1, STRIDE).tolist()]
    assert tuple(found) == image.operations
    assert (chunks[count * STRIDE :] == -1).all()
    assert found[-1].kind == Kind.END


def test_coefficients():
    net, m = network(dt=0.5), machine()
    f = m.formats
    general, of_gamma, of_beta = shifts(f)
    words = memory(compile(net, m), Region.COEFFICIENTS)[0].reshape(-1, 2, 4)

    def made(value, shift=general):
        return coefficient("c", value, shift, f)

    # population 1, neuron 4: tau_m = 5, tau_r = 1.5
    assert words[4, 0, :3].tolist() == [made(-0.25, of_gamma), made(0.1), made(0.3)]
    assert words[4, 1, :3].tolist() == [made(1.0), made(0.5 / 1.5), made(5 / 1.5)]
    # population 2 has instantaneous errors: v and e follow eps at once
    assert words[5, 0, :3].tolist() == [0, made(0.5 / 3), made(2 / 3)]
    assert words[5, 1, :3].tolist() == [made(1.0)] * 3
    # population 3 is the output: scaled by beta
    assert words[11, 0, :3].tolist() == [0, made(0.25), made(1.0)]
    assert words[11, 1, :3].tolist() == [made(0.75, of_beta), made(0.25), made(1.0)]
    assert (words[12:] == -1).all()


def test_an_error_filter_apart_from_the_membrane():
    net, m = network(dt=0.5), machine()
    first = replace(net.populations[0], kappa=1.25, tau_v=2.0)
    apart = net.with_(populations=(first, *net.populations[1:]))
    words, before = (
        memory(compile(n, m), Region.COEFFICIENTS)[0].reshape(-1, 2, 4) for n in (apart, net)
    )
    general, f = shifts(m.formats)[0], m.formats
    made = [coefficient("c", value, general, f) for value in (1.0, 0.25, 1.25)]
    assert [w[1, :3].tolist() for w in words[:5]] == [made] * 5
    assert words[:, 0].tolist() == before[:, 0].tolist()
    assert words[5:].tolist() == before[5:].tolist()


def test_tables_in_the_order_of_their_use():
    image = compile(network(), machine())
    words = memory(image, Region.PHI)[0].reshape(2, 2, -1)
    f, log2 = image.machine.formats, image.machine.phi_log2
    assert (words[0] == table("tanh", f, log2)).all()
    assert (words[1] == table("softplus", f, log2)).all()
    membranes = [op.table for op in image.operations if op.kind == Kind.MEMBRANE]
    assert membranes == [1, 0, 2]


@pytest.mark.parametrize("word", [16, 18])
def test_constant_ones_stand_after_the_rates(word):
    image = compile(network(), machine(streams=2, contexts=2, word=word))
    one = 1 << image.machine.formats.r.frac
    pairs = memory(image, Region.RATES)
    expected = np.zeros_like(pairs)
    for t in range(2):
        # 2 inputs and 4 neurons: a pair of its own; 5: the upper half; 3 feed nothing
        expected[:, t * 10 + 1] = one
        expected[:, t * 10 + 2 + 2] = one << word
        expected[:, t * 10 + 2 + 3 + 2] = one
    assert (pairs == expected).all()


def test_no_ones_without_bias():
    projections = tuple(Projection(k, k + 1, bias=False) for k in range(3))
    image = compile(network(projections=projections), machine())
    assert not memory(image, Region.RATES).any()
    assert {op.bias for op in image.operations} == {Bias.NONE}


@pytest.mark.parametrize("word", [16, 18])
def test_a_load_leaves_nothing_of_what_was_there(word):
    """After noise in every memory the image makes the core that a fresh one would be."""
    net, m = network(seed=1 << 40 | 5, apply_every=3), machine(2, 2, 2, word)
    image, noise = compile(net, m), np.random.default_rng(1)
    cores = GoldenCore(m), GoldenCore(m)
    for region in Region:
        units, words = size(m, region)
        for unit in range(units):
            cores[1].write(region, unit, 0, noise.integers(0, 1 << 36, words))
    for core in cores:
        for words in image.words:
            core.write(*words)
    unwritten = {Region.PROGRAM, Region.COEFFICIENTS, Region.PHI}  # beyond what the network uses
    for region in set(Region) - unwritten:
        units, words = size(m, region)
        for unit in range(units):
            clean, loaded = (core.read(region, unit, 0, words) for core in cores)
            assert (clean == loaded).all(), region
    registers = cores[1].read(Region.REGISTERS, 0, 0, Register.LEARNED + 1)
    assert registers.tolist() == [0, 5, 3, 0]
    total = m.total_streams
    x, y = noise.integers(-999, 999, (total, 2)), noise.integers(-999, 999, (total, 3))
    for _ in range(4):
        outs = [core.step(np.full(total, 25), x, y) for core in cores]
        assert (outs[0] == outs[1]).all()


@pytest.mark.parametrize("word", [16, 18])
@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_weights_come_back(rows, word):
    image = compile(network(), machine(rows, word=word))
    layout, f = image.layout, image.machine.formats
    parameters = network().random_parameters(3, gain=2.0)
    banks, saturated = layout.pack_weights(parameters)
    assert saturated == 0
    back = layout.unpack_weights(banks)
    assert set(back) == set(parameters)
    for name, value in parameters.items():
        assert (back[name] == f.w.to_real(f.w.to_raw(value))).all(), name


def test_where_a_weight_stands():
    """Neuron i in row i % R, group i // R; column j in half j % 2 of pair j // 2; then the bias."""
    image = compile(network(), machine(rows=3))
    parameters = {k: np.zeros_like(v) for k, v in network().random_parameters(0).items()}
    parameters["1.weight"][3, 2] = 1.0  # row 0, group 1, pair 1, low
    parameters["1.bias"][2] = -1.0  # row 2, group 0, pair 2, high
    banks, _ = image.layout.pack_weights(parameters)
    one = 1 << 15
    assert banks[0, 4 + 3 + 1] == one
    assert banks[2, 4 + 2] == (-one & 0x3FFFF) << 18
    assert np.count_nonzero(banks) == 2
    row, pair, half = image.layout.weight_places(1)
    assert (row[3, 2], pair[3, 2], half[3, 2]) == (0, 8, 0)
    assert (row[2, 5], pair[2, 5], half[2, 5]) == (2, 6, 1)


def test_weights_beyond_the_word_saturate():
    image = compile(network(), machine())
    parameters = network().random_parameters(3)
    parameters["0.weight"][0] = [4.0, -4.0]  # -4 is there, 4 is not
    parameters["1.weight"][1, :3] = [1e300, -1e300, 5e14]
    parameters["2.bias"][2] = -4.1
    banks, saturated = image.layout.pack_weights(parameters)
    assert saturated == 5
    back, top = image.layout.unpack_weights(banks), 4 - 2.0**-15
    assert back["0.weight"][0].tolist() == [top, -4.0]
    assert back["1.weight"][1, :3].tolist() == [top, -4.0, top]
    assert back["2.bias"][2] == -4.0


def of_sizes(inputs, *sizes, **changes):
    return Network(inputs, tuple(Population(n) for n in sizes), **changes)


LARGE = {"w_depth": 1 << 14, "r_depth": 1 << 14, "state_depth": 1 << 12, "q_depth": 1 << 11}
LIMITS = {
    # resource: limit, a network that just fits, one that needs `need`, the core
    "weight pairs per row": (64, of_sizes(2, 10, 7), of_sizes(2, 10, 8), 68, machine(io_depth=16)),
    "neurons per column": (
        16, of_sizes(1, 3, 4), of_sizes(1, 5, 4), 2 * (5 + 4),
        machine(rows=2, contexts=2, state_depth=16, io_depth=16),
    ),
    "coefficients": (
        16, of_sizes(1, 10, 4, cost="cross_entropy"), of_sizes(1, 12, 4, cost="cross_entropy"), 18,
        machine(contexts=2, state_depth=32, io_depth=16),
    ),
    "activity pairs per column": (
        16, of_sizes(24, 5), of_sizes(24, 7), 17, machine(r_depth=16, w_depth=128)
    ),
    "columns of a projection": (
        2047, of_sizes(2046, 2), of_sizes(2047, 2), 2048, machine(**LARGE)
    ),
    "columns that have a q": (
        16, of_sizes(40, 16, 1), of_sizes(40, 17, 1), 17, machine(w_depth=512)
    ),
    "neurons of a population": (
        1023, of_sizes(1, 1023, 1), of_sizes(1, 1024, 1), 1024, machine(**LARGE)
    ),
    "outputs per column": (16, of_sizes(1, 8), of_sizes(1, 9), 18, machine(contexts=2)),
    "activation tables": (
        1, of_sizes(1, 2, 2), network(), 2, machine(tables=1)
    ),
    "products in a gradient": (
        8191, of_sizes(1, 1, apply_every=2047), of_sizes(1, 1, apply_every=2048), 8192,
        machine(streams=2, contexts=2),
    ),
    "program": (16, of_sizes(1, 1, 1), of_sizes(1, 1, 1, 1), 19, machine(program_depth=16)),
}  # fmt: skip


@pytest.mark.parametrize("resource", LIMITS)
def test_what_does_not_fit(resource):
    limit, fits, too_large, need, core = LIMITS[resource]
    compile(fits, core)
    with pytest.raises(DoesNotFit) as refused:
        compile(too_large, core)
    error = refused.value
    assert (error.resource, error.need, error.limit) == (resource, need, limit)
    assert str(error).startswith(f"does not fit: {resource} needs {need}, the core has {limit}; ")


def test_the_remedy_names_what_would_fit():
    with pytest.raises(DoesNotFit, match="apply_every is at most 2047 with this many streams"):
        compile(of_sizes(1, 1, apply_every=9000), machine(streams=4))
    with pytest.raises(DoesNotFit, match="this core holds 256 weights, padding included"):
        compile(of_sizes(2, 40, 8), machine(rows=2))
    with pytest.raises(DoesNotFit, match="64 neurons and traces over 2 contexts fit"):
        compile(of_sizes(2, 16, 17), machine(rows=3, contexts=2, w_depth=128))


def test_constants_that_the_core_cannot_hold_are_named():
    net = Network(1, (Population(2, tau_m=(2.0, 1e4), tau_r=1.0),))
    with pytest.raises(BadNetwork, match=r"kappa of population 1, neuron 1 is 10000; .*up to 2048"):
        compile(net, machine())
    with pytest.raises(BadNetwork, match=r"gamma of population 1, neuron 0 is 600; .*up to 512"):
        compile(Network(1, (Population(2, gamma=600.0),)), machine())
    with pytest.raises(BadNetwork, match=r"beta g of population 3, neuron 0 .*up to 8192"):
        compile(network(beta=1e6), machine())
    with pytest.raises(BadNetwork, match="eta is 1000"):
        compile(network(eta=1000.0), machine())


def test_a_sweep_for_gradients_alone_takes_half_the_slots_where_it_may_be_paired():
    net = of_sizes(32, 128, 8)
    one, two = (
        compile(net, Machine(rows=8, multipliers=3, carry=True, paired=paired))
        for paired in (False, True)
    )  # with `carry`, since without sums would be added as a whole, which saves cycles as well
    backs = [[op for op in image.operations if op.kind == Kind.BACK] for image in (one, two)]
    assert [[(op.q, op.words, op.interval) for op in ops] for ops in backs] == [
        [(1, 129, 129), (0, 33, 33)],
        [(1, 129, 129), (0, 33, 17)],
    ]
    groups = 128 // 8
    saved = one.timetable.cycles_plain - two.timetable.cycles_plain
    assert saved == (33 - 17) * groups
