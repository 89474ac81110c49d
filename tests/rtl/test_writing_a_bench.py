# SPDX-License-Identifier: Apache-2.0
"""The manual's page on benches shows the file that it names."""

import re

from antevolt.sim.docs.pages import ROOT

SHOWN = re.compile(r"\[that file\]\(\.\./(\S+)\):\n\n```py\n(.*?)```", re.DOTALL)


def test_the_page_shows_the_file():
    shown = SHOWN.findall((ROOT / "docs" / "writing-a-bench.md").read_text())
    assert [name for name, _ in shown] == ["tests/rtl/test_example_rtl.py"]
    assert [text for _, text in shown] == [(ROOT / name).read_text() for name, _ in shown]
