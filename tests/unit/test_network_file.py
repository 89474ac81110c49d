# SPDX-License-Identifier: Apache-2.0
"""Networks in files: what is wrong is named, with the file and the place in it."""

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadFile, BadNetwork
from antevolt.hdl.spec.network import Network, Population, Projection, read, write

NETWORK = Network(1, (Population(2), Population(1, "linear")))
OWN = NETWORK.random_parameters(0)
SIZE = '{"inputs": 1, "populations": [{"size": 2}, '


def test_what_is_left_out_is_as_in_the_classes(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"inputs": 1, "populations": [{"size": 2, "tau_m": [1, 4]}]}')
    assert read(path) == (Network(1, (Population(2, tau_m=(1.0, 4.0)),)), None)


def refused(kind: type[Exception], text: str, says: str, folder: Path) -> None:
    """A file of this text, by its name."""
    path = folder / "mine.json"
    path.write_text(text)
    with pytest.raises(kind, match=f"^{re.escape(str(path))}: {says}"):
        read(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "found a list of 0; expected an object, of inputs, populations"),
        ('{"inputs": 1', "not JSON: .*line 1"),
        ('{"inputs": 1}', "missing: populations"),
        ('{"inputs": 1, "populations": {"size": 2}}', "populations: found a dict.*a list"),
        ('{"inputs": 1, "populations": [2]}', "population 1: found 2; expected an object, of size"),
        (SIZE + "{}]}", "population 2: missing: size"),
        (SIZE + '{"size": 1, "tau": 2}]}', "population 2: there is no 'tau'; the keys are size"),
        (SIZE + '{"size": 1}], "step": 1}', "there is no 'step'; the keys are inputs"),
        (SIZE + '{"size": 1}], "projections": null}', "projections: found None; expected a list"),
        (SIZE + '{"size": 1}], "projections": [{"source": 0}]}', "projection 0: missing: target"),
    ],
)
def test_a_file_that_is_no_network(text: str, says: str, tmp_path: Path) -> None:
    refused(BadFile, text, says, tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SIZE + '{"size": 1, "phi": "gelu"}]}', "population 2: phi is 'gelu'; there are linear"),
        (SIZE + '{"size": 1, "tau_m": NaN}]}', "population 2: tau_m is nan"),
        (SIZE + '{"size": 1.5}]}', "population 2: size is 1.5"),
        (SIZE + '{"size": 1}], "projections": [{"source": 0, "target": "1"}]}',
         "projection 0: target is '1'"),
        (SIZE + '{"size": 1}], "eta": [1]}', "eta is a list of 1"),
    ],
)  # fmt: skip
def test_a_network_in_a_file_that_cannot_be(text: str, says: str, tmp_path: Path) -> None:
    refused(BadNetwork, text, says, tmp_path)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ((Population(3),), r"populations is Population\(.*it is a tuple of Population"),
        (((3, 2),), "population 1 is 3; it is a Population"),
        ((None,), "populations is None"),
        (((Population(3),), Projection(0, 1)), "projections is .*it is a tuple of Projection"),
        (((Population(3),), (Projection(0, 1), (0, 1))), "projection 1 is a tuple of 2"),
    ],
)
def test_parts_of_another_type(parts: Any, says: str) -> None:
    with pytest.raises(BadNetwork, match=says):
        Network(1, *parts)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"x": 1}, "parameters are"),
        ({**OWN, 1: 2}, "parameters are"),
        ([OWN], "parameters is a list of 1; expected arrays by name"),
        ({**OWN, "0.weight": "abc"}, "0.weight has dtype <U3; expected"),
        ({**OWN, "0.weight": [[1.0], [1.0, 2.0]]}, "0.weight is not an array"),
        ({**OWN, "0.weight": OWN["0.weight"] + 1j}, "0.weight has dtype complex128"),
        ({**OWN, "0.weight": OWN["0.weight"].T}, "0.weight has shape"),
    ],
)
def test_parameters_that_are_not_the_networks(parameters: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(BadNetwork, match=says):
        NETWORK.check_parameters(parameters)
    with pytest.raises(BadNetwork, match=says):
        write(tmp_path / "mine.json", NETWORK, parameters)
    assert list(tmp_path.iterdir()) == []


def test_parameters_of_any_real_dtype_and_order_are_kept(tmp_path: Path) -> None:
    network = Network(2, (Population(2),), (Projection(0, 1),))
    weight = np.array([[1, 2], [3, 4]], dtype=np.int8).T
    write(tmp_path / "mine.json", network, {"0.weight": weight, "0.bias": [0.5, True]})
    _, found = read(tmp_path / "mine.json")
    assert found is not None
    assert found["0.weight"].tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert found["0.bias"].tolist() == [0.5, 1.0]


def test_weights_in_a_format_that_numpy_has_not(tmp_path: Path) -> None:
    write(tmp_path / "mine.json", NETWORK)
    head = json.dumps({"0.bias": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "mine.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + bytes(4))
    with pytest.raises(BadFile, match="numbers of type 'BF16'"):
        read(tmp_path / "mine.json")
