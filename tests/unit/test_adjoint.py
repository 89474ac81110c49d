# SPDX-License-Identifier: Apache-2.0
"""The exact gradient against central differences, and the local rule against the exact gradient."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection, Rule
from antevolt.sim.golden.adjoint import alignment, exact_gradient
from antevolt.sim.golden.cost import cost
from antevolt.sim.golden.reference import FloatNetwork


def network(cost: Any = "squared_error", depth: int = 2, phi: str = "tanh") -> Network:
    """Slow, fast and instantaneous neurons in each hidden population."""
    hidden = Population(3, phi, tau_m=(0.5, 1.0, 0.3), tau_r=(0.1, 1.0, 0.5))
    output = Population(2, "linear", tau_m=(0.4, 0.2), tau_r=(0.1, 0.2))
    populations = (*[hidden] * (depth - 1), output)
    projections = tuple(Projection(k, k + 1, bias=k != 1) for k in range(depth))
    return Network(2, populations, projections, dt=0.1, beta=0.7, cost=cost)


def data(cost: Any, steps: int, streams: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(steps, streams, 2))
    if cost == "cross_entropy":
        return x, rng.integers(2, size=(steps, streams))
    return x, rng.normal(size=(steps, streams, 2))


Taus = dict[str, list[Any]]


def summed_cost(
    net: Network, parameters: Parameters, taus: Taus, x: Any, y: Any, **flags: Any
) -> float:
    """Cost of a forward pass, by its definition."""
    model = FloatNetwork(net, parameters, streams=x.shape[1], tau_m=taus["m"], tau_r=taus["r"])
    present = flags.pop("target_valid", np.ones(x.shape[:2], bool))
    valid = flags.get("valid", np.ones(x.shape[:2], bool))
    first = flags.get("first", np.zeros(x.shape[:2], bool))
    out = model.run(x, **flags).out
    total, gain = 0.0, net.softmax_gain
    for stream in range(x.shape[1]):
        z = np.zeros(net.outputs)
        for n in range(x.shape[0]):
            if not valid[n, stream]:
                continue
            r, target = out[n, stream], y[n, stream]
            if net.tau_z is None:
                z = r
            else:
                z = np.zeros(net.outputs) if first[n, stream] else z
                z = z + net.dt / net.tau_z * (r - z)
            if not present[n, stream]:
                continue
            if net.cost == "cross_entropy":
                likely = math.exp(gain * z[target]) / sum(math.exp(gain * value) for value in z)
                total -= math.log(likely) / gain
            else:
                total += 0.5 * sum((a - b) ** 2 for a, b in zip(target, r, strict=True))
    return net.beta * total


def numeric(parameter: Any, evaluate: Any) -> Any:
    """Minus the derivative with respect to each entry, by central differences."""
    slope = np.zeros_like(parameter)
    for index in np.ndindex(parameter.shape):
        kept, h = parameter[index], 4e-6
        parameter[index] = kept + h
        above = evaluate()
        parameter[index] = kept - h
        slope[index] = -(above - evaluate()) / (2 * h)
        parameter[index] = kept
    return slope


def check(net: Network, x: Any, y: Any, **flags: Any) -> None:
    parameters = net.random_parameters(4, gain=1.5)
    taus: Taus = {
        "m": [np.array(p.tau_m) for p in net.populations],
        "r": [np.array(p.tau_r) for p in net.populations],
    }
    exact = exact_gradient(net, parameters, x, y, **flags)

    def evaluate() -> float:
        return summed_cost(net, parameters, taus, x, y, **flags)

    assert exact.cost == pytest.approx(evaluate(), rel=1e-12)
    pairs: list[tuple[Any, Any]] = []
    for k in range(len(net.projections)):
        pairs.append((exact.gradient.weights[k], numeric(parameters[f"{k}.weight"], evaluate)))
        if net.projections[k].bias:
            pairs.append((exact.gradient.biases[k], numeric(parameters[f"{k}.bias"], evaluate)))
        else:
            assert exact.gradient.biases[k] is None
    for l in range(len(net.populations)):
        pairs.append((exact.gradient.tau_m[l], numeric(taus["m"][l], evaluate)))
        pairs.append((exact.gradient.tau_r[l], numeric(taus["r"][l], evaluate)))
    for mine, wanted in pairs:
        assert np.abs(mine - wanted).max() < 1e-7 * np.abs(wanted).max()
        assert np.abs(wanted).max() > 1e-3


@pytest.mark.parametrize("cost", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_central_differences(cost: str, depth: int) -> None:
    check(network(cost, depth), *data(cost, 25, 2))


@pytest.mark.parametrize("phi", ["sigmoid", "softplus", "linear"])
def test_central_differences_of_other_functions(phi: str) -> None:
    check(network(phi=phi), *data("squared_error", 20, 1))


def test_central_differences_with_flags() -> None:
    rng = np.random.default_rng(5)
    shape = (25, 2)
    flags = {
        "valid": rng.random(shape) < 0.8,
        "first": rng.random(shape) < 0.1,
        "target_valid": rng.random(shape) < 0.7,
    }
    assert all(flag.any(axis=0).all() for flag in flags.values())
    check(network(), *data("squared_error", 25, 2), **flags)


GRAPHS: dict[str, tuple[tuple[int, int], ...]] = {
    "skip from the inputs": ((0, 1), (1, 2), (2, 3), (0, 3)),
    "skip over a population": ((0, 1), (1, 2), (2, 3), (1, 3)),
    "several into one": ((0, 1), (0, 2), (1, 3), (2, 3)),
    "recurrent on itself": ((0, 1), (1, 1), (1, 2), (2, 3)),
    "recurrent from above": ((0, 1), (1, 2), (2, 1), (2, 3)),
    "all of them": ((0, 1), (1, 2), (2, 3), (0, 3), (1, 3), (0, 2), (1, 1), (2, 2), (2, 1)),
}


def graph(name: str, cost: Any = "squared_error", **constants: Any) -> Network:
    """Three populations, one of them with a bias, and the projections of `GRAPHS`."""
    projections = tuple(
        Projection(source, target, bias=(source, target) == (0, 1))
        for source, target in GRAPHS[name]
    )
    return network(cost, depth=3).with_(projections=projections, **constants)


@pytest.mark.parametrize("name", GRAPHS)
def test_central_differences_of_graphs(name: str) -> None:
    check(graph(name), *data("squared_error", 20, 2))


@pytest.mark.parametrize("name", ["recurrent on itself", "all of them"])
def test_central_differences_of_graphs_with_flags(name: str) -> None:
    rng = np.random.default_rng(8)
    shape = (20, 2)
    flags = {
        "valid": rng.random(shape) < 0.7,
        "first": rng.random(shape) < 0.2,
        "target_valid": rng.random(shape) < 0.7,
    }
    net = graph(name, "cross_entropy", softmax_gain=3.0, tau_z=0.35)
    check(net, *data("cross_entropy", 20, 2), **flags)


@pytest.mark.parametrize("tau_z", [None, 0.1, 0.6])
@pytest.mark.parametrize("gain", [0.5, 4.0])
def test_central_differences_of_the_gain_and_leaky_logits(gain: float, tau_z: float | None) -> None:
    net = network("cross_entropy").with_(softmax_gain=gain, tau_z=tau_z)
    check(net, *data("cross_entropy", 20, 2))


@pytest.mark.parametrize("rule", ["instantaneous", "trace"])
def test_without_the_way_through_the_leak(rule: Any) -> None:
    """Then the gradient of an instantaneous output is the rule's, and below it `trace` is exact."""
    hidden = Population(4, "tanh", tau_m=(0.2, 0.2, 0.4, 0.4), tau_r=0.05, rule=rule)
    net = Network(
        2,
        (hidden, Population(3, "linear", rule="instantaneous")),
        dt=0.05,
        cost="cross_entropy",
        tau_z=0.4,
        apply_every=1000,
    )
    parameters, (x, y) = net.random_parameters(1), data("cross_entropy", 40, 2)
    exact = exact_gradient(net, parameters, x, y, through_leak=False).gradient
    model = FloatNetwork(net, parameters, streams=2)
    model.run(x, y)
    np.testing.assert_allclose(model.gradient.projection(1), exact.projection(1), rtol=1e-9)
    equal = np.allclose(model.gradient.weights[0], exact.weights[0], rtol=1e-9)
    assert equal == (rule == "trace")
    whole = exact_gradient(net, parameters, x, y).gradient
    assert not np.allclose(whole.projection(1), exact.projection(1), rtol=1e-3)


def test_leaky_logits_are_of_the_cross_entropy_only() -> None:
    net, (x, y) = network(), data("squared_error", 10, 1)
    parameters = net.random_parameters(1)
    leaky = net.with_(tau_z=0.5, softmax_gain=2.0)
    one, other = (exact_gradient(n, parameters, x, y) for n in (net, leaky))
    assert one.cost == other.cost
    np.testing.assert_array_equal(one.gradient.weights[0], other.gradient.weights[0])


def test_backward_weights_and_rules_do_not_enter() -> None:
    net, (x, y) = graph("all of them"), data("squared_error", 10, 1)
    parameters = net.random_parameters(1)
    other = net.with_(
        populations=tuple(replace(p, rule="trace", g=2.0) for p in net.populations),
        projections=tuple(replace(p, backward="fixed") for p in net.projections),
    )
    others = {**other.random_parameters(2), **parameters}
    one, two = exact_gradient(net, parameters, x, y), exact_gradient(other, others, x, y)
    for mine, wanted in zip(one.gradient.weights, two.gradient.weights, strict=True):
        np.testing.assert_array_equal(mine, wanted)


def test_instantaneous_errors_do_not_change_the_exact_gradient() -> None:
    net = network()
    plain = net.with_(
        populations=tuple(
            Population(p.size, p.phi, p.tau_m, p.tau_r, rule="instantaneous")
            for p in net.populations
        )
    )
    x, y = data("squared_error", 20, 1)
    parameters = net.random_parameters(1)
    one, other = (exact_gradient(n, parameters, x, y).gradient for n in (net, plain))
    np.testing.assert_array_equal(one.weights[0], other.weights[0])


def test_window_starts_from_a_given_state() -> None:
    net, (x, y) = network(), data("squared_error", 30, 1)
    parameters = net.random_parameters(1)
    part = exact_gradient(net, parameters, x, y, learn_from=18)
    whole = exact_gradient(net, parameters, x, y)
    for k in range(2):
        # The recursion runs backwards: within the window the errors are those of the whole run.
        np.testing.assert_array_equal(part.errors[k][18:], whole.errors[k][18:])
        assert not part.errors[k][:18].any()
    run = FloatNetwork(net, parameters).run(x[:, 0])
    wanted = 0.7 * cost("squared_error", run.out, y[:, 0])[18:].sum()
    assert part.cost == pytest.approx(wanted, rel=1e-12)


def test_what_has_no_exact_gradient_is_refused() -> None:
    net, (x, y) = network(), data("squared_error", 5, 1)
    parameters = net.random_parameters(1)
    with pytest.raises(BadInput, match="sequential"):
        exact_gradient(net.with_(schedule="parallel"), parameters, x, y)
    nudged = Population(2, "linear", 0.4, 0.2, gamma=0.1)
    with pytest.raises(BadInput, match="population 2 has gamma"):
        exact_gradient(net.with_(populations=(net.populations[0], nudged)), parameters, x, y)
    with pytest.raises(BadInput, match="learn_from is 6"):
        exact_gradient(net, parameters, x, y, learn_from=6)
    with pytest.raises(BadInput, match="x has shape"):
        alignment(net, parameters, x[..., :1], y)


# --- The local rule against the exact gradient (theory: same phase, reciprocal gain). ---


def sines(rate: float, steps: int, dt: float) -> Any:
    """Two inputs, each a sum of three sines; `rate` times 2 is about the highest frequency."""
    time = np.arange(steps)[:, None] * dt * rate
    phases = np.array([[0.3, 2.1], [4.0, 0.7], [5.5, 3.3]])
    frequencies = (0.49, 1.07, 1.98)
    return sum(np.sin(w * time + phase) for w, phase in zip(frequencies, phases, strict=True))


def mixed(prospective_errors: bool = True, tau_r: tuple[float, ...] = (1, 1, 0.1, 0.1)) -> Network:
    rule: Rule = "gle" if prospective_errors else "instantaneous"
    hidden = Population(4, "tanh", 1.0, tau_r, rule=rule)
    output = Population(1, "linear", 1.0, 1.0, rule=rule)
    return Network(2, (hidden, hidden, output), dt=0.05)


def aligned(net: Network, rate: float, steps: int = 2500, gain: float = 2.0) -> Any:
    x = sines(rate, steps, net.dt)
    y = FloatNetwork(net, net.random_parameters(11, gain=gain)).run(x).out
    return alignment(net, net.random_parameters(2, gain=gain), x, y, learn_from=200)


def test_instantaneous_network_is_exact() -> None:
    result = aligned(mixed(tau_r=(1, 1, 1, 1)), rate=1.0, steps=600)
    assert result.projections == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)
    assert result.norm_ratios == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)
    assert result.whole == pytest.approx(1.0, abs=1e-12)


def test_slow_signals_are_aligned_and_fast_ones_less() -> None:
    slow, fast = aligned(mixed(), rate=0.2), aligned(mixed(), rate=3.0)
    assert min(slow.projections) > 0.99
    assert slow.whole > 0.99
    # The output layer has its error and its rates at first hand.
    assert slow.projections[-1] == pytest.approx(1.0, abs=1e-12)
    assert fast.projections[-1] == pytest.approx(1.0, abs=1e-12)
    assert min(fast.projections) < 0.9
    # The gain of the local error is too large by 1 + (omega tau_m)^2 and more with each layer.
    assert fast.norm_ratios[0] > slow.norm_ratios[0] > 0.99


def test_lagnet_needs_the_look_ahead() -> None:
    """Chain of one fast and one slow tanh neuron per layer; weights as in the LagNet task."""

    def lagnet(prospective_errors: bool) -> Network:
        rule: Rule = "gle" if prospective_errors else "instantaneous"
        hidden = Population(2, "tanh", 1.0, (1.0, 0.1), rule=rule)
        output = Population(1, "linear", 1.0, 1.0, rule=rule)
        chain = tuple(Projection(k, k + 1, bias=False) for k in range(3))
        return Network(1, (hidden, hidden, output), chain, dt=0.02)

    teacher: Parameters = {
        "0.weight": np.array([[-0.5], [1.0]]),
        "1.weight": np.diag([0.5, 1.0]),
        "2.weight": np.array([[0.5, 1.0]]),
    }
    time = np.arange(3000)[:, None] * 0.02
    x = sum(np.sin(w * time) for w in (0.49, 1.07, 1.98))
    y = FloatNetwork(lagnet(True), teacher).run(x).out
    student = {**teacher, "0.weight": np.array([[0.27], [-0.46]])}
    gle = alignment(lagnet(True), student, x, y, learn_from=500)
    instantaneous = alignment(lagnet(False), student, x, y, learn_from=500)
    assert gle.projections[0] > 0.99
    # Without it the update of the bottom weights points the wrong way.
    assert instantaneous.projections[0] < 0.0
    assert gle.projections[2] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("apart", [False, True], ids=["shared", "apart"])
@pytest.mark.parametrize("cost", ["squared_error", "cross_entropy"])
def test_traces_below_an_instantaneous_output_are_exact(cost: Any, apart: bool) -> None:
    """The traces carry the past that the error lacks; bias weights have none and are not exact."""
    tau_m = (0.5, 1.0, 0.3) if apart else (0.5, 1.0, 0.5)
    hidden = Population(3, "tanh", tau_m, 0.1, rule="trace")
    assert len(hidden.time_constants) == (3 if apart else 2)
    net = network(cost).with_(
        populations=(hidden, Population(2, "linear", 0.4, 0.4, rule="instantaneous")),
        projections=(Projection(0, 1), Projection(1, 2), Projection(0, 2, bias=False)),
    )
    x, y = data(cost, 40, 2)
    result = alignment(net, net.random_parameters(1), x, y)
    parameters = net.random_parameters(1)
    exact = exact_gradient(net, parameters, x, y).gradient
    model = FloatNetwork(net.with_(apply_every=1000), parameters, streams=2)
    model.run(x, y)
    for mine, wanted in zip(model.gradient.weights, exact.weights, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-10)
    assert result.projections[1:] == pytest.approx((1.0, 1.0), abs=1e-12)
    assert 0.5 < result.projections[0] < 1.0 - 1e-6


def test_time_constants_of_an_instantaneous_output_are_exact() -> None:
    """With rho = 1 the membrane has no memory for the cost: -dC/dtau_m = -dC/dtau_r."""
    net = network(depth=1).with_(populations=(Population(2, "tanh", 0.4, 0.4),))
    x, y = data("squared_error", 40, 1)
    result = alignment(net, net.random_parameters(1), x, y)
    assert result.tau_m == pytest.approx((1.0,), abs=1e-12)
    assert result.tau_r == pytest.approx((1.0,), abs=1e-12)


@pytest.mark.parametrize("name", ["recurrent on itself", "recurrent from above", "all of them"])
def test_recurrent_networks_are_compared(name: str) -> None:
    """The local rules do not see what a rate does in later steps, and are good guides here."""

    def compare(rule: Rule) -> Any:
        hidden = Population(3, "tanh", 1.0, (1.0, 0.2, 0.5), rule=rule)
        populations = (hidden, hidden, Population(2, "linear", 0.4, 0.4, rule=rule))
        return aligned(graph(name).with_(populations=populations), rate=0.5, steps=700, gain=0.5)

    gle, trace = compare("gle"), compare("trace")
    assert 0.95 < gle.whole < 1.0 - 1e-6
    assert 0.99 < trace.whole < 1.0 - 1e-6
    assert len(gle.projections) == len(GRAPHS[name])
    assert min(gle.projections) > 0.9


def test_look_ahead_errors_of_a_loop_can_grow_without_bound() -> None:
    """A loop passes fast errors on with the gain kappa W: here e[n] = 10 W e[n-1] - 9 W e[n-2].

    Its modes grow for W > 1/9, though the loop of the rates is stable up to W = 1.
    """

    def norm(weight: float, rule: Rule) -> float:
        hidden = Population(1, "linear", 1.0, 0.1, rule=rule)
        net = Network(
            1,
            (hidden, Population(1, "linear", 1.0, 1.0)),
            tuple(Projection(a, b, bias=False) for a, b in ((0, 1), (1, 1), (1, 2))),
            dt=0.1,
        )
        parameters = {f"{k}.weight": np.array([[w]]) for k, w in enumerate((1.0, weight, 1.0))}
        x = sines(1.0, 300, 0.1)[:, :1]
        model = FloatNetwork(net.with_(apply_every=1000), parameters)
        return float(np.abs(model.run(x, 0.0 * x, record=True).e[0]).max())

    assert norm(0.2, "gle") > 1e30 > 1e3 > norm(0.05, "gle")
    assert norm(0.2, "instantaneous") < 1e3


def test_alignment_without_an_error_is_not_a_number() -> None:
    net = mixed()
    x = sines(1.0, 50, net.dt)
    parameters = net.random_parameters(1)
    y = FloatNetwork(net, parameters).run(x).out
    assert all(math.isnan(value) for value in alignment(net, parameters, x, y).projections)
