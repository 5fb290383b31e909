"""State that is damaged is refused by one line that names the file.

Every kind of state file is written as the program writes it, then a bit is flipped or
the end is cut off. Either the reader refuses it, or it reads what was written.
"""

import dataclasses

import keras_tuner
import numpy as np
import pytest
from toys import scored, toy_comparison, toy_search, trained, written

from ns_tf.base import InputError
from ns_tf.compare import cells, latencies
from ns_tf.descend.record import read_search
from ns_tf.plan.config import SolverConfig
from ns_tf.prune.results import told_in
from ns_tf.report.page import page
from ns_tf.run import files, flags
from ns_tf.run.folder import is_new, open_run
from ns_tf.train.config import TrainConfig
from ns_tf.train.job import read_history
from ns_tf.train.results import kept_widths, read_failure, read_result
from ns_tf.train.training import Epoch
from ns_tf.tune import oracle
from ns_tf.tune.config import TuneConfig

PRUNED = {"version": 1, "accuracies": {"cut": 0.5}, "seconds": {"cut": 2.0}}
CONFIGS = (TrainConfig(epochs=3), SolverConfig(min_width=7))


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """By state file: a function that reads it, as the program does."""
    top = tmp_path_factory.mktemp("state")
    found = {}
    search = top / "search"
    open_run(search, CONFIGS, "search").close()
    written(search, scored(toy_search(2)))
    for name in (*search.glob("*.json"), *search.glob("*.csv")):
        found[name] = lambda: files_of(read_search(search))
    found[search / "run.flags"] = lambda: is_new(search, CONFIGS, "search")
    flagfile = top / "mine.flags"
    files.write_lines(flagfile, (search / "run.flags").read_text().split("\n", 1)[1])
    found[flagfile] = lambda: flags.read_file(str(flagfile), TrainConfig, SolverConfig)
    return {**found, **_training(top / "train"), **_work(top)}


def files_of(record):
    """All numbers of a search, with those of its traces."""
    arrays = [(s.trace.widths, s.trace.tau, s.trace.history) for s in record.states]
    scores = dataclasses.astuple(record.states[-1].trace.scores)
    plain = dataclasses.replace(record, states=())
    laws = [dataclasses.astuple(state.law) for state in record.states]
    with np.printoptions(threshold=10**6):
        return repr((plain, arrays, scores, laws))


def _training(folder):
    """The files of a training, of a failed one, and of a pruned network."""
    folder.mkdir()
    files.write_json(folder / "widths.json", {"version": 1, "widths": [2, 3]})
    files.write_json(folder / "pruned.json", PRUNED)
    files.write_json(folder / "failure.json", {"version": 1, "error": "nan"})
    result = {"version": 1, "score": "accuracy", "validation_accuracy": 0.5}
    result |= {"test_accuracy": 0.25, "epochs": 2, "seconds": 7.0}
    files.write_json(folder / "result.json", result)
    names = [field.name for field in dataclasses.fields(Epoch)]
    files.write_csv(folder / "history.csv", names, [[1] * len(names)] * 3)
    return {
        folder / "widths.json": lambda: kept_widths(folder),
        folder / "pruned.json": lambda: told_in(folder),
        folder / "failure.json": lambda: read_failure(folder),
        folder / "result.json": lambda: read_result(folder),
        folder / "history.csv": lambda: read_history(folder),
    }


def _work(top):
    """The files of a comparison and of a tuning."""
    work = toy_comparison(top / "compared")
    with work:
        listed = work.prepare()
    for cell in listed.values():
        trained(work, cell, 0.5)
    times = {"version": 1, **latencies._measure(work), "ms": {"a": [1.0, 2.0]}}
    files.write_json(work.folder / "latency.json", times)
    told = {"title": "a", "recipe": "b", "date": "c", "latency": "d", "gaps": []}
    told = {"version": 1, **told, "rows": [], "differences": []}
    files.write_json(work.folder / "comparison.json", told)

    def dealt():
        hp = keras_tuner.HyperParameters()
        hp.Float("rate", 0.01, 1.0)
        config = TuneConfig(tuner="random", max_trials=3)
        return oracle.make(config, hp, 9, 5, path=top / "trials.json")

    dealt().create_trial("a")
    return {
        work.folder / "cells.json": lambda: cells.read(work.folder),
        work.folder / "latency.json": lambda: latencies.kept(work),
        work.folder / "comparison.json": lambda: page(work.folder),
        top / "trials.json": lambda: dealt().get_state(),
    }


def _harmless(path, read, damaged, before):
    """Whether damage is refused by a line that names the file, or changes nothing."""
    path.write_bytes(damaged)
    try:
        return repr(read()) == before
    except InputError as error:
        return str(path) in str(error) and "\n" not in str(error)


def _check(state, flips, cuts):
    """Damages the files in turn, each by its share of the flips and cuts."""
    rng = np.random.default_rng(7)
    wrong, paths = [], list(state)
    values = {path: repr(read()) for path, read in state.items()}
    for number in range(flips + cuts):
        path = paths[number % len(paths)]
        whole = path.read_bytes()
        damaged = bytearray(whole)
        place = int(rng.integers(len(whole)))
        if number < flips:
            damaged[place] ^= 1 << int(rng.integers(8))
        else:
            del damaged[place:]
        try:
            if not _harmless(path, state[path], bytes(damaged), values[path]):
                wrong.append((path.name, place))
        finally:
            path.write_bytes(whole)
    assert not wrong


def test_flips_and_cuts_are_refused_or_harmless(state):
    assert len(state) > 15
    _check(state, flips=76, cuts=24)


@pytest.mark.slow
def test_a_thousand_flips_and_a_hundred_cuts_are_refused_or_harmless(state):
    _check(state, flips=1000, cuts=100)
