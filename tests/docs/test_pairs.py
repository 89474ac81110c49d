# SPDX-License-Identifier: Apache-2.0
"""Paired differences: their interval, and records that are no pair."""

import json
from pathlib import Path
from typing import Any

import pytest

from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.docs import pairs, results
from antevolt.sim.docs.pairs import difference
from antevolt.sim.tasks.mnist1d import Settings


def record(device: str, shares: list[float], **settings: Any) -> dict[str, Any]:
    counters = {"saturated": {"drive": 1000, "d": 1}}
    run = [
        {"seed": n, "test": share, "fresh": share,
         "epochs": [{"valid": share, "counters": counters}]}
        for n, share in enumerate(shares)
    ]  # fmt: skip
    own = {**Settings(device=device, epochs=20).to_dict(), **settings}
    return {"finished": True, "settings": own, "seeds": list(range(len(shares))), "runs": run}


def test_interval() -> None:
    """Of the differences 1, 2, 3, 4: t(3; 0.975) = 3.182446, standard deviation 1.290994."""
    found = difference([2.0, 4.0, 6.0, 8.0], [1.0, 2.0, 3.0, 4.0])
    assert found.mean == pytest.approx(2.5)
    assert found.half == pytest.approx(3.182446 * 1.290994 / 2, rel=1e-6)


def test_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    core, exact = record("model", [0.9, 0.91]), record("float", [0.91, 0.91], r_max=1.0)
    for name in ("length", "r_max"):  # of before there were these settings
        del core["settings"][name]
    for name, content in (("core", core), ("float", exact)):
        (tmp_path / f"pairs-mnist1d-{name}.json").write_text(json.dumps(content))
    line = pairs.pairs().splitlines()[-1]
    assert "| 10,000 fresh | 2 | 20 | 90.50 % | 91.00 % | -0.50 | -6.85 .. +5.85 |" in line
    assert pairs.runs().splitlines()[-2] == "| 0 | 90.00 % | 91.00 % | -1.00 | 1,001 |"
    exact["settings"]["eta"] = 0.5
    (tmp_path / "pairs-mnist1d-float.json").write_text(json.dumps(exact))
    with pytest.raises(BadFile, match="device alone"):
        pairs.pairs()
    exact["finished"] = False
    (tmp_path / "pairs-mnist1d-float.json").write_text(json.dumps(exact))
    with pytest.raises(BadFile, match="not finished"):
        pairs.pairs()
