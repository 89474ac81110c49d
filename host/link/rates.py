# SPDX-License-Identifier: Apache-2.0
"""The rate of a session: the fastest that works, and how it is had again after a silence."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from antevolt.hdl.spec.errors import DeadlineExceeded, LinkLost, NoPort
from antevolt.hdl.spec.link import LinkParameters
from antevolt.host.link.hello import who_is_there
from antevolt.host.link.transport import RateRefused

if TYPE_CHECKING:
    from antevolt.host.link.session import Session

__all__ = ["GONE", "TRIES", "Rates"]

GONE = 6.0  # times the board's silence: questions that long without an answer, and it is gone
TRIES = 8  # of a question
AGAIN = 3  # times that the rate of before is asked for when the link is made anew
ECHO_BYTES, ECHOES = 200, 4  # that prove a new rate
PROOF = 10.0  # seconds at most


class Rates:
    """Of the board of a session, which is at the rate of power-up.

    agreed  the rate that was found to work; 0: each is still on trial

    All methods raise LinkLost when the board is silent or was reset, and DeadlineExceeded.
    """

    def __init__(self, session: "Session"):
        self._session = session
        self.agreed = 0

    def speed_up(self, link: LinkParameters) -> None:
        """The fastest rate at which an echo comes back whole."""
        session, slow = self._session, self._session.baud
        self.agreed = 0
        for rate in self._from_the_fastest(link):
            if self._try(link.divisor(rate), round(link.clock_hz / link.divisor(rate))):
                break
            self._go_back(slow, link)
            session.ask()
            session.reset()
        self.agreed = session.baud

    def renew(self) -> None:
        """The board is silent: it has gone back to the rate of power-up, or is gone."""
        session = self._session
        if not self.agreed:  # it will go back by itself, and another rate is tried
            raise LinkLost(f"{session.transport.name} is silent at {session.baud} baud")
        session.counts.renewals += 1
        session.exchange.moved_at = session.transport.clock()
        for _ in range(AGAIN):
            link = self._find()
            divisor = link.divisor(self.agreed)
            if session.line.change_baud(divisor, self.agreed) and self._answers(link.trial):
                break
            self._go_back(session.transport.power_up_baud, link)
        else:
            self._find()  # and stay with it
        session.exchange.asked_at = session.transport.clock()
        session.exchange.ask()

    def _from_the_fastest(self, link: LinkParameters) -> Iterator[int]:
        """Each half the one before."""
        rate = min(link.fastest_baud, self._session.fastest or link.fastest_baud)
        while rate > link.power_up_baud * 1.5:
            yield rate
            rate = rate // 2

    def _go_back(self, slow: int, link: LinkParameters) -> None:
        """To another rate, where a board comes by itself after its trial."""
        line, transport = self._session.line, self._session.transport
        until = transport.clock() + 2 * link.trial + line.pause
        while transport.clock() < until:
            transport.read(0.05)
        line.set_baud(slow)

    def _try(self, divisor: int, baud: int) -> bool:
        session = self._session
        try:
            if not session.line.change_baud(divisor, baud, TRIES):
                return False
        except RateRefused:
            return False
        whole, session.deadline = session.deadline, min(session.deadline, PROOF)
        try:
            proofs = (session.draw.randbytes(ECHO_BYTES) for _ in range(ECHOES))
            return all(session.echo(proof) for proof in proofs)
        except (LinkLost, DeadlineExceeded):
            return False
        finally:
            session.deadline = whole

    def _find(self) -> LinkParameters:
        """The board of this session, at the rate of power-up."""
        session, silence = self._session, self._session.transport.silence
        session.line.set_baud(session.transport.power_up_baud)
        try:  # not `session.ask`: the call that waits for this has its deadline already
            session.hello = found = who_is_there(session.line, TRIES, GONE * silence)
        except NoPort:
            raise LinkLost(
                f"{session.transport.name} does not answer any more; is it still there? What the "
                "board did since the last checkpoint is lost"
            ) from None
        if found.session != session.number:
            raise LinkLost(
                f"{session.transport.name} was reset or switched off; go on from a checkpoint"
            )
        return found.description.link

    def _answers(self, seconds: float) -> bool:
        """Whether it says anything within that time."""
        line, transport = self._session.line, self._session.transport
        before, end = line.heard_at, transport.clock() + seconds
        while line.heard_at == before and transport.clock() < end:
            self._session.exchange.ask()
            until = transport.clock() + line.pause
            while line.heard_at == before and (left := until - transport.clock()) > 0:
                self._session.exchange.take(transport.read(left))
        return line.heard_at != before
