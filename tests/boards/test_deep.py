# SPDX-License-Identifier: Apache-2.0
"""The largest network on an ECP5-85F: it compiles, and estimate and synthesis say that it fits."""

import pytest

from antevolt.boards.deep import MACHINE, stored
from antevolt.boards.model import predict
from antevolt.boards.parts import PARTS
from antevolt.host.compile import compile
from antevolt.sim.docs.fit import LARGE, deep

WITHIN = 0.10  # the goal for LUTs and flip-flops of cores that the model was not fitted to
HOLDS = PARTS["LFE5U-85F"].holds.values()


@pytest.mark.parametrize("optimizer", ["momentum_sum", "sign_sum"])
@pytest.mark.parametrize("rule", ["trace", "instantaneous", "gle"])
def test_it_compiles_with_four_streams(optimizer: str, rule: str) -> None:
    populations = tuple(
        p if p.rule == "instantaneous" else type(p)(p.size, p.phi, p.tau_m, p.tau_r, rule=rule)  # type: ignore[arg-type]
        for p in LARGE.populations
    )
    network = LARGE.with_(optimizer=optimizer, populations=populations, apply_every=64)
    assert MACHINE.total_streams == 4
    assert network.weight_count == 42_040
    compile(network, MACHINE)


def test_estimate_and_synthesis_fit_and_agree() -> None:
    record, needs = stored(), predict(MACHINE, "ecp5").values()
    assert record is not None
    assert record.link
    found = record.usage.values()
    assert all(n <= most for n, most in zip(needs, HOLDS, strict=True))
    assert all(n <= most for n, most in zip(found, HOLDS, strict=True))
    assert needs[2:] == found[2:]
    assert all(abs(a / b - 1) < WITHIN for a, b in zip(needs[:2], found[:2], strict=True))


def test_the_page_has_both() -> None:
    lines = deep().splitlines()
    fitting = [line for line in lines if line.endswith("| yes |")]
    assert any(line.startswith(f"| {MACHINE.name} |") for line in fitting)
    assert any(line.startswith("| synthesis |") for line in lines)
