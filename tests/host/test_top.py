# SPDX-License-Identifier: Apache-2.0
"""A whole simulated board as a device: every bit as the model's, learning on."""

import numpy as np
import pytest

from antevolt.hdl.spec.memory_map import Region
from antevolt.host.comparison import Case
from antevolt.host.device import open as open_device
from antevolt.host.link.backend import LinkBackend
from antevolt.host.verify import verify
from small import NETWORK, SMALL, everything, same, signals

STEPS = 64
pytestmark = pytest.mark.timeout(900)  # the first use builds the simulator


def test_equal_in_every_bit() -> None:
    report = verify(Case(NETWORK, SMALL, STEPS, seed=3, device="rtl:top", checkpoint_every=STEPS))
    assert report.difference is None
    assert report.differing_bits == 0
    assert report.cycles_differ_at is None
    assert report.words_compared > 10_000


def test_a_checkpoint_moves(tmp_path: object) -> None:
    """From a board to the model and back; the board knows what it runs, and its counts agree."""
    x, y = signals(20, 2, 1), signals(20, 1, 2)
    path = f"{tmp_path}/state.safetensors"
    with open_device("rtl:top", machine=SMALL) as board, open_device(machine=SMALL) as model:
        board.load(NETWORK)
        board.partial_fit(x, y)
        board.save(path)
        model.load(NETWORK)
        model.restore(path)
        model.partial_fit(x, y)
        board.partial_fit(x, y)
        assert same(everything(board) | LEFT, everything(model) | LEFT)
        backend = board.backend
        assert isinstance(backend, LinkBackend)
        assert backend.session.ask().fingerprint == board.image.fingerprint


LEFT = {Region.REGISTERS: np.zeros(1)}
"""Saturations before a state was taken are not in it."""
