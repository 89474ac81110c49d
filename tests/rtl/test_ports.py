# SPDX-License-Identifier: Apache-2.0
"""The table of ports is the component's signature, its Verilog, and the page of the manual."""

import re

import pytest
from amaranth.back import verilog
from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from antevolt.hdl.core.core import Core
from antevolt.hdl.core.ports import PORTS, markdown
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.docs.pages import ROOT

SMALL = {"w_depth": 16, "r_depth": 16, "state_depth": 16, "q_depth": 16, "phi_log2": 4}


def table(word):
    widths = {"W": word, "W + 5": word + 5, "W + 6": word + 6}
    return {p.name: (p.direction, widths.get(p.width) or int(p.width)) for p in PORTS}


def of_signature(core):
    """(direction, width) of every port, from the component's signature."""
    found = {"clk": ("in", 1), "rst": ("in", 1)}
    for name, member in core.signature.members.items():
        way, against = ("in", "out") if member.flow == In else ("out", "in")
        if member.is_port:
            found[name] = way, Shape.cast(member.shape).width
        else:
            payload = member.signature.members["payload"].shape
            found[f"{name}__payload"] = way, Shape.cast(payload).width
            found |= {f"{name}__valid": (way, 1), f"{name}__ready": (against, 1)}
    return found


@pytest.mark.parametrize("word", [16, 18])
def test_the_table_is_the_signature_and_the_verilog(word):
    core = Core(Machine(formats=Formats(word=word), **SMALL))
    assert table(word) == of_signature(core)
    text = verilog.convert(core, name="top")
    module = re.search(r"^module top\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)[0]
    ports = re.findall(r"^  (in|out)put (?:\[(\d+):0\] )?(\w+);", module, re.MULTILINE)
    assert {name: (way, int(high or 0) + 1) for way, high, name in ports} == table(word)


def test_every_cell_says_something():
    cells = [cell for port in PORTS for cell in vars(port).values()]
    assert all(cells)
    assert not [cell for cell in cells if "|" in cell]


def test_the_page_is_up_to_date():
    assert markdown().strip() in (ROOT / "docs" / "ports.md").read_text()
