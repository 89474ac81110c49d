# SPDX-License-Identifier: Apache-2.0
"""States that move between cores: bit for bit, rounded when asked for, or refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.moments import EXPONENTS
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.device import Device, open
from antevolt.host.transfer import FORMATS, moments_between
from antevolt.sim.golden.moments import split

NETWORK = Network(
    2,
    (
        Population(
            5, "tanh", (2.0, 3.0, 4.0, 5.0, 2.0), 1.5, 0.1, eta_tau_m=2.0**-6, eta_tau_r=2.0**-7
        ),
        Population(3, "linear", 1.5, 1.0),
    ),
    optimizer="adam",
    eta=2.0**-6,
    apply_every=3,
    seed=3,
)
HOME = Machine(streams=2, contexts=2, time_constants=True, moments=2)
OTHERS = {
    "rows": replace(HOME, rows=3),
    "filters": replace(HOME, filters=2, multipliers=3),
    "four columns": replace(HOME, streams=4, contexts=1, tile_streams=2),
    "one column": replace(HOME, streams=1, contexts=4, rows=2, tile_rows=2),
    "depths": replace(
        HOME, w_depth=64, r_depth=64, state_depth=32, q_depth=16, io_depth=32, phi_log2=8
    ),
}
STREAMS, STEPS = 4, 40
RNG = np.random.default_rng(6)
X = RNG.uniform(-1, 1, (STEPS, STREAMS, 2))
Y = RNG.uniform(-1, 1, (STEPS, STREAMS, 3))


def trained(machine: Machine = HOME, **changes: Any) -> Device:
    device = open("model", machine=machine)
    device.load(NETWORK.with_(**changes), outputs="sum" if machine.sums else "every")
    device.partial_fit(X[:, : machine.total_streams], Y[:, : machine.total_streams])
    return device


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return set(a) == set(b) and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("name", OTHERS)
def test_between_cores_of_other_shapes(name: str, optimizer: str) -> None:
    """Bit for bit, and so is all that comes after."""
    home, other = trained(optimizer=optimizer), open("model", machine=OTHERS[name])
    other.load(home.network)
    state = home.state_dict()
    assert state["population.1.tau_m"].any()
    assert (optimizer == "sgd") == ("projection.0.moment" not in state)
    assert all(v.any() for n, v in state.items() if n.endswith((".gradient", ".moment", "_sum")))
    other.load_state_dict(state)
    assert equal(state, other.state_dict())
    for device in (home, other):
        device.set_outputs()
    ahead = [np.array(list(d.stream(X, Y, learn=True))) for d in (home, other)]
    assert np.array_equal(*ahead)
    assert equal(home.state_dict(), other.state_dict())


def test_moments_where_the_core_keeps_more() -> None:
    """A network with one moment on a core that has room for two."""
    home = trained(replace(HOME, moments=1), optimizer="sign")
    other = open("model", machine=HOME)
    other.load(home.network)
    other.load_state_dict(home.state_dict())
    assert equal(home.state_dict(), other.state_dict())


def words_of(machine: Machine, word: int) -> Machine:
    return replace(machine, formats=Formats(word=word))


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_to_shorter_words_and_back(optimizer: str) -> None:
    """18 bits hold all that 16 bits do, so that the way there and back is exact."""
    short, long = (words_of(HOME, word) for word in (16, 18))
    home = trained(short, optimizer=optimizer)
    between, back = open("model", machine=long), open("model", machine=short)
    for device in (between, back):
        device.load(home.network)
    state = home.state_dict()
    with pytest.raises(BadInput, match=r"word 16, not 18; rounded=True"):
        between.load_state_dict(state)
    between.load_state_dict(state, rounded=True)
    middle = between.state_dict()
    real = [n for n in state if not n.endswith((".raw", "moment", FORMATS))]
    assert all(np.array_equal(state[n], middle[n]) for n in real)
    back.load_state_dict(middle, rounded=True)
    assert equal(state, back.state_dict())


def test_longer_words_are_rounded_half_up() -> None:
    home, other = trained(), open("model", machine=words_of(HOME, 16))
    other.load(home.network)
    state = home.state_dict()
    other.load_state_dict(state, rounded=True)
    found, memory = other.state_dict(), other._ready().memory
    lost = 0
    for name, place in memory.places.items():
        if not name.endswith("moment"):
            wanted = place.fmt.to_raw(state[name])
            assert np.array_equal(found[f"{name}.raw"], wanted), name
            lost += int((found[name] != state[name]).sum())
    assert lost > 100
    f, g = HOME.formats, Formats(word=16)
    for name in ("projection.0.moment", "projection.1.moment"):
        before, after = (s[name].astype(np.int64) & (1 << 36) - 1 for s in (state, found))
        for which in range(2):
            ours, theirs = split(before >> 18 * which, which), split(after >> 18 * which, which)
            change = (1 + which) * (g.g.frac - f.g.frac)
            there = (ours.exponent > 0) & (ours.exponent + change > 0)
            assert there.any()
            assert np.array_equal(theirs.exponent[there], ours.exponent[there] + change)
            assert np.array_equal(theirs.mantissa[there], ours.mantissa[there])
            assert not theirs.mantissa[~there].any()


def test_moments_at_the_ends_of_their_range() -> None:
    for which, bits in enumerate(EXPONENTS):
        top = (1 << bits) - 1
        word = top << 11 | 5
        up = int(moments_between(np.array([word << 18 * which]), 3, 2)[0]) & (1 << 36) - 1
        assert up >> 18 * which == top << 11 | 0x7FF
        small = 2 << 11 | 5
        assert moments_between(np.array([small << 18 * which]), -2, 2).tolist() == [0]
    negative = np.array([1 << 17 | 9 << 11 | 77])
    assert moments_between(negative, -4, 1).tolist() == [(1 << 17 | 5 << 11 | 77) - (1 << 18)]
    assert moments_between(np.array([0]), 5, 2).tolist() == [0]


def test_real_numbers_alone_need_no_consent() -> None:
    """Without moments, whose words are no real numbers."""
    home, other = trained(optimizer="sgd"), open("model", machine=words_of(HOME, 16))
    other.load(home.network)
    state = home.state_dict()
    other.load_state_dict({n: v for n, v in state.items() if not n.endswith(".raw")})
    place = other._ready().memory.places["projection.0.weight"]
    real = place.fmt.to_raw(state["projection.0.weight"])
    assert np.array_equal(other.state_dict()["projection.0.weight.raw"], real)


def test_another_number_of_streams_takes_what_they_share(tmp_path: Path) -> None:
    home = trained()
    path = tmp_path / "a.safetensors"
    home.save(path)
    other = open("model", machine=replace(HOME, contexts=1))
    other.load(home.network)
    before, state = other.state_dict(), home.state_dict()
    with pytest.raises(BadInput, match=r"has shape \[4, 2\]; expected \[2, 2\]"):
        other.load_state_dict(state)
    with pytest.raises(BadFile, match=r"has shape \[4, 2\]; expected \[2, 2\]"):
        other.restore(path)
    assert equal(before, other.state_dict())
    other.restore(path, streams=False)
    found = other.state_dict()
    shared = {"weight", "bias", "gradient", "moment", "tau_m", "tau_r", "tau_m_sum", "tau_r_sum"}
    for name, values in found.items():
        own = name.removesuffix(".raw").rsplit(".", 1)[-1] not in shared
        own &= not name.startswith(("register.", "core."))
        assert np.array_equal(values, (before if own else state)[name]), name
    other.partial_fit(X[:, :2], Y[:, :2])


def test_files_of_other_words(tmp_path: Path) -> None:
    home, other = trained(), open("model", machine=words_of(HOME, 16))
    path = tmp_path / "a.safetensors"
    home.save(path)
    other.load(home.network)
    with pytest.raises(BadFile, match="words of 18 bits, this core has 16; restore"):
        other.restore(path)
    other.restore(path, rounded=True)
    a = other.state_dict()
    other.load_state_dict(home.state_dict(), rounded=True)
    assert equal(a, other.state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({FORMATS: np.zeros(4, np.int64)}, "expected 5 integers"),
        ({FORMATS: np.array([17, 10, 46, 9, 12])}, "word is 17 bits"),
        ({FORMATS: np.array([18, 10, 46, 9, 11])}, "g_drop 11, not 12"),
        ({"projection.0.moment": None}, "lacks projection.0.moment"),
        ({"projection.2.weight": np.zeros((1, 1))}, "has projection.2.weight, which"),
        ({"population.1.tau_m": np.full(5, 0.5)}, "contradict"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    home = trained()
    state = home.state_dict() | change
    for name in [name for name, value in change.items() if value is None]:
        del state[name]
        del state[f"{name}.raw"]
    before = home.backend.read(Region.WEIGHTS, 0, 0, 64)
    with pytest.raises(BadInput, match=message):
        home.load_state_dict(state)
    assert np.array_equal(before, home.backend.read(Region.WEIGHTS, 0, 0, 64))


def test_a_core_without_moments_has_none_to_move() -> None:
    home = trained()
    other = open("model", machine=replace(HOME, moments=0))
    other.load(home.network.with_(optimizer="sgd"))
    with pytest.raises(BadInput, match=r"has projection\.0\.moment"):
        other.load_state_dict(home.state_dict())
