"""Statistics against formulas written out; tables against what they were made of."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from ns_tf.compare import verdicts
from ns_tf.compare.verdicts import Line
from ns_tf.run import files


def row(method, accuracies, budget="ratio=0.25", **others):
    given = {
        "method": method,
        "budget": budget,
        "widths": (3, 5),
        "params": 101,
        "macs": 1009,
        "accuracies": tuple(accuracies),
        "best_epochs": tuple(a + 0.01 for a in accuracies),
        "seconds": (60.0, 180.0, 120.0)[: len(accuracies)],
    }
    return Line(**{**given, **others})


def welch(a, b):
    """Two-sided p of Welch's t-test, by the incomplete beta function."""
    va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    t = (np.mean(a) - np.mean(b)) / math.sqrt(va + vb)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return special.betainc(freedom / 2, 0.5, freedom / (freedom + t * t))


def test_a_difference_has_welchs_p_and_an_interval_around_it(rng):
    a, b = rng.normal(0.9, 0.01, 5), rng.normal(0.88, 0.02, 3)
    (found,) = verdicts.differences([row("a", a), row("b", b)])
    assert {found.better, found.worse} == {"a", "b"}
    assert found.points == pytest.approx(100 * abs(a.mean() - b.mean()))
    assert found.p == pytest.approx(welch(a, b))
    assert found.interval[0] < found.points < found.interval[1]
    assert np.mean(found.interval) == pytest.approx(found.points)


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=9))
def test_holm_never_lowers_and_keeps_the_order(values):
    corrected = verdicts.holm(values)
    assert all(v <= c <= 1 for v, c in zip(values, corrected, strict=True))
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
    smallest = min(values)
    assert min(corrected) == pytest.approx(min(1, smallest * len(values)))


def test_holm_corrects_for_those_that_were_tested_alone():
    assert verdicts.holm([0.03, None, 0.01]) == [0.03, None, 0.02]


def test_the_verdict_on_a_single_method_is_that_there_is_none():
    alone, gap = verdicts.sentences(verdicts.differences([row("a", (0.8,))]), ["b: x"])
    assert "nothing to tell apart" in alone and gap == "Not there: b: x."


def test_budgets_are_not_compared_with_each_other():
    rows = [row(m, (0.8, 0.81), b) for m in "ab" for b in ("params=3", "params=5")]
    assert [d.budget for d in verdicts.differences(rows)] == ["params=3", "params=5"]


@pytest.mark.parametrize("a, b", [((0.9,), (0.8, 0.7)), ((0.9, 0.9), (0.8, 0.8))])
def test_without_spread_nothing_is_certain(a, b):
    (found,) = verdicts.differences([row("a", a), row("b", b)])
    assert found.p is None and not found.certain
    assert "nobody can tell" in str(found)


def test_a_failed_method_is_in_the_table_and_in_no_verdict():
    rows = [row("a", (0.9, 0.91)), row("b", (), failures=("step 3: loss nan",))]
    assert verdicts.differences(rows) == []
    assert "0 (1 failed)" in verdicts.cells(rows[1])
    assert verdicts.cells(rows[1])[5] == "-"


def test_the_words_of_a_verdict_say_what_the_numbers_say():
    sure, unsure = (0.9, 0.901, 0.902), (0.90, 0.85, 0.95)
    (one,) = verdicts.differences([row("a", sure), row("b", (0.8, 0.801, 0.802))])
    assert one.certain and "a beats b by 10.00 points" in str(one)
    (two,) = verdicts.differences([row("a", sure), row("b", unsure)])
    assert not two.certain and "not told apart" in str(two)


def test_the_tables_hold_mean_and_population_deviation(tmp_path):
    rows = [row("a", (0.90, 0.92, 0.97), latency_ms=3.5, latency_p95_ms=5.25)]
    about = {
        "title": "net on data",
        "recipe": "R.",
        "latency": "L.",
        "date": "D",
        "gaps": ["g"],
    }
    text = verdicts.markdown(rows, [], about)
    accuracies = 100 * np.array(rows[0].accuracies)
    assert f"| {accuracies.mean():.2f} ± {accuracies.std():.2f} |" in text
    assert "| 3.50 (5.25) |" in text and "* Not there: g." in text
    assert "| 2.0 |" in text, "the median of the minutes"
    files.write_csv(tmp_path / "table.csv", *verdicts.csv_rows(rows))
    header, (line,) = files.read_csv(tmp_path / "table.csv")
    told = dict(zip(header, line, strict=True))
    assert told["accuracy_mean"] == rows[0].accuracy[0]
    assert told["widths"] == "3 5" and told["accuracies"] == "0.9 0.92 0.97"
    assert json.loads(json.dumps(rows[0].to_json()))["params"] == 101
