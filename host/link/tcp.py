# SPDX-License-Identifier: Apache-2.0
"""`open("tcp:HOST:PORT")`: a board that `antevolt serve` lends."""

import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from antevolt.hdl.spec import errors
from antevolt.hdl.spec.errors import LinkError, LinkLost, NoPort
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.session import Session
from antevolt.host.link.socket_messages import (
    BAUD,
    DATA,
    ERROR,
    GREETING,
    OK,
    TOKEN,
    Address,
    Messages,
    read_token,
    said,
)

__all__ = ["TOKEN_FILE", "TcpLine", "open_tcp"]

TOKEN_FILE = "ANTEVOLT_TOKEN_FILE"
"""The environment variable that names the file with the token."""
CONNECT_SECONDS = 10.0


class TcpLine:
    """A transport (`transport.py`) over `antevolt serve`.

    Raises NoPort when nobody listens or the token is wrong, PortTaken when the board has an owner,
    and what the server's port raises.
    """

    power_up_baud = 115_200
    latency = 0.05
    silence = 2.0

    def __init__(self, address: Address, token: bytes = b""):
        self.name = f"tcp:{address.text}"
        self._messages, self._came, self._greeted = Messages(), bytearray(), False
        self._socket = socket.socket(address.family, socket.SOCK_STREAM)
        self._socket.settimeout(CONNECT_SECONDS)
        try:
            self._socket.connect(address.place)
            if address.path is None:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(said(TOKEN, GREETING + token))
            end = time.monotonic() + CONNECT_SECONDS
            while not self._greeted:
                if time.monotonic() > end:
                    raise NoPort(f"{self.name} does not greet; is it antevolt serve?")
                self._receive(0.1)
        except OSError as error:
            self.close()
            if isinstance(error, LinkError):
                raise
            raise NoPort(f"cannot reach {self.name}: {error}; does antevolt serve run?") from error

    def clock(self) -> float:
        return time.monotonic()

    def write(self, data: bytes) -> None:
        with self._watched():
            self._socket.sendall(said(DATA, data))

    def waiting(self) -> int:
        return 0  # of what waits at the server nothing is known

    def read(self, seconds: float) -> bytes:
        if not self._came:
            self._receive(seconds)
        data = bytes(self._came)
        self._came.clear()
        return data

    def set_baud(self, baud: int) -> None:
        with self._watched():
            self._socket.sendall(said(BAUD, baud.to_bytes(4, "little")))

    def close(self) -> None:
        self._socket.close()

    def _receive(self, seconds: float) -> None:
        with self._watched():
            if not select.select([self._socket], [], [], seconds)[0]:
                return
            data = self._socket.recv(1 << 16)
        if not data:
            raise LinkLost(f"{self.name} has closed the connection")
        for kind, payload in self._messages.feed(data):
            if kind == ERROR:
                raise _told(payload.decode(errors="replace"), self.name)
            self._greeted |= kind == OK
            if kind == DATA:
                self._came += payload

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            raise LinkLost(f"the connection to {self.name} is gone: {error}") from error


def open_tcp(address: str, machine: Machine | None, deadline: float) -> LinkBackend:
    """The board behind `HOST:PORT` or `unix:PATH`, with the token of `TOKEN_FILE` if it is set."""
    where = Address(address)
    file = os.environ.get(TOKEN_FILE)
    session = Session(TcpLine(where, read_token(Path(file)) if file else b""), deadline)
    try:
        session.connect()
        return LinkBackend(session, machine, beats=True)
    except BaseException:
        session.close()
        raise


def _told(text: str, name: str) -> LinkError:
    """The error that a server told."""
    kind, _, rest = text.partition(" ")
    known = getattr(errors, kind, LinkError) if kind in errors.__all__ else LinkError
    if not issubclass(known, LinkError):
        known = LinkError
    return known(f"{name}: {rest}")
