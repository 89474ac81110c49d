# SPDX-License-Identifier: Apache-2.0
"""The C interface of `harness.cpp`, typed for ctypes."""

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_int, c_uint32, c_uint64, c_void_p
from pathlib import Path

from antevolt.hdl.spec.errors import BuildFailed

__all__ = ["AGAIN", "DONE", "NO_TRACE", "STUCK", "Access", "Run", "load", "opened"]

DONE, AGAIN, STUCK, _SURPLUS, NO_TRACE = range(5)
"""What a call returns (`Code` in harness.cpp)."""


class Run(ctypes.Structure):
    """`struct Run`: what to stream, and how far it has come."""

    _fields_ = [
        ("x", POINTER(c_uint32)),
        ("x_count", c_uint64),
        ("y", POINTER(c_uint32)),
        ("y_count", c_uint64),
        ("out", POINTER(c_uint32)),
        ("out_count", c_uint64),
        ("x_done", c_uint64),
        ("y_done", c_uint64),
        ("out_done", c_uint64),
        ("cycles", c_uint64),
    ]


class Access(ctypes.Structure):
    """`struct Access`: words of one region and unit to read or write."""

    _fields_ = [
        ("write", c_uint32),
        ("region", c_uint32),
        ("unit", c_uint32),
        ("index", c_uint32),
        ("data", POINTER(c_uint64)),
        ("count", c_uint64),
        ("asked", c_uint64),
        ("done", c_uint64),
    ]


def opened(path: Path) -> ctypes.CDLL:
    """Any simulator. Raises BuildFailed for a library that this machine cannot load."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildFailed(f"cannot load the simulator {path}: {error}; delete it") from error


def load(path: Path) -> ctypes.CDLL:
    """That of a core, its functions typed. Raises BuildFailed likewise."""
    library = opened(path)
    handle, words = c_void_p, c_uint64
    for name, result, arguments in (
        ("create", handle, []),
        ("destroy", None, [handle]),
        ("cycles", words, [handle]),
        ("reset", None, [handle, words]),
        ("stall", None, [handle, words, c_uint32, c_uint32, c_uint32]),
        ("run", c_int, [handle, POINTER(Run), words, c_double]),
        ("access", c_int, [handle, POINTER(Access), words, c_double]),
        ("trace", c_int, [handle, c_char_p]),
    ):
        function = getattr(library, f"antevolt_{name}")
        function.restype, function.argtypes = result, arguments
    return library
