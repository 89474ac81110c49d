# SPDX-License-Identifier: Apache-2.0
"""A link that is made anew: through dense faults, without its rate, and with nobody at its end."""

from types import SimpleNamespace
from typing import Any

import pytest

from antevolt.hdl.spec.errors import DeadlineExceeded, LinkLost
from antevolt.hdl.spec.link import Kind
from antevolt.host.link import codec
from antevolt.host.link.session import GONE, SILENT, Session
from antevolt.host.link.transport import Transport
from antevolt.sim.rtl.byte_line import ByteLine
from antevolt.sim.rtl.byte_top import byte_line
from antevolt.sim.rtl.faults import FaultyLine


class Without:
    """A line that loses all frames of some kinds to the board while it is told to."""

    def __init__(self, wire: ByteLine):
        self._wire, self.loses = wire, set[Kind]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def write(self, data: bytes) -> None:
        kind = Kind(codec.cobs.decode(data.strip(b"\0"))[0])
        if kind not in self.loses:
            self._wire.write(data)


def idle(wire: Transport, spans: float) -> None:
    """So many times the board's silence pass."""
    end = wire.clock() + spans * wire.silence
    while wire.clock() < end:
        wire.read(end - wire.clock())


@pytest.mark.parametrize("mean", [40, 80])
def test_through_dense_faults(mean: float) -> None:
    """An answer to HELLO has more bytes than there are from one fault to the next, or as many."""
    wire = byte_line()
    line = FaultyLine(wire, 0, seed=mean)
    session = Session(line)
    session.connect()
    for _ in range(20):
        idle(wire, 1.1)
        line.begin(mean)
        assert session.echo(b"still there")
        line.begin(0)
    assert session.counts.renewals >= 20
    session.close()


def test_without_its_rate() -> None:
    """It goes on at that of power-up; the next time it has the other again."""
    line = Without(byte_line())
    session = Session(line)
    session.connect()
    fast = session.baud
    line.loses = {Kind.BAUD}
    idle(line, 1.1)
    assert session.echo(b"slow")
    assert session.baud == line.power_up_baud < fast
    assert session.echo(b"slow" * 50)
    line.loses = set()
    idle(line, 1.1)
    assert session.echo(b"fast")
    assert session.baud == fast
    assert session.counts.renewals == 2
    session.close()


def test_with_nobody_there() -> None:
    """Noticed in the time that `docs/link.md` says; asked at once after a while without a word."""
    for idles, spans in ((0.0, SILENT + GONE), (1.1, GONE)):
        line = Without(byte_line())
        session = Session(line)
        session.connect()
        idle(line, idles)
        line.loses = set(Kind)
        begin = line.clock()
        with pytest.raises(LinkLost, match="still there"):
            session.echo(b"anybody?")
        taken = (line.clock() - begin) / line.silence
        assert spans <= taken < spans + 1
        session.close()


def test_with_one_that_only_says_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is that of the call, however often the link is made anew in it."""
    line = Without(byte_line())
    session = Session(line, deadline=30.0)
    session.connect()
    monkeypatch.setattr("antevolt.host.link.line.time", SimpleNamespace(monotonic=line.clock))
    line.loses = set(Kind) - {Kind.HELLO}
    begin = line.clock()
    with pytest.raises(DeadlineExceeded, match="within 30 s"):
        session.wait(lambda: line.clock() > begin + 40, "echo")
    assert session.counts.renewals > 1
    session.close()
