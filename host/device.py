# SPDX-License-Identifier: Apache-2.0
"""The device: load a network, stream samples through it, let it learn, keep its state.

    with open("model") as device:
        device.load(network)
        for outputs in device.stream(samples, targets, learn=True):
            ...

All devices behave alike, bit for bit: the model, the simulated core, and boards.
S is the number of streams, S T of a core with T contexts; stream t S + k lives in column k and
context t. What is refused and what saturates: `samples.py` says it for samples, `load` for weights.
After a refused call the state of the device is what it was before.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec import description
from antevolt.hdl.spec.errors import BadFile, BadInput, Closed
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.network import Network
from antevolt.host import checkpoint
from antevolt.host.backend import Backend, open_backend
from antevolt.host.bake import write
from antevolt.host.checkpoint import State
from antevolt.host.compile import Image, compile
from antevolt.host.constants import changed, words
from antevolt.host.energy import Energy
from antevolt.host.optimizer import changes, with_rate
from antevolt.host.outputs import Output, OutputSetting, Sent
from antevolt.host.running import Running
from antevolt.host.samples import Batch, Flags, Sample, Sizes, collect, steps_of
from antevolt.host.substeps import InputSetting

__all__ = ["CHUNK", "Device", "Loaded", "Output", "Sample", "open"]

CHUNK = 64
"""Steps that `stream` takes from its source at a time."""


@dataclass(frozen=True)
class Loaded:
    """What loading a network did.

    saturated_weights  weights and biases that were beyond the format w (+-4)
    cycles_learning, cycles_plain  cycles of a step that learns and applies, and of one that does
                       not learn, when no stream makes the core wait
    """

    saturated_weights: int
    cycles_learning: int
    cycles_plain: int


def open(
    name: str = "model", *, machine: Machine | None = None, deadline: float = 60.0
) -> "Device":
    """Open a device.

    name      "model": the fixed-point model, compiled on first use, or in numpy where there is no
              C++ compiler; "model:numpy": in numpy; "rtl": the core's netlist in a simulator,
              which is built on first use; "rtl:ecp5", "rtl:ice40": what synthesis for these
              families makes of it, simulated; "rtl:top": a whole board in that simulator, reached
              over its serial line; "serial:PORT": a board on a serial port; "tcp:HOST:PORT": one
              that `antevolt serve` lends (`docs/link.md`)
    machine   the core's parameters; default `Machine()`: one row, one stream; of a board on a
              port, what the board says
    deadline  seconds that any one call may wait

    Raises BadInput for a name that does not exist, BuildFailed when the simulator cannot be built,
    WrongCore where the core's registers describe another one than `machine`, LinkError for a port
    or board that cannot be reached.
    """
    backend = open_backend(name, machine, deadline)
    try:
        words = backend.read(Region.REGISTERS, 0, Register.CORE_KIND, description.WORDS)
        description.check(backend.machine, tuple(words.tolist()))
    except BaseException:
        backend.close()
        raise
    return Device(name, backend)


class Device:
    """A core and the network it runs. Made by `open`.

    All methods raise Closed after `close`, BadInput for input they refuse and before a network is
    loaded, and DeadlineExceeded (after which the device is closed) when the core does not answer.
    """

    def __init__(self, name: str, backend: Backend):
        self.name = name
        self._backend: Backend | None = backend
        self._running: Running | None = None
        self.loaded: Loaded | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._backend is None:
            return f"<Device {self.name}, closed>"
        return f"<Device {self.name} ({self.implementation}), core {self._backend.machine.name}>"

    @property
    def implementation(self) -> str:
        """What executes the steps: "compiled" or "numpy" of the model, else the device's name."""
        return str(getattr(self.backend, "implementation", self.name))

    @property
    def machine(self) -> Machine:
        return self.backend.machine

    @property
    def backend(self) -> Backend:
        """Raw access, for tools that compare memories; what it changes is not checked."""
        if self._backend is None:
            raise Closed(f"device {self.name!r} is closed; open it again")
        return self._backend

    @property
    def network(self) -> Network:
        """The network that is loaded."""
        return self._ready().network

    @property
    def image(self) -> Image:
        """What was loaded: the words, where they lie, and the timetable."""
        return self._ready().image

    @property
    def sizes(self) -> Sizes:
        """Streams, inputs, outputs and formats of one step."""
        return self._ready().sizes

    def load(
        self,
        network: Network,
        parameters: Mapping[str, Any] | None = None,
        outputs: str = "every",
    ) -> Loaded:
        """Compile a network and write it, its weights and the zero state.

        parameters  as `Network.random_parameters` gives them, which is also the default with the
                    network's own seed
        outputs     the output mode, see `set_outputs`

        Finite weights beyond the format w (+-4) saturate; the count is in the result, in `loaded`
        and in `counters`. Refused: NaN and infinite weights, wrong names and shapes (BadNetwork),
        networks that the core cannot hold (DoesNotFit) or run (BadNetwork).
        """
        backend, setting = self.backend, OutputSetting(outputs).check(self.machine)
        checked = None if parameters is None else network.check_parameters(parameters)
        image = compile(network, self.machine)  # what does not fit is refused before it is drawn
        checked = checked or network.random_parameters(network.seed)
        banks, saturated = image.layout.pack_weights(checked)
        with self._closing():
            write(backend, image, banks, setting)
            mark = getattr(backend, "set_fingerprint", None)  # a board can say what it runs
            if mark is not None:
                mark(image.fingerprint)
        self._running = Running(backend, image, saturated)
        self.loaded = Loaded(
            saturated, image.timetable.cycles_learning, image.timetable.cycles_plain
        )
        return self.loaded

    def stream(
        self,
        samples: ArrayLike | Iterable[Any],
        targets: ArrayLike | None = None,
        learn: ArrayLike = False,
        *,
        valid: ArrayLike = True,
        first: ArrayLike = False,
        last: ArrayLike = False,
        target_valid: ArrayLike | None = None,
        chunk: int = CHUNK,
    ) -> Iterator[NDArray[np.float64]]:
        """Stream samples and give the outputs [S, outputs] of each step, as they come.

        In other output modes than every step (`set_outputs`) only what the core puts out: of a
        step, the outputs of the streams that end there, [streams, outputs], or in mode argmax
        their numbers, [streams]; nothing of steps without any. `results` also says which they are.

        samples  an array [T, S, inputs] (see `samples.py` for what may be left out) with `targets`
                 [T, S, outputs] and flags [T, S], [T] or one; or any iterable of samples
                 (`Sample`, mapping, tuple, inputs) that carry theirs
        learn    of an array, a flag like the others; of an iterable, one for all samples that do
                 not say
        chunk    steps taken from the source at a time; 1 where the next sample depends on the
                 output. No more than that is ever in memory.

        Nothing runs before the first output is asked for, and the source is read no more than
        `chunk` steps ahead of what was asked for. Arrays are checked wholly before anything is
        sent; of an iterable, the samples before a bad one run, then BadInput is raised. Inputs and
        targets beyond +-8 saturate (`counters()["saturated_on_host"]`).
        """
        found = self.results(
            samples,
            targets,
            learn,
            valid=valid,
            first=first,
            last=last,
            target_valid=target_valid,
            chunk=chunk,
        )
        return (output.values for output in found)

    def results(
        self,
        samples: ArrayLike | Iterable[Any],
        targets: ArrayLike | None = None,
        learn: ArrayLike = False,
        *,
        valid: ArrayLike = True,
        first: ArrayLike = False,
        last: ArrayLike = False,
        target_valid: ArrayLike | None = None,
        chunk: int = CHUNK,
    ) -> Iterator[Output]:
        """Like `stream`, with the step and the streams that each output belongs to."""
        if not isinstance(chunk, int) or chunk < 1:
            raise BadInput(f"chunk is {chunk!r}; it is a number of steps, 1 or more")
        flags = Flags(valid, first, last, target_valid, learn)
        sizes = self.sizes
        if isinstance(samples, Iterable) and not isinstance(samples, list | tuple | np.ndarray):
            if targets is not None or flags[:4] != Flags()[:4] or not isinstance(learn, bool):
                raise BadInput(
                    "samples of an iterable carry their own targets and flags; "
                    "give Sample(x, y, ...) for each step"
                )
            return self._outputs(_chunks(sizes, iter(samples), learn, chunk))
        steps = steps_of(sizes, samples, targets, flags)
        parts = (
            steps.batch(start, min(start + chunk, len(steps)))
            for start in range(0, len(steps), chunk)
        )
        return self._outputs(parts)

    def predict(
        self,
        samples: ArrayLike,
        *,
        valid: ArrayLike = True,
        first: ArrayLike = False,
        last: ArrayLike = False,
    ) -> NDArray[np.float64]:
        """The outputs [T, S, outputs] ([T, outputs] where S was left out), leaving no trace.

        In mode every with k > 1, T is the number of steps that put out something; in the modes
        last and sum the result is [sequences, outputs], in mode argmax [sequences], integers: the
        sequences in the order in which they end, those of one step by stream.

        The streams carry on from where they are (or start anew where `first` says so); afterwards
        all memories and the step counter are put back, bit for bit. Counters of `counters` move.
        """
        running = self._ready()
        steps = steps_of(running.sizes, samples, None, Flags(valid, first, last))
        with self._closing():
            mode = Sent.read(self.backend).setting.mode
            snapshot, last_run = running.memory.snapshot(self.backend), running.last
            parts = (steps.batch(a, a + CHUNK) for a in range(0, len(steps), CHUNK))
            rows = [output.values for part in parts for output in running.run(part)]
            running.memory.write(self.backend, snapshot)
            running.last = last_run
        if mode == "argmax":
            return np.concatenate([np.zeros(0, dtype=np.int64), *rows])
        if mode != "every":
            return np.concatenate([np.zeros((0, self.sizes.outputs)), *rows])
        shape = (len(rows), self.sizes.streams, self.sizes.outputs)
        found = np.array(rows, dtype=np.float64).reshape(shape)
        return found[:, 0] if steps.flat else found

    def learn_one(self, x: ArrayLike, y: ArrayLike) -> NDArray[Any]:
        """One learning step of all streams: x [S, inputs], y [S, outputs]; the outputs [S, outputs]
        of the step, computed before the weights change; none in a step that puts out nothing."""
        running = self._ready()
        batch = collect(running.sizes, [Sample(x, y)], 0, learn=True)
        with self._closing():
            rows = [output.values for output in running.run(batch)]
        return rows[-1] if rows else np.zeros((0, self.sizes.outputs))

    def partial_fit(self, samples: ArrayLike, targets: ArrayLike, **flags: ArrayLike) -> Self:
        """Learn from arrays, [T, S, inputs] and [T, S, outputs]; flags as in `stream`."""
        for _ in self.stream(samples, targets, True, **flags):  # type: ignore[arg-type]
            pass
        return self

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

    def close(self) -> None:
        """Let go of the core. Closing twice does no harm."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _ready(self) -> Running:
        self.backend  # noqa: B018  raises Closed
        if self._running is None:
            raise BadInput("no network is loaded; call load first")
        return self._running

    def _outputs(self, parts: Iterator[Batch]) -> Iterator[Output]:
        running, done = self._ready(), 0
        for part in parts:
            if running is not self._ready():
                raise Closed("another network was loaded while this stream was under way")
            with self._closing():
                outputs = running.run(part, done)
            done += part.steps * running.inputs.substeps
            yield from outputs

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """A core that was interrupted or did not answer is in no known state: let go of it."""
        try:
            yield
        except BaseException:
            self.close()
            raise


def _chunks(sizes: Sizes, items: Iterator[Any], learn: bool, chunk: int) -> Iterator[Batch]:
    """Batches of up to `chunk` samples; the good ones before a bad one first."""
    step = 0
    while taken := list(islice(items, chunk)):
        try:
            batch = collect(sizes, taken, step, learn)
        except BadInput:
            for k, item in enumerate(taken):
                yield collect(sizes, [item], step + k, learn)  # raises at the bad one
            raise
        yield batch
        step += len(taken)
