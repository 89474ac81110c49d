# SPDX-License-Identifier: Apache-2.0
"""Frames and packed words: what goes in comes out, and nothing else does."""

import zlib
from random import Random

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from antevolt.hdl.spec.flags import FLAG_BITS
from antevolt.hdl.spec.link import (
    PAYLOAD_BYTES,
    TABLE,
    Kind,
    LinkParameters,
    describe,
    parse_description,
)
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.codec import LONGEST, Decoder, encode, outputs, pack, unpack


@given(st.sampled_from([16, 18, 21, 23, 36]), st.lists(st.integers(0, (1 << 36) - 1), max_size=80))
def test_words(width: int, words: list[int]) -> None:
    low = np.array([w & (1 << width) - 1 for w in words], dtype=np.int64)
    found = unpack(pack(low, width), width)
    assert np.array_equal(found[: low.size], low)
    assert found.size == low.size


def packed_outputs(words: list[int], word: int) -> bytes:
    """As `hdl/io/outbox.py` packs them, bit by bit."""
    bits, flags = [], 0
    for value in words:
        own = value >> word
        bits.append(int(own != flags))
        if own != flags:
            bits += [own >> k & 1 for k in range(FLAG_BITS)]
        bits += [value >> k & 1 for k in range(word)]
        flags = own
    return np.packbits(np.array(bits, dtype=np.uint8), bitorder="little").tobytes()


@given(
    st.sampled_from([16, 18]),
    st.lists(st.tuples(st.sampled_from([0, 1, 9, 31]), st.integers(0, (1 << 16) - 1)), max_size=60),
)
def test_outputs(word: int, pairs: list[tuple[int, int]]) -> None:
    words = [flags << word | value for flags, value in pairs]
    assert outputs(packed_outputs(words, word), word).tolist() == words


@given(st.sampled_from([f.kind for f in TABLE if f.sender == "board"]), st.integers(0, 65535),
       st.binary(min_size=90, max_size=PAYLOAD_BYTES), st.integers(1, 50))  # fmt: skip
def test_frames(kind: Kind, sequence: int, payload: bytes, piece: int) -> None:
    decoder, found = Decoder(), []
    data = encode(kind, sequence, payload) * 2
    for start in range(0, len(data), piece):
        found += decoder.feed(data[start : start + piece])
    assert found == [(kind, sequence, payload)] * 2
    assert (decoder.good, decoder.bad) == (2, 0)


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=700), max_size=6))
def test_any_bytes(parts: list[bytes]) -> None:
    """No error, nothing good, and no more memory than a frame takes."""
    decoder = Decoder()
    for part in parts:
        assert all(message is None for message in decoder.feed(part))
        assert decoder.held <= LONGEST
    assert decoder.good == 0


def test_damaged_frames_are_none() -> None:
    """Every flipped bit, every lost byte, every byte put in."""
    draw, whole = Random(1), encode(Kind.ANSWER, 4660, Random(2).randbytes(40))
    spoilt = []
    for place in range(len(whole) - 1):
        spoilt += [whole[:place] + bytes((whole[place] ^ 1 << bit,)) + whole[place + 1 :]
                   for bit in range(8)]  # fmt: skip
        spoilt.append(whole[:place] + whole[place + 1 :])
        spoilt.append(whole[:place] + bytes((draw.randrange(256),)) + whole[place:])
    for data in spoilt:
        if data != whole:
            assert [m for m in Decoder().feed(data) if m is not None] == []


def test_a_frame_is_zlib_and_cobs() -> None:
    """As anybody would write it."""
    body = bytes((Kind.ECHO, 0x34, 0x12)) + b"a\0b"
    by_hand = cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"
    assert encode(Kind.ECHO, 0x1234, b"a\0b") == by_hand


def test_descriptions() -> None:
    machine = Machine(rows=3, streams=8, moments=2, time_constants=True, traces=False)
    link = LinkParameters(48_000_000, build=1 << 63)
    found = parse_description(describe(machine, link))
    assert found.machine == machine
    assert (found.link.clock_hz, found.link.build) == (48_000_000, 1 << 63)
    text = describe(machine, link)
    for spoilt in (text[:-1], b"\x09" + text[1:], text[:1] + b"?" + text[2:], b""):
        with pytest.raises(ValueError, match="board|description"):
            parse_description(spoilt)


@pytest.mark.parametrize(
    "values",
    [
        {"clock_hz": 12_000_000, "fastest_baud": 4_000_000},
        {"power_up_baud": 100},
        {"receive_bytes": 1000},
        {"send_bytes": 1 << 15},
        {"trial": 3.0},
        {"x_words": 1},
        {"build": -1},
        {"power_up_baud": 3_000_000, "fastest_baud": 115_200},
    ],
)
def test_links_that_cannot_be(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="is|are|below"):
        LinkParameters(**values)  # type: ignore[arg-type]
