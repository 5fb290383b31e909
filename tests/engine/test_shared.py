"""What several workers of a run share: its folder, its settings, its data."""

import dataclasses

import numpy as np
import pytest
from crowd import in_threads
from small import coloured

from ns_tf.base import InputError
from ns_tf.engine import shared
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.shared import check_alike, run_folder
from ns_tf.engine.workers import ALONE
from ns_tf.run.folder import FLAGS, LOCK

CONFIGS = (RuntimeConfig(),)


def test_the_chief_opens_the_folder_and_all_see_it(tmp_path):
    def act(workers):
        with run_folder(workers, tmp_path / "run", CONFIGS, "search") as folder:
            return (folder / FLAGS).read_text(), sorted(folder.path.iterdir())

    for count in (1, 3):
        found = in_threads(count, act) if count > 1 else [act(ALONE)]
        (text, names), *others = found
        assert all(other == (text, names) for other in others)
        assert [path.name for path in names] == [LOCK, FLAGS]


def test_a_worker_without_the_chiefs_folder_is_refused(tmp_path):
    def act(workers):
        place = tmp_path / ("own" if workers.index == 2 else "run")
        with run_folder(workers, place, CONFIGS, "search"):
            return None

    for error in in_threads(3, act):
        assert isinstance(error, InputError)
        assert str(error).startswith("Worker 2 does not see what the chief writes")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_all_are_told_why_the_chief_cannot_open_the_folder(tmp_path):
    (tmp_path / "something").touch()

    def act(workers):
        with run_folder(workers, tmp_path, CONFIGS, "search"):
            return None

    for error in in_threads(2, act):
        assert "so it is no run folder" in str(error)


@pytest.fixture(scope="module")
def dataset():
    return coloured(np.random.default_rng(7))


def told(dataset, configs=lambda index: CONFIGS, data=None):
    """What three workers with these settings and data are told."""

    def act(workers):
        own = data(workers.index) if data else dataset
        return check_alike(workers, configs(workers.index), own)

    return [error and str(error) for error in in_threads(3, act)]


def test_workers_that_are_alike_are_taken(dataset):
    def configs(index):  # Threads do not decide results.
        return (RuntimeConfig(threads=index, worker=index),)

    assert told(dataset, configs) == [None] * 3
    check_alike(ALONE, CONFIGS, dataset)


def test_other_flags_data_and_versions_are_refused_by_name(dataset, monkeypatch):
    lines = told(dataset, lambda index: (RuntimeConfig(seed=index),))
    assert len(set(lines)) == 1
    assert lines[0].startswith("Worker 1 has other flags than the chief (--seed: 0 ->")
    # It changes no result when a run goes on, and yet has to be the same everywhere.
    lines = told(dataset, lambda index: (RuntimeConfig(jit_compile=index == 2),))
    assert "other flags than the chief (--jit_compile: false -> true)" in lines[0]
    mirrored = dataclasses.replace(dataset, flip=not dataset.flip)
    lines = told(dataset, data=lambda index: (dataset, dataset, mirrored)[index])
    assert len(set(lines)) == 1 and lines[0].startswith("Worker 2 has other data than")
    versions = iter(range(99))
    monkeypatch.setattr(
        shared.importlib.metadata, "version", lambda name: str(next(versions))
    )
    assert told(dataset)[0].startswith("Worker 1 has other versions than the chief")
