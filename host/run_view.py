# SPDX-License-Identifier: Apache-2.0
"""What a terminal shows of a run while it runs; plain lines where there is no terminal.

Drawing, and looking at the device, take time that the run lacks: each is done four times a second,
and no more often than that it takes 1/50 of the time.
"""

import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from antevolt.host.device import Device
from antevolt.host.gauges import Gauges, Reading
from antevolt.host.run import Progress
from antevolt.host.score import Score

__all__ = ["PlainView", "RunView", "plain"]

PER_SECOND = 4
SHARE = 50
SECONDS = 10.0  # that steps per second are the mean of
BARS = " ▁▂▃▄▅▆▇█"
KEPT = 40


def plain(progress: Progress) -> str:
    """A checkpoint in one line."""
    reading = progress.reading
    parts = [f"step {progress.step}/{progress.steps}"]
    parts += [] if progress.loss is None else [f"loss {progress.loss:.5g}"]
    parts += [] if progress.accuracy is None else [f"accuracy {progress.accuracy:.2%}"]
    parts += [f"{progress.steps_per_second:.0f} steps/s", f"energy {_energies(reading)}"]
    parts += [f"saturated {_counts(reading.saturated)}"]
    parts += [] if reading.link is None else [f"link {_link(reading)}"]
    return "; ".join(parts)


class PlainView:
    """A line per checkpoint."""

    def __init__(self, console: Console):
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def checkpoint(self, progress: Progress) -> None:
        self._console.print(plain(progress), highlight=False, soft_wrap=True, markup=False)


class RunView:
    """A panel that changes in place.

    title     what runs
    position  the step it starts from, of `steps`
    """

    def __init__(self, console: Console, title: str, device: Device, position: int, steps: int):
        self._title, self._device, self._steps = title, device, steps
        self._step = position
        self._seen = deque([(time.monotonic(), position)])
        self._score: Score | None = None
        self._last: Progress | None = None
        self._losses: deque[float] = deque(maxlen=KEPT)
        self._gauges = Gauges(device)
        self._reading: Reading | None = None
        self._saturated: dict[str, int] = {}
        self._live = Live(get_renderable=self.panel, console=console, auto_refresh=False)
        self._turns = {self._look: 0.0, self._live.refresh: 0.0}  # when each is due again

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def watch(self, step: int, score: Score) -> None:
        """A `Watch` (`run.py`)."""
        self._step, self._score = step, score
        now = time.monotonic()
        if now - self._seen[-1][0] >= 1 / PER_SECOND:
            self._note(now)
        for turn, due in self._turns.items():
            begin = time.monotonic()
            if begin >= due:
                turn()
                spent = time.monotonic() - begin
                self._turns[turn] = begin + max(1 / PER_SECOND, SHARE * spent)

    def checkpoint(self, progress: Progress) -> None:
        self._step, self._last, self._score = progress.step, progress, None
        self._losses.extend([] if progress.loss is None else [progress.loss])
        self._note(time.monotonic())
        if progress.step == progress.steps:
            self._look()  # the panel that stays shows the end; it is drawn once more

    def panel(self) -> RenderableType:
        """The view as it is now."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        table.add_row("steps", ProgressBar(self._steps, self._step, width=60))
        table.add_row("", self._speed())
        loss, accuracy = self._now()
        if loss is not None:
            table.add_row("loss", f"{loss:.5g}  {sparkline(self._losses)}")
        if accuracy is not None:
            table.add_row("accuracy", f"{accuracy:.2%}")
        if self._reading is not None:
            table.add_row("energy", _energies(self._reading))
            table.add_row("saturated", _counts(self._saturated))
            if self._reading.link is not None:
                table.add_row("link", _link(self._reading))
        return Panel(table, title=self._title, title_align="left", expand=False)

    def _speed(self) -> str:
        (since, before), (until, step) = self._seen[0], self._seen[-1]
        rate = (step - before) / max(1e-9, until - since)
        left = f", {_clock((self._steps - self._step) / rate)} left" if rate else ""
        return f"{self._step} of {self._steps}, {rate:.0f} steps/s{left}"

    def _now(self) -> tuple[float | None, float | None]:
        """Loss and accuracy since the last checkpoint, or of it where nothing came yet."""
        found = self._score if self._score is not None else self._last
        return (None, None) if found is None else (found.loss, found.accuracy)

    def _note(self, now: float) -> None:
        self._seen.append((now, self._step))
        while now - self._seen[0][0] > SECONDS and len(self._seen) > 2:
            self._seen.popleft()

    def _look(self) -> None:
        self._reading = self._gauges.look()
        for kind, count in self._reading.saturated.items():
            self._saturated[kind] = self._saturated.get(kind, 0) + count


def sparkline(values: "deque[float]") -> str:
    """Bars from the least to the largest."""
    if len(values) < 2:
        return ""
    low, span = min(values), max(values) - min(values) or 1.0
    return "".join(BARS[1 + round((value - low) / span * (len(BARS) - 2))] for value in values)


def _energies(reading: Reading) -> str:
    """Of each population, 1 the first."""
    each = [f"{l}: {value:.3g}" for l, value in enumerate(reading.energy, 1)]
    return ", ".join([*each, f"cost: {reading.cost:.3g}"])


def _counts(saturated: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in saturated.items() if count) or "none"


def _link(reading: Reading) -> str:
    use = reading.link
    if use is None:
        return ""
    lost = f", resent {use.resent}, damaged {use.bad}" if use.resent or use.bad else ""
    return (
        f"{use.out:.0f} bytes/s out, {use.into:.0f} in, {use.share:.0%} of {use.baud} baud, "
        f"window {use.fullest} of {use.window} bytes{lost}"
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
