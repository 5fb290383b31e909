"""Sections of the report hold the numbers of what they are made of."""

import dataclasses
import html
import re

import pytest
from laws import toy_device, toy_ms
from toys import DEFAULT, NAMES, scored, toy_search

from ns_tf.base import InputError
from ns_tf.compare import stages
from ns_tf.compare.verdicts import Difference, Line
from ns_tf.devices.device import Whole
from ns_tf.plan import methods
from ns_tf.plan.plan import make_plan
from ns_tf.prune.pruner import STAGES
from ns_tf.report import sections
from ns_tf.report.sections import RATIOS, comparison_section, search_sections

SEARCH = toy_search(3)


def cells_of(text):
    """The rows of the first table of a section, as lists of text."""
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        for row in body.split("</tr>")
        if row.strip()
    ]


def title_of(text):
    return html.unescape(re.search("<h2>(.*?)</h2>", text).group(1))


def test_a_search_has_budgets_widths_and_its_laws_the_last_one_first():
    titles = [title_of(text) for text in search_sections("", SEARCH)]
    assert titles == [
        "Budgets of the paper",
        "Widths by iteration",
        "Laws of iteration 3",
        "Laws of iteration 2",
        "Laws of iteration 1",
    ]
    named = [title_of(text) for text in search_sections("a<b", SEARCH)]
    assert named == [f"a<b: {title}" for title in titles]


def test_budgets_are_planned_by_every_method_that_has_a_curve():
    rows = cells_of(search_sections("", SEARCH)[0])
    assert len(rows) == len(RATIOS) * len(methods.with_curve())
    for ratio in RATIOS:
        for name in methods.with_curve():
            (row,) = [row for row in rows if row[:2] == [f"r = {ratio:g}", name]]
            try:
                plan = make_plan(SEARCH, {}, method=name, ratio=ratio)
            except InputError as error:  # No multiples of 8 are so few parameters.
                assert name == "divisible" and row[2] == str(error)
                continue
            assert row[2] == f"{plan.params:,}" and row[3] == f"{plan.costs['macs']:,}"
            assert row[5] == ", ".join(map(str, plan.widths))
            assert (row[4] == "-") == (plan.tau_range is None)
            assert ("far" in row[4]) == bool(plan.warning)


def test_a_budget_that_a_method_cannot_meet_has_the_reason_in_its_row(monkeypatch):
    def refuse(search, targets, *, method, ratio):
        raise InputError(f"No <plan> at {ratio:g}.")

    monkeypatch.setattr(sections, "make_plan", refuse)
    rows = cells_of(sections._budgets("", SEARCH, None))
    assert rows[0][2] == "No <plan> at 0.25." and len(rows[0]) == 3


def test_a_device_file_adds_its_milliseconds_as_far_as_its_tables_reach():
    slower = Whole((9, 9, 9), ms=3.0, by_table=2.0)  # At no multiple of the step.
    device = toy_device(SEARCH, largest=26, whole=(slower,), step=8)
    text = search_sections("", SEARCH, device)[0]
    assert "MACs</th><th>ms</th>" in text and device.about in text
    assert "takes 50 % longer than the tables say" in text and "--round_to=" in text
    rows = [row for row in cells_of(text) if len(row) > 3]
    beyond = 0
    for row in rows:
        widths = [int(width) for width in row[6].split(", ")]
        if max(widths) > 26:
            assert row[4] == "beyond its tables"
            beyond += 1
        else:
            assert row[4] == f"{toy_ms(widths):.4g}"
    assert 0 < beyond < len(rows)
    assert "ms</th>" not in search_sections("", SEARCH)[0]


def test_widths_are_the_default_ones_those_of_every_iteration_and_the_next():
    rows = cells_of(search_sections("", SEARCH)[1])
    assert [row[0] for row in rows] == list(NAMES)
    for i, row in enumerate(rows):
        widths = [state.widths[i] for state in SEARCH.states]
        widths.append(SEARCH.states[-1].scaling.widths[i])
        assert row[1:] == [str(DEFAULT[i]), *map(str, widths)]


def test_laws_are_told_by_layer_with_how_many_networks_there_were():
    text = search_sections("", SEARCH)[2]
    law = SEARCH.states[-1].law
    for i, row in enumerate(cells_of(text)):
        assert row[:3] == [NAMES[i], f"{law.alpha[i]:.4g}", f"{law.beta[i]:.3f}"]
    low, high = law.tau_range
    assert f"13 networks recorded, from {low:,.0f} to {high:,.0f} parameters" in text
    assert "data:image/svg+xml;base64," in text


# Comparisons.


def comparison(*lines, **others):
    return {
        "title": "net on <data>",
        "recipe": "2 epochs.",
        "latency": "on paper.",
        "date": "2026-11-22",
        "gaps": [],
        "rows": [line.to_json() for line in lines],
        "differences": [],
        **others,
    }


def line(method, *scores, **others):
    others = {"costs": {"params": 3, "macs": 5, "latency_ms": None}, **others}
    return Line(
        method,
        "params=3",
        (3,),
        accuracies=scores,
        best_epochs=scores,
        seconds=(7.0,) * 2,
        **others,
    )


def test_scores_have_their_slopes_where_the_search_kept_them():
    assert "Scores over size" not in "".join(search_sections("", SEARCH))
    laws = search_sections("", scored(toy_search(1), p=1.75))[-1]
    assert "Scores over size, iteration 1" in laws
    scores = laws.rpartition("Scores over size")[2]
    rows = cells_of(scores[scores.index("<table") :])
    assert {row[1] for row in rows} == {"1.75 ± 0.00"}
    sizes = [int(row[0].replace(",", "")) for row in rows]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 9


def test_a_comparison_has_its_rows_its_verdict_and_its_gaps():
    pair = Difference("params=3", "b", "a", 12.5, None, None)
    text = comparison_section(
        comparison(
            line("a", 0.25, 0.5),
            line("b", 0.5, 0.5),
            differences=[{**vars(pair), "certain": False}],
            gaps=["c at params=3: it cannot"],
        )
    )
    assert title_of(text) == "Comparison: net on <data>"
    rows = cells_of(text)
    assert [row[0] for row in rows] == ["a", "b"] and "37.50 ± 12.50" in rows[0]
    assert html.escape(f"{pair}.") in text
    assert "Not there: c at params=3: it cannot." in text
    assert "2 epochs. 2026-11-22. Latency: on paper." in text


def test_accuracy_is_drawn_over_every_cost_and_over_latency_where_all_have_one():
    def drawn(*lines):
        return re.findall(
            'alt="Accuracy over (.*?)"', comparison_section(comparison(*lines))
        )

    costs = {"params": 3, "macs": 5, "latency_ms": 1.5, "peak_ram": 48}
    one = line("a", 0.25, costs=costs)
    assert drawn(one) == ["params", "macs", "latency_ms", "peak_ram"]
    assert drawn(one, line("b", 0.5)) == ["params", "macs"]


def test_why_figures_are_missing_is_told_and_old_records_have_no_such_columns():
    one = line("a", 0.25, costs={"params": 3, "peak_ram": None})
    text = comparison_section(comparison(one, unknown=["No figure: <odd>."]))
    assert "<p>No figure: &lt;odd&gt;.</p>" in text and "RAM, bytes</th>" in text
    assert "RAM" not in comparison_section(comparison(line("a", 0.25)))


def test_cells_that_are_missing_and_trained_elsewhere_are_told():
    text = comparison_section(
        comparison(line("a", 0.5, elsewhere=("by JAX",)), missing="So far: 1 of 2.")
    )
    assert "So far: 1 of 2." in text and "elsewhere: by JAX." in text
    assert cells_of(text)[0][0] == "a †"


def test_pruned_networks_are_told_stage_by_stage_also_beside_failures():
    scores = {name: (0.25, 0.75) for name in STAGES}
    seconds = {name: (3.0, 5.0) for name in stages.STEPS}
    staged = line("pruned:random", 0.5, stages=scores)
    staged = dataclasses.replace(staged, stage_seconds=seconds)
    unknown = {"params": None, "macs": None}
    failed = dataclasses.replace(line("b"), costs=unknown, widths=())
    text = comparison_section(comparison(staged, failed))
    assert "stage by stage" in text and "Accuracy over macs" in text
    (row,) = cells_of(text.partition("stage by stage")[2])
    assert row[:3] == ["pruned:random", "params=3", "50.00"] and row[-1] == "4.0"
    assert "stage by stage" not in comparison_section(comparison(line("a", 0.5)))


@pytest.mark.parametrize("key", ["rows", "differences", "gaps", "recipe", "title"])
def test_a_comparison_without_its_parts_is_an_error_that_its_reader_names(key):
    values = comparison(line("a", 0.5))
    del values[key]
    with pytest.raises(KeyError, match=key):
        comparison_section(values)
