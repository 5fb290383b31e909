"""The outcome of a tuning: table, front, figure."""

import csv
import json

import numpy as np
import pytest
import tunings

from ns_tf.base import InputError, RunError
from ns_tf.crew import work as crew
from ns_tf.run.watch import Watch
from ns_tf.train.job import Job
from ns_tf.tune import leaderboard
from ns_tf.tune.work import Tuning


def tuning(folder, source, **options):
    return Tuning(*tunings.arguments(folder, source, **options))


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_nothing_beats(seed):
    rng = np.random.default_rng(seed)
    points = [tuple(map(int, rng.integers(0, 7, 2))) for _ in range(17)]
    points[3] = None
    front = leaderboard.pareto(points)
    costs = [points[i][0] for i in front]
    assert costs == sorted(set(costs)) and 3 not in front
    for i, point in enumerate(points):
        if point is None:
            continue
        beaten = any(
            other is not None
            and other[0] <= point[0]
            and other[1] >= point[1]
            and other != point
            for other in points
        )
        twins = [j for j in front if points[j] == point]
        assert len(twins) == (0 if beaten else 1), i


def test_an_empty_front_and_one_of_a_single_point():
    assert leaderboard.pareto([]) == leaderboard.pareto([None, None]) == []
    assert leaderboard.pareto([None, (3, 0.5)]) == [1]


@pytest.fixture
def done(source, tmp_path, jobs):
    """A tuning of five trials, of which the one with most parameters failed."""
    with tuning(tmp_path, source, max_trials=5) as work:
        work.prepare()
        crew.run(work, Watch())
        best = max(jobs, key=lambda job: job.costs["params"]).folder
        (best / "result.json").unlink()
        (best / "failure.json").write_text('{"version": 1, "error": "The loss is nan"}')
        yield work, best.name


def test_the_best_on_validation_images_come_first_and_failures_last(done):
    work, failed = done
    rows, text = leaderboard.write(work)
    assert [row.trial for row in rows][-1] == failed
    scores = [row.validation_score for row in rows[:-1]]
    assert scores == sorted(scores, reverse=True)
    assert rows[-1].validation_score is rows[-1].test_score is None
    assert rows[-1].failure == "The loss is nan" and not rows[-1].front
    assert f"* {failed} failed: The loss is nan" in text
    # Here more parameters always score higher, so no trial beats another.
    assert all(row.front for row in rows[:-1])


def test_every_file_says_the_same(done):
    work, _ = done
    rows, text = leaderboard.write(work)
    assert (work.folder / "table.md").read_text() == text
    kept = json.loads((work.folder / "tuning.json").read_text())
    assert kept["architecture"] == work.problem.architecture.name
    with open(work.folder / "table.csv") as file:
        table = list(csv.DictReader(file))
    for row, one, cells in zip(rows, kept["rows"], table, strict=True):
        assert one["trial"] == cells["trial"] == row.trial
        assert one["widths"] == [int(width) for width in cells["widths"].split()]
        assert one["params"] == int(cells["params"]) <= float(cells["params<="])
        assert one["values"]["rate"] == float(cells["rate"]) == row.values["rate"]
        (line,) = [x for x in text.splitlines() if x.startswith(f"| {row.trial} ")]
        assert f" {row.params:,} " in line and ("*" in line) == row.front
    figure = work.folder / "plots" / "accuracy_params.png"
    assert figure.read_bytes()[:4] == b"\x89PNG"


def test_a_table_says_how_many_trials_are_still_to_come(source, tmp_path, jobs):
    with tuning(tmp_path, source, max_trials=3) as work:
        work.prepare()
        with pytest.raises(InputError, match="No trial of .* is done"):
            leaderboard.write(work)
        crew.run(work, Watch())
        assert "So far" not in leaderboard.write(work)[1]
    with tuning(tmp_path, source, max_trials=7) as work:
        assert "So far: 3 of 7 trials." in leaderboard.write(work)[1]


def test_if_every_trial_failed_the_table_says_why(source, tmp_path, monkeypatch):
    def fails(job, watch):
        raise RunError(f"no luck with {job.folder.name}")

    monkeypatch.setattr(Job, "run", fails)
    with tuning(tmp_path, source, max_trials=2) as work:
        work.prepare()
        crew.run(work, Watch())
        rows, text = leaderboard.write(work)
    assert all(row.failure and not row.front for row in rows)
    assert "no luck with trial_0001" in text


def test_columns_have_names_of_their_own():
    label = leaderboard._label
    names = ["params", "macs", "epochs", "rate", "seconds", "latency_ms"]
    columns = [label(name) for name in names]
    assert columns[:3] == ["params<=", "macs<=", "epochs drawn"]
    assert columns[3] == "rate"
    assert not set(columns) & set(leaderboard.Place.__annotations__)
