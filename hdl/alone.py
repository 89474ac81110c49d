# SPDX-License-Identifier: Apache-2.0
"""A core without a host: its network is there at power-up, and a user's component teaches it."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from antevolt.hdl.core.core import Core
from antevolt.hdl.core.gate import request
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS

__all__ = ["Alone", "lesson", "memories"]


def lesson(machine: Machine) -> dict[str, Any]:
    """Members that every teacher has: inputs and targets for the core, outputs from it.

    The words are those of the core's ports (`docs/ports.md`).
    """
    word = machine.formats.word
    return {
        "x": Out(stream.Signature(word + INPUT_FLAG_BITS)),
        "y": Out(stream.Signature(word)),
        "out": In(stream.Signature(word + FLAG_BITS)),
    }


def memories() -> dict[str, Any]:
    """Members of a teacher that also reads or writes the core's memories, between steps."""
    return {
        "access": Out(stream.Signature(request)),
        "answer": In(stream.Signature(DATA_BITS)),
    }


class Alone(wiring.Component):
    """The core whose memories hold `contents`, and the teacher; it starts when the reset ends.

    Where the teacher does not read or write memories, the core has nothing by which one could.

    Members
    -------
    busy : a step runs
    others : what the teacher has beside `lesson` and `memories`, under the same names

    A reset ends the step; the core goes on from what it has learned, with the registers of
    `contents`. Raises BadInput for a teacher that lacks a member, or has another in its place.
    """

    busy: Any

    def __init__(self, machine: Machine, contents: Contents, teacher: Any):
        self.machine, self.contents, self.teacher = machine, contents, teacher
        members = dict(teacher.signature.members)
        wanted = lesson(machine)
        if "access" in members or "answer" in members:
            wanted |= memories()
        for name, member in wanted.items():
            if members.pop(name, None) != member:
                raise BadInput(
                    f"the teacher's member {name} is not {member!r}; see antevolt.hdl.alone.lesson"
                )
        if "busy" in members:
            raise BadInput("the teacher has a member busy, which is the core's; call it otherwise")
        self.reads = "access" in wanted
        self.others = tuple(members)
        super().__init__({"busy": Out(1), **members})

    def elaborate(self, platform: object) -> Module:
        m, teacher = Module(), self.teacher
        m.submodules.core = core = Core(
            self.machine, self.contents if self.reads else self.contents.seal()
        )
        m.submodules.teacher = teacher
        connect(m, teacher.x, core.x)
        connect(m, teacher.y, core.y)
        connect(m, core.out, teacher.out)
        if self.reads:
            connect(m, teacher.access, core.access)
            connect(m, core.answer, teacher.answer)
        m.d.comb += self.busy.eq(core.busy)
        inner = {path: value for path, _, value in teacher.signature.flatten(teacher)}
        for path, member, outside in self.signature.flatten(self):
            if path[0] in self.others:
                pair = (inner[path], outside)
                into, source = pair if member.flow == wiring.In else reversed(pair)
                m.d.comb += into.eq(source)
        return m
