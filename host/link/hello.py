# SPDX-License-Identifier: Apache-2.0
"""What a board says of itself when it is asked."""

from dataclasses import dataclass

from antevolt.hdl.spec.errors import NoPort
from antevolt.hdl.spec.link import Description, parse_description

__all__ = ["Hello", "hello_of"]


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
