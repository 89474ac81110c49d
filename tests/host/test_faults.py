# SPDX-License-Identifier: Apache-2.0
"""Campaigns with a simulated board: random traffic under faults, or for long; and that they can
fail."""

from mmap import mmap

import pytest

from antevolt.hdl.spec.link import Kind
from antevolt.host.link import codec
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.losses import Losses, Said
from antevolt.host.link.window import Frame
from antevolt.sim.rtl.fault_campaign import Result, campaign, one_session
from antevolt.sim.rtl.faults import KINDS
from antevolt.sim.rtl.lines import LINES
from antevolt.sim.rtl.soak import GROWTH, soak
from antevolt.sim.rtl.soak import Result as SoakResult
from antevolt.sim.rtl.traffic import Traffic


@pytest.mark.parametrize(
    ("name", "faults", "mean"), [("bits", 80, 300), ("bytes", 1000, 200), ("back", 300, 1000)]
)
def test_faults(name: str, faults: int, mean: float) -> None:
    """The short campaign: every kind, both ways; `make faults` runs a long one."""
    found = Result(11, mean, name)
    campaign(LINES[name], found, faults, resets=0.05)
    assert found.passed, found.to_dict()
    assert found.injected >= faults
    assert found.resent > 0
    assert found.bad > 0
    assert found.resets == found.noticed
    assert set(found.dropped) >= {"CRC", "SEQUENCE"}
    assert {name.split(": ")[1] for name in found.faults} == set(KINDS)
    assert found.recoveries > 0
    again = Result.from_dict(found.to_dict())
    assert again == found


def test_a_board_that_is_switched_off_is_noticed() -> None:
    """In the first step of each session."""
    found = Result(14, 200, "bytes")
    campaign(LINES["bytes"], found, 100, resets=1)
    assert found.passed, found.to_dict()
    assert found.resets == found.noticed == found.sessions > 0


@pytest.mark.parametrize("name", ["bits", "bytes"])
def test_the_campaign_can_fail(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A host that does not look at the CRC."""

    def trusting(encoded: bytes) -> codec.Message | None:
        body = codec.cobs.decode(encoded) if b"\0" not in encoded else b""
        known = len(body) >= 7 and body[0] in codec.SENT
        return codec.Message(Kind(body[0]), body[1] | body[2] << 8, body[3:-4]) if known else None

    def careless(encoded: bytes) -> codec.Message | None:
        try:
            return trusting(encoded)
        except codec.cobs.DecodeError:
            return None

    monkeypatch.setattr(codec, "parse", careless)
    found = Result(12, 300, name)
    campaign(LINES[name], found, 150, resets=0, only=("flip", "burst"), deadline=3)
    assert not found.passed
    assert found.undetected


@pytest.mark.parametrize("which", ["sent", "received"])
def test_the_campaign_counts(monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """A host that has lost count of a frame."""
    whole = LinkBackend.counters

    def counters(board: LinkBackend) -> dict[str, int]:
        found = whole(board)
        setattr(board.session.counts, which, getattr(board.session.counts, which) + 1)
        return found

    monkeypatch.setattr(LinkBackend, "counters", counters)
    found = Result(13, 200, "bytes")
    campaign(LINES["bytes"], found, 20, resets=0)
    assert found.disagreed == found.sessions > 0
    assert not found.passed


def test_a_session_can_be_run_again() -> None:
    """Alone, to the byte."""
    whole, alone, other = (Result(15, 400, "bytes") for _ in range(3))
    campaign(LINES["bytes"], whole, 1, resets=0)
    one_session(LINES["bytes"], alone, 3, resets=0)
    one_session(LINES["bytes"], other, 3, resets=0)
    assert alone == other
    assert alone.passed, alone.to_dict()
    assert alone.sessions == 3
    assert alone.line_bytes > whole.line_bytes


def test_frames_that_go_again_twice_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a host that sends each of them so."""
    after = Losses.after_error

    def twice(losses: Losses, said: Said, selective: bool, now: float, pause: float) -> list[Frame]:
        return 2 * after(losses, said, selective, now, pause)

    monkeypatch.setattr(Losses, "after_error", twice)
    found = Result(16, 300, "bytes")
    one_session(LINES["bytes"], found, 1, resets=0)
    assert len(found.twice) == found.recoveries - found.within > 0
    assert all(t["most"] > 1 and 0 < t["twice"] <= t["under_way"] for t in found.twice)


def test_soak() -> None:
    """`antevolt soak` runs a long one. The host's long pauses make the board mute."""
    found = SoakResult(1, "bytes")
    soak(LINES["bytes"](), found, 1_000_000)
    assert found.passed, found.to_dict()
    assert found.bytes >= 1_000_000
    assert found.pauses > 10
    assert found.renewals > 0


def test_soak_that_has_no_time() -> None:
    found = SoakResult(3, "bytes")
    soak(LINES["bytes"](), found, 1 << 40, seconds=0.5)
    assert found.passed
    assert 0 < found.bytes < 1 << 30


def test_soak_notices_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, take, size = [], Traffic.put, 1 << 13

    def put(traffic: Traffic, board: LinkBackend, longest: int) -> None:
        kept.append(mmap(-1, size))  # of its own: other tests have left holes that would do
        kept[-1].write(b"x" * size)
        take(traffic, board, longest)

    monkeypatch.setattr(Traffic, "put", put)
    found = SoakResult(2, "bytes")
    soak(LINES["bytes"](), found, 300_000)
    assert found.grown > GROWTH
    assert not found.passed
