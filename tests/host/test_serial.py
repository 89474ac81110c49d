# SPDX-License-Identifier: Apache-2.0
"""The real serial code against the real gateware, over a pseudo-terminal."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
import serial
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadInput, LinkLost, NoPort, PortTaken
from antevolt.hdl.spec.machine import Machine
from antevolt.host.backend import check_name
from antevolt.host.device import open as open_device
from antevolt.host.link import devices_command, serial_port
from antevolt.host.link.devices_command import command
from antevolt.host.link.serial_port import Found, SerialPort, devices
from antevolt.host.link.transport import RateRefused
from antevolt.sim.rtl.echo_top import MACHINE, line
from antevolt.sim.rtl.pty import PtyBoard
from antevolt.sim.rtl.simulate_command import SLOW

REGION = 3


@contextmanager
def plugged_in() -> Iterator[PtyBoard]:
    """A board on a port, in a thread of its own."""
    board, stop = PtyBoard(line(SLOW)), threading.Event()
    thread = threading.Thread(target=board.serve, args=(stop.is_set,), daemon=True)
    thread.start()
    try:
        yield board
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
        board.close()


def test_words_over_a_port() -> None:
    with plugged_in() as board:
        opened = serial_port.open_serial(board.path, None, 60.0)
        assert opened.machine == MACHINE
        words = [Random(1).getrandbits(36) for _ in range(60)]
        opened.write(REGION, 0, 0, words)  # type: ignore[arg-type]
        assert opened.read(REGION, 0, 0, 60).tolist() == words  # type: ignore[arg-type]
        assert opened.session.baud == SLOW.fastest_baud
        opened.close()  # where both ends' counts are compared


def test_a_board_that_goes_is_missed() -> None:
    """Between two calls, without anybody asking."""
    with plugged_in() as board:
        opened = serial_port.open_serial(board.path, None, 60.0)
    end = time.monotonic() + 60
    while opened.session.lost is None and time.monotonic() < end:
        time.sleep(0.05)
    with pytest.raises(LinkLost, match="while nothing was asked"):
        opened.read(REGION, 0, 0, 1)  # type: ignore[arg-type]
    opened.close()
    opened.close()


def test_devices_are_found() -> None:
    with plugged_in() as board:
        (found,) = devices([board.path])
        assert found.hello
        assert found.hello.description.machine == MACHINE
        done = CliRunner().invoke(command, ["--json", board.path])
        assert done.exit_code == 0
        (entry,) = json.loads(done.stdout)
        assert entry["open"] == f"serial:{board.path}"
        assert Machine.from_json(json.dumps(entry["core"])) == MACHINE
        assert board.path in CliRunner().invoke(command, [board.path]).stdout


def test_a_port_has_one_owner() -> None:
    with plugged_in() as board:
        first = SerialPort(board.path)
        with pytest.raises(PortTaken, match="another program"):
            SerialPort(board.path)
        first.close()
        SerialPort(board.path).close()


def test_another_core_is_refused() -> None:
    with plugged_in() as board:
        name = f"serial:{board.path}"
        with pytest.raises(BadInput, match="the board's core is"):
            open_device(name, machine=Machine(rows=2))


def test_no_port() -> None:
    with pytest.raises(NoPort, match="antevolt devices"):
        open_device("serial:/dev/there-is-none")
    with pytest.raises(NoPort, match="a rate in baud"):
        open_device("serial:/dev/there-is-none@fast")


def test_ports_without_a_board_are_named_in_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = "no board answers on COM3; is it switched on? (`antevolt devices` asks all ports)"
    (missing,) = devices(["/dev/there-is-none"])
    found = [missing, Found("COM3", "n/a", None, silent), Found("COM4", "FTDI", None, "taken")]
    monkeypatch.setattr(devices_command, "devices", lambda ports: found)
    done = CliRunner().invoke(command)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "cannot open /dev/there-is-none: No such file or directory",
        "no board answers on COM3; is it switched on?",
        "taken (FTDI)",
    ]


def test_a_port_that_says_nothing() -> None:
    master, slave = os.openpty()
    try:
        (found,) = devices([os.ttyname(slave)], seconds=3)
        assert found.hello is None
        assert "no board answers" in found.problem
    finally:
        os.close(master)
        os.close(slave)


def test_unplugged() -> None:
    master, slave = os.openpty()
    port = SerialPort(os.ttyname(slave))
    os.close(master)
    os.close(slave)
    with pytest.raises(LinkLost, match="is gone"):
        port.read(0.1)
    port.close()
    with pytest.raises(LinkLost, match="is gone"):
        port.write(b"x")


def test_a_rate_that_the_driver_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port keeps the rate that it had, and is of use."""

    def refuse(_: serial.Serial, baud: int) -> None:
        raise ValueError(f"Failed to set custom baud rate ({baud})")

    monkeypatch.setattr(serial.Serial, "_set_special_baudrate", refuse)
    with a_port() as port:
        with pytest.raises(RateRefused, match="cannot go at 2941176 baud"):
            port.set_baud(2_941_176)
        assert port.read(0.01) == b""
        port.set_baud(1_000_000)


def test_a_port_that_takes_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "WRITE_SECONDS", 0.01)
    monkeypatch.setattr(serial.Serial, "out_waiting", 7)
    with a_port() as port, pytest.raises(LinkLost, match="takes no bytes"):
        port.set_baud(1_000_000)


@contextmanager
def a_port() -> Iterator[SerialPort]:
    """With nobody at its other end."""
    master, slave = os.openpty()
    port = SerialPort(os.ttyname(slave))
    try:
        yield port
    finally:
        port.close()
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (PermissionError(13, "Permission denied"), "PortDenied", "dialout"),
        (OSError(16, "Device or resource busy"), "PortTaken", "close it"),
        (FileNotFoundError(2, "No such file"), "NoPort", "antevolt devices"),
    ],
)
def test_what_to_do(error: OSError, kind: str, says: str) -> None:
    found = serial_port._typed("/dev/ttyUSB0", error)
    assert type(found).__name__ == kind
    assert says in str(found)


@pytest.mark.parametrize("name", ["serial", "serial:", "rtl:", "rtl:top:", "tcp:"])
def test_names_of_no_device(name: str) -> None:
    with pytest.raises(BadInput, match="there is no device"):
        check_name(name)
