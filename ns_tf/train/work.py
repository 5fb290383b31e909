"""Trainings as a run folder has them: which network, what data, by which name."""

import hashlib
from pathlib import Path
from typing import Any

from ns_tf import budgets
from ns_tf.base import InputError, check_widths
from ns_tf.descend.record import new_search, search_in
from ns_tf.engine.execution import Execution
from ns_tf.networks import python_models
from ns_tf.plan.plan import make_plan, options
from ns_tf.problem import resolve
from ns_tf.run.progress import Quiet
from ns_tf.train.job import Job, kept_widths


class TrainRun:
    """One network to be trained: checks everything first, then does it.

    Args:
        run_dir: The run folder of a search, or a folder for trainings alone.
        network: Architecture, data set and widths, where they are not the search's.
        budget: The budget that the widths meet, if they are not given.
        curve: Whose widths.
        train: The recipe.
        runtime: Seed, devices, precision.
    """

    def __init__(self, run_dir, network, budget, curve, train, runtime):
        given = (network, budget, curve, train, runtime)
        execution = Execution.of(runtime)  # Before TensorFlow starts.
        search = search_in(run_dir)
        network = resolve.completed(network, search, Path(run_dir))
        python_model = python_models.saved(network.architecture, run_dir)
        self.architecture, self.structure, dataset = resolve.task(network, python_model)
        self.name = network.name or _name(network, budget, curve, runtime.seed)
        self.folder = Path(run_dir) / "train" / self.name
        self.widths = self._widths(network, budget, curve, search)
        self.job = Job(
            self.folder,
            self.structure,
            self.widths,
            dataset,
            train,
            runtime,
            execution,
            given,
        )
        self.job.check()
        self.job.check_folder()
        self.facts = self.job.facts

    def go(self, *, progress: type = Quiet, stop: Any = None) -> dict[str, Any]:
        """Trains, or goes on; what `result.json` holds."""
        return self.job.go(progress=progress, stop=stop)

    def _widths(self, network, budget, curve, search):
        if network.widths:
            if budget.targets or budget.ratio:
                raise InputError("Give --widths or a budget, not both.")
            return check_widths(self.architecture, network.widths)
        if search is None or search.architecture != self.architecture.name:
            if curve.method != "uniform":
                raise InputError(
                    f"--method={curve.method} needs a search of "
                    f"{self.architecture.name} in --run_dir. Search first "
                    "(ns_tf.descend), give --widths, or --method=uniform with a budget."
                )
            default = self.architecture.widths
            search = new_search(self.structure, "", default)
        if any(budgets.get(name).measured for name in budget.targets):
            kept = kept_widths(self.folder)
            if kept is not None:  # No two measurements agree.
                return check_widths(self.architecture, kept)
        given = options(budget, curve)
        return make_plan(search, budget.targets, **given).widths


def _name(network, budget, curve, seed: int) -> str:
    """A folder name that says method, budget and seed."""
    if network.widths:
        parts = ["widths", *(str(width) for width in network.widths)]
    else:
        parts = [curve.method]
        if curve.iteration:
            parts.append(f"it{curve.iteration}")
        asked = {**budget.targets, **({"ratio": budget.ratio} if budget.ratio else {})}
        parts += [f"{name}{value:.10g}" for name, value in asked.items()]
    name = "_".join([*parts, f"seed{seed}"])
    if len(name) <= 100:
        return name
    # File systems end at 255 bytes; so many widths are told apart by their digest.
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{parts[0]}_{digest}_seed{seed}"
