"""Tunings whose search nobody did and whose networks are not trained."""

import dataclasses

import numpy as np
from searches import made_up

from ns_tf.data.config import DataConfig
from ns_tf.descend.config import SearchConfig
from ns_tf.descend.record import new_search, write_search
from ns_tf.engine.config import RuntimeConfig
from ns_tf.networks import architectures
from ns_tf.plan.config import BudgetConfig
from ns_tf.problem.config import ProblemConfig
from ns_tf.problem.problem import Problem
from ns_tf.problem.resolve import load_dataset
from ns_tf.prune.config import PruneConfig
from ns_tf.run import files
from ns_tf.run.flagfile import as_flagfile
from ns_tf.run.folder import FLAGS, RESULT
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import Job
from ns_tf.tune.config import TuneConfig

SEED_WIDTHS = (19, 23)  # Of the `network` fixture.
DATA = DataConfig(dataset="digits", image_size=16)
PRUNE = PruneConfig(
    pretrain_epochs=0,
    search_batch=64,
    filters_per_event=3,
    steps_per_event=1,
    stop_fraction=0.2,
)
RECIPE = TrainConfig(epochs=9, batch=350, rate=0.05)
SPACE = ("params=900..4000", "rate=0.01..0.2", "augmentation=none|crop")


def settings(network, **fields):
    """Settings of a search of the `network` fixture, as its flags have them."""
    architecture = network.partition("=")[2]
    search = SearchConfig(architecture=architecture, **fields)
    return search, DATA, PRUNE, RuntimeConfig()


def problem(network):
    """That network on the digits."""
    architecture = architectures.get(network.partition("=")[2])
    return Problem.of(architecture, load_dataset(DATA))


def law(folder, network):
    """Writes a run folder of that network with a made-up law; the record."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = new_search(problem(network).structure, "digits", SEED_WIDTHS)
    record = made_up(plain, np.random.default_rng(7))
    write_search(folder, record)
    (folder / FLAGS).write_text(as_flagfile(settings(network)))
    return record


def arguments(folder, source, *, budget=None, recipe=RECIPE, task=None, **tune):
    """What `Tuning` and its two modes take, in their order."""
    tune = TuneConfig(**{"search": str(source), "space": SPACE, **tune})
    task = task or ProblemConfig()
    return folder, task, tune, budget or BudgetConfig(), recipe, RuntimeConfig()


def result(job, score):
    """Writes what a training leaves, without a training: `score` on both splits."""
    job.folder.mkdir(parents=True, exist_ok=True)
    values = {
        "version": 1,
        "architecture": job.problem.architecture.name,
        "widths": list(job.widths),
        **job.costs,
        "epochs": job.recipe.epochs,
        "score": "accuracy",
        "validation_accuracy": score,
        "test_accuracy": score / 2,
        "seconds": 61.0,
    }
    files.write_json(job.folder / RESULT, values)
    return values


def instant(monkeypatch):
    """Lets trainings end at once; the list that they are added to.

    A network scores the better the more parameters it has: 1 - 1000 / parameters.
    """
    jobs = []

    def run(job, watch=None):
        del watch
        jobs.append(job)
        return result(job, 1 - 1000 / max(1001, job.costs["params"]))

    monkeypatch.setattr(Job, "run", run)
    return jobs


def with_fields(value, **fields):
    """The dataclass instance with other fields."""
    return dataclasses.replace(value, **fields)
