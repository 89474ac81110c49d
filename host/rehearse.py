# SPDX-License-Identifier: Apache-2.0
"""Whether a comparison will prove something: the model alone, for some steps."""

import numpy as np

from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.host.compile import compile
from antevolt.host.state import Memory
from antevolt.host.verify import SATURATED, Case, words_computed
from antevolt.sim.golden.compiled import make_core

__all__ = ["rehearse"]

CHANGED = 0.95  # of the learnable words: above what a comparison asks for
MARGIN = 0.5  # of the saturations that a comparison allows


def rehearse(case: Case, steps: int = 120) -> bool:
    """Almost all learnable words change in the first steps, and few words saturate.

    Which network is compared must not depend on the device that is compared: this looks at the
    model only. Raises what `compile` raises.
    """
    image, core = compile(case.network, case.machine), make_core(case.machine)
    for words in image.words:
        core.write(*words)
    for row, bank in enumerate(image.layout.pack_weights(case.weights())[0]):
        core.write(Region.WEIGHTS, row, 0, bank)
    memory = Memory(case.network, case.machine, image.layout)
    rows, pairs = size(case.machine, Region.WEIGHTS)

    def learnable() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        words = np.stack([core.read(Region.WEIGHTS, row, 0, pairs) for row in range(rows)])
        return memory.learnable({Region.WEIGHTS: words})

    before, batch = learnable(), case.batch()
    for n in range(min(steps, batch.steps)):
        core.step(batch.flags[n], batch.x[n], batch.y[n])
    counted = core.read(Region.REGISTERS, 0, int(Register.SATURATED), len(KINDS)).sum()
    share = counted / words_computed(case, batch) * batch.steps / min(steps, batch.steps)
    return bool(np.mean(before != learnable()) >= CHANGED and share <= SATURATED * MARGIN)
