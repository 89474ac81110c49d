# SPDX-License-Identifier: Apache-2.0
"""Random traffic to a board whose core doubles its inputs (`echo_core.py`), so that all is known.

Either calls of the backend, one after the other, or a flight: frames of all kinds are sent as soon
as there is room for them, and what comes back is looked at when it comes.
"""

from collections import deque
from random import Random

import numpy as np

from antevolt.hdl.spec.flags import TARGETED, Flag
from antevolt.hdl.spec.link import PAYLOAD_BYTES, Kind
from antevolt.hdl.spec.memory_map import DATA_BITS, Region
from antevolt.host.link import codec
from antevolt.host.link.backend import LinkBackend
from antevolt.sim.rtl.echo_core import DEPTH, WORD

__all__ = ["Traffic", "Wrong"]

VALID = int(Flag.VALID)
HELD = TARGETED | int(Flag.TARGET_HELD)
REGION = Region.COEFFICIENTS
LONGEST_WRITE = 20  # words
LONGEST_RUN = (PAYLOAD_BYTES - 1) * 8 // WORD  # words of a frame
MASK = (1 << WORD) - 1


class Wrong(Exception):
    """Something came back that nobody sent, and no error with it."""


class Traffic:
    """Drawn from a seed; for one session."""

    def __init__(self, seed: str):
        self.draw = Random(seed)
        self.rng = np.random.default_rng(self.draw.getrandbits(64))
        self.memory: dict[int, int] = {}
        self._target: int | None = None  # the last one that went to the core
        self._echoes = bytearray()  # these are to come, in order
        self._answers: deque[int] = deque()
        self._outputs: deque[int] = deque()
        self.words = 0
        """Words and bytes that came back and were right."""

    def call(self, board: LinkBackend) -> None:
        """One call of the backend; raises Wrong."""
        if not self.draw.choice((self._echo, self._write, self._read, self._run))(board):
            raise Wrong("something came back wrong")

    def put(self, board: LinkBackend, longest: int) -> None:
        """Send one frame, or two that belong together; raises Wrong about what came meanwhile.

        longest  bytes of an echo, words of a write or a run, at most; the core's inputs have room
        """
        many = 1 + int(self.draw.random() * longest)
        (self._put_echo, self._put_write, self._put_read, self._put_run)[self.draw.randrange(4)](
            board, many
        )
        self._look(board)

    def settle(self, board: LinkBackend) -> None:
        """Until everything has come and is acknowledged; raises Wrong."""
        session = board.session
        self._look(board)
        while self._echoes or self._answers or self._outputs:
            session.wait(lambda: bool(session.inbox), "answer")
            self._look(board)
        session.flush()
        self._look(board)

    def _look(self, board: LinkBackend) -> None:
        """What has come, against what was to come."""
        inbox = board.session.inbox
        while inbox:
            kind, _, payload = inbox.popleft()
            if kind is Kind.ECHOED:
                right = self._echoes.startswith(payload)
                del self._echoes[: len(payload)]
                self.words += len(payload)
                if not right:
                    raise Wrong("an echo came back wrong")
            elif kind is Kind.ANSWER:
                self._compare(codec.unpack(payload, DATA_BITS).tolist(), self._answers, "answer")
            else:
                self._compare(codec.outputs(payload, WORD).tolist(), self._outputs, "output")

    def _compare(self, words: list[int], expected: deque[int], what: str) -> None:
        self.words += len(words)
        for word in words:
            if not expected or word != expected.popleft():
                raise Wrong(f"an {what} came back wrong")

    def _put_echo(self, board: LinkBackend, many: int) -> None:
        data = self.draw.randbytes(many)
        self._echoes += data
        board.session.send(Kind.ECHO, data)

    def _put_write(self, board: LinkBackend, many: int) -> None:
        many = min(many, LONGEST_WRITE)
        index = self.draw.randrange(DEPTH - many)
        words = np.array([self.draw.getrandbits(DATA_BITS) for _ in range(many)])
        self.memory.update(enumerate(words.tolist(), index))
        board.session.send(Kind.WRITE, _place(index) + codec.pack(words, DATA_BITS))

    def _put_read(self, board: LinkBackend, many: int) -> None:
        if not self.memory:
            return
        index = self.draw.choice(list(self.memory))
        count = next(k for k in range(1, DEPTH + 1) if index + k not in self.memory)
        count = min(count, many)
        self._answers.extend(self.memory[index + k] for k in range(count))
        board.session.send(Kind.READ, _place(index) + count.to_bytes(2, "little"))

    def _put_run(self, board: LinkBackend, many: int) -> None:
        session = board.session
        many = min(many, LONGEST_RUN, session.hello.description.link.x_words)
        x = self.rng.integers(-40, 40, many)
        flags = TARGETED if self.draw.random() < 0.3 else VALID
        y = self.rng.integers(-900, 900, many) * (flags == TARGETED)
        if flags == TARGETED and self._target is not None and self.draw.random() < 0.4:
            flags, y = HELD, np.full(many, self._target)
        self._outputs.extend(((2 * x + y) & MASK | (flags & TARGETED) << WORD).tolist())
        session.send(Kind.X, bytes((flags,)) + codec.pack(x & MASK, WORD))
        if flags == TARGETED:
            session.send(Kind.Y, codec.pack(y & MASK, WORD))
            self._target = int(y[-1])
            board.targets.forget()  # they went past it

    def _echo(self, board: LinkBackend) -> bool:
        return board.session.echo(self.draw.randbytes(self.draw.randint(1, 240)))

    def _write(self, board: LinkBackend) -> bool:
        count = self.draw.randint(1, LONGEST_WRITE)
        index = self.draw.randrange(DEPTH - LONGEST_WRITE)
        words = [self.draw.getrandbits(DATA_BITS) for _ in range(count)]
        board.write(REGION, 0, index, words)
        self.memory.update(zip(range(index, index + count), words, strict=True))
        return True

    def _read(self, board: LinkBackend) -> bool:
        if not self.memory:
            return True
        index = self.draw.choice(list(self.memory))
        found = int(board.read(REGION, 0, index, 1)[0])
        self.words += 1
        return found == self.memory[index]

    def _run(self, board: LinkBackend) -> bool:
        steps = self.draw.randint(1, 200)
        x = self.rng.integers(0, 90, steps)
        flags = np.where(self.rng.random(steps) < 0.3, TARGETED, VALID)
        if self.draw.random() < 0.5:
            flags[:] = VALID
        count = np.count_nonzero(flags == TARGETED)
        y = self.rng.integers(0, 1000, count)
        if self._target is not None:  # half of them last, also from the call before
            y = np.concatenate([[max(self._target, 0)], y])
            y = y[np.maximum.accumulate(np.arange(count + 1) * (self.rng.random(count + 1) < 0.5))]
            y = y[1:]
        if count:
            self._target = int(y[-1])
        out = board.run(x | flags << WORD, y, steps, 1)
        expected = 2 * x
        expected[flags == TARGETED] += y
        self.words += steps
        return np.array_equal(out, expected | flags << WORD)


def _place(index: int) -> bytes:
    return bytes((REGION, 0)) + index.to_bytes(2, "little")
