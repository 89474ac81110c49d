# SPDX-License-Identifier: Apache-2.0
"""What a task learns on: a device, or the float model in its place."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.host.checkpoint import State

__all__ = ["Learner"]


class Learner(Protocol):
    """The part of `antevolt.host.device.Device` that tasks use, with its contracts."""

    @property
    def machine(self) -> Machine: ...

    @property
    def network(self) -> Network: ...

    @property
    def implementation(self) -> str: ...

    def load(self, network: Network, parameters: Parameters | None = None) -> Any: ...

    def stream(
        self,
        samples: Any,
        targets: ArrayLike | None = None,
        learn: ArrayLike = False,
        *,
        valid: ArrayLike = True,
        first: ArrayLike = False,
        target_valid: ArrayLike | None = None,
        chunk: int = 64,
    ) -> Iterator[NDArray[Any]]: ...

    def predict(
        self, samples: ArrayLike, *, valid: ArrayLike = True, first: ArrayLike = False
    ) -> NDArray[Any]: ...

    def set_eta(self, projection: int | None, eta: float) -> float: ...

    def state_dict(self) -> State: ...

    def counters(self) -> dict[str, Any]: ...

    def save(self, path: str | Path) -> None: ...

    def restore(self, path: str | Path) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
