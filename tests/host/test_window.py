# SPDX-License-Identifier: Apache-2.0
"""Frames under way and the room in the board's buffer, numbers beginning anew included."""

from antevolt.hdl.spec.link import ENTRY_BYTES, Kind
from antevolt.host.link.codec import encode
from antevolt.host.link.window import WHOLE, Window

COST = 10 + ENTRY_BYTES


def test_frames_are_under_way_until_they_are_acknowledged() -> None:
    window = Window()
    window.start(WHOLE - 2)
    assert (len(window), window.first, window.acknowledge(5)) == (0, WHOLE - 2, 0)
    data = [window.put(Kind.ECHO, bytes(10)) for _ in range(4)]
    assert data[0] == encode(Kind.ECHO, WHOLE - 2, bytes(10))
    assert list(window) == data
    assert (window.first, window.next) == (WHOLE - 2, 2)
    assert window.bytes_under_way == sum(map(len, data))
    assert window.acknowledge(WHOLE - 2) == 0
    assert window.acknowledge(3) == 0  # it was never sent
    assert window.acknowledge(1) == 3
    assert list(window) == data[3:]
    assert window.acknowledge(WHOLE - 1) == 0  # old
    assert window.acknowledge(2) == 1
    assert not window


def test_room_is_taken_until_it_is_freed() -> None:
    window = Window()
    for number in range(3):
        assert window.fits(bytes(10), 3 * COST)
        window.put(Kind.ECHO, bytes(10))
        assert window.in_use == (number + 1) * COST
    assert not window.fits(b"", 3 * COST)
    window.acknowledge(3)  # arrived, not used up
    assert not window.fits(b"", 3 * COST)
    window.free(COST)
    assert window.in_use == 2 * COST
    window.free(4 * COST)  # more than was sent: not this session's
    window.free(0)
    assert window.in_use == 2 * COST
    assert (window.take_fullest(), window.take_fullest()) == (3 * COST, 2 * COST)
    window.start(7)
    assert (window.in_use, window.next) == (0, 7)


def test_room_is_counted_beyond_16_bits() -> None:
    window, used = Window(), 0
    for _ in range(3 * WHOLE // COST):
        window.put(Kind.ECHO, bytes(10))
        used += COST
        window.free(used % WHOLE)
        assert window.in_use == 0
