# SPDX-License-Identifier: Apache-2.0
"""A board without a host: a network is in its bitstream, and a user's component teaches it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring

from antevolt.boards.board import Board
from antevolt.boards.shell import clocked
from antevolt.hdl.alone import Alone
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network
from antevolt.host.bake import Baked

__all__ = ["Standalone", "standalone", "teacher_of"]

Teacher = Callable[[Machine, Network], wiring.Component]


@dataclass(frozen=True)
class Standalone(Board):
    """A board and what it does by itself; made by `standalone`.

    baked    the network in the core's memories
    teacher  `module:class` of the component
    alone    core and component
    """

    baked: Baked | None = field(default=None, repr=False)
    teacher: str = ""
    alone: Alone | None = field(default=None, repr=False)

    @property
    def linked(self) -> bool:
        return False

    @property
    def told(self) -> dict[str, Any]:
        found = {} if self.baked is None else self.baked.to_dict()
        return {**found, "teacher": self.teacher}

    def identity(self) -> str:
        """With the design itself: nobody knows which files a teacher is made from."""
        plan = self.open_platform().prepare(self.design(), name="top")
        return f"{self!r} {plan.digest().hex()}"

    def design(self, build: int = 0) -> Any:
        return _Shell(self)


class _Shell(Elaboratable):
    """All that stands between a board's pins: clock, core, and the teacher with its own pins."""

    def __init__(self, board: Standalone):
        self.board = board

    def elaborate(self, platform: Any) -> Module:
        m = clocked(self.board, platform)
        m.submodules.alone = self.board.alone
        return m


def standalone(board: Board, baked: Baked, teacher: str) -> Standalone:
    """A board that this network and teacher are built into.

    teacher  `module:class`, called with machine and network; a module is looked for in the working
             directory first

    Raises BadInput for a teacher that is not there, or not one for this core and network.
    """
    make = teacher_of(teacher)
    own = {each.name: getattr(board, each.name) for each in fields(Board)}
    component = make(board.machine, baked.image.network)
    alone = Alone(board.machine, baked.contents, component)
    return Standalone(**own, baked=baked, teacher=teacher, alone=alone)


def teacher_of(name: str) -> Teacher:
    """The class; raises BadInput where there is none."""
    module, _, kind = name.partition(":")
    if not module or not kind:
        raise BadInput(f"the teacher is {name!r}; it is named MODULE:CLASS")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), kind, None)
    except ModuleNotFoundError as error:
        raise BadInput(f"the teacher {name}: {error}; it is looked for in {here} too") from error
    finally:
        sys.path.remove(here)
    if found is None:
        raise BadInput(f"the teacher {name}: {module} has no class {kind}")
    if not isinstance(found, type) or not issubclass(found, wiring.Component):
        raise BadInput(f"the teacher {name} is no class of Amaranth's wiring.Component")
    make: Teacher = found
    return make
