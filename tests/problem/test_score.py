"""How scores are shown."""

import math

import pytest

from ns_tf.problem.score import ACCURACY, Score


@pytest.mark.parametrize(
    "statistic, seeds, text",
    [
        ((0.5, 0.25), 3, "50.00 ± 25.00"),
        ((0.5, 0.0), 1, "50.00"),
        ((math.nan, math.nan), 0, "-"),
    ],
)
def test_shares_are_told_in_per_cent_and_of_one_seed_without_deviation(
    statistic, seeds, text
):
    assert ACCURACY.spread(statistic, seeds) == text


def test_a_score_without_a_unit_is_shown_as_it_is():
    r2 = Score("r2", unit="", scale=1.0, digits=4)
    assert r2.label == "r2" and r2.heading("trained") == "trained"
    assert r2.spread((0.93125, 0.5), seeds=2) == "0.9313 ± 0.5000"


def test_a_table_that_names_no_score_is_of_the_accuracy():
    table = {"score": {"name": "f1", "unit": "%", "scale": 100.0, "digits": 2}}
    assert Score.of({}) is ACCURACY and Score.of(table).name == "f1"
