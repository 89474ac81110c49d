# SPDX-License-Identifier: Apache-2.0
"""A device that is open: its core, what runs on it, and how it is let go."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from antevolt.hdl.spec.errors import BadInput, Closed
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network
from antevolt.host.backend import Backend
from antevolt.host.compile import Image
from antevolt.host.running import Running
from antevolt.host.samples import Sizes

__all__ = ["Opened"]


class Opened:
    """What every part of a device (`host.device.Device`) has: a backend until it is closed, and the
    network that runs on it once one is loaded."""

    def __init__(self, name: str, backend: Backend):
        self.name = name
        self._backend: Backend | None = backend
        self._running: Running | None = None

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

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """A core that was interrupted or did not answer is in no known state: let go of it."""
        try:
            yield
        except BaseException:
            self.close()
            raise
