# SPDX-License-Identifier: Apache-2.0
"""Output modes: what comes, when, and the same from the model and from the netlist."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.network import Network, Population
from antevolt.hdl.spec.outputs import OutputMode
from antevolt.host.comparison import Case
from antevolt.host.device import Device, Sample, open
from antevolt.host.outputs import OutputSetting, Sent
from antevolt.host.samples import Batch
from antevolt.host.verify import verify
from antevolt.host.verify_worker import memories
from antevolt.sim.rtl.device import RtlBackend
from small import same

pytestmark = pytest.mark.xdist_group("outputs")  # which share their simulators

SMALL = {"w_depth": 64, "r_depth": 32, "state_depth": 32, "q_depth": 16, "io_depth": 16}
MACHINE = Machine(rows=2, streams=2, contexts=2, multipliers=5, **SMALL)  # type: ignore[arg-type]
WITHOUT = Machine(sums=False)
STREAMS, STEPS, INPUTS, OUTPUTS = 4, 60, 2, 3
MODES = {
    "every": OutputSetting(),
    "every third": OutputSetting("every", 3),
    "last": OutputSetting("last"),
    "sum": OutputSetting("sum", shift=1),
    "sum, unshifted": OutputSetting("sum"),
    "argmax": OutputSetting("argmax"),
    "none": OutputSetting("none"),
}
FMT = MACHINE.formats.r


def network(schedule: str = "sequential") -> Network:
    populations = (Population(5, "tanh", (1.0, 2.5, 4.0, 1.0, 2.0), 1.5, 0.1),)
    return Network(
        INPUTS,
        (*populations, Population(OUTPUTS, "linear", 1.5, 1.0)),
        schedule=schedule,  # type: ignore[arg-type]
        eta=2.0**-5,
        seed=3,
    )


def random_batch(machine: Machine, steps: int = STEPS, seed: int = 1) -> Batch:
    """Sequences of some steps, streams that rest, values of the whole range."""
    rng = np.random.default_rng(seed)
    shape = (steps, machine.total_streams)
    x, y = (FMT.to_raw(rng.normal(0, 3, (*shape, n))) for n in (INPUTS, OUTPUTS))
    chances = (0.8, 0.2, 0.25, 0.7, 0.7)
    flags = (rng.random((*shape, 5)) < chances) @ (1 << np.arange(5))
    return Batch(x, y, flags)


def expected(setting: OutputSetting, flags: np.ndarray, out: np.ndarray) -> list[list[int]]:
    """[T] the words that leave the core, by the definition; `out` [T, S, n] is what OUTPUT reads"""
    rows: list[list[int]] = []
    sums = np.zeros(out.shape[1:], dtype=object)
    for t, (own, values) in enumerate(zip(flags, out, strict=True)):
        row = []
        for s, flag in enumerate(own.tolist()):
            if flag & Flag.VALID:
                sums[s] = (0 if flag & Flag.FIRST else sums[s]) + values[s].astype(object)
            ends = flag & Flag.VALID and flag & Flag.LAST
            if setting.mode == "every":
                words = values[s].tolist() if (t + 1) % setting.every == 0 else []
            elif not ends or setting.mode == "none":
                words = []
            elif setting.mode == "last":
                words = values[s].tolist()
            elif setting.mode == "sum":
                low, high = FMT.raw_min, FMT.raw_max
                words = [min(max(int(v) >> setting.shift, low), high) for v in sums[s]]
            else:
                words = [max(range(len(sums[s])), key=lambda k: (sums[s][k], -k))]
            row += [word & (1 << FMT.width) - 1 | flag << FMT.width for word in words]
        rows.append(row)
    return rows


@pytest.fixture(scope="module", params=["model", "rtl"])
def opened(request: pytest.FixtureRequest) -> Iterator[Device]:
    with open(request.param, machine=MACHINE, deadline=60.0) as device:
        yield device


def run(device: Device, batch: Batch) -> list[int]:
    """The raw words that come of a batch."""
    x, y = batch.words(device.machine.formats)
    sizes, backend = device.sizes, device.backend
    words = Sent.read(backend).words(batch.flags, sizes.outputs)
    width = sizes.streams * sizes.outputs
    return backend.run(x, y, batch.steps, width, int(words.sum())).tolist()


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("name", MODES)
def test_the_words_are_those_of_the_definition(opened: Device, name: str, schedule: str) -> None:
    batch, setting = random_batch(MACHINE), MODES[name]
    opened.load(network(schedule))
    with open("model", machine=MACHINE) as all_outputs:
        all_outputs.load(network(schedule))
        words = np.array(run(all_outputs, batch)).reshape(STEPS, STREAMS, OUTPUTS)
    out = (words & (1 << FMT.width) - 1 ^ 1 << FMT.width - 1) - (1 << FMT.width - 1)
    opened.set_outputs(setting.mode, setting.every, setting.shift)
    assert run(opened, batch) == sum(expected(setting, batch.flags, out), [])
    busy = opened.counters()["busy"] - opened.counters()["stalled_input"]
    opened.load(network(schedule))
    run(opened, batch)
    after = opened.counters()
    assert busy == after["busy"] - after["stalled_input"]  # modes cost no cycle


@pytest.mark.parametrize("name", MODES)
def test_model_and_netlist_agree_under_stalls(name: str) -> None:
    """Words, memories, registers; streams that hold back, and a mode that changes on the way."""
    found = []
    for device in ("model", "rtl"):
        with open(device, machine=MACHINE, deadline=60.0) as opened:
            opened.load(network())
            opened.set_outputs(MODES[name].mode, MODES[name].every, MODES[name].shift)
            if isinstance(opened.backend, RtlBackend):
                opened.backend.stall(30, 30, 60, seed=5)
            words = run(opened, random_batch(MACHINE, seed=7))
            between = memories(opened.backend)
            opened.set_outputs("sum", shift=2)
            words += run(opened, random_batch(MACHINE, 20, seed=8))
            found.append((words, between, memories(opened.backend)))
    assert found[0][0] == found[1][0]
    assert same(found[0][1], found[1][1])
    assert same(found[0][2], found[1][2])


def test_sums_saturate_and_are_counted(opened: Device) -> None:
    opened.load(network())
    opened.set_outputs("sum")
    top = (1 << 31) - 1
    for unit in range(MACHINE.streams):
        opened.backend.write(Region.SUMS, unit, 0, np.full(MACHINE.io_depth, top))
    batch = random_batch(MACHINE, 30)
    words = run(opened, Batch(batch.x, batch.y, batch.flags & ~int(Flag.FIRST)))
    assert FMT.raw_max in {word & (1 << FMT.width) - 1 for word in words}
    assert opened.counters()["saturated_sums"] > len(words)
    with open("model", machine=MACHINE) as model:
        model.load(network())
        model.set_outputs("sum")
        for unit in range(MACHINE.streams):
            model.backend.write(Region.SUMS, unit, 0, np.full(MACHINE.io_depth, top))
        assert run(model, Batch(batch.x, batch.y, batch.flags & ~int(Flag.FIRST))) == words
        assert model.counters()["saturated_sums"] == opened.counters()["saturated_sums"]
        assert same(memories(model.backend), memories(opened.backend))


@pytest.mark.parametrize("mode", ["sum", "argmax"])
def test_a_core_without_sums_puts_out_nothing(mode: str) -> None:
    with open("rtl", machine=WITHOUT) as device, open("model", machine=WITHOUT) as model:
        for one in (device, model):
            one.load(network())
            with pytest.raises(BadInput, match="needs a core with sums"):
                one.set_outputs(mode)
            one.set_outputs("last")
        batch = random_batch(WITHOUT)
        assert run(device, batch) == run(model, batch) != []
        for one in (device, model):
            number = int(OutputMode[mode.upper()])
            one.backend.write(Region.REGISTERS, 0, Register.OUTPUT_MODE, [number])
            assert run(one, batch) == []


def sequences(length: int = 5) -> dict[str, np.ndarray]:
    """Flags of sequences of one length, stream s one step later than stream s - 1."""
    place = (np.arange(STEPS)[:, None] - np.arange(STREAMS)) % length
    return {"first": place == 0, "last": place == length - 1}


X = np.random.default_rng(4).uniform(-1, 1, (STEPS, STREAMS, INPUTS))


def test_results_say_which_step_and_streams(opened: Device) -> None:
    flags = sequences()
    opened.load(network())
    all_outputs = opened.predict(X, **flags)
    opened.set_outputs("last")
    results = list(opened.results(X, chunk=7, **flags))
    where = [(r.step, r.streams.tolist()) for r in results]
    assert where == [
        (t, np.flatnonzero(row).tolist()) for t, row in enumerate(flags["last"]) if row.any()
    ]
    for result in results:
        assert (result.values == all_outputs[result.step, result.streams]).all()
    opened.load(network(), outputs="last")
    by_step = list(opened.stream(X, chunk=9, **flags))
    assert all((a == b.values).all() for a, b in zip(by_step, results, strict=True))


def test_sums_are_exact(opened: Device) -> None:
    flags = sequences()
    opened.load(network())
    all_outputs = opened.predict(X, **flags)
    opened.set_outputs("sum", shift=0)
    sums, classes = opened.predict(X, **flags), []
    opened.set_outputs("argmax")
    classes = opened.predict(X, **flags)
    wanted = []
    for t, s in np.argwhere(flags["last"]).tolist():
        wanted.append(all_outputs[max(0, t - 4) : t + 1, s].sum(axis=0))
    assert np.abs(wanted).max() < 8  # none saturated
    assert (sums == np.array(wanted)).all()
    assert classes.tolist() == np.argmax(wanted, axis=1).tolist()
    assert classes.dtype == np.int64


def test_every_third_step(opened: Device) -> None:
    opened.load(network())
    all_outputs = opened.predict(X)
    opened.set_outputs("every", 3)
    assert (opened.predict(X) == all_outputs[2::3]).all()
    results = list(opened.results(X, chunk=7))
    assert [r.step for r in results] == list(range(2, STEPS, 3))
    opened.set_outputs("none")
    assert list(opened.stream(X)) == []
    assert opened.predict(X).shape == (0, OUTPUTS)
    assert opened.learn_one(X[0], np.zeros((STREAMS, OUTPUTS))).shape == (0, OUTPUTS)


def test_samples_of_an_iterable(opened: Device) -> None:
    opened.load(network(), outputs="argmax")
    samples = (Sample(x, first=n % 4 == 0, last=n % 4 == 3) for n, x in enumerate(X))
    results = list(opened.results(samples, chunk=3))
    assert [r.step for r in results] == list(range(3, STEPS, 4))
    assert all(r.values.shape == (STREAMS,) for r in results)


def test_predict_leaves_no_trace(opened: Device) -> None:
    opened.load(network())
    opened.set_outputs("sum", every=4)
    list(opened.stream(X[:7], first=np.arange(7) == 0))
    before = memories(opened.backend)
    opened.predict(X, **sequences())
    after = memories(opened.backend)
    assert same({r: before[r] for r in (Region.SUMS, Region.OUTPUT)}, after)
    assert (before[Region.REGISTERS][0, :8] == after[Region.REGISTERS][0, :8]).all()


def test_checkpoints_hold_mode_and_sums(opened: Device, tmp_path: Path) -> None:
    opened.load(network())
    opened.set_outputs("sum", 5, 2)
    list(opened.stream(X[:8], first=np.arange(8) == 0))
    opened.save(tmp_path / "a.safetensors")
    last = np.arange(8, STEPS) % 9 == 0
    ahead = np.concatenate(list(opened.stream(X[8:], last=last)))
    with open("model", machine=MACHINE) as other:
        other.load(network())
        other.restore(tmp_path / "a.safetensors")
        assert np.array_equal(ahead, np.concatenate(list(other.stream(X[8:], last=last))))
        state = other.state_dict()
        assert state["register.output_mode"].tolist() == [OutputMode.SUM]
        assert state["register.output_every"].tolist() == [5]
        assert state["register.output_shift"].tolist() == [2]
        assert state["sum"].shape == (STREAMS, OUTPUTS)
        with pytest.raises(BadInput, match="no such mode"):
            other.load_state_dict({**state, "register.output_mode": np.array([5])})
    with open("model", machine=replace(MACHINE, sums=False)) as without:
        without.load(network())
        with pytest.raises(BadFile, match="no such mode"):
            without.restore(tmp_path / "a.safetensors")
        without.load_state_dict({**state, "register.output_mode": np.array([0])})


@pytest.mark.parametrize(
    ("mode", "every", "shift"),
    [("most", 1, 0), ("every", 0, 0), ("every", 1 << 32, 0), ("sum", 1, 32), ("sum", 1, -1)],
)
def test_bad_settings_are_refused(mode: str, every: int, shift: int) -> None:
    with open("model", machine=MACHINE) as device:
        device.load(network())
        before = memories(device.backend)
        with pytest.raises(BadInput):
            device.set_outputs(mode, every, shift)
        assert same(before, memories(device.backend))
        if mode == "most":
            with pytest.raises(BadInput, match="argmax"):
                device.load(network(), outputs=mode)


def test_verify_in_other_modes() -> None:
    for seed, setting in enumerate(MODES.values()):
        case = Case(network(), MACHINE, 400, seed, outputs=setting)
        report = verify(case)
        assert report.passed, report
