# SPDX-License-Identifier: Apache-2.0
"""The limits against the same rules in Python, at and beside every border."""

from random import Random

import cocotb

from antevolt.hdl.io.limits import HEAD_BYTES, LATENCY, Limits
from antevolt.hdl.spec.link import (
    CRC_BYTES,
    FRAMES,
    PAYLOAD_BYTES,
    VERSION,
    Code,
    Kind,
    LinkParameters,
    memory_limits,
)
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.bench.streams import Cycles

MACHINE = Machine(streams=3, rows=2, sums=False)
LINK = LinkParameters()
WORD = MACHINE.formats.word
FOUND = 4  # cycles in which the limits of a kind of frame are at hand


def expected(kind, payload):
    """The code that a payload deserves."""
    if kind not in FRAMES:
        return Code.KIND
    frame = FRAMES[kind]
    width, rest = frame.width(WORD), len(payload) - frame.head
    words = rest * 8 // width if width and rest > 0 else 0
    if rest != 0 if not width else words == 0 or rest * 8 % width >= 8:
        return Code.LENGTH
    if kind == Kind.HELLO and payload[0] != VERSION:
        return Code.VERSION
    if kind == Kind.BAUD:
        fast, slow = LINK.divisor(LINK.fastest_baud), LINK.divisor(LINK.power_up_baud)
        fits = fast <= int.from_bytes(payload[:2], "little") <= slow
    elif kind in (Kind.READ, Kind.WRITE):
        limit = memory_limits(MACHINE).get(payload[0])
        index = int.from_bytes(payload[2:4], "little")
        count = int.from_bytes(payload[4:6], "little") if kind == Kind.READ else words
        fits = bool(limit and payload[1] < limit.units and count and index + count <= limit.words)
    else:
        fits = True
    return 0 if fits else Code.RANGE


async def code_of(cycles, kind, payload, draw):
    dut = cycles.dut
    dut.kind.value = kind
    dut.start.value = 1
    await cycles.step()
    dut.start.value = 0
    await cycles.run(FOUND)
    for byte in payload + draw.randbytes(CRC_BYTES):
        dut.push.value, dut.byte.value = 1, byte
        await cycles.step()
        dut.push.value = 0
        await cycles.step()
    await cycles.run(LATENCY)
    head = int(dut.head.value).to_bytes(HEAD_BYTES, "little")
    assert head[: len(payload)] == payload[:HEAD_BYTES]
    assert int(dut.count.value) == len(payload) + CRC_BYTES
    return int(dut.code.value)


def places(draw):
    """Places of READ and WRITE at the borders of memories."""
    for region in range(17):
        units, words = memory_limits(MACHINE).get(region, (1, 4))
        for unit in {0, max(0, units - 1), units}:
            for index in {0, max(0, words - 2), max(0, words - 1), words, 65535}:
                place = bytes((region, unit)) + index.to_bytes(2, "little")
                for count in (0, 1, 2, 65535):
                    yield Kind.READ, place + count.to_bytes(2, "little")
                yield Kind.WRITE, place + draw.randbytes(draw.choice([5, 9]))


@cocotb.test()
async def every_length_of_every_kind(dut):
    cycles, draw, seen = Cycles(dut), Random(1), set()
    await cycles.reset()
    for kind in (*FRAMES, 0, 0x17, Kind.OUT, 255):
        for length in (*range(24), PAYLOAD_BYTES - 1, PAYLOAD_BYTES):
            payload = bytes((VERSION,)) + draw.randbytes(max(0, length - 1))
            payload = payload[:length]
            code = expected(kind, payload)
            assert await code_of(cycles, kind, payload, draw) == code, (kind, payload)
            seen.add(code)
    assert seen >= {0, Code.KIND, Code.LENGTH}


@cocotb.test()
async def every_border(dut):
    cycles, draw, codes = Cycles(dut), Random(2), []
    await cycles.reset()
    cases = list(places(draw))
    for version in (0, VERSION, VERSION + 1):
        cases.append((Kind.HELLO, bytes((version,))))
    for divisor in (0, 3, 4, 5, 103, 104, 105, 65535):
        cases.append((Kind.BAUD, divisor.to_bytes(2, "little")))
    for kind, payload in cases:
        codes.append(expected(kind, payload))
        assert await code_of(cycles, kind, payload, draw) == codes[-1], (kind, payload.hex())
    assert codes.count(0) > 30
    assert codes.count(Code.RANGE) > 30


def test_limits(bench):
    bench(Limits(MACHINE, LINK))
