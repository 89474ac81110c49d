# SPDX-License-Identifier: Apache-2.0
"""Checkpoint files: whole or refused."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.network import Network, Population
from antevolt.host import checkpoint

NET = Network(2, (Population(3), Population(1)))
STATE = {"a": np.arange(6, dtype=np.int64).reshape(2, 3), "b": np.array([0.5, -1.0])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.safetensors"
    checkpoint.write(path, NET, Formats(), STATE)
    return path


def test_round_trip(path: Path) -> None:
    state = checkpoint.read(path, NET, Formats())
    assert set(state) == set(STATE)
    for name, value in STATE.items():
        assert state[name].dtype == value.dtype
        assert np.array_equal(state[name], value)
    assert checkpoint.read_network(path) == NET
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadFile, match="not a whole safetensors file"):
        checkpoint.read(path, NET, Formats())


def test_other_files_are_refused(path: Path) -> None:
    with pytest.raises(BadFile, match="not a whole"):
        checkpoint.read(path.with_name("none"), NET, Formats())
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(BadFile, match="not a state of a device"):
        checkpoint.read(path, NET, Formats())


@pytest.mark.parametrize("network", ["[]", '{"inputs": 0, "populations": []}'])
def test_a_state_without_a_network_is_refused(path: Path, network: str) -> None:
    metadata = {"kind": checkpoint.KIND, "network": network, "fingerprint": "", "word": "18"}
    save_file({"a": np.zeros(3)}, path, metadata)
    with pytest.raises(BadFile, match=f"^{re.escape(str(path))} holds a network that cannot be"):
        checkpoint.read_network(path)


def test_numbers_that_numpy_has_not_are_refused(path: Path) -> None:
    head = b'{"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}'
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(4))
    with pytest.raises(BadFile, match="bfloat16"):
        checkpoint.read_network(path)


def test_the_state_of_another_network_is_refused(path: Path) -> None:
    with pytest.raises(BadFile, match="another network"):
        checkpoint.read(path, NET.with_(eta=0.5), Formats())


def test_other_word_lengths_are_refused(path: Path) -> None:
    with pytest.raises(BadFile, match="18 bits, this core has 16"):
        checkpoint.read(path, NET, Formats(word=16))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot write"):
        checkpoint.write(tmp_path / "none" / "x", NET, Formats(), STATE)
