# SPDX-License-Identifier: Apache-2.0
"""Memories on the access bus, in a tile of their own: random accesses, and their own traffic."""

from itertools import accumulate, islice
from random import Random

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from access_bus import WRITTEN
from antevolt.hdl.core.bundles import Access, Reply
from antevolt.hdl.core.tap import DECODE, REPLY_LATENCY, Tap
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.spec.memory_map import Region
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline, packed
from flow import gaps

WIDTH, DEPTH, ROUNDS = 20, 16, 300
MEMORIES = {
    "one": (Region.STATE, (0, 0)),
    "even": (Region.PHI, (1, 0)),
    "odd": (Region.PHI, (1, 1)),
}
PORTS = {"raddr": 4, "waddr": 4, "wdata": WIDTH, "wen": 1}
OPERANDS = [f"{name}_{port}" for name in MEMORIES for port in PORTS if port != "wen"]
SILENT = packed(Access(), write=1, read=1)


class Tile(wiring.Component):
    """Three memories, two of them interleaved, and what a tile before them replies."""

    def __init__(self, unit):
        self.unit = unit
        super().__init__(
            {"access": In(Access()), "before": In(Reply()), "reply": Out(Reply())}
            | {f"{name}_{port}": In(bits) for name in MEMORIES for port, bits in PORTS.items()}
            | {f"{name}_rdata": Out(WIDTH) for name in MEMORIES}
        )

    def elaborate(self, platform):
        m = Module()
        tap = Tap(m, self.access, self.unit)
        for name, (region, way) in MEMORIES.items():
            m.submodules[name] = ram = Ram(WIDTH, DEPTH)
            own = (getattr(self, f"{name}_{port}") for port in PORTS)
            tap.join(region, ram, *own, way=way)
            m.d.comb += getattr(self, f"{name}_rdata").eq(ram.rdata)
        m.d.comb += self.reply.as_value().eq(tap.reply("reply", self.before.as_value()))
        return m


def place(region, index):
    """The memory and the word in it, if there is one."""
    found = [
        n for n, (r, (low, way)) in MEMORIES.items() if r == region and index % (1 << low) == way
    ]
    return (found[0], (index >> MEMORIES[found[0]][1][0]) % DEPTH) if found else None


def access(draw, play, at, words, unit):
    """One random access on the bus; what is to be seen of it, and when."""
    region = draw.choice([Region.STATE, Region.PHI, Region.PHI, Region.Q, Region.PROGRAM])
    asked, index = draw.choice([5, 5, 5, 4]), draw.randrange(2 * DEPTH)
    word, write = draw.getrandbits(36), draw.random() < 0.6
    fields = {"region": region, "unit": asked, "index": index, "data": word}
    play.set(at, "access", packed(Access(), write=write, read=not write, **fields))
    where = place(region, index) if unit in (None, asked) else None
    if write:
        if where:
            words[where] = word & (1 << WIDTH) - 1
        return 0
    return words[where] if where else 0


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def the_bus(dut, idle):
    """Reads follow writes as soon as they may, and answers come together with those of the tile
    before; in the pauses the bus and the memories' ports hold anything."""
    cycles, draw, unit = Cycles(dut), Random(1), values()["unit"]
    await cycles.reset()
    play, words = Timeline(cycles), {}
    replies, waits = {}, gaps(idle)
    for n in range(len(MEMORIES) * DEPTH):  # no word is unknown
        name, word = list(MEMORIES)[n // DEPTH], draw.getrandbits(WIDTH)
        for port, value in {"wen": 1, "waddr": n % DEPTH, "wdata": word}.items():
            play.set(n, f"{name}_{port}", value)
        words[name, n % DEPTH] = word
    at = len(words)
    for _ in range(ROUNDS):
        replies[at + REPLY_LATENCY] = access(draw, play, at, words, unit)
        at += WRITTEN + next(waits)  # a word is not read while it is written
    for cycle in range(at + REPLY_LATENCY):
        before = draw.getrandbits(36) if draw.randrange(2) else 0
        play.set(cycle, "before", before)
        replies[cycle + 1] = replies.get(cycle + 1, 0) | before
        play.look(cycle + 1, "reply")
    play.fill(["access"], Random(2), quiet=SILENT)
    play.fill(OPERANDS, Random(3))
    await play.play()
    assert sum(map(bool, replies.values())) > 100
    for cycle in range(1, at + REPLY_LATENCY):
        assert play.seen["reply", cycle] == replies[cycle], cycle


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def the_memories_own_ports(dut, idle):
    """Nothing but an access changes them, and the bus holds anything but one."""
    cycles, draw = Cycles(dut), Random(2)
    await cycles.reset()
    play, words, expected = Timeline(cycles), {}, {}
    places = islice(accumulate(1 + wait for wait in gaps(idle)), ROUNDS)
    for at in places:
        for name in MEMORIES:
            where, word = draw.randrange(DEPTH), draw.getrandbits(WIDTH)
            asked = draw.randrange(DEPTH)
            wen = draw.randrange(2) and asked != where
            for port, value in {"raddr": asked, "waddr": where, "wdata": word, "wen": wen}.items():
                play.set(at, f"{name}_{port}", value)
            if (name, asked) in words:
                expected[f"{name}_rdata", at + Ram.latency] = words[name, asked]
                play.look(at + Ram.latency, f"{name}_rdata")
            if wen:
                words[name, where] = word
    for cycle in range(at + 1):
        play.look(cycle, "reply")
    play.fill(["access"], Random(4), quiet=SILENT)
    play.fill(OPERANDS, Random(5))
    await play.play()
    assert len(expected) > ROUNDS
    assert play.seen == {("reply", cycle): 0 for cycle in range(at + 1)} | expected


@cocotb.test()
async def a_read_disturbs_no_other(dut):
    """In every cycle a read of some memory, while those it is not for are read on their own."""
    cycles, draw, unit = Cycles(dut), Random(3), values()["unit"]
    await cycles.reset()
    play, words, expected, busy = Timeline(cycles), {}, {}, {}
    for n in range(DEPTH):  # no word is unknown
        for name in MEMORIES:
            word = draw.getrandbits(WIDTH)
            for port, value in {"wen": 1, "waddr": n, "wdata": word}.items():
                play.set(n, f"{name}_{port}", value)
            words[name, n] = word
    for at in range(DEPTH, DEPTH + ROUNDS):
        region, asked = draw.choice([Region.STATE, Region.PHI, Region.Q]), draw.choice([5, 5, 4])
        index = draw.randrange(2 * DEPTH)
        play.set(at, "access", packed(Access(), read=1, region=region, unit=asked, index=index))
        where = place(region, index) if unit in (None, asked) else None
        busy[at + DECODE] = where and where[0]
        for name in MEMORIES:
            own = draw.randrange(DEPTH)
            play.set(at, f"{name}_raddr", own)
            if busy.get(at) != name:
                expected[f"{name}_rdata", at + Ram.latency] = words[name, own]
                play.look(at + Ram.latency, f"{name}_rdata")
        play.look(at + REPLY_LATENCY, "reply")
        expected["reply", at + REPLY_LATENCY] = words[where] if where else 0
    await play.play()
    assert play.seen == expected
    assert len(expected) < (1 + len(MEMORIES)) * ROUNDS


@pytest.mark.parametrize("unit", [None, 5])
def test_tap(bench, unit):
    bench(Tile(unit), unit=unit)
