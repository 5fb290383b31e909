"""Tables as text, to the byte: the two functions, and what prints through them."""

import dataclasses
import importlib.util
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from ns_tf.base import DescentState, PruneTrace, Scaling, ScalingLaw
from ns_tf.compare import verdicts
from ns_tf.descend.__main__ import table as descent_table
from ns_tf.plan.width_plan import WidthPlan
from ns_tf.render import tables

NAMES = ("conv1", "a_longer_name", "b")


def state(iteration, widths, following):
    law = ScalingLaw(
        alpha=np.array([0.0123456, 1234567.0, 3.1e-7]),
        beta=np.array([0.5, 0.12345, 1.75]),
        r2=np.array([0.99949, 1.0, -0.25]),
    )
    trace = PruneTrace(np.array([widths]), np.array([1000.0]))
    scaling = Scaling(following, 1e3, {}, {})
    return DescentState(iteration, widths, law, trace, scaling, seconds=1.0)


LAYERS = """\
layer          searched    plan   times
conv1                64       7    0.11
a_longer_name      1024   13107   12.80
b                     3       3    1.00"""


def test_a_printed_plan_begins_with_its_layers():
    plan = WidthPlan(
        architecture="made",
        input_shape=(5, 7, 3),
        classes=3,
        method="uniform",
        iteration=None,
        names=NAMES,
        seed_widths=(64, 1024, 3),
        scaling=Scaling((7, 13107, 3), 1.0, {}, {"params": 120.0}),
        costs={"params": 101, "macs": 1009},
        tau_range=None,
    )
    budgets = "params: 101 of 120 (-15.833 %)\nmacs: 1,009"
    assert str(plan) == f"{LAYERS}\n\n{budgets}"
    short = dataclasses.replace(plan, names=("a", "b", "c"))
    assert str(short).splitlines()[:2] == [
        "layer  searched    plan   times",
        "a            64       7    0.11",
    ]


DESCENT = """\
layer               alpha    beta     R2    it 1   it 2   next
conv1             0.01235   0.500  0.999      64     61     59
a_longer_name   1.235e+06   0.123  1.000    1024    987   1013
b                 3.1e-07   1.750 -0.250       3      5      7"""


def test_a_search_ends_with_laws_and_widths_by_iteration():
    states = (
        state(1, (64, 1024, 3), (61, 987, 5)),
        state(2, (61, 987, 5), (59, 1013, 7)),
    )
    record = types.SimpleNamespace(names=NAMES, states=states)
    assert descent_table(record) == DESCENT


DEMO = """\
method       parameters       MACs     test  widths
uniform         576,123 12,345,678   9.50 %  4,8,16
neuralscale       5,761     45,678  91.23 %  5,7,11"""


def test_the_demonstration_ends_with_two_trainings_side_by_side():
    spec = importlib.util.spec_from_file_location("demo", ROOT / "tools" / "demo.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    results = [
        {"params": 576_123, "macs": 12_345_678, "test_accuracy": 0.095},
        {"params": 5_761, "macs": 45_678, "test_accuracy": 0.91234},
    ]
    rows = [
        ("uniform", (4, 8, 16), results[0]),
        ("neuralscale", (5, 7, 11), results[1]),
    ]
    text = demo._table(rows)
    text = text if isinstance(text, str) else "\n".join(text)
    assert text == DEMO


COMPARISON = """\
# net on data

R. D.

| method | budget | parameters | MACs | latency, ms (p95) | test accuracy, % | \
best test epoch, % | seeds | training, min |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| a | ratio=0.25 | 1,013 | 10,007 | 3.50 (5.25) | 91.00 ± 1.00 | 92.00 ± 1.00 | 2 | \
2.0 |
| b | ratio=0.25 | 1,019 | 10,009 | - | - | - | 0 (1 failed) | - |

Accuracy: mean ± population standard deviation over the seeds, of the epoch that \
validation images chose. Best test epoch: the paper's statistic, chosen on the test \
images themselves; only for comparison with published figures. Latency: L.

## Verdict

"""
WIDTHS = """\

## Widths

| method | budget | widths |
| --- | --- | --- |
| a | ratio=0.25 | 3, 5 |
| b | ratio=0.25 | 7, 11, 13 |
"""


def test_a_comparison_is_two_tables_of_markdown_as_they_come():
    a = verdicts.Line(
        method="a",
        budget="ratio=0.25",
        widths=(3, 5),
        costs={
            "params": 1013,
            "macs": 10007,
            "latency_ms": 3.5,
            "latency_p95_ms": 5.25,
        },
        accuracies=(0.90, 0.92),
        best_epochs=(0.91, 0.93),
        seconds=(60.0, 180.0),
    )
    b = dataclasses.replace(
        a,
        method="b",
        widths=(7, 11, 13),
        costs={"params": 1019, "macs": 10009, "latency_ms": None},
        accuracies=(),
        best_epochs=(),
        seconds=(),
        failures=("step 3",),
    )
    about = {"title": "net on data", "recipe": "R.", "latency": "L.", "date": "D"}
    text = verdicts.markdown([a, b], [], about)
    assert text.startswith(COMPARISON) and text.endswith(WIDTHS)
    middle = text.removeprefix(COMPARISON).removesuffix(WIDTHS)
    assert middle.count("\n* ") == 1 and "|" not in middle


# The functions themselves.

TEXTS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=11)
TABLES = st.integers(1, 5).flatmap(
    lambda columns: st.lists(
        st.lists(TEXTS, min_size=columns, max_size=columns), min_size=1, max_size=7
    )
)
SIDES = st.text("<>", max_size=7)


@given(TABLES, SIDES)
def test_plain_columns_end_or_begin_in_line(table, align):
    header, *rows = table
    lines = tables.plain(header, rows, align=align).splitlines()
    assert [line.split() for line in lines] == table
    start = 0
    for i, column in enumerate(zip(*table, strict=True)):
        size = max(2, *map(len, column))
        for line, text in zip(lines, column, strict=True):
            place = line[start : start + size]
            left = align[i : i + 1] == "<"
            assert place.rstrip() == text if left else place == text.rjust(size)
        start += size + len(tables.GAP)
    assert all(line == line.rstrip() for line in lines)


@given(TABLES, SIDES, st.booleans())
def test_markdown_holds_the_cells_and_a_rule_of_their_sides(table, align, padded):
    header, *rows = table
    text = tables.markdown(header, rows, align=align, padded=padded)
    cells = [[c.strip() for c in line[1:-1].split("|")] for line in text.splitlines()]
    assert [cells[0], *cells[2:]] == table
    right = [rule.endswith(":") for rule in cells[1]]
    assert right == [align[i : i + 1] != "<" for i in range(len(header))]
    assert all(set(rule) <= set("-:") for rule in cells[1])


@given(TABLES)
def test_padded_markdown_is_in_line_as_it_stands(table):
    header, *rows = table
    lines = tables.markdown(header, rows).splitlines()
    bars = [[i for i, letter in enumerate(line) if letter == "|"] for line in lines]
    assert all(places == bars[0] for places in bars)


def test_without_padding_a_line_depends_on_its_own_cells_alone():
    one = tables.markdown(["a", "b"], [["x", "1"], ["y", "2"]], padded=False)
    other = tables.markdown(["a", "b"], [["x", "1"], ["long", "2"]], padded=False)
    assert one.splitlines()[:3] == other.splitlines()[:3]
    assert one.splitlines()[1] == "| --- | --: |"


def test_least_sizes_and_gaps_hold_for_the_columns_that_they_name():
    header, rows = ["a", "b", "c", "d"], [["e", "f", "g", "h"]]
    text = tables.plain(header, rows, least=[3, 5], gaps=["|", "/"])
    assert text == "a  |    b/ c   d\ne  |    f/ g   h"
    assert tables.plain(header, [], least=[3]) == "a     b   c   d"


@pytest.mark.parametrize("table", [tables.plain, tables.markdown])
def test_rows_of_another_length_than_the_header_are_refused(table):
    with pytest.raises(ValueError, match="zip"):
        table(["a", "b"], [["1", "2"], ["3"]])
