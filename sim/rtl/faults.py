# SPDX-License-Identifier: Apache-2.0
"""A line that errs: faults of every kind on the bytes between host and board, both ways."""

from collections import Counter
from random import Random

from antevolt.host.link.transport import Transport

__all__ = ["KINDS", "FaultyLine"]

KINDS = (
    "flip",  # one bit
    "drop",  # a byte
    "insert",  # a byte
    "burst",  # 2 to 64 bytes become others
    "duplicate",  # 2 to 64 bytes come twice
    "reorder",  # 2 to 64 bytes change places with those after them
    "truncate",  # all up to the next delimiter
    "delimiter",  # a zero more, or one less
    "stuck",  # 64 to 512 bytes become all zeros or all ones
)
LONGEST = 512
AWAY = 0.004  # seconds


class FaultyLine:
    """A transport around a simulated line.

    mean    bytes from one fault to the next, in each direction; 0: none
    only    kinds to draw from
    injected  how many, by direction and kind
    slow    share of the reads before which the host is away for some milliseconds
    """

    def __init__(
        self,
        line: Transport,
        mean: float,
        seed: int | str,
        only: tuple[str, ...] = KINDS,
        slow: float = 0.02,
    ):
        self.line, self.mean, self.only, self.slow = line, mean, only, slow
        self.name = f"{line.name} with faults"
        self.power_up_baud = line.power_up_baud
        self.latency, self.silence = line.latency, line.silence
        self.injected: Counter[str] = Counter()
        self.pauses = 0
        self._draw = Random(seed)
        self._left = {"to board": self._next(), "from board": self._next()}
        self._held = bytearray()  # came while the host was away

    def begin(self, mean: float) -> None:
        """Faults from now on, `mean` bytes from one to the next."""
        self.mean = mean
        self._left = {way: self._next() for way in self._left}

    def clock(self) -> float:
        return self.line.clock()

    def set_baud(self, baud: int) -> None:
        self.line.set_baud(baud)

    def waiting(self) -> int:
        return self.line.waiting()

    def close(self) -> None:
        self.line.close()

    def write(self, data: bytes) -> None:
        self.line.write(self._spoil(data, "to board"))

    def read(self, seconds: float) -> bytes:
        if self.mean and self._draw.random() < self.slow:
            self.pauses += 1
            self._held += self.line.read(self._draw.random() * AWAY)
        data = bytes(self._held) or self.line.read(seconds)
        self._held.clear()
        return self._spoil(data, "from board")

    def _next(self) -> int:
        return 1 + int(self._draw.expovariate(1 / self.mean)) if self.mean else 1 << 62

    def _spoil(self, data: bytes, way: str) -> bytes:
        out = bytearray()
        while len(data) >= self._left[way]:
            place = self._left[way] - 1
            out += data[:place]
            kind = self._draw.choice(self.only)
            spoilt, used = self._one(kind, data[place:])
            out += spoilt
            data = data[place + used :]
            self.injected[f"{way}: {kind}"] += 1
            self._left[way] = self._next()
        self._left[way] -= len(data)
        return bytes(out + data)

    def _one(self, kind: str, data: bytes) -> tuple[bytes, int]:
        """What becomes of the first bytes of `data`, and how many those are."""
        draw = self._draw
        many = draw.randint(2, 64)
        part = data[:many]
        if kind == "flip":
            return bytes((data[0] ^ 1 << draw.randrange(8),)), 1
        if kind == "drop":
            return b"", 1
        if kind == "insert":
            return bytes((draw.randrange(256),)), 0
        if kind == "burst":
            return draw.randbytes(len(part)), len(part)
        if kind == "duplicate":
            return part + part, len(part)
        if kind == "reorder":
            after = data[many : 2 * many]
            return after + part, len(part) + len(after)
        if kind == "truncate":
            end = data.find(b"\0")
            return b"", len(data) if end < 0 else end
        if kind == "delimiter":
            return (bytes((draw.randrange(1, 256),)), 1) if data[0] == 0 else (b"\0", 1)
        level = draw.choice((b"\0", b"\xff"))
        count = min(len(data), draw.randint(64, LONGEST))
        return level * count, count
