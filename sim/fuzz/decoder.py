# SPDX-License-Identifier: Apache-2.0
"""The host's decoder of the serial link, and what reads the payloads of frames."""

from random import Random
from zlib import crc32

from cobs import cobs

from antevolt.hdl.spec.link import (
    CRC_BYTES,
    HEADER_BYTES,
    PAYLOAD_BYTES,
    TABLE,
    Kind,
    LinkParameters,
    describe,
    parse_description,
)
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS
from antevolt.host.link import codec
from antevolt.host.link.codec import LONGEST, Decoder, Message
from antevolt.sim.fuzz.campaign import Wrong
from antevolt.sim.fuzz.mutate import changed_bytes

__all__ = ["DecoderTarget", "NoFrame", "framed", "frames"]

POOL = 2000
WORD = 18
TAIL = 6  # of HELLO, behind the description
BOARD = tuple(frame for frame in TABLE if frame.sender == "board")
KINDS = frozenset(frame.kind for frame in BOARD)


class NoFrame(Exception):
    """Bytes of which some are no frame."""


class DecoderTarget:
    """Frames of a board, changed before or after their CRC was made, to one decoder.

    Of an input that was changed after, whatever is taken must be a frame that was there before.
    """

    name, block, refusals = "decoder", 1000, (NoFrame,)

    def __init__(self) -> None:
        self._bodies = frames(Random("frames"), POOL)
        self._frames = [framed(body) for body in self._bodies]
        self._known = set(self._bodies)
        self._own: set[bytes] = set()
        self._decoder = Decoder()

    def begin(self) -> None:
        self._decoder, self._own = Decoder(), set()

    def draw(self, draw: Random) -> bytes:
        kind, at = draw.random(), int(draw.random() * POOL)
        if kind < 0.2:
            body = changed_bytes(draw, self._bodies[at], self._bodies)
            self._own.add(body)
            return framed(body) if body else b"\0"
        if kind < 0.25:
            return draw.randbytes(int(draw.random() * 2 * LONGEST))
        if kind < 0.3:
            return self._frames[at]
        return changed_bytes(draw, self._frames[at], self._frames)

    def feed(self, item: bytes) -> None:
        taken, bad = 0, 0
        for message in self._decoder.feed(item):
            if message is None:
                bad += 1
                continue
            taken += 1
            self._check(message)
        if self._decoder.held > LONGEST:
            raise Wrong(f"the decoder holds {self._decoder.held} bytes")
        if not taken or bad:
            raise NoFrame

    def _check(self, message: Message) -> None:
        kind, sequence, payload = message
        body = bytes((kind,)) + sequence.to_bytes(2, "little") + payload
        if body not in self._known and body not in self._own:
            raise Wrong(f"{body.hex()} came out and never went in")
        if len(payload) > PAYLOAD_BYTES or kind not in KINDS:
            raise Wrong(f"{body.hex()} is no frame of a board")
        if kind is Kind.OUT:
            words = codec.outputs(payload, WORD)
            if words.size * WORD > 8 * len(payload):
                raise Wrong("more words than bits")
        elif kind is Kind.ANSWER:
            codec.unpack(payload, DATA_BITS)
        elif kind is Kind.HELLO:
            try:
                parse_description(payload[:-TAIL])
            except ValueError:
                raise NoFrame from None


def frames(draw: Random, count: int) -> list[bytes]:
    """Kind, sequence and payload of frames that a board could send, all kinds alike often."""
    hello = describe(Machine(), LinkParameters()) + bytes(TAIL)
    found = []
    for number in range(count):
        frame = BOARD[number % len(BOARD)]
        size = draw.choice((0, 1, 8, 40, PAYLOAD_BYTES)) if frame.packed else frame.head
        payload = hello if frame.kind is Kind.HELLO else draw.randbytes(size)
        found.append(bytes((frame.kind,)) + draw.randbytes(HEADER_BYTES - 1) + payload)
    return found


def framed(body: bytes) -> bytes:
    """As it is on the line, with a CRC that is right."""
    encoded: bytes = cobs.encode(body + crc32(body).to_bytes(CRC_BYTES, "little"))
    return encoded + b"\0"
