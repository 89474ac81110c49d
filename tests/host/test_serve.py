# SPDX-License-Identifier: Apache-2.0
"""A lent board: bytes both ways, one owner, and nothing for strangers."""

import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadInput, LinkError, LinkLost, NoPort, PortTaken
from antevolt.host.cli import antevolt
from antevolt.host.device import open as open_device
from antevolt.host.link import serve
from antevolt.host.link.serve import Bridge
from antevolt.host.link.socket_messages import (
    DATA,
    GREETING,
    TOKEN,
    Address,
    Messages,
    read_token,
    said,
)
from antevolt.host.link.tcp import TcpLine
from antevolt.host.link.transport import RateRefused

SECRET = b"0123456789abcdef0123"


class Mirror:
    """A transport that gives back what is written, and notes the rest."""

    name, power_up_baud, latency, silence = "mirror", 115_200, 0.0, 2.0

    def __init__(self) -> None:
        self.held, self.bauds, self.closed = bytearray(), [], 0

    def clock(self) -> float:
        return 0.0

    def write(self, data: bytes) -> None:
        self.held += data

    def waiting(self) -> int:
        return 0

    def read(self, seconds: float) -> bytes:
        data = bytes(self.held[:3000])
        del self.held[:3000]
        return data

    def set_baud(self, baud: int) -> None:
        self.bauds.append(baud)

    def close(self) -> None:
        self.closed += 1


@contextmanager
def lent(
    token: bytes | None = None, path: Path | None = None, kind: type[Mirror] = Mirror
) -> Iterator[tuple[Address, Mirror]]:
    mirror, stop = kind(), threading.Event()
    wanted = Address("127.0.0.1:0" if path is None else f"unix:{path}")
    bridge = Bridge(lambda: mirror, wanted, token)
    address = wanted if path is not None else Address(f"127.0.0.1:{bridge.port}")
    thread = threading.Thread(target=bridge.serve, args=(stop.is_set,), daemon=True)
    thread.start()
    try:
        yield address, mirror
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        bridge.close()


def read(line: TcpLine, count: int) -> bytes:
    data = b""
    for _ in range(2000):
        data += line.read(0.05)
        if len(data) >= count:
            return data
    raise TimeoutError(len(data))


@pytest.mark.parametrize("unix", [False, True])
def test_bytes_both_ways(tmp_path: Path, unix: bool) -> None:
    path = tmp_path / "board" if unix else None
    with lent(path=path) as (address, mirror):
        if path is not None:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        line, data = TcpLine(address), Random(1).randbytes(300_000)
        line.set_baud(1_000_000)
        writer = threading.Thread(target=line.write, args=(data,))
        writer.start()
        assert read(line, len(data)) == data
        writer.join()
        assert mirror.bauds == [1_000_000]
        line.close()
    assert path is None or not path.exists()


def test_one_owner_at_a_time() -> None:
    with lent() as (address, mirror):
        first = TcpLine(address)
        with pytest.raises(PortTaken, match="another program"):
            TcpLine(address)
        first.write(b"still mine")
        assert read(first, 10) == b"still mine"
        first.close()
        for _ in range(100):
            try:
                second = TcpLine(address)
                break
            except PortTaken:
                continue
        second.write(b"mine")
        assert read(second, 4) == b"mine"
        assert mirror.closed == 1
        second.close()


def test_who_comes_waits_for_who_leaves() -> None:
    """A program that starts when another one ends finds the board free, whatever was under way."""
    with lent() as (address, mirror):
        for number in range(20):
            line = TcpLine(address)
            line.write(bytes(100_000))
            line.set_baud(number + 1)
            line.close()
        last = TcpLine(address)
        last.close()
    assert mirror.closed == 21


def test_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "REFUSAL_SECONDS", 0.01)
    with lent(SECRET) as (address, mirror):
        for wrong in (b"", SECRET[:-1], SECRET + b"x"):
            with pytest.raises(LinkError, match="token is wrong"):
                TcpLine(address, wrong)
        line = TcpLine(address, SECRET)
        line.write(b"hello")
        assert read(line, 5) == b"hello"
        line.close()
        assert mirror.bauds == []


STRANGERS = {
    "no greeting": said(DATA, b"x"),
    "another greeting": said(TOKEN, b"antevolt 9 "),
    "another language": b"GET / HTTP/1.1\r\n\r\n",
    "too long": TOKEN + b"\xff\xff" + bytes(70_000),
    "no rate": said(TOKEN, GREETING) + said(b"B", bytes(4)),
    "no place": said(TOKEN, GREETING) + said(b"O"),
    "random": Random(2).randbytes(5000),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers(name: str) -> None:
    """They are sent away, and the next owner is served."""
    with lent() as (address, mirror):
        with socket.create_connection((address.host, address.port), timeout=10) as stranger:
            try:
                stranger.sendall(STRANGERS[name])
                while stranger.recv(4096):
                    pass
            except ConnectionError:
                pass
        line = TcpLine(address)
        line.write(b"abc")
        assert read(line, 3) == b"abc"
        line.close()


def test_who_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "GREETING_SECONDS", 0.1)
    with lent() as (address, _):
        with socket.create_connection((address.host, address.port), timeout=10) as silent:
            assert b"no token came" in silent.recv(4096)
        TcpLine(address).close()


@pytest.mark.parametrize("way", ["gone", "aborted"])
def test_who_is_not_let_in(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """The owner keeps the board, and the server goes on."""
    whole = socket.socket.accept

    def accept(listener: socket.socket) -> tuple[socket.socket, object]:
        monkeypatch.undo()
        if way == "aborted":
            raise ConnectionAbortedError
        whole(listener)[0].close()
        return whole(listener)

    with lent() as (address, _):
        owner = TcpLine(address)
        monkeypatch.setattr(socket.socket, "accept", accept)
        with pytest.raises((PortTaken, LinkLost)):
            TcpLine(address)
        owner.write(b"still mine")
        assert read(owner, 10) == b"still mine"
        owner.close()


class Talker(Mirror):
    """Says something whenever it is asked, and counts that."""

    turns = 0

    def waiting(self) -> int:
        self.turns += 1
        return 0

    def read(self, seconds: float) -> bytes:
        self.turns -= 1
        return bytes(3000)


def test_who_reads_nothing_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the server rests until then: hardly a turn goes by in which the line is not read."""
    monkeypatch.setattr(serve, "STALL_SECONDS", 0.2)
    with lent(path=tmp_path / "board", kind=Talker) as (address, talker):
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(address.place)
            silent.sendall(said(TOKEN, GREETING))
            for _ in range(1000):
                if talker.closed:
                    break
                time.sleep(0.01)
        TcpLine(address).close()
    assert talker.closed == 2
    assert talker.turns < 20


class Particular(Mirror):
    def set_baud(self, baud: int) -> None:
        raise RateRefused(f"cannot go at {baud} baud")


def test_a_rate_that_the_port_refuses() -> None:
    """The line stays as it is; whether a rate works is known when echoes come back."""
    with lent(kind=Particular) as (address, _):
        line = TcpLine(address)
        line.set_baud(3_000_000)
        line.write(b"as before")
        assert read(line, 9) == b"as before"
        line.close()


class Unplugged(Mirror):
    gone = False

    def write(self, data: bytes) -> None:
        self.gone = True

    def waiting(self) -> int:
        if self.gone:
            raise LinkLost("mirror is gone")
        return 0

    def close(self) -> None:
        self.gone = False


def test_a_port_that_goes() -> None:
    """The owner is told, the server stays."""
    with lent(kind=Unplugged) as (address, _):
        for _ in range(2):
            line = TcpLine(address)
            line.write(b"x")
            with pytest.raises(LinkLost, match="mirror is gone"):
                read(line, 1)
            line.close()


def test_a_server_that_goes() -> None:
    with lent() as (address, _):
        line = TcpLine(address)
    with pytest.raises(LinkLost, match="closed|gone"):
        line.read(5.0)
    line.close()
    with pytest.raises(NoPort, match="does antevolt serve run"):
        TcpLine(address)


def test_a_port_that_is_not_there() -> None:
    """What the server cannot open is told to who asked."""
    mirror_free = Address("127.0.0.1:0")

    def missing() -> Mirror:
        raise NoPort("cannot open /dev/none")

    bridge, stop = Bridge(missing, mirror_free, None), threading.Event()
    thread = threading.Thread(target=bridge.serve, args=(stop.is_set,), daemon=True)
    thread.start()
    with pytest.raises(NoPort, match="cannot open /dev/none"):
        open_device(f"tcp:127.0.0.1:{bridge.port}")
    stop.set()
    thread.join(10)
    bridge.close()


def test_others_need_a_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(SECRET)
    file.chmod(0o644)
    with pytest.raises(BadInput, match="needs a token file"):
        Bridge(Mirror, Address("0.0.0.0:0"), None)
    with pytest.raises(BadInput, match="chmod 600"):
        read_token(file)
    file.chmod(0o600)
    assert read_token(file) == SECRET
    file.write_bytes(b"short")
    with pytest.raises(BadInput, match="16 to 256"):
        read_token(file)
    done = CliRunner().invoke(antevolt, ["serve", "/dev/none", "--listen", "0.0.0.0:1"])
    assert isinstance(done.exception, BadInput)


@pytest.mark.parametrize("text", ["", "here", ":1", "host:", "host:x", "host:99999", "unix:"])
def test_no_address(text: str) -> None:
    with pytest.raises(BadInput):
        Address(text)


def test_messages_in_pieces() -> None:
    data = said(DATA, Random(3).randbytes(10_000)) + said(TOKEN, b"x")
    whole = list(Messages().feed(data))
    pieces, messages = [], Messages()
    for start in range(0, len(data), 7):
        pieces += messages.feed(data[start : start + 7])
    assert pieces == whole
    assert len(whole) == 4
