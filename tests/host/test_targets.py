# SPDX-License-Identifier: Apache-2.0
"""Targets that last are sent once, and every bit is what it is when they are sent each time."""

from collections import deque
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.flags import INPUT_FLAG_BITS, TARGETED, Flag, target_follows
from antevolt.hdl.spec.link import Kind
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.host.device import Device
from antevolt.host.device import open as open_device
from antevolt.host.link import codec
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.steps import step_frames
from antevolt.host.targets import Targets
from small import NETWORK, SMALL, everything, same, signals

MACHINE = Machine(streams=3)
WORD = MACHINE.formats.word
HELD = int(Flag.TARGET_HELD)
pytestmark = pytest.mark.timeout(900)  # the first use builds a simulator


def words(x: Any, y: Any, flags: Any) -> tuple[Any, Any]:
    """As a batch packs them: x [T, S, n], y [T, S, m], flags [T, S]."""
    x = x.copy()
    x[:, :, 0] |= flags << WORD
    return x.ravel(), y[flags & TARGETED == TARGETED].ravel()


def drawn(rng: np.random.Generator, steps: int, units: int = 2) -> tuple[Any, Any, Any]:
    """Few different targets, so that many last."""
    flags = rng.integers(0, 32, (steps, 3))
    return rng.integers(0, 9, (steps, 3, 2)), rng.integers(0, 2, (steps, 3, units)), flags


def test_a_core_that_keeps_the_last_has_the_same_targets() -> None:
    rng, targets = np.random.default_rng(1), Targets(MACHINE)
    core: dict[int, tuple[int, ...]] = {}
    held = 0
    for _ in range(200):
        x, y, flags = drawn(rng, int(rng.integers(1, 6)))
        new_x, new_y = targets.hold(*words(x, y, flags), len(flags))
        new_flags = new_x[:, :, 0] >> WORD
        assert np.array_equal(new_flags & ~HELD, flags)
        assert np.array_equal(new_x[:, :, 1:], x[:, :, 1:])
        came = deque(map(tuple, new_y.reshape(-1, 2).tolist()))
        for t, s in np.ndindex(flags.shape):
            wanted = tuple(y[t, s].tolist())
            if target_follows(new_flags[t, s]):
                assert core.get(s) != wanted  # else it need not have come
                core[s] = came.popleft()
            if flags[t, s] & TARGETED == TARGETED:
                assert core[s] == wanted
            else:
                assert not new_flags[t, s] & HELD
            held += int(new_flags[t, s] & HELD > 0)
        assert not came
    assert held > 50


@pytest.mark.parametrize("region", [Region.PROGRAM, Region.WEIGHTS])
def test_another_program_may_have_them_elsewhere(region: Region) -> None:
    targets, given = Targets(MACHINE), words(*map(np.ones_like, (X, Y)), np.full((4, 3), TARGETED))
    assert targets.hold(*given, 4)[1].size == 3
    assert targets.hold(*given, 4)[1].size == 0
    targets.wrote(region)
    assert targets.hold(*given, 4)[1].size == (3 if region == Region.PROGRAM else 0)


X, Y = np.ones((4, 3, 1), dtype=np.int64), np.ones((4, 3, 1), dtype=np.int64)


def test_what_does_not_add_up_goes_as_it_is() -> None:
    targets, flags = Targets(MACHINE), np.full((4, 3), TARGETED)
    x, y = words(X, Y, flags)
    targets.hold(x, y, 4)
    for given_x, given_y in ((x, y[:-1]), (x, y[:0]), (x[:-1], y)):
        found = targets.hold(given_x, given_y, 4)
        assert np.array_equal(found[0].ravel(), given_x)
        assert np.array_equal(found[1], given_y)
        assert targets.hold(x, y, 4)[1].size == 3  # nothing is known any more


def test_other_targets_per_stream_are_others() -> None:
    targets, flags = Targets(MACHINE), np.full((4, 3), TARGETED)
    targets.hold(*words(X, np.zeros((4, 3, 2), dtype=np.int64), flags), 4)
    found = targets.hold(*words(X, np.zeros((4, 3, 1), dtype=np.int64), flags), 4)
    assert found[1].size == 3


class Board:
    """Takes frames one after the other; inputs wait in `places` places, targets have none."""

    def __init__(self, frames: Any, places: int):
        self.frames, self.places = deque(frames), places
        self.comes: deque[tuple[str, int]] = deque()
        self.kept: deque[int] = deque()

    def input(self) -> int:
        while not self.kept:
            self._move()
        return self.kept.popleft()

    def target(self) -> int:
        while self._next() != "y":
            self._move()
        return self.comes.popleft()[1]

    def _move(self) -> None:
        assert self._next() == "x", "a target is before its inputs"
        assert len(self.kept) < self.places, "inputs fill the board, and a target is behind them"
        self.kept.append(self.comes.popleft()[1])

    def _next(self) -> str:
        while not self.comes:
            kind, payload = self.frames.popleft()
            port, flags, width = "y", 0, WORD
            if kind is not Kind.Y:
                port, width = "x", WORD + INPUT_FLAG_BITS * (kind is Kind.X_FLAGS)
            if kind is Kind.X:
                flags, payload = payload[0] << WORD, payload[1:]
            self.comes.extend((port, w | flags) for w in codec.unpack(payload, width).tolist())
        return self.comes[0][0]


@pytest.mark.parametrize("places", [6, 7, 20, 1000])
@pytest.mark.parametrize("chance", [0.0, 0.05, 0.5, 1.0])
def test_frames_of_steps_get_through(places: int, chance: float) -> None:
    """Every word in its order, and no target behind more inputs than the board keeps."""
    rng = np.random.default_rng(places)
    x, y, flags = drawn(rng, 120, 3)
    flags = flags & ~TARGETED | TARGETED * (rng.random(flags.shape) < chance)
    flat, targets = words(x, y, flags)
    board = Board(step_frames(flat.reshape(x.shape), targets, WORD, places), places)
    rest = deque(targets.tolist())
    for step, own in zip(flat.reshape(x.shape).tolist(), flags.tolist(), strict=True):
        for first, second in step:
            assert (board.input(), board.input() & (1 << WORD) - 1) == (first, second)
        for _ in range(3 * int(target_follows(np.array(own)).sum())):
            assert board.target() == rest.popleft()
    assert not board.frames
    assert not board.comes
    assert not rest


def test_targets_that_last_take_no_bytes() -> None:
    """Of ten classes, one label for 72 steps; the inputs take what they took."""
    rng, steps = np.random.default_rng(3), 72
    x = rng.integers(0, 99, (steps, 3, 1))
    y = np.tile(rng.integers(0, 99, (1, 3, 10)), (steps, 1, 1))
    given = words(x, y, np.full((steps, 3), TARGETED))
    whole = step_frames(given[0].reshape(x.shape), given[1], WORD, 256)
    held = step_frames(*Targets(MACHINE).hold(*given, steps), WORD, 256)
    sizes = [{Kind.X: 0, Kind.Y: 0} for _ in range(2)]
    for size, frames in zip(sizes, (whole, held), strict=True):
        for kind, payload in frames:
            size[kind] += len(payload)
    assert sizes[1][Kind.Y] == -(-3 * 10 * WORD // 8)
    assert sizes[0][Kind.Y] > 70 * sizes[1][Kind.Y]
    assert sizes[1][Kind.X] <= sizes[0][Kind.X] + 4  # another frame has its own flags


def whole(targets: Targets, x_words: Any, y_words: Any, steps: int) -> tuple[Any, Any]:
    """`Targets.hold` that holds nothing."""
    return np.asarray(x_words).reshape(steps, targets._streams, -1), np.asarray(y_words).ravel()


def taught(device: Device) -> tuple[Any, ...]:
    """Labels that last, targets that do not, steps without one, another network in between."""
    device.load(NETWORK)
    x, labels = signals(60, 2, 1), np.repeat(signals(6, 1, 2), 10, axis=0)
    valid, first = np.ones((2, 60, 1), dtype=bool)
    first[1::10], valid[7::13] = False, False
    found = [list(device.stream(x, labels, True, valid=valid, first=first, target_valid=valid))]
    found.append(
        list(device.stream(x, labels, True, target_valid=(np.arange(60) % 4 > 0)[:, None]))
    )
    found.append(list(device.stream(x, signals(60, 1, 3), True)))
    device.predict(x)
    device.learn_one(x[0], labels[-1])
    device.learn_one(x[0], labels[-1])
    before = everything(device)
    state = device.state_dict()
    device.load(NETWORK.with_(eta=2.0**-6))
    device.load_state_dict(state)
    device.partial_fit(x, np.broadcast_to(labels[-1:], labels.shape))
    return found, before, everything(device)


@pytest.mark.parametrize("name", ["model", "model:numpy", "rtl", "rtl:top"])
def test_equal_in_every_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for held in (True, False):
        if not held:
            monkeypatch.setattr(Targets, "hold", whole)
        with open_device(name, machine=SMALL) as device:
            found.append((*taught(device), sent(device)))
    outputs, before, after, size = zip(*found, strict=True)
    assert np.array_equal(*map(np.array, outputs))
    assert same(*before)
    assert same(*after)
    if name == "rtl:top":
        assert size[0] < size[1]


def sent(device: Device) -> int:
    """Bytes to a board."""
    backend = device.backend
    return backend.session.counts.bytes_out if isinstance(backend, LinkBackend) else 0


def test_a_core_after_a_reset_gets_them_whole() -> None:
    """A reset may end a step amid a target."""
    with open_device("rtl:top", machine=SMALL) as device:
        device.load(NETWORK)
        x, y = signals(20, 2, 1), np.ones((20, 1, 1))
        device.partial_fit(x, y)
        backend = device.backend
        assert isinstance(backend, LinkBackend)
        seen = []
        for reset in (False, True):
            if reset:
                backend.session.reset()
            before = sent(device)
            list(device.stream(x, y, True))
            seen.append(sent(device) - before)
        assert seen[0] < seen[1]
