# SPDX-License-Identifier: Apache-2.0
"""Messages between `antevolt serve` and who uses its board: kind, length (2 bytes), payload.

The user begins with TOKEN (`GREETING` and the token, which may be empty), the server answers OK or
ERROR. Then DATA carries bytes of the line both ways, BAUD (4 bytes) sets its rate if its port can
go at that, and ERROR (the name of an error, a space, its text) is the last thing a server says.
Numbers are little endian.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

from antevolt.hdl.spec.errors import BadInput, LinkError

__all__ = [
    "BAUD",
    "DATA",
    "ERROR",
    "GREETING",
    "LONGEST",
    "OK",
    "TOKEN",
    "Address",
    "Messages",
    "read_token",
    "said",
]

TOKEN, OK, DATA, BAUD, ERROR = b"T", b"O", b"D", b"B", b"E"
GREETING = b"antevolt 1 "
LONGEST = 4096  # bytes of a payload
LOOPBACK = ("127.0.0.1", "::1", "localhost")
TOKEN_BYTES = range(16, 257)


def said(kind: bytes, payload: bytes = b"") -> bytes:
    """The bytes of one message; DATA of any length becomes several."""
    parts = [payload[k : k + LONGEST] for k in range(0, len(payload), LONGEST)] or [b""]
    return b"".join(kind + len(part).to_bytes(2, "little") + part for part in parts)


class Messages:
    """Takes messages out of a stream of bytes; raises LinkError for one that is none."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        self._held += data
        while len(self._held) >= 3:
            kind, length = bytes(self._held[:1]), int.from_bytes(self._held[1:3], "little")
            if kind not in (TOKEN, OK, DATA, BAUD, ERROR) or length > LONGEST:
                raise LinkError("the other side does not speak the language of antevolt serve")
            if len(self._held) < 3 + length:
                return
            payload = bytes(self._held[3 : 3 + length])
            del self._held[: 3 + length]
            yield kind, payload


class Address:
    """`HOST:PORT`, `[HOST]:PORT` or `unix:PATH`; raises BadInput for what is neither."""

    def __init__(self, text: str):
        self.text = text
        self.path = text.removeprefix("unix:") if text.startswith("unix:") else None
        self.host, self.port = "", 0
        if self.path is not None:
            if not self.path:
                raise BadInput("unix: lacks the path of the socket")
            return
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            raise BadInput(f"{text!r} is no address; give HOST:PORT or unix:PATH")
        self.host, self.port = host.strip("[]"), int(port)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can get there."""
        return self.path is not None or self.host in LOOPBACK

    @property
    def family(self) -> socket.AddressFamily:
        if self.path is not None:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def place(self) -> str | tuple[str, int]:
        """What `socket.bind` and `connect` take."""
        return self.path if self.path is not None else (self.host, self.port)


def read_token(path: Path) -> bytes:
    """The token in a file that only its owner may read; raises BadInput."""
    try:
        mode, token = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise BadInput(f"cannot read the token file {path}: {error}") from error
    if mode & 0o077:
        raise BadInput(f"others may read {path}; chmod 600 {path}")
    if len(token) not in TOKEN_BYTES:
        raise BadInput(
            f"the token in {path} has {len(token)} bytes; it has 16 to 256. One can be made with "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return token
