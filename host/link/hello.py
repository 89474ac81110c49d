# SPDX-License-Identifier: Apache-2.0
"""What a board says of itself when it is asked."""

from dataclasses import dataclass

from antevolt.hdl.spec.errors import NoPort
from antevolt.hdl.spec.link import VERSION, Description, Kind, parse_description
from antevolt.host.link.codec import encode
from antevolt.host.link.line import Line
from antevolt.host.link.window import WHOLE

__all__ = ["Hello", "hello_of", "who_is_there"]


@dataclass(frozen=True)
class Hello:
    """What a board said of itself.

    fingerprint  of the loaded program, 0 when it is not known
    session      of the last reset, 0 after power-up
    """

    description: Description
    fingerprint: int
    session: int


def hello_of(payload: bytes) -> Hello:
    """The payload of a HELLO; raises NoPort for one of another version, or of something else."""
    text, rest = payload[:-6], payload[-6:]
    try:
        description = parse_description(text)
    except ValueError as error:
        raise NoPort(f"there is something else than this version's board: {error}") from error
    fingerprint, session = int.from_bytes(rest[:4], "little"), int.from_bytes(rest[4:], "little")
    return Hello(description, fingerprint, session)


def who_is_there(line: Line, tries: int, seconds: float = 0.0) -> Hello:
    """Asks at the line's rate; raises NoPort when nobody answers, DeadlineExceeded.

    seconds  ask for so long at least, as often as an answer could have come
    """
    transport = line.transport
    nonce, end = line.draw.randrange(WHOLE), transport.clock() + seconds
    frame, number = encode(Kind.HELLO, nonce, bytes((VERSION,))), 0
    while number < tries or transport.clock() < end:
        patience = 1 if seconds else 1 + number
        number += 1
        reply = line.ask(b"\0" + frame, Kind.HELLO, nonce, patience)
        if reply is not None:
            return hello_of(reply.payload)
    raise NoPort(
        f"no board answers on {transport.name}; is it switched on and programmed, and is this its "
        "port? (`antevolt devices` asks all ports)"
    )
