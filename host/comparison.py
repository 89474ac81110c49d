# SPDX-License-Identifier: Apache-2.0
"""What a comparison compares, what it found, and whether it proves anything."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.host.locate import Difference
from antevolt.host.outputs import OutputSetting
from antevolt.host.random_samples import Profile, random_batch, weights
from antevolt.host.samples import Batch, Sizes
from antevolt.host.verify_worker import Fault

__all__ = ["SATURATED", "Case", "Report", "vacuous", "words_computed"]

CHANGED = 0.9  # least share of the learnable words that a comparison must change
SATURATED = 0.01  # largest share of words that may saturate in it
FILTER_WORDS = 8  # per neuron and step: drive, d, u, p, beta, delta, v, e


@dataclass(frozen=True)
class Case:
    """What to compare: a network on a machine, with random samples of `steps` steps.

    parameters  None: drawn from the seed
    device, model  the two sides, names of devices
    outputs     the output mode
    fault       a planted difference on the model's side, to test the comparison itself
    """

    network: Network
    machine: Machine
    steps: int
    seed: int = 0
    profile: Profile = "normal"
    parameters: Parameters | None = None
    device: str = "rtl"
    model: str = "model"
    checkpoint_every: int = 0  # 0: about eight of them
    deadline: float = 600.0
    fault: Fault | None = None
    outputs: OutputSetting = field(default_factory=OutputSetting)

    @property
    def name(self) -> str:
        sizes = "-".join(map(str, self.network.sizes))
        learning = "" if self.network.apply_every == 1 else f" /{self.network.apply_every}"
        m = self.machine
        filters = "" if m.filters == m.multipliers == 1 else f" F{m.filters} M{m.multipliers}"
        rule = "" if self.network.optimizer == "sgd" else f" {self.network.optimizer}"
        words = f"{m.name}{filters} {sizes} {self.network.schedule}{learning}{rule} {self.profile}"
        return words + ("" if self.outputs == OutputSetting() else f" {self.outputs}")

    def batch(self) -> Batch:
        sizes = Sizes(
            self.machine.total_streams,
            self.network.inputs,
            self.network.outputs,
            self.machine.formats,
        )
        return random_batch(sizes, self.steps, self.seed, self.profile)

    def weights(self) -> Parameters:
        if self.parameters is not None:
            return self.parameters
        return weights(self.network, self.seed, self.profile)


@dataclass(frozen=True)
class Report:
    """What a comparison found.

    words_compared    output words and memory words
    differing_bits    of the outputs and of all memories at the end
    digest            SHA-256 of the model's final memories
    changed           share of the learnable words that learning changed
    saturations       by kind, of the model
    saturated         share of the computed words that saturated
    cycles, compiled  cycles of all steps, with the idle one before each: the device's without
                      those it waited for a stream, and the compiler's count
    cycles_differ_at  last step of the first part in which they differ
    difference        the first one
    vacuous           why the comparison proves nothing
    """

    name: str
    device: str
    seed: int
    steps: int
    words_compared: int
    differing_bits: int
    digest: str
    changed: float
    saturations: dict[str, int]
    saturated: float
    cycles: int
    compiled: int
    cycles_differ_at: int | None
    difference: Difference | None = None
    vacuous: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not (
            self.differing_bits
            or self.difference
            or self.vacuous
            or self.cycles_differ_at is not None
        )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Report":
        """The inverse, of a comparison that has passed."""
        return cls(**{name: value for name, value in values.items() if name != "passed"})


def vacuous(case: Case, changed: float, saturated: float, saturations: dict[str, int]) -> list[str]:
    """Why a comparison in which so much changed and saturated proves nothing; empty: it does."""
    reasons = []
    if changed < CHANGED:
        reasons.append(
            f"only {changed:.1%} of the learnable words changed, it takes {CHANGED:.0%}; "
            "run more steps or a larger eta"
        )
    if case.profile == "stress":
        missing = [kind for kind in KINDS if not saturations[kind]]
        if missing:
            reasons.append(f"no saturation of {', '.join(missing)}, and stress needs every kind")
    elif saturated > SATURATED:
        reasons.append(
            f"{saturated:.1%} of the words saturated, more than {SATURATED:.0%}; "
            "choose smaller weights, beta or eta"
        )
    return reasons


def words_computed(case: Case, batch: Batch) -> int:
    """Words that a saturator saw: those of the filters, of q, and the weights."""
    valid = int(np.count_nonzero(batch.flags & Flag.VALID))
    neurons = sum(case.network.sizes[1:])
    hidden = sum(case.network.sizes[1:-1])
    applies = batch.steps // case.network.apply_every
    return max(1, valid * (neurons * FILTER_WORDS + hidden) + applies * case.network.weight_count)
