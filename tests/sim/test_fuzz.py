# SPDX-License-Identifier: Apache-2.0
"""Broken input: short campaigns, and that a campaign can fail."""

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadFile, BadInput, BadNetwork, DoesNotFit
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.host.cli import antevolt
from antevolt.host.device import open as open_device
from antevolt.host.link import codec
from antevolt.sim.fuzz.campaign import Result, Target, campaign
from antevolt.sim.fuzz.command import TARGETS
from antevolt.sim.fuzz.decoder import DecoderTarget
from antevolt.sim.fuzz.mutate import changed_bytes, changed_json

INPUTS = {
    "decoder": 20_000,
    "session": 5000,
    "gateware": 150,
    "network": 2000,
    "checkpoint": 1000,
    "data": 2000,
    "run": 1000,
    "arguments": 300,
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_campaign(name: str) -> None:
    result = campaign(TARGETS[name](), INPUTS[name], seed=7)
    assert result.described == {}
    assert result.failures == 0
    assert result.inputs == INPUTS[name]
    assert result.taken + sum(result.refused.values()) == result.inputs
    assert result.taken > 0
    assert result.refused


def test_a_campaign_goes_on() -> None:
    """In parts it is the one that it is in one, wherever these end."""
    whole = campaign(DecoderTarget(), 3000, seed=3)
    parts = campaign(DecoderTarget(), 1000, seed=3)
    for inputs in (1400, 1700, 3000):
        before = Result.from_dict(parts.to_dict())
        parts = campaign(DecoderTarget(), inputs, seed=3, before=before)
        assert parts.inputs == inputs
    for name in ("inputs", "taken", "refused", "failures"):
        assert getattr(parts, name) == getattr(whole, name)


class Broken:
    """A target that does something wrong once in ten inputs."""

    name, block, refusals = "broken", 10, ()

    def __init__(self, how: str):
        self.how = how

    def begin(self) -> None:
        pass

    def draw(self, draw: Random) -> int:
        return draw.randrange(10)

    def feed(self, item: int) -> Any:
        if item:
            raise BadInput("as it should be")
        if self.how == "exception":
            return {}[item]
        if self.how == "memory":
            return bytearray(1 << 34)
        while self.how == "loop":
            pass
        if self.how == "wait":
            time.sleep(1000)
        return item


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("exception", "KeyError"),
        ("memory", "MemoryError"),
        ("loop", "TooSlow"),
        ("wait", "TooSlow"),
    ],
)
def test_a_campaign_can_fail(how: str, error: str) -> None:
    target: Target = Broken(how)
    result = campaign(target, 40, seed=1, deadline=0.05)
    assert not result.passed
    assert 0 < result.failures == 40 - result.refused["BadInput"]
    assert next(iter(result.described)).startswith(error)
    assert "block 0" in next(iter(result.described.values()))


def test_a_decoder_without_crc_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = codec.parse

    def careless(encoded: bytes) -> codec.Message | None:
        """Makes the CRC right before it is checked."""
        try:
            body = codec.cobs.decode(encoded)[: -codec.CRC_BYTES]
        except codec.cobs.DecodeError:
            return None
        crc = codec.zlib.crc32(body).to_bytes(codec.CRC_BYTES, "little")
        return right(codec.cobs.encode(body + crc))

    monkeypatch.setattr(codec, "parse", careless)
    result = campaign(DecoderTarget(), 2000)
    assert any("Wrong" in kind for kind in result.described)


def test_a_campaign_is_found_again() -> None:
    results = [campaign(DecoderTarget(), 3000, seed=3) for _ in range(2)]
    assert results[0].refused == results[1].refused
    other = campaign(DecoderTarget(), 3000, seed=4)
    assert results[0].refused != other.refused


def test_changed_input_is_other_input() -> None:
    draw, text = Random(1), Network(2, (Population(3),)).to_json()
    changed = {changed_json(draw, text) for _ in range(100)}
    assert len(changed) > 80
    data = text.encode()
    assert len({changed_bytes(draw, data, [data]) for _ in range(100)}) > 90


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "fuzz.json"
    out.write_text('{"kept": 1}')
    words = ["fuzz", "decoder", "session", "--inputs", "500", "--out", str(out), "--json"]
    done = CliRunner().invoke(antevolt, words)
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    assert set(found) == {"kept", "decoder", "session"}
    assert json.loads(done.stdout)["decoder"]["inputs"] == 500
    out.write_text("[")
    done = CliRunner().invoke(antevolt, words)
    assert isinstance(done.exception, BadFile)
    longest = tmp_path / ("f" * 255)  # there is none beside it
    done = CliRunner().invoke(antevolt, ["fuzz", "decoder", "--inputs", "1", "--out", str(longest)])
    assert isinstance(done.exception, BadFile)
    assert str(done.exception).count("cannot write") == 1


FOUND = {
    "lists in lists": '{"inputs": ' + "[" * 100_000 + "]" * 100_000 + ', "populations": []}',
    "a text for a list": '{"inputs": 2, "populations": [{"size": 3, "tau_m": "nan"}]}',
    "an integer beyond float": f'{{"inputs": 2, "populations": [{{"size": 3}}], "eta": {10**400}}}',
    "digits beyond Python": f'{{"inputs": 2, "populations": [{{"size": 3}}], "eta": {"9" * 5000}}}',
    "more neurons than memory": '{"inputs": 2, "populations": [{"size": 4000000000}]}',
    "true for a number": '{"inputs": 2, "populations": [{"size": 3}], "eta": true}',
}
"""What the campaign found, and what was found beside it."""


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found(what: str) -> None:
    with pytest.raises((BadFile, BadNetwork)):
        Network.from_json(FOUND[what])


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 0},
        {"size": 1 << 17},
        {"size": 2.0},
        {"phi": []},
        {"tau_m": {}},
        {"gamma": "0"},
        {"tau_r": (1.0, True, 1.0)},
    ],
)
def test_a_population_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(BadNetwork):
        Population(**{"size": 3, **changes})


@pytest.mark.parametrize(
    "changes", [{"seed": -1}, {"apply_every": 1 << 32}, {"cost": None}, {"tau_z": "1"}]
)
def test_a_network_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(BadNetwork):
        Network(2, (Population(3),), **changes)


@pytest.mark.parametrize("changes", [{"source": -1}, {"bias": 1}, {"eta": "x"}, {"backward": 0}])
def test_a_projection_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(BadNetwork):
        Projection(**{"source": 0, "target": 1, **changes})


def test_a_network_beyond_all_cores_takes_no_memory() -> None:
    """Refused before its weights are drawn, which would take 30 GB."""
    network = Network(60_000, (Population(65_000), Population(1)))
    with open_device() as device, pytest.raises(DoesNotFit):
        device.load(network)
