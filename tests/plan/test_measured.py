"""Measurements that are made once, and kept."""

import dataclasses
import itertools

import numpy as np
import pytest
from edits import values_of
from laws import toy_device
from toys import toy_architecture, toy_problem, toy_search

import ns_tf
from ns_tf.base import Cost, InputError
from ns_tf.budgets import BUDGETS, Measure
from ns_tf.measure import network
from ns_tf.plan import refine
from ns_tf.plan.config import RefineConfig
from ns_tf.plan.family import Family
from ns_tf.plan.measured import kept_in, once
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.watch import Watch


def test_a_network_is_measured_once():
    turn = itertools.count()
    quick = once(lambda widths: next(turn) + 0.5, kept := {})
    assert [quick(w) for w in ((3, 5), np.array([3, 5]), (3, 6))] == [0.5, 0.5, 1.5]
    assert kept == {"3,5": 0.5, "3,6": 1.5}


def test_what_was_measured_is_kept_also_of_what_was_interrupted(tmp_path):
    path = tmp_path / "below" / "measured.json"
    with kept_in(path, None):
        pass
    assert not path.exists()
    with pytest.raises(KeyboardInterrupt), kept_in(path, None) as found:
        found["ms"] = {"3,5": 0.5}
        raise KeyboardInterrupt
    with kept_in(path, Measure()) as found:
        assert found == {"ms": {"3,5": 0.5}}
    with kept_in(path, Measure(batch=7)) as found:  # Of another kind.
        assert found == {}
        found["ms"] = {"3,5": 0.7}
    assert values_of(path)["measured"] == {"ms": {"3,5": 0.7}}
    path.write_text(path.read_text().replace("0.7", "0.8"))
    with pytest.raises(InputError, match="damaged"), kept_in(path, Measure(batch=7)):
        pass


def test_what_another_machine_measured_does_not_count(tmp_path, monkeypatch):
    path = tmp_path / "measured.json"
    for name, before in (("one", {}), ("one", {"ms": {"3": 0.5}}), ("another", {})):
        monkeypatch.setattr(network, "machine", lambda name=name: name)
        with kept_in(path, None) as found:
            assert found == before
            found["ms"] = {"3": 0.5}


def test_what_other_threads_measured_does_not_count(tmp_path, monkeypatch):
    path = tmp_path / "measured.json"
    for count, before in ((1, {}), (1, {"ms": {"3": 0.5}}), (2, {})):
        monkeypatch.setattr(network, "threads", lambda count=count: count)
        with kept_in(path, None) as found:
            assert found == before
            found["ms"] = {"3": 0.5}


def test_a_device_file_counts_by_what_it_says_and_where_it_measures(tmp_path):
    device, path = toy_device(toy_search()), tmp_path / "measured.json"
    one, other = (device.write(tmp_path / name).path for name in ("a.json", "b.json"))
    with kept_in(path, Measure(device=str(one), here=True)) as found:
        found["latency_ms"] = {"3,5": 0.5}
    for same in (one, str(other), device):
        with kept_in(path, Measure(device=same, here=True)) as found:
            assert found == {"latency_ms": {"3,5": 0.5}}
    dataclasses.replace(device, threads=3).write(one)  # Measured anew, otherwise.
    with kept_in(path, Measure(device=str(one), here=True)) as found:
        assert found == {}
    with kept_in(path, Measure(device="nowhere.json")) as found:
        assert found == {}


def test_a_choice_that_goes_on_has_the_candidates_that_it_began_with(
    tmp_path, monkeypatch, rng
):
    """Measurements that differ by half would give other widths."""
    monkeypatch.setattr(BUDGETS, "_members", dict(BUDGETS._members))
    tries = []

    @ns_tf.budget("noise", unit="ms", help="Milliseconds, at most.", measured=True)
    def noise(structure, measure):
        def time(widths):
            tries.append(tuple(np.asarray(widths).tolist()))
            return float(np.sum(widths) * rng.uniform(0.5, 1.5))

        return Cost(time, measured=True)

    chosen = []
    monkeypatch.setattr(refine, "Refining", lambda *args: _Taken(args[1], chosen))
    family = Family.of(toy_search(), {"noise": 43.0}, builder=toy_architecture())
    for count in (3, 3, 5):
        refine.refined(
            family,
            toy_problem(),
            ProblemConfig(),
            tmp_path,
            RefineConfig(refine=count),
            Watch(),
        )
    first, again, more = chosen
    assert again == first == more[:3] and len(more) > 3
    assert len(set(tries)) == len(tries)
    (path,) = tmp_path.glob("refine/noise43/measured.json")
    assert len(values_of(path)["measured"]["noise"]) == len(tries)


@dataclasses.dataclass
class _Taken:
    """In place of trainings: takes down the widths, and chooses the first."""

    candidates: tuple
    chosen: list

    def run(self, watch):
        self.chosen.append([one.scaling.widths for one in self.candidates])
        score = toy_problem().task.score
        first = self.candidates[0]
        return first, refine.Refinement(first.label, (), (), score)
