# SPDX-License-Identifier: Apache-2.0
"""`antevolt serve`: lend a board on this machine's serial port to one program at a time."""

import hmac
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

from antevolt.hdl.spec.errors import BadInput, LinkError
from antevolt.host.link.serial_port import SerialPort
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
from antevolt.host.link.transport import RateRefused, Transport

__all__ = ["Bridge", "command"]

GREETING_SECONDS = 5.0  # that a new owner may take to say its token
REFUSAL_SECONDS = 0.5  # before a wrong token is answered, so that guessing is slow
FAREWELL_SECONDS = 1.0  # that who comes may wait for who leaves
QUEUE = 1 << 16  # bytes that may wait in one direction; beyond it that side is not read
STALL_SECONDS = 60.0  # that an owner may leave so many bytes waiting
TURN = 0.005  # seconds
FASTEST = 50_000_000


class Bridge:
    """Moves bytes between one owner and a line that is opened when an owner comes.

    open_line  opens it; its LinkError is told to the owner
    token      None: whoever reaches the address may use the board

    Raises BadInput for an address that cannot be had, or that others reach without a token.
    """

    def __init__(self, open_line: Callable[[], Transport], address: Address, token: bytes | None):
        if not address.is_local and token is None:
            raise BadInput(f"others can reach {address.text}: it needs a token file")
        self._open_line, self._token, self._address = open_line, token, address
        self._listener = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            if address.path is None:
                self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            before = os.umask(0o177)  # a socket in the file system is its owner's alone
            try:
                self._listener.bind(address.place)
            finally:
                os.umask(before)
            self._listener.listen(4)
            self._listener.setblocking(False)  # who was there may be gone when it is let in
        except OSError as error:
            self._listener.close()
            raise BadInput(f"cannot listen on {address.text}: {error}") from error
        self._owner: socket.socket | None = None
        self._line: Transport | None = None
        self._messages, self._greeted, self._since = Messages(), False, 0.0
        self._to_owner, self._roomy = bytearray(), 0.0  # and when there last was room in it
        self._asked: float | None = None  # since when somebody waits to be let in

    @property
    def port(self) -> int:
        """The one that was taken, where port 0 was asked for."""
        return int(self._listener.getsockname()[1]) if self._address.path is None else 0

    def serve(self, until: Callable[[], bool]) -> None:
        """Until that is true."""
        while not until():
            try:
                self._turn()
            except (LinkError, OSError) as error:
                self._say_error(error)
                self._leave()

    def close(self) -> None:
        self._leave()
        self._listener.close()
        if self._address.path is not None:
            with suppress(OSError):
                os.unlink(self._address.path)

    def _turn(self) -> None:
        """Who comes, and what has come from either side; waits for a short while."""
        owner = [] if self._owner is None else [self._owner]
        reads_owner = self._line is None or self._line.waiting() < QUEUE
        reads_line = self._line is not None and len(self._to_owner) < QUEUE
        sockets = [self._listener, *(owner if reads_owner else [])]
        writes = owner if self._to_owner else []
        ready, free, _ = select.select(sockets, writes, [], 0 if reads_line else 0.05)
        if self._listener not in ready:
            self._asked = None
        elif not self._may_have_left(ready):
            self._accept()
        self._move(self._owner is not None and self._owner in ready, bool(free))

    def _may_have_left(self, ready: list[socket.socket]) -> bool:
        """Whether the owner has sent something, its farewell perhaps, that is to be read before
        somebody else is turned away; for a short while only."""
        now = time.monotonic()
        self._asked = now if self._asked is None else self._asked
        return self._owner in ready and now - self._asked < FAREWELL_SECONDS

    def _accept(self) -> None:
        self._asked = None
        try:
            new, _ = self._listener.accept()
        except OSError:  # who came has left, or this process has no file left for them
            time.sleep(TURN)
            return
        new.setblocking(False)
        if self._owner is not None:
            with suppress(OSError):
                new.send(said(ERROR, b"PortTaken another program uses this board"))
            new.close()
            return
        self._owner, self._since = new, time.monotonic()
        self._messages, self._greeted = Messages(), False

    def _move(self, owner_has: bool, owner_takes: bool) -> None:
        owner, now = self._owner, time.monotonic()
        if owner is None:
            return
        if owner_has:
            data = owner.recv(1 << 14)
            if not data:
                self._leave()
                return
            for kind, payload in self._messages.feed(data):
                self._take(kind, payload)
        if len(self._to_owner) >= QUEUE:
            if now - self._roomy > STALL_SECONDS:
                raise LinkError("nobody reads what the board says")
        else:
            self._roomy = now
            came = b"" if self._line is None else self._line.read(TURN)
            self._to_owner += said(DATA, came) if came else b""
        if self._to_owner and owner_takes:
            del self._to_owner[: owner.send(self._to_owner)]
        if not self._greeted and now - self._since > GREETING_SECONDS:
            raise LinkError("no token came")

    def _take(self, kind: bytes, payload: bytes) -> None:
        if not self._greeted:
            self._greet(kind, payload)
        elif self._line is not None and kind == DATA:
            self._line.write(payload)
        elif self._line is not None and kind == BAUD and len(payload) == 4:
            baud = int.from_bytes(payload, "little")
            if not 0 < baud <= FASTEST:
                raise LinkError(f"{baud} is no rate")
            with suppress(RateRefused):  # the owner notices: its echoes do not come back
                self._line.set_baud(baud)
        else:
            raise LinkError("this message has no place here")

    def _greet(self, kind: bytes, payload: bytes) -> None:
        if kind != TOKEN or not payload.startswith(GREETING):
            raise LinkError("this is antevolt serve of another version, or of something else")
        token = payload.removeprefix(GREETING)
        if self._token is not None and not hmac.compare_digest(token, self._token):
            time.sleep(REFUSAL_SECONDS)
            raise LinkError("the token is wrong")
        self._line = self._open_line()
        self._greeted = True
        self._to_owner += said(OK)

    def _say_error(self, error: Exception) -> None:
        if self._owner is not None:
            text = f"{type(error).__name__} {error}".encode()[:1000]
            with suppress(OSError):
                self._owner.send(bytes(self._to_owner) + said(ERROR, text))

    def _leave(self) -> None:
        """The owner goes, and with it the line."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None
        if self._line is not None:
            self._line.close()
            self._line = None
        self._to_owner.clear()


@click.command("serve")
@click.argument("port")
@click.option("--listen", default="127.0.0.1:7477", show_default=True, help="Or unix:PATH.")
@click.option("--token-file", type=click.Path(path_type=Path), help="What an owner must know.")
def command(port: str, listen: str, token_file: Path | None) -> None:
    """Lend the board on the serial PORT of this machine to one program at a time, which opens it as
    tcp:HOST:PORT or tcp:unix:PATH.

    Only this machine can reach it, unless --listen says otherwise; then a token file is needed.
    """
    address = Address(listen)
    token = None if token_file is None else read_token(token_file)
    bridge = Bridge(lambda: SerialPort(port), address, token)
    if not address.is_local:
        click.echo(
            "antevolt: the line is not encrypted: who can see this network's traffic sees all "
            "data and the token. Listen on 127.0.0.1 and use ssh -L instead",
            err=True,
        )
    click.echo(f"tcp:{listen}")
    try:
        with Console(stderr=True).status(f"{port} on {listen}; Ctrl-C ends it"):
            bridge.serve(lambda: False)
    except KeyboardInterrupt:
        pass
    finally:
        bridge.close()
