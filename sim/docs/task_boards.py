# SPDX-License-Identifier: Apache-2.0
"""Which boards hold the networks that were learned: the table of `docs/results.md`."""

from dataclasses import fields

from antevolt.boards.catalogue import BOARDS
from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network
from antevolt.host.compile import compile
from antevolt.sim.docs.results import Record, records
from antevolt.sim.tasks.delayed_xor import DELAYED_XOR
from antevolt.sim.tasks.japanese_vowels import JAPANESE_VOWELS
from antevolt.sim.tasks.mackey_glass import MACKEY_GLASS
from antevolt.sim.tasks.mnist1d import MNIST1D
from antevolt.sim.tasks.setting import settled
from antevolt.sim.tasks.task import Task

__all__ = ["task_boards"]

LEARNED = (
    ("mnist1d-trace-sign-18", MNIST1D),
    ("mnist1d-gle", MNIST1D),
    ("mnist1d-board", MNIST1D),
    ("japanese-vowels", JAPANESE_VOWELS),
    ("delayed-xor-loop", DELAYED_XOR),
    ("mackey-glass-1", MACKEY_GLASS),
)
"""Records, one of each network, and their tasks."""

CARRIED = {"sign": "sign_sum", "momentum": "momentum_sum"}
"""Optimizers with a moment for each weight, and what comes near them without."""


def task_boards() -> str:
    """By network: the boards whose preset holds it, as it was learned and with sums carried on."""
    lines = [
        "| network | weights | record | rule | optimizer of the record | sums carried on |",
        "|---|---|---|---|---|---|",
    ]
    for name, task in LEARNED:
        record = records(f"{name}.json")[0][1]
        network = _network(task, record)
        carried = CARRIED.get(network.optimizer)
        told = (
            "-".join(map(str, network.sizes)),
            f"{network.weight_count:,}",
            f"[{name}](results/{name}.json)",
            f"`{network.populations[0].rule}`",
            f"`{network.optimizer}`: {_holders(network)}",
            f"`{carried}`: {_holders(network.with_(optimizer=carried))}" if carried else "",
        )
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def _network(task: Task, record: Record) -> Network:
    """Of a record's settings; what is younger than the record has the value from before it was."""
    names = {field.name for field in fields(task.settings)}
    told = settled(task.settings, record["settings"])
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items() if k in names}
    return task.network(task.settings(**values), 0)


def _holders(network: Network) -> str:
    """Boards, those with the same core asked once."""
    held: dict[Machine, bool] = {}
    for board in BOARDS.values():
        if board.machine not in held:
            held[board.machine] = _holds(board.machine, network)
    found = [f"`{board.name}`" for board in BOARDS.values() if held[board.machine]]
    return ", ".join(found) or "none"


def _holds(machine: Machine, network: Network) -> bool:
    try:
        compile(network, machine)
    except DoesNotFit:
        return False
    return True
