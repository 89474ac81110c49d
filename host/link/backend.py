# SPDX-License-Identifier: Apache-2.0
"""A board as a device: the backend protocol (`antevolt.host.backend`) over a session."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import AntevoltError, BadInput, Closed, LinkError
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.link import (
    LINK_REGION,
    LINK_WORDS,
    PAYLOAD_BYTES,
    Code,
    Kind,
    LinkRegister,
)
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, Region
from antevolt.host.link import codec
from antevolt.host.link.heartbeat import Heartbeat
from antevolt.host.link.session import Session
from antevolt.host.link.steps import step_frames
from antevolt.host.targets import Targets

__all__ = ["LinkBackend"]

PLACE_BYTES = 4
READ_WORDS = 512  # asked for at a time


class LinkBackend:
    """The core of a board.

    session  connected
    machine  None: whatever the board is; else it must be this one
    beats    ask the board while nobody else does, in a thread (`heartbeat.py`)
    """

    def __init__(self, session: Session, machine: Machine | None = None, beats: bool = False):
        self._session: Session | None = session
        self.machine = session.hello.description.machine
        self._well = True  # no call has failed: the two ends' counts must agree at the end
        self.targets, self._number = Targets(self.machine), session.number
        self._outputs: list[Raw] = []
        self._answers: list[Raw] = []
        if machine is not None and machine != self.machine:
            session.close()
            raise BadInput(
                f"the board's core is {self.machine.to_json()}, not {machine.to_json()}; leave "
                "out `machine`, or program the board anew"
            )
        self._heart = Heartbeat(session) if beats else None
        if self._heart is not None:
            weakref.finalize(self, self._heart.stop, wait=False)  # nobody closed it

    @property
    def session(self) -> Session:
        if self._session is None:
            raise Closed("the board is closed; open it again")
        return self._session

    def write(self, region: Region, unit: int, index: int, data: ArrayLike) -> None:
        words = np.atleast_1d(np.asarray(data)).astype(np.int64).ravel()
        with self._watched():
            self._write(int(region), unit, index, words)
        self.targets.wrote(region)

    def read(self, region: Region, unit: int, index: int, count: int) -> Raw:
        with self._watched():
            return self._read(int(region), unit, index, count)

    def run(
        self,
        x_words: ArrayLike,
        y_words: ArrayLike,
        steps: int,
        outputs: int,
        words: int | None = None,
    ) -> Raw:
        session = self.session
        if self._number != session.number:  # a reset may have ended a step amid a target
            self.targets.forget()
            self._number = session.number
        x, y = self.targets.hold(x_words, y_words, steps)
        x = x.reshape(steps, self.machine.total_streams, -1)
        places = session.hello.description.link.x_words
        with self._watched():
            for kind, payload in step_frames(x, y, self.machine.formats.word, places):
                session.send(kind, payload)
                self._sort()
            wanted = steps * outputs if words is None else words
            found = self._await(self._outputs, wanted, "outputs")
            session.flush()
        return found

    def counters(self) -> dict[str, int]:
        """What the board counted since its reset: frames accepted, dropped by code, repeated."""
        with self._watched():
            words = self._read(LINK_REGION, 0, 0, LINK_WORDS).tolist()
        names = {int(code): code.name for code in Code}
        names |= {int(LinkRegister.ACCEPTED): "ACCEPTED"}
        names |= {int(LinkRegister.DUPLICATES): "DUPLICATES"}
        return {name: int(words[number]) for number, name in names.items()}

    def set_fingerprint(self, fingerprint: int) -> None:
        """Tell the board which program it has, for the next HELLO."""
        with self._watched():
            self._write(LINK_REGION, 0, LinkRegister.FINGERPRINT, np.array([fingerprint]))

    def disagreement(self) -> str:
        """How the two ends' counts of frames to the board disagree; "" if they do not."""
        counted, counts = self.counters(), self.session.counts
        self.session.flush()  # an answer may come though the acknowledgement beside it was lost
        if counted["ACCEPTED"] == counts.sent & 0xFFFF and counts.accepted == counts.sent:
            return ""
        return (
            f"{counts.sent} frames were sent, {counts.accepted} acknowledged, the board "
            f"accepted {counted['ACCEPTED']} (modulo 65536)"
        )

    def check_counts(self) -> None:
        """Every frame once: raises LinkError when the two ends' counts disagree."""
        with self._watched():
            if problem := self.disagreement():
                raise LinkError(problem)

    def close(self) -> None:
        """Let go of the board. Raises LinkError when a frame was lost without a word."""
        if self._session is None:
            return
        if self._heart is not None:
            self._heart.stop()
        try:
            if self._well:
                self.check_counts()
        finally:
            self._session.close()
            self._session = None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._well = False
            self.targets.forget()
            raise

    def _write(self, region: int, unit: int, index: int, words: Raw) -> None:
        per_frame = (PAYLOAD_BYTES - PLACE_BYTES) * 8 // DATA_BITS
        for start in range(0, words.size, per_frame):
            part = words[start : start + per_frame]
            place = bytes((region, unit)) + (index + start).to_bytes(2, "little")
            self.session.send(Kind.WRITE, place + codec.pack(part, DATA_BITS))
        self._sort()

    def _read(self, region: int, unit: int, index: int, count: int) -> Raw:
        parts = [np.zeros(0, dtype=np.int64)]
        for start in range(0, count, READ_WORDS):
            size = min(READ_WORDS, count - start)
            place = bytes((region, unit)) + (index + start).to_bytes(2, "little")
            self.session.send(Kind.READ, place + size.to_bytes(2, "little"))
            parts.append(self._await(self._answers, size, "answer"))
            if self._outputs:
                raise AntevoltError("the core gave more outputs than its program asks for")
        return np.concatenate(parts)

    def _sort(self) -> None:
        """What came, by kind."""
        inbox = self.session.inbox
        while inbox:
            message = inbox.popleft()
            if message.kind is Kind.OUT:
                self._outputs.append(codec.outputs(message.payload, self.machine.formats.word))
            elif message.kind is Kind.ANSWER:
                self._answers.append(codec.unpack(message.payload, DATA_BITS))

    def _await(self, parts: list[Raw], count: int, what: str) -> Raw:
        """So many words; the device is of no further use when it does not come."""
        inbox: Any = self.session.inbox
        self._sort()
        while sum(part.size for part in parts) < count:
            self.session.wait(lambda: bool(inbox), what)
            self._sort()
        words = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
        parts.clear()
        if words.size > count:
            raise AntevoltError(f"{words.size} words came, {count} were asked for ({what})")
        return words
