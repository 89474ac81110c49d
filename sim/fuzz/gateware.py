# SPDX-License-Identifier: Apache-2.0
"""The board's parser: noise and broken frames on the line of a simulated board."""

from random import Random

from antevolt.hdl.spec.link import PAYLOAD_BYTES, TABLE, VERSION, Kind
from antevolt.host.link.codec import Decoder, encode
from antevolt.host.link.session import Session
from antevolt.sim.fuzz.campaign import Wrong
from antevolt.sim.fuzz.decoder import NoFrame
from antevolt.sim.fuzz.mutate import changed_bytes

__all__ = ["GatewareTarget"]

POOL = 500
HOST = tuple(frame for frame in TABLE if frame.sender == "host")
LONGEST = 2000  # bytes of an input
EMPTY = 0.01  # share of the inputs that are delimiters only
REPLIES = 400  # bytes that the board may say in the meantime
SLACK = 0.002  # seconds


class GatewareTarget:
    """Bytes of which none are a frame, then a question: it must be answered, and nothing else be.

    After each block a frame in order must pass: what came before has not moved the order.
    """

    name, block, refusals = "gateware", 100, (NoFrame,)

    def __init__(self) -> None:
        from antevolt.sim.rtl.echo_top import line  # Amaranth only when it is needed

        draw = Random("host")
        self._frames = [_broken(draw, HOST[n % len(HOST)].kind) for n in range(POOL)]
        self._line, self._nonce = line(), 0
        self._session = Session(self._line, deadline=60.0)
        self._session.connect()

    def begin(self) -> None:
        if not self._session.echo(b"still there"):
            raise Wrong("an echo came back changed")

    def draw(self, draw: Random) -> bytes:
        size, parts = draw.randint(1, LONGEST), bytearray()
        if draw.random() < EMPTY:
            return bytes(size)
        while len(parts) < size:
            kind = draw.random()
            if kind < 0.4:
                parts += draw.randbytes(draw.randint(1, 400))
            elif kind < 0.5:
                parts += bytes((draw.choice((0, 1, 0x55, 0xFF)),)) * draw.randint(1, 300)
            else:
                frame = draw.choice(self._frames)
                parts += frame if kind < 0.6 else changed_bytes(draw, frame, self._frames)
        return bytes(parts[:LONGEST])

    def feed(self, item: bytes) -> None:
        self._nonce = (self._nonce + 1) % (1 << 16)
        question = encode(Kind.HELLO, self._nonce, bytes((VERSION,)))
        self._line.write(item + b"\0" + question)
        seconds = 10 * (len(item) + REPLIES) / self._line.baud + SLACK
        end, decoder, refused = self._line.clock() + seconds, Decoder(), 0
        while self._line.clock() < end:
            for message in decoder.feed(self._line.read(end - self._line.clock())):
                if message is None:
                    raise Wrong("the board sent a broken frame")
                if message.kind is Kind.HELLO and message.sequence == self._nonce:
                    if refused:
                        raise NoFrame
                    return
                if message.kind is not Kind.ERROR:
                    raise Wrong(f"noise was answered with {message.kind.name}")
                refused += 1
        raise Wrong(f"no answer within {1000 * seconds:.1f} ms of the line's time")


def _broken(draw: Random, kind: Kind) -> bytes:
    """A frame of a host with a bit of its CRC changed."""
    size = draw.choice((0, 1, 2, 6, 40, PAYLOAD_BYTES))
    frame = bytearray(encode(kind, draw.randrange(1 << 16), draw.randbytes(size)))
    frame[-2] ^= 1 << draw.randrange(8)
    return bytes(frame)
