# SPDX-License-Identifier: Apache-2.0
"""The reader of a run's folder, which `antevolt report` draws."""

from pathlib import Path
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
CURVES = (("loss",), ("accuracy",), ("energy",), ("cost",), ("saturated",), ("link", "out"))


class RunTarget:
    """A folder of which one file was changed, to `read_run`."""

    name, block, refusals = "run", 100, ()

    def __init__(self) -> None:
        base = folder_of(self)
        write(base / "net.json", Network(1, (Population(2), Population(1, "linear"))))
        np.savez(base / "data.npz", x=np.zeros(30), y=np.ones(30))
        self._folder = base / "run"
        with open_device("model:numpy") as device:
            data = read_data(base / "data.npz")
            with Run(self._folder, device, base / "net.json", data, True, False, ["u"], 5) as run:
                list(run.steps(10))
        self._files = {name: (self._folder / name).read_bytes() for name in set(FILES)}
        self._pool, self._spoiled = list(self._files.values()), RUN

    def begin(self) -> None:
        pass

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
        self._put(self._folder / self._spoiled, self._files[self._spoiled])
        self._put(self._folder / name, data)
        self._spoiled = name
        found = read_run(self._folder)
        if any(len(values) != len(found.tap_steps) for values in found.taps.values()):
            raise Wrong("taps of different lengths")
        totals(found)
        for path in CURVES:
            of_log(found.log, *path)

    def _put(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
