# SPDX-License-Identifier: Apache-2.0
"""The last long campaigns: every case passed, over a million steps in all, and the page says so."""

import json
from pathlib import Path

from antevolt.sim.docs.verified import CAMPAIGNS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_agrees_with_the_records() -> None:
    total = 0
    for name in CAMPAIGNS:
        record = json.loads((DOCS / name).read_text())
        cases = record["cases"]
        assert all(case["passed"] for case in cases)
        assert record["differing_bits"] == sum(case["differing_bits"] for case in cases) == 0
        assert record["steps"] == sum(case["steps"] for case in cases)
        total += record["steps"]
    assert total >= 1_000_000
    page = " ".join((DOCS / "verify.md").read_text().split())
    assert f"**{total:,} steps in all, learning on.**" in page
