# SPDX-License-Identifier: Apache-2.0
"""The table of ablations, from a record with a run that is not finished."""

import json
from pathlib import Path

import pytest

from antevolt.sim.docs import results
from antevolt.sim.docs.ablations import ablations


def test_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    one = {"name": "recipe", "finished": True, "epochs": 20, "steps": 360_000, "valid": 0.931,
           "test": 0.933, "largest_weight": 3.1, "saturated": 1234, "seconds": 90.0,
           "commit": "0123456789abcdef"}  # fmt: skip
    other = {"name": "no reset", "finished": False, "epochs": 3}
    record = {"seed": 0, "rows": [one, other]}
    (tmp_path / "mnist1d-ablations.json").write_text(json.dumps(record))
    lines = ablations().splitlines()
    assert len(lines) == 3
    assert lines[-1] == "| recipe | 20 | 360,000 | 93.1 % | 93.3 % | 3.10 | 1,234 | 1.5 | 0123456 |"
    assert all(line.count("|") == lines[0].count("|") for line in lines)
