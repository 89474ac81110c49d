# SPDX-License-Identifier: Apache-2.0
"""A search for the settings of a task: Optuna draws them, joblib runs the trials.

The store is a journal, a text file to which lines are added: it can be resumed, and several
processes may work on it. The figure is one of an epoch; the test set of a task is left alone.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from antevolt.hdl.spec.errors import BadFile, BadInput, BadNetwork, DoesNotFit
from antevolt.sim.tasks.float_core import open_core
from antevolt.sim.tasks.run import learn
from antevolt.sim.tasks.space import Dimension
from antevolt.sim.tasks.task import Record, Settings, Task

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["Sweep", "abandoned", "cost", "done", "opened", "result", "run", "work"]

PROBE = 2.0  # seconds of steps that the cost is estimated from
WARM = 3  # epochs before a trial may be given up
REFUSED = "refused"  # attribute of a trial: why its settings were


@dataclass(frozen=True)
class Sweep:
    """What a worker needs; goes to it as it is.

    find      gives the task, and settings from the values of all options that are varied
    figure    of an epoch, in `task.series`;  seeds  of a trial, whose mean counts
    trials    in all, those of earlier calls included;  prune  gives up those below the median
    """

    find: Callable[[], tuple[Task, Callable[[Mapping[str, Any]], Settings]]]
    space: Mapping[str, Dimension]
    figure: str
    seeds: tuple[int, ...]
    trials: int
    folder: Path
    sampler: str = "tpe"
    sampler_seed: int = 0
    prune: bool = True

    @property
    def journal(self) -> Path:
        return self.folder / "sweep.journal"

    def settings(self, values: Mapping[str, Any]) -> Settings:
        """Of a run with these values. Raises BadInput, also where it would have no such figure."""
        task, settings_of = self.find()
        settings = settings_of(values)
        why = task.absent(settings).get(self.figure)
        if why is not None:
            raise BadInput(f"{task.name} would have no figure {self.figure!r}: {why}")
        return settings


def opened(sweep: Sweep, higher: bool, about: Record) -> "Study":
    """The study of this folder, new or as it was left.

    `about` is what a trial depends on besides its values. Raises BadInput for a study of something
    else, BadFile for a journal that cannot be read.
    """
    import optuna
    from optuna.pruners import MedianPruner, NopPruner
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(sweep.journal))),
            study_name="sweep",
            direction="maximize" if higher else "minimize",
            load_if_exists=True,
            pruner=MedianPruner(n_warmup_steps=WARM) if sweep.prune else NopPruner(),
        )
        found = study.user_attrs.get("about")
    except (OSError, ValueError, KeyError) as error:
        raise BadFile(f"{sweep.journal} is no journal of a sweep: {error}") from error
    if found is None:
        study.set_user_attr("about", about)
    elif found != about:
        names = sorted(k for k in {*found, *about} if found.get(k) != about.get(k))
        raise BadInput(
            f"{sweep.journal} is a sweep with other {', '.join(names)}; give another --out"
        )
    return study


def done(study: "Study") -> "list[FrozenTrial]":
    """Trials that came to an end."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def abandoned(sweep: Sweep, study: "Study") -> None:
    """Mark trials of a call that was killed as failed, and remove what it left of their runs."""
    from optuna.trial import TrialState

    left = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in left:
        study.tell(trial.number, state=TrialState.FAIL)
        for folder in sweep.folder.glob(f"{_prefix(trial.number)}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _prefix(number: int) -> str:
    """Of the folder that a trial's run is in while it lasts."""
    return f"trial-{number}-"


def cost(task: Task, settings: Settings) -> tuple[int, float]:
    """Steps of a run, and seconds that it will take: from some steps of it."""
    steps = settings.epochs * task.steps(settings)
    samples = task.samples(settings, 0, 0).head(64)
    with open_core(settings.device, task.machine(settings)) as core:
        core.load(task.network(settings, 0), task.start(settings, 0))
        began, count = time.monotonic(), 0
        while time.monotonic() - began < PROBE:
            x, y, first, valid, target_valid, learning = samples
            flags: dict[str, Any] = {"first": first, "valid": valid, "target_valid": target_valid}
            for _ in core.stream(x, y, learning, **flags):
                count += 1
        return steps, steps * (time.monotonic() - began) / count


def work(sweep: Sweep, study: "Study", worker: int) -> None:
    """Trials, one after the other, until the study has all."""
    import optuna
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    # A seed of its own for every worker of every call, or they would draw the same values.
    own = (sweep.sampler_seed, worker, len(study.get_trials(deepcopy=False)))
    study.sampler = samplers[sweep.sampler](
        seed=int(np.random.SeedSequence(own).generate_state(1)[0])
    )
    ends = (TrialState.COMPLETE, TrialState.PRUNED)
    if len(done(study)) < sweep.trials:
        study.optimize(
            lambda trial: _figure_or_refusal(sweep, trial),
            callbacks=[MaxTrialsCallback(sweep.trials, states=ends)],
        )


def _figure_or_refusal(sweep: Sweep, trial: "Trial") -> float:
    """Settings that are refused end their trial, not the sweep."""
    import optuna

    try:
        return _figure(sweep, trial)
    except (BadInput, BadNetwork, DoesNotFit) as error:
        trial.set_user_attr(REFUSED, str(error))
        # Given up, not failed: it counts, or a sweep might never end, and the sampler learns of it.
        raise optuna.TrialPruned from error


def _figure(sweep: Sweep, trial: "Trial") -> float:
    """The mean over the seeds of the last figure of a run."""
    import optuna

    settings = sweep.settings({name: one.draw(trial, name) for name, one in sweep.space.items()})
    task, _ = sweep.find()
    total = 0.0
    for number, seed in enumerate(sweep.seeds):

        def heard(epoch: Record, number: int = number) -> None:
            value = epoch[sweep.figure]
            if number or value is None:
                return
            trial.report(value, epoch["epoch"])
            if trial.should_prune():
                raise optuna.TrialPruned

        with TemporaryDirectory(prefix=_prefix(trial.number), dir=sweep.folder) as folder:
            run = learn(task, settings, seed, Path(folder), measured=False, heard=heard)
        found = [e[sweep.figure] for e in run["epochs"] if e[sweep.figure] is not None]
        total += found[-1]
        trial.set_user_attr(f"seed {seed}", found)
    return total / len(sweep.seeds)


def run(sweep: Sweep, study: "Study", jobs: int, dask: str | None) -> None:
    """All trials that are missing, on `jobs` processes of this machine or on a Dask cluster."""
    import joblib

    with ExitStack() as around:
        if dask is not None:
            try:
                from dask.distributed import Client
            except ImportError as error:
                raise BadInput(
                    "--dask needs the package distributed: pip install distributed"
                ) from error
            client = around.enter_context(Client(dask))
            around.enter_context(joblib.parallel_config(backend="dask", client=client))
        joblib.Parallel(n_jobs=jobs)(joblib.delayed(work)(sweep, study, n) for n in range(jobs))


def result(study: "Study", about: Record, names: Sequence[str]) -> Record:
    """All trials, for a file and a picture."""
    trials = []
    for trial in study.get_trials(deepcopy=False):
        refused = trial.user_attrs.get(REFUSED)
        trials.append(
            {
                "number": trial.number,
                "state": "refused" if refused else trial.state.name.lower(),
                "refused": refused,
                "value": None if refused else trial.value,
                "values": {name: trial.params.get(name) for name in names},
                "epochs": {str(k): v for k, v in sorted(trial.intermediate_values.items())},
                "seconds": trial.duration.total_seconds() if trial.duration else None,
            }
        )
    return {**about, "trials": trials}
