# SPDX-License-Identifier: Apache-2.0
"""The frames to a board that are under way, and the room in its receive buffer.

A frame is under way until the board has acknowledged it, and takes room until the board has used it
up; of both the board tells the host now and then, in numbers that begin anew at 2^16.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from antevolt.hdl.spec.link import ENTRY_BYTES, Kind
from antevolt.host.link.codec import encode

__all__ = ["WHOLE", "Frame", "Window"]

WHOLE = 1 << 16


@dataclass
class Frame:
    """A frame under way.

    number, kind, data  its own; its bytes on the line
    first, last   places of its first and its last copy among all frames that went to the board
    again, times  when it was last sent again, and how often it was
    kept          the board keeps it until those before it have come
    """

    number: int
    kind: Kind
    data: bytes
    first: int = 0
    last: int = 0
    again: float = -1e9
    times: int = 0
    kept: bool = False


class Window:
    """Empty; the next frame is number 0.

    next     sequence number of the next frame
    place    of the last copy of a frame that went to the board
    in_use   bytes of the board's buffer; fullest: the most of them since `take_fullest`
    """

    def __init__(self) -> None:
        self.next = 0
        self._frames: deque[Frame] = deque()
        self._used = self._consumed = 0  # bytes of the board's buffer: ever taken, ever freed
        self._fullest = 0
        self.place = 0

    def __len__(self) -> int:
        """Frames under way."""
        return len(self._frames)

    def __iter__(self) -> Iterator[bytes]:
        """Frames under way, the first that was sent first."""
        return (frame.data for frame in self._frames)

    @property
    def first(self) -> int:
        """Number of the first frame under way, or of the next one."""
        return self._frames[0].number if self._frames else self.next

    def frames(self) -> list[Frame]:
        """Those under way, the first that was sent first, which the board cannot keep: it is the
        next one, and has not come."""
        if self._frames:
            self._frames[0].kept = False
        return list(self._frames)

    @property
    def in_use(self) -> int:
        return self._used - self._consumed

    @property
    def bytes_under_way(self) -> int:
        return sum(map(len, self))

    def start(self, number: int) -> None:
        """After a reset: all is gone, and the next frame is this one."""
        self.next = number
        self._frames.clear()
        self._used = self._consumed = 0

    def fits(self, payload: bytes, limit: int) -> bool:
        """Whether there is room for it in a buffer of `limit` bytes."""
        return self.in_use + len(payload) + ENTRY_BYTES <= limit

    def put(self, kind: Kind, payload: bytes) -> bytes:
        """The bytes of the next frame, which is under way from now on."""
        data = encode(kind, self.next, payload)
        self.place += 1
        self._frames.append(Frame(self.next, kind, data, self.place, self.place))
        self.next = (self.next + 1) % WHOLE
        self._used += len(payload) + ENTRY_BYTES
        self._fullest = max(self._fullest, self.in_use)
        return data

    def again(self, frame: Frame, now: float) -> None:
        """It is sent again."""
        self.place += 1
        frame.last, frame.again, frame.times = self.place, now, frame.times + 1

    def acknowledge(self, expected: int) -> int:
        """All frames before `expected` have arrived: how many were under way; 0 for old news."""
        count = (expected - self.first) % WHOLE
        if count > len(self):
            return 0
        for _ in range(count):
            self._frames.popleft()
        return count

    def free(self, consumed: int) -> None:
        """The board has used up so many bytes ever, modulo 2^16; what cannot be is old news."""
        freed = (consumed - self._consumed) % WHOLE
        if freed <= self.in_use:
            self._consumed += freed

    def take_fullest(self) -> int:
        """The most bytes in use at once since the last call."""
        fullest, self._fullest = self._fullest, self.in_use
        return fullest
