# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: what lies in it, and how to read it afterwards.

* `run.json`: what runs, written once: network, data, device, taps, versions
* `start.safetensors`: the device's state before the first step (`checkpoint.py`)
* `checkpoint.safetensors`: the last one; its register STEP is the position
* `outputs.f64`: the outputs of all steps so far, [steps, streams, outputs] (`rows.py`)
* `taps.f64`: a row for each reading of the taps (`taps.py`), where there are some
* `log.jsonl`: one line per checkpoint: loss, accuracy, steps per second, energies, saturations,
  the line's use
"""

import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.network import Network
from antevolt.host import checkpoint, run_log
from antevolt.host.checkpoint import State
from antevolt.host.device import Device
from antevolt.host.rows import Rows
from antevolt.host.run_check import checked_about, checked_lines, checked_state
from antevolt.host.taps import ENERGY, Taps
from antevolt.host.version import version

__all__ = [
    "CHECKPOINT",
    "KIND",
    "LOG",
    "OUTPUTS",
    "RUN",
    "START",
    "TAPS",
    "Recorded",
    "circumstances",
    "read_run",
]

KIND = "antevolt run 2"
RUN, LOG = "run.json", "log.jsonl"
START, CHECKPOINT = "start.safetensors", "checkpoint.safetensors"
OUTPUTS, TAPS = "outputs.f64", "taps.f64"


def circumstances(device: Device, network: Path, steps: int) -> dict[str, Any]:
    """Where and when a run began; a resumed one may go on elsewhere."""
    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "network_file": network.name,
        "steps": steps,
        "device": device.name,
        "implementation": device.implementation,
        "seed": device.network.seed,
        "versions": {
            "antevolt": version(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "system": f"{platform.system()} {platform.machine()}",
            "byte order": sys.byteorder,
        },
    }


@dataclass(frozen=True)
class Recorded:
    """A run as its folder has it, finished or not.

    about    run.json
    network  as the start has it
    start    the state before the first step; end: at the last checkpoint, or the start again
    log      one entry per checkpoint, as `Progress.to_dict`
    outputs  [steps, streams, outputs]
    taps     by name, [readings, *shape]; tap_steps [readings]: after which step
    """

    about: dict[str, Any]
    network: Network
    start: State
    end: State
    log: list[dict[str, Any]]
    outputs: NDArray[np.float64]
    taps: dict[str, NDArray[np.float64]]
    tap_steps: NDArray[np.int64]


def read_run(folder: Path) -> Recorded:
    """Raises BadFile for a folder that holds no run, or one of which something is missing."""
    about = checked_about(folder / RUN, KIND)
    network = checkpoint.read_network(folder / START)
    start = checked_state(folder / START, network)
    last = folder / CHECKPOINT
    end = checked_state(last, network) if last.exists() else start
    position = int(end["register.step"][0])  # what came after it comes again
    streams, outputs = start["output"].shape
    try:
        shapes = {name: start[name].shape for name in about["tapped"] if name != ENERGY}
    except KeyError as error:
        raise BadFile(f"{folder} holds no run: its start lacks {error}, a tap") from error
    if ENERGY in about["tapped"]:
        shapes[ENERGY] = (len(network.populations) + 1, streams)
    lines = [line for line in run_log.read(folder / LOG) if line["step"] <= position]
    every = about["tap_every"]
    taps = Taps({name: shapes[name] for name in about["tapped"]}, every)
    readings = Rows(folder / TAPS, taps.width).read() if taps.width else np.zeros((0, 0))
    readings = readings[: position // every]
    rows = Rows(folder / OUTPUTS, streams * outputs).read()[:position]
    return Recorded(
        about,
        network,
        start,
        end,
        checked_lines(lines, folder / LOG, len(network.populations)),
        rows.reshape(-1, streams, outputs),
        taps.split(readings),
        every * np.arange(1, len(readings) + 1),
    )
