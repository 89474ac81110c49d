# SPDX-License-Identifier: Apache-2.0
"""What lines to simulated boards share: a library of C functions, and bytes that wait."""

import ctypes
from ctypes import POINTER, c_uint8, c_void_p
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.errors import Closed
from antevolt.hdl.spec.link import LinkParameters
from antevolt.sim.rtl.library import opened

__all__ = ["READ_BYTES", "LineEnd"]

READ_BYTES = 4096


class LineEnd:
    """The host's end. The board's clock runs only while somebody reads.

    prefix    of the names of the library's C functions: create, destroy, reset, exchange
    exchange  what the last of these takes, beside the handle
    """

    def __init__(
        self, library: Path, link: LinkParameters, prefix: str, exchange: type[ctypes.Structure]
    ):
        self.parameters = link
        self.power_up_baud = link.power_up_baud
        self._prefix = prefix
        self._library = opened(library)
        self._destroy = self._function("destroy", None, c_void_p)
        self._reset = self._function("reset", None, c_void_p)
        self._run = self._function("exchange", None, c_void_p, POINTER(exchange))
        self._handle: int | None = self._function("create", c_void_p)()
        self._waiting = bytearray()
        self._buffer = (c_uint8 * READ_BYTES)()

    def power_up(self) -> None:
        """Switch the board off and on; memories keep their words, as luck would have it."""
        self._waiting.clear()
        self._reset(self._open())

    def write(self, data: bytes) -> None:
        self._waiting += data

    def waiting(self) -> int:
        """Bytes that are not yet on the line."""
        return len(self._waiting)

    def close(self) -> None:
        if self._handle is not None:
            self._destroy(self._handle)
            self._handle = None

    def _open(self) -> int:
        if self._handle is None:
            raise Closed("the simulated board is closed; open it again")
        return self._handle

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        function = getattr(self._library, f"{self._prefix}_{name}")
        function.restype, function.argtypes = result, arguments
        return function
