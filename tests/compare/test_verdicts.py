"""Statistics against formulas written out; tables against what they were made of."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT
from scipy import special

from ns_tf.compare import verdicts
from ns_tf.compare.csv_table import csv_rows
from ns_tf.compare.verdicts import Line
from ns_tf.problem.score import ACCURACY
from ns_tf.run import files


def row(method, accuracies, budget="ratio=0.25", **others):
    given = {
        "method": method,
        "budget": budget,
        "widths": (3, 5),
        "costs": {"params": 101, "macs": 1009},
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
    _, failed = verdicts.table_cells(rows, ACCURACY)
    assert "0 (1 failed)" in failed and failed[4] == "-"


def test_the_words_of_a_verdict_say_what_the_numbers_say():
    sure, unsure = (0.9, 0.901, 0.902), (0.90, 0.85, 0.95)
    (one,) = verdicts.differences([row("a", sure), row("b", (0.8, 0.801, 0.802))])
    assert one.certain and "a beats b by 10.00 points" in str(one)
    (two,) = verdicts.differences([row("a", sure), row("b", unsure)])
    assert not two.certain and "not told apart" in str(two)


def test_the_tables_hold_mean_and_population_deviation(tmp_path):
    costs = {"params": 101, "latency_ms": 3.5, "latency_p95_ms": 5.25, "flash": None}
    rows = [row("a", (0.90, 0.92, 0.97), costs=costs)]
    about = {
        "title": "net on data",
        "recipe": "R.",
        "latency": "L.",
        "date": "D",
        "gaps": ["g"],
        "unknown": ["No figure under flash, bytes: odd."],
    }
    text = verdicts.markdown(rows, [], about)
    accuracies = 100 * np.array(rows[0].accuracies)
    assert f"| {accuracies.mean():.2f} ± {accuracies.std():.2f} |" in text
    assert "| 101 | 3.50 (5.25) | - |" in text and "* Not there: g." in text
    assert "| parameters | latency, ms (p95) | flash, bytes | test" in text
    assert "\n\nNo figure under flash, bytes: odd.\n\n" in text
    assert "| 2.0 |" in text, "the median of the minutes"
    files.write_csv(tmp_path / "table.csv", *csv_rows(rows))
    header, (line,) = files.read_csv(tmp_path / "table.csv")
    told = dict(zip(header, line, strict=True))
    assert told["accuracy_mean"] == rows[0].accuracy[0]
    assert told["widths"] == "3 5" and told["accuracies"] == "0.9 0.92 0.97"
    assert json.loads(json.dumps(rows[0].to_json()))["params"] == 101


def test_differences_are_by_budget_in_the_order_of_rows_the_largest_first():
    rows = [
        row(method, scores, budget)
        for budget in ("params=5", "params=3")
        for method, scores in (("a", (0.9,)), ("b", (0.7,)), ("c", (0.8,)))
    ]
    pairs = verdicts.differences(rows)
    assert [pair.budget for pair in pairs] == ["params=5"] * 3 + ["params=3"] * 3
    points = [round(pair.points) for pair in pairs[:3]]
    assert points == sorted(points, reverse=True) == [20, 10, 10]
    assert (pairs[0].better, pairs[0].worse) == ("a", "b")


def test_all_p_values_of_a_comparison_are_corrected_together(rng):
    """Three methods are three pairs, so the smallest p is three times Welch's."""
    scores = {
        name: rng.normal(mean, 0.01, 5)
        for name, mean in zip("abc", (0.9, 0.8, 0.7), strict=True)
    }
    pairs = verdicts.differences([row(name, one) for name, one in scores.items()])
    plain = {
        frozenset((p.better, p.worse)): welch(scores[p.better], scores[p.worse])
        for p in pairs
    }
    smallest = min(plain, key=plain.get)
    (pair,) = [p for p in pairs if {p.better, p.worse} == smallest]
    assert pair.p == pytest.approx(3 * plain[smallest])
    rounding = 1 - 1e-9
    assert all(p.p >= rounding * plain[frozenset((p.better, p.worse))] for p in pairs)


def test_who_trained_elsewhere_is_marked_and_named_once():
    rows = [
        row("a", (0.5,), elsewhere=("JAX 1",)),
        row("b", (0.5,)),
        row("c", (0.5,), elsewhere=("JAX 1", "by hand")),
    ]
    cells = verdicts.table_cells(rows, ACCURACY)
    assert [one[0] for one in cells] == ["a †", "b", "c †"]
    note = verdicts.elsewhere(rows)
    assert note.startswith("†") and note.endswith("elsewhere: JAX 1; by hand.")
    assert verdicts.elsewhere(rows[1:2]) == ""


FINISHED = sorted((ROOT / "docs" / "runs").glob("*/comparison.json"))


@pytest.mark.parametrize("path", FINISHED, ids=lambda path: path.parent.name)
def test_finished_tables_are_written_byte_by_byte_as_they_are(path, tmp_path):
    """From their own rows; those of before an axis or a field existed lack it."""
    table = json.loads(path.read_text())
    rows = [Line.from_json(kept) for kept in table["rows"]]
    pairs = verdicts.differences(rows)
    text = verdicts.markdown(rows, pairs, table)
    assert text == (path.parent / "table.md").read_text()
    told = [{**dataclasses.asdict(one), "certain": one.certain} for one in pairs]
    assert told == [
        {**one, "interval": one["interval"] and tuple(one["interval"])}
        for one in table["differences"]
    ]
    files.write_csv(tmp_path / "table.csv", *csv_rows(rows))
    header, lines = files.read_csv(tmp_path / "table.csv")
    before, kept = files.read_csv(path.parent / "table.csv")
    assert set(header) - set(before) <= {"elsewhere"}
    places = [header.index(name) for name in before]
    assert [[line[place] for place in places] for line in lines] == kept
