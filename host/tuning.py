# SPDX-License-Identifier: Apache-2.0
"""What of a loaded network is changed while it runs: rates, constants, inputs and outputs."""

from typing import Any

from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.network import Network
from antevolt.host.constants import changed, words
from antevolt.host.opened import Opened
from antevolt.host.optimizer import changes, with_rate
from antevolt.host.outputs import OutputSetting
from antevolt.host.substeps import InputSetting

__all__ = ["Tuning"]


class Tuning(Opened):
    """The part of a device that changes how it goes on; states and weights stay."""

    def set_outputs(self, mode: str = "every", every: int = 1, shift: int = 0) -> None:
        """Choose which outputs leave the core, from now on.

        mode   "every": all streams' outputs, in every step or, with `every` = k, in the last of
               each k steps of the core, counted from here;
               "last": those of a stream in the step in which it is valid and `last`;
               "sum": then, the sum of its outputs since `first`, divided by 2^`shift` (rounded
               down; beyond +-8 it saturates, `counters()["saturated_sums"]`);
               "argmax": then, the number of the output whose sum is largest, of equals the lowest;
               "none": nothing

        A sequence must begin in the mode in which its sum is wanted. With the parallel schedule a
        step puts out, and adds, the outputs of the step before. Steps take the same cycles in all
        modes. Checkpoints hold the mode. Raises BadInput for what there is not; sums and argmax
        need a core with sums (`Machine.sums`).
        """
        self._ready()
        setting = OutputSetting(mode, every, shift).check(self.machine)
        with self._closing():
            setting.write(self.backend)

    def set_inputs(self, substeps: int = 1, mode: str = "hold") -> None:
        """Let one sample, with its target, drive `substeps` = k steps of the core, from now on.

        mode  "hold": its inputs stay; "interpolate": they go there linearly from those of the
              sample before (`InputSetting`), which are zero after `load`; a stream that starts
              holds its first sample

        `first` acts in the first of the k steps, `last` in the last one. Outputs, and the numbers
        of `results`, count steps: `set_outputs("every", k)` gives one output per sample. The host
        makes the steps; the setting lasts until `load`, and checkpoints do not hold it. Raises
        BadInput for what there is not.
        """
        self._ready().inputs = InputSetting(substeps, mode).check()

    def set_eta(self, projection: int | None, eta: float) -> float:
        """Change the learning rate of one projection, or (None) of all that learn, from now on.

        Returns the nearest rate that the core has, which it now uses; `image.eta` has them all. The
        rate belongs to the program: `load` sets it anew, states and checkpoints do not hold it.
        Raises BadInput for a projection that does not learn or a rate beyond the core's range.
        """
        running = self._ready()
        new = with_rate(running.image, projection, eta)
        with self._closing():
            for index, words in changes(running.image, new):
                self.backend.write(Region.PROGRAM, 0, index, words)
        running.image = new
        rates = new.eta if projection is None else new.eta[projection : projection + 1]
        return next(rate for rate in rates if rate is not None)

    def set(self, population: int | None = None, **constants: Any) -> Network:
        """Change constants of the loaded network from now on; its states and weights stay.

        population  None: those of the network: beta, momentum, momentum2, softmax_gain,
                    apply_every; l = 1, 2, ...: those of a population: tau_m, tau_r (one number or
                    one for each neuron), gamma, g; under the rule `gle` also kappa, tau_v

        Returns the network as it is now, which `network`, checkpoints and `load` mean from then on;
        learning rates are those of before (`set_eta`). The core rounds constants as it does when a
        network is loaded. Raises BadInput for what cannot be changed, time constants that learn,
        and changes that need another program; BadNetwork and DoesNotFit as `load` does. Nothing has
        changed then.
        """
        running = self._ready()
        new = changed(running.image, population, constants)
        with self._closing():
            for region, index, data in words(running.image, new):
                self.backend.write(region, 0, index, data)
        running.change(new)
        return new.network
