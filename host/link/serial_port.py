# SPDX-License-Identifier: Apache-2.0
"""`open("serial:PORT")`: a board on a serial port, and the ports that there are."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import serial
from serial.tools import list_ports

from antevolt.hdl.spec.errors import AntevoltError, LinkLost, NoPort, PortDenied, PortTaken
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.hello import Hello
from antevolt.host.link.session import Session
from antevolt.host.link.transport import RateRefused

__all__ = ["Found", "SerialPort", "devices", "open_serial"]

POWER_UP_BAUD = 115_200
WRITE_SECONDS = 10.0
LOOKS = 0.001  # seconds from one look at what waits to be written to the next


class SerialPort:
    """A transport (`transport.py`) over a port of the system, for this process alone.

    Raises NoPort, PortTaken or PortDenied.
    """

    power_up_baud = POWER_UP_BAUD
    latency = 0.02  # USB adapters wait up to 16 ms for more
    silence = 2.0

    def __init__(self, port: str):
        self.name = port
        try:
            self._port: Any = serial.Serial(
                port, POWER_UP_BAUD, timeout=0, write_timeout=WRITE_SECONDS, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise _typed(port, error) from error
        with suppress(Exception):  # FTDI chips wait 16 ms otherwise; not every driver can
            self._port.set_low_latency_mode(True)
        with suppress(Exception):
            self._port.reset_input_buffer()

    def clock(self) -> float:
        return time.monotonic()

    def write(self, data: bytes) -> None:
        with self._watched():
            self._port.write(data)

    def waiting(self) -> int:
        with self._watched():
            return int(self._port.out_waiting)

    def read(self, seconds: float) -> bytes:
        with self._watched():
            self._port.timeout = seconds
            first: bytes = self._port.read(1)
            more = self._port.in_waiting if first else 0
            return first + (bytes(self._port.read(more)) if more else b"")

    def set_baud(self, baud: int) -> None:
        self._drain()
        before = self._port.baudrate
        try:
            self._set(baud)
        except LinkLost as error:
            self._set(before)  # else each later call asks for the other again; raises if it is gone
            raise RateRefused(f"{self.name} cannot go at {baud} baud") from error

    def close(self) -> None:
        with suppress(Exception):
            self._port.close()

    def _set(self, baud: int) -> None:
        with self._watched():
            self._port.baudrate = baud

    def _drain(self) -> None:
        """Until the system has nothing left to write; the port's own `flush` has no deadline. What
        the adapter holds then is not waited for: a rate is changed after an answer."""
        end = self.clock() + WRITE_SECONDS
        while self.waiting():
            if self.clock() > end:
                raise LinkLost(f"{self.name} takes no bytes any more; plug the board in again")
            time.sleep(LOOKS)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (serial.SerialException, OSError, TypeError, ValueError) as error:
            # TypeError: closed meanwhile; ValueError: the driver refuses the rate, or is gone
            raise LinkLost(f"{self.name} is gone ({error}); plug the board in again") from error


class Found(NamedTuple):
    """A port; `hello` where a board of antevolt answered, else `problem`."""

    port: str
    about: str
    hello: Hello | None
    problem: str


def open_serial(address: str, machine: Machine | None, deadline: float) -> LinkBackend:
    """The board on a port: `PORT`, or `PORT@BAUD` where BAUD is the fastest rate to try."""
    port, _, baud = address.partition("@")
    if baud and not baud.isdecimal():
        raise NoPort(f"serial:{address}: what follows @ is a rate in baud, as 1000000")
    session = Session(SerialPort(port), deadline, int(baud) if baud else None)
    try:
        session.connect()
        return LinkBackend(session, machine, beats=True)
    except BaseException:
        session.close()
        raise


def devices(ports: list[str] | None = None, seconds: float = 5.0) -> list[Found]:
    """Ask each port, without resetting what is there; default: all ports of the system."""
    about = {p.device: str(p.description) for p in list_ports.comports()}
    found = []
    for port in sorted(about) if ports is None else ports:
        try:
            session = Session(SerialPort(port), seconds)
            try:
                session.line.baud = POWER_UP_BAUD
                found.append(Found(port, about.get(port, ""), session.ask(2), ""))
            finally:
                session.close()
        except AntevoltError as error:
            found.append(Found(port, about.get(port, ""), None, str(error)))
    return found


def _typed(port: str, error: Exception) -> AntevoltError:
    """What went wrong when a port was opened, and what to do."""
    number = getattr(error, "errno", None)
    text = str(error)
    if number in (errno.EACCES, errno.EPERM) or "PermissionError" in text:
        return PortDenied(
            f"no permission to use {port}; on Linux: sudo usermod -aG dialout $USER, log in anew"
        )
    if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK) or "exclusively lock" in text:
        return PortTaken(f"another program uses {port}; close it")
    why = os.strerror(number) if number else text
    return NoPort(f"cannot open {port}: {why}; `antevolt devices` lists the ports there are")
