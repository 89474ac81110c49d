# SPDX-License-Identifier: Apache-2.0
"""What a device holds: states to read, write and keep in files, counters, and the energy."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.host import checkpoint
from antevolt.host.checkpoint import State
from antevolt.host.energy import Energy
from antevolt.host.opened import Opened

__all__ = ["Keeping"]


class Keeping(Opened):
    """The part of a device that reads what is in the core, and puts it back."""

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the arrays of `state_dict`, without their `.raw` doubles and the registers."""
        return tuple(self._ready().memory.places)

    def state_dict(self, names: Iterable[str] | None = None) -> State:
        """All learnable words and all states, by name, as copies; or those of these `names`.

        `projection.k.weight` [target, source], `.bias` [target], `.gradient` [target, columns];
        with an optimizer that has moments `.moment` [target, columns] (`hdl/spec/moments.py`);
        `population.l.u`, `.v`, `.e`, `.slope` (r'), `.q`, `.r`, each [S, units]; `output`, and its
        `sum` over a sequence (output modes sum and argmax);
        as float64, and under the same name with `.raw` the integers they are.
        `register.step`, `.seed`, `.apply_every`, `.learned`, `.output_mode`, `.output_every`,
        `.output_passed`, `.output_shift`: int64, [1]. `core.formats`, int64 [5]: `Formats`, in
        which the integers are. Of `names`, which are from `state_names`, the float64 alone are
        read. Raises BadInput for another name.
        """
        memory = self._ready().memory
        wanted = None if names is None else list(names)
        if wanted is not None and (unknown := sorted(set(wanted) - set(memory.places))):
            raise BadInput(f"this network has no {', '.join(unknown)}; see state_names")
        with self._closing():
            if wanted is not None:
                return memory.part(self.backend, wanted)
            return memory.read(self.backend)

    def load_state_dict(
        self, state: Mapping[str, ArrayLike], *, rounded: bool = False, streams: bool = True
    ) -> None:
        """Write a state, bit for bit where it has the `.raw` integers, else rounded and saturated.

        Either of a pair of names will do. A state moves bit for bit between cores of the same
        number of streams and the same formats, whatever their rows, columns, contexts, filters and
        depths are. Raises BadInput for names, shapes, dtypes or numbers that do not fit, and where
        both are there and contradict each other; nothing is written then.

        rounded  True: also the state of a core with other formats (word length), whose numbers are
                 rounded to this core's and saturated, half up; moments keep all their digits
        streams  False: only what all streams share: weights, gradients, moments, time constants,
                 registers; the states of this core's streams stay what they are
        """
        running = self._ready()
        checked = running.memory.check(state, rounded, streams)
        with self._closing():
            running.memory.write(self.backend, checked)
            running.last = None

    def save(self, path: str | Path) -> None:
        """Write the state and the network to one `.safetensors` file."""
        checkpoint.write(path, self.network, self.machine.formats, self.state_dict())

    def restore(self, path: str | Path, *, rounded: bool = False, streams: bool = True) -> None:
        """Read the state from such a file; `rounded` and `streams` as in `load_state_dict`.

        Raises BadFile for a file that is truncated, foreign, or of another network, or of a core
        with another word length (`rounded`) or number of streams (`streams`); the state is
        untouched then.
        """
        formats = None if rounded else self.machine.formats
        state = checkpoint.read(path, self.network, formats)
        try:
            self.load_state_dict(state, rounded=rounded, streams=streams)
        except BadInput as error:
            raise BadFile(f"{path} does not fit this device: {error}") from error

    def counters(self) -> dict[str, Any]:
        """Counters since `load`.

        cycles, busy         clock cycles; those inside steps
        stalled_input, stalled_output  cycles inside steps spent waiting for input or for the output
                             to be taken (the numpy model never waits)
        steps                steps done
        slots                array slots issued by FORWARD and BACK
        saturated            by kind (`hdl/spec/roundings.py`), in the core; empty where
                             `Machine.saturations` is False: such a core does not count them
        saturated_sums       sums beyond their 32 bits, or beyond a word when they were put out;
                             None in such a core
        saturated_on_host    inputs, targets and weights beyond their formats
        """
        running = self._ready()
        with self._closing():
            return running.counters()

    def energy(self) -> Energy:
        """The energy after the last step: 1/2 |e|^2 of each population, beta C at the output.

        Read over the access port, no matter what the output mode lets through; C is of the outputs
        as they are after the step, also with the parallel schedule. C counts for streams that were
        valid and had a target in that step; `load`, `restore` and `load_state_dict` forget the
        targets.
        """
        running = self._ready()
        with self._closing():
            return running.energy()
