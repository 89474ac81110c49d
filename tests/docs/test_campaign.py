# SPDX-License-Identifier: Apache-2.0
"""The manual says of the last campaign what its record says."""

import json
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_agrees_with_the_record():
    record = json.loads((DOCS / "campaign.json").read_text())
    cases = record["cases"]
    passed = sum(case["passed"] for case in cases)
    page = " ".join((DOCS / "verify.md").read_text().split())
    assert record["differing_bits"] == 0
    assert record["steps"] == sum(case["steps"] for case in cases) >= 100_000
    assert f"{passed} of {len(cases)} cases equal, {record['steps']:,} steps" in page
