# SPDX-License-Identifier: Apache-2.0
"""The readers of a run's folder: what `antevolt report` draws, and what a run goes on from."""

from random import Random

import numpy as np

from antevolt.hdl.spec.network import Network, Population, write
from antevolt.host.device import open as open_device
from antevolt.host.report.series import of_log
from antevolt.host.report.tables import totals
from antevolt.host.run import Run
from antevolt.host.run_data import read_data
from antevolt.host.run_folder import CHECKPOINT, LOG, OUTPUTS, RUN, START, TAPS, read_run
from antevolt.sim.fuzz.campaign import Wrong
from antevolt.sim.fuzz.folder import folder_of
from antevolt.sim.fuzz.mutate import changed_bytes, changed_json

__all__ = ["RunTarget"]

FILES = (RUN, RUN, RUN, LOG, LOG, START, CHECKPOINT, OUTPUTS, TAPS)
"""The more often, the more there is to be read in it."""
RESUMED = 4  # one in so many: a run goes on from it
CURVES = (("loss",), ("accuracy",), ("energy",), ("cost",), ("saturated",), ("link", "out"))


class RunTarget:
    """A folder of which one file was changed, to `read_run`, or to a run that is resumed."""

    name, block, refusals = "run", 100, ()

    def __init__(self) -> None:
        self._base = folder_of(self)
        write(self._base / "net.json", Network(1, (Population(2), Population(1, "linear"))))
        np.savez(self._base / "data.npz", x=np.zeros(30), y=np.ones(30))
        self._folder, self._data = self._base / "run", read_data(self._base / "data.npz")
        self._device = open_device("model:numpy")
        with self._run(resume=False) as run:
            list(run.steps(10))
        self._files = {name: (self._folder / name).read_bytes() for name in set(FILES)}
        self._pool, self._count = list(self._files.values()), 0

    def begin(self) -> None:
        self._count = 0

    def draw(self, draw: Random) -> tuple[str, bytes]:
        name = draw.choice(FILES)
        data = self._files[name]
        if name == RUN and draw.random() < 0.7:
            return name, changed_json(draw, data.decode()).encode(errors="surrogatepass")
        if name == LOG and draw.random() < 0.7:
            lines = data.decode().splitlines()
            lines[draw.randrange(len(lines))] = changed_json(draw, draw.choice(lines))
            return name, "\n".join([*lines, ""]).encode(errors="surrogatepass")
        return name, changed_bytes(draw, data, self._pool)

    def feed(self, item: tuple[str, bytes]) -> None:
        name, data = item
        for own, content in {**self._files, name: data}.items():
            (self._folder / own).write_bytes(content)
        self._count += 1
        if self._count % RESUMED == 0:
            self._run(resume=True).close()
            return
        found = read_run(self._folder)
        if any(len(values) != len(found.tap_steps) for values in found.taps.values()):
            raise Wrong("taps of different lengths")
        totals(found)
        for path in CURVES:
            of_log(found.log, *path)

    def _run(self, resume: bool) -> Run:
        network = self._base / "net.json"
        return Run(self._folder, self._device, network, self._data, True, resume, ["u"], 5)
