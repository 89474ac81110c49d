# SPDX-License-Identifier: Apache-2.0
"""What a build is doing, on stderr."""

import re
import time
from types import TracebackType

from rich.console import Console
from rich.status import Status

__all__ = ["Progress"]

WIDTH = 60


class Progress:
    """One line that lives, with the stage, its time and the tool's last words; where stderr is no
    terminal, a line for each stage."""

    def __init__(self, title: str):
        self.title, self.stage, self.began = title, "", time.monotonic()
        self.console = Console(stderr=True)
        self.status: Status | None = None

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self.status = self.console.status(self.title)
            self.status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.status is not None:
            self.status.stop()

    def __call__(self, stage: str, line: str) -> None:
        if stage != self.stage:
            self.stage, self.began = stage, time.monotonic()
            if self.status is None:
                self.console.print(f"{self.title}: {stage}", highlight=False)
        if self.status is not None:
            seconds = time.monotonic() - self.began
            last = re.sub(r"^Info:\s*", "", line.strip())[:WIDTH]
            self.status.update(f"{self.title}: {stage}, {seconds:.0f} s  {last}")
