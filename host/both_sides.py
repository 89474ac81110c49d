# SPDX-License-Identifier: Apache-2.0
"""Both sides of a comparison, each in a process of its own (`verify_worker.py`)."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from antevolt.hdl.spec.errors import AntevoltError, DeadlineExceeded
from antevolt.hdl.spec.network import Parameters
from antevolt.host.comparison import Case
from antevolt.host.samples import Batch
from antevolt.host.verify_worker import Job, Result, read_result, write_job

__all__ = ["PARTS", "Progress", "both"]

STARTING = 1800.0  # seconds until the first part: a simulator may have to be built
PARTS = 8  # parts that a run is cut into at least

Progress = Callable[[int], None]
"""Called now and then with the steps that both sides have done."""


def both(
    case: Case,
    batch: Batch,
    parameters: Parameters,
    checkpoints: list[int],
    dumps: list[int],
    progress: Progress | None = None,
) -> tuple[Result, Result]:
    """The results of the model and of the device; `checkpoints`: steps after which the memories'
    digests are taken, `dumps`: those after which their words are. Raises what a side raises, and
    DeadlineExceeded where neither gets on."""
    with tempfile.TemporaryDirectory(prefix="antevolt-verify-") as name:
        folders = [Path(name) / "model", Path(name) / "device"]
        jobs: list[subprocess.Popen[bytes]] = []
        try:
            for folder, device in zip(folders, (case.model, case.device), strict=True):
                folder.mkdir()
                job = Job(
                    device=device,
                    machine=case.machine.to_json(),
                    network=case.network.to_json(),
                    deadline=case.deadline,
                    chunk=max(1, min(256, -(-batch.steps // PARTS))),
                    checkpoints=checkpoints,
                    dumps=dumps,
                    outputs=case.outputs,
                    fault=case.fault if folder.name == "model" else None,
                )
                write_job(folder, job, batch, parameters)
                jobs.append(_start(folder))
            _wait(jobs, folders, case, progress)
        finally:
            for process in jobs:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        return read_result(folders[0] / "result.npz"), read_result(folders[1] / "result.npz")


def _start(folder: Path) -> "subprocess.Popen[bytes]":
    worker = ("-m", "antevolt.host.verify_worker", str(folder), str(os.getpid()))
    with (folder / "errors").open("w") as errors:
        return subprocess.Popen([sys.executable, *worker], stdin=subprocess.DEVNULL, stderr=errors)


def _wait(
    jobs: "list[subprocess.Popen[bytes]]",
    folders: list[Path],
    case: Case,
    progress: Progress | None,
) -> None:
    seconds = STARTING + case.deadline  # which is that of one part
    end, before = time.monotonic() + seconds, [0, 0]
    while any(job.poll() is None for job in jobs):
        if any(job.poll() for job in jobs):
            break  # one has failed
        done = [_steps_done(folder) for folder in folders]
        if done != before:
            end, before = time.monotonic() + seconds, done
        if time.monotonic() > end:
            raise DeadlineExceeded(
                f"the comparison did not get on for {seconds:g} s, after {min(done)} steps"
            )
        if progress is not None:
            progress(min(done))
        time.sleep(0.05)
    for job, folder in zip(jobs, folders, strict=True):
        if job.poll():
            tail = (folder / "errors").read_text()[-2000:].strip()
            raise AntevoltError(f"the {folder.name}'s side of the comparison failed: {tail}")


def _steps_done(folder: Path) -> int:
    try:
        return int((folder / "progress").read_text() or 0)
    except OSError:
        return 0
