# SPDX-License-Identifier: Apache-2.0
"""Frames as bytes of the line, and back; words packed into payloads (`hdl/spec/link.py`)."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from cobs import cobs
from numpy.typing import NDArray

from antevolt.hdl.spec.flags import FLAG_BITS
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.link import CRC_BYTES, HEADER_BYTES, PAYLOAD_BYTES, TABLE, Kind

__all__ = ["LONGEST", "Decoder", "Message", "encode", "outputs", "pack", "unpack"]

LONGEST = HEADER_BYTES + PAYLOAD_BYTES + CRC_BYTES + 1
"""Bytes of a frame on the line without its delimiter; more are no frame."""

SENT = {frame.kind: frame for frame in TABLE if frame.sender == "board"}


class Message(NamedTuple):
    """A frame that was found good."""

    kind: Kind
    sequence: int
    payload: bytes


def encode(kind: Kind, sequence: int, payload: bytes = b"") -> bytes:
    """The bytes of a frame, delimiter included."""
    body = bytes((kind,)) + (sequence & 0xFFFF).to_bytes(2, "little") + payload
    encoded: bytes = cobs.encode(body + zlib.crc32(body).to_bytes(CRC_BYTES, "little"))
    return encoded + b"\0"


class Decoder:
    """Finds a board's frames in bytes that come in pieces; holds no more than one frame.

    good, bad  frames so far; bad ones are dropped
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._oversize = False
        self.good = self.bad = 0

    @property
    def held(self) -> int:
        """Bytes of a frame that has not ended."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[Message | None]:
        """The frames that end in these bytes; None for a bad one."""
        *ends, rest = data.split(b"\0")
        for part in ends:
            self._hold(part)
            if self._held or self._oversize:
                message = None if self._oversize else parse(bytes(self._held))
                self.good += message is not None
                self.bad += message is None
                self._held.clear()
                self._oversize = False
                yield message
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        if len(self._held) + len(part) > LONGEST:
            self._oversize = True
            self._held.clear()
        if not self._oversize:
            self._held += part


def parse(encoded: bytes) -> Message | None:
    """A frame without its delimiter; None if it is none."""
    try:
        body: bytes = cobs.decode(encoded)
    except cobs.DecodeError:
        return None
    if len(body) < HEADER_BYTES + CRC_BYTES:
        return None
    body, crc = body[:-CRC_BYTES], body[-CRC_BYTES:]
    if zlib.crc32(body) != int.from_bytes(crc, "little") or body[0] not in SENT:
        return None
    payload = body[HEADER_BYTES:]
    frame = SENT[Kind(body[0])]
    if len(payload) > PAYLOAD_BYTES or not frame.packed and len(payload) < frame.head:
        return None
    return Message(frame.kind, int.from_bytes(body[1:HEADER_BYTES], "little"), payload)


def pack(words: NDArray[np.int64], width: int) -> bytes:
    """The low `width` bits of words, lowest first, the last byte filled with zeros."""
    bits = (words.reshape(-1, 1) >> np.arange(width)) & 1
    return np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()


def unpack(payload: bytes, width: int) -> Raw:
    """All whole words in a payload."""
    bits = np.unpackbits(np.frombuffer(payload, dtype=np.uint8), bitorder="little")
    count = bits.size // width
    return bits[: count * width].reshape(count, width).astype(np.int64) @ _weights(width)


def outputs(payload: bytes, word: int) -> Raw:
    """The words of an OUT frame with their flags above them, as the core's port has them."""
    bits = np.unpackbits(np.frombuffer(payload, dtype=np.uint8), bitorder="little").astype(np.int64)
    parts, flags, at = [], 0, 0
    while bits.size - at > word:
        if bits[at]:
            flags = int(bits[at + 1 : at + 1 + FLAG_BITS] @ _weights(FLAG_BITS))
            here = bits[at + 1 + FLAG_BITS : at + 1 + FLAG_BITS + word]
            if here.size < word:
                break
            parts.append(np.array([here @ _weights(word) | flags << word]))
            at += 1 + FLAG_BITS + word
        # then all words that keep their flags
        stride = word + 1
        marks = bits[at::stride]
        changed = np.flatnonzero(marks)
        same = min(int(changed[0]) if changed.size else marks.size, (bits.size - at) // stride)
        if same:
            rows = bits[at : at + same * stride].reshape(same, stride)[:, 1:]
            parts.append(rows @ _weights(word) | flags << word)
            at += same * stride
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _weights(width: int) -> Raw:
    return np.left_shift(np.int64(1), np.arange(width, dtype=np.int64))
