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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from antevolt.hdl.spec import checks, description
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.network import Network
from antevolt.host.backend import Backend, open_backend
from antevolt.host.compile import compile
from antevolt.host.keeping import Keeping
from antevolt.host.loading import load
from antevolt.host.outputs import Output, OutputSetting
from antevolt.host.running import Running
from antevolt.host.samples import Sample
from antevolt.host.streaming import CHUNK, Streaming
from antevolt.host.tuning import Tuning

__all__ = ["CHUNK", "Device", "Loaded", "Output", "Sample", "open"]


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

    Raises BadInput for a name that does not exist and what is no Machine, BuildFailed when the
    simulator cannot be built, WrongCore where the core's registers describe another one than
    `machine`, LinkError for a port or board that cannot be reached.
    """
    backend = open_backend(name, machine, deadline)
    try:
        words = backend.read(Region.REGISTERS, 0, Register.CORE_KIND, description.WORDS)
        description.check(backend.machine, tuple(words.tolist()))
    except BaseException:
        backend.close()
        raise
    return Device(name, backend)


class Device(Streaming, Tuning, Keeping):
    """A core and the network it runs. Made by `open`.

    All methods raise Closed after `close`, BadInput for input they refuse and before a network is
    loaded, and DeadlineExceeded (after which the device is closed) when the core does not answer.
    """

    def __init__(self, name: str, backend: Backend):
        super().__init__(name, backend)
        self.loaded: Loaded | None = None

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
        and in `counters`. Refused: NaN and infinite weights, wrong names, shapes and dtypes
        (BadNetwork), what is no network (BadInput), networks that the core cannot hold (DoesNotFit)
        or run (BadNetwork).
        """
        if not isinstance(network, Network):
            raise BadInput(
                f"network is {checks.shown(network)}; give a Network; that of a file is the first "
                "that antevolt.hdl.spec.network.read(path) returns"
            )
        backend, setting = self.backend, OutputSetting(outputs).check(self.machine)
        checked = None if parameters is None else network.check_parameters(parameters)
        image = compile(network, self.machine)  # what does not fit is refused before it is drawn
        checked = checked or network.random_parameters(network.seed)
        with self._closing():
            saturated = load(backend, image, checked, setting)
            mark = getattr(backend, "set_fingerprint", None)  # a board can say what it runs
            if mark is not None:
                mark(image.fingerprint)
        self._running = Running(backend, image, saturated)
        self.loaded = Loaded(
            saturated, image.timetable.cycles_learning, image.timetable.cycles_plain
        )
        return self.loaded
