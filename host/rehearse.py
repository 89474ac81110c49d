# SPDX-License-Identifier: Apache-2.0
"""Whether a comparison will prove something: the model alone, for some steps."""

import numpy as np

from antevolt.hdl.spec.memory_map import Region, size
from antevolt.host.comparison import SATURATED, Case, words_computed
from antevolt.host.compile import compile
from antevolt.host.loading import load
from antevolt.host.random_samples import LONG_ENOUGH
from antevolt.host.state import Memory
from antevolt.sim.golden.compiled import make_core

__all__ = ["rehearse"]

CHANGED = 0.95  # of the learnable words: above what a comparison asks for
MARGIN = 0.5  # of the saturations that a comparison allows


def rehearse(case: Case, first: int = 120) -> bool:
    """Almost all learnable words change in the first steps, and few words saturate in all.

    Weights of short words move seldom and far: theirs may change in any step.

    Weights that grow saturate late, so that the whole run is looked at. Which network is compared
    must not depend on the device that is compared: this looks at the model only. Raises what
    `compile` raises.
    """
    image, core = compile(case.network, case.machine), make_core(case.machine)
    load(core, image, case.weights())
    memory = Memory(case.network, case.machine, image.layout)
    rows, pairs = size(case.machine, Region.WEIGHTS)

    def learnable() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        words = np.stack([core.read(Region.WEIGHTS, row, 0, pairs) for row in range(rows)])
        return memory.learnable({Region.WEIGHTS: words})

    before, batch = learnable(), case.batch()

    def run(part: slice) -> float:
        """The share of the computed words that saturated so far."""
        core.steps(batch.flags[part], batch.x[part], batch.y[part])
        counted = sum(core.memories.saturations.values())
        steps = min(part.stop, batch.steps)
        return float(counted / words_computed(case, batch) * batch.steps / steps)

    most = SATURATED * MARGIN
    if case.machine.formats.word < LONG_ENOUGH:
        first = batch.steps
    early = run(slice(0, first))
    if early > most or np.mean(before != learnable()) < CHANGED:
        return False
    return batch.steps <= first or run(slice(first, batch.steps)) <= most
