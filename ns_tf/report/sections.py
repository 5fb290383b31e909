"""Sections of the report: budgets, widths and laws of a search, and a comparison."""

import dataclasses
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ns_tf.base import DescentState, InputError, Widths
from ns_tf.compare import axes, stages, verdicts
from ns_tf.compare.verdicts import TEST, Difference, Line
from ns_tf.descend.pictures import draw_scores, slopes_of
from ns_tf.descend.record import SearchRecord
from ns_tf.plan import methods
from ns_tf.plan.plan import make_plan
from ns_tf.problem.score import Score
from ns_tf.render import plots
from ns_tf.render.html import picture, section, table
from ns_tf.scaling.law import uncertain

if TYPE_CHECKING:
    from ns_tf.devices.device import Device

RATIOS = (0.25, 0.5, 0.75, 1.0, 2.0)  # The paper's r.
Value = TypeVar("Value")


def search_sections(
    name: str, search: SearchRecord, device: "Device | None" = None
) -> list[str]:
    """The sections of one search as HTML: budgets, widths, laws from the last on.

    Args:
        name: Stands before every title; empty where there is one search only.
        search: With at least one iteration.
        device: Of the same network, whose milliseconds are told; none if None.
    """
    head = f"{name}: " if name else ""
    return [
        _budgets(head, search, device),
        _iterations(head, search),
        *(_laws(head, search, state) for state in reversed(search.states)),
    ]


def _budgets(head: str, search: SearchRecord, device: "Device | None") -> str:
    """The plans of every method with a curve at the paper's budgets.

    A plan that cannot be has the reason in place of numbers.

    Args:
        head: Stands before the title.
        search: With at least one iteration.
        device: As of `search_sections`.
    """
    rows, members = [], methods.with_curve()
    for ratio in RATIOS:
        for method in sorted(members, key=lambda name: members[name].needs_search):
            try:
                plan = make_plan(search, {}, method=method, ratio=ratio)
            except InputError as error:
                rows.append([f"r = {ratio:g}", method, str(error)])
                continue
            far = f"{plan.extrapolation:.2f}" if plan.tau_range else "-"
            rows.append(
                [
                    f"r = {ratio:g}",
                    method,
                    f"{plan.params:,}",
                    f"{plan.costs['macs']:,.0f}",
                    *([_ms(device, plan.widths)] if device else []),
                    far + (" (far)" if plan.warning else ""),
                    ", ".join(map(str, plan.widths)),
                ]
            )
    costs = ("parameters", "MACs", *(["ms"] if device else []))
    header = ("budget", "method", *costs, "extrapolated, times", "widths")
    about = _about_device(device) if device else ""
    return section(f"{head}Budgets of the paper", table(header, rows) + about)


def _ms(device: "Device", widths: Widths) -> str:
    """Milliseconds of a network by the tables of a device, as far as they reach."""
    limits = device.limits()
    beyond = any(width > most for width, most in zip(widths, limits, strict=True))
    return "beyond its tables" if beyond else f"{device.ms(widths):.4g}"


def _about_device(device: "Device") -> str:
    """Whose milliseconds the column has, and where the runtime is slower."""
    about = f"Milliseconds are by the tables of a device: {device.about}."
    warning = f" There, {device.warning}." if device.warning else ""
    return f"<p>{html.escape(about + warning)}</p>"


def _iterations(head: str, search: SearchRecord) -> str:
    """Default widths, those of every iteration, and the next ones; with a picture.

    Args:
        head: Stands before the title.
        search: With at least one iteration.
    """
    header = ("layer", "default", *(f"it {s.iteration}" for s in search.states), "next")
    columns = [search.default_widths, *(state.widths for state in search.states)]
    columns.append(search.states[-1].scaling.widths)
    rows = [
        [name, *map(str, widths)]
        for name, *widths in zip(search.names, *columns, strict=True)
    ]
    drawing = picture(
        lambda file: plots.descent(columns[1:], search.names, file, format="svg"),
        "Widths by iteration",
    )
    return section(f"{head}Widths by iteration", table(header, rows) + drawing)


def _laws(head: str, search: SearchRecord, state: DescentState) -> str:
    """The law of an iteration: a row a layer, its points, and how many there are.

    Args:
        head: Stands before the title.
        search: Whose layers they are.
        state: Of the iteration.
    """
    law = state.law
    rows = [
        [name, f"{alpha:.4g}", f"{beta:.3f}", f"{r2:.3f}", f"{100 * residual:.1f} %"]
        for name, alpha, beta, r2, residual in zip(
            search.names, law.alpha, law.beta, law.r2, law.residual, strict=True
        )
    ]
    low, high = law.tau_range
    note = (
        f"<p>{len(state.trace.tau)} networks recorded, from {low:,.0f} to {high:,.0f} "
        f"parameters, over {len(state.trace.history)} removals.</p>"
    )
    lines = uncertain(law, search.names)
    note += "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    drawing = picture(
        lambda file: plots.growth(state.trace, law, search.names, file, format="svg"),
        f"Widths over size, iteration {state.iteration}",
    )
    scores = _scores(search, state) if state.trace.scores is not None else ""
    header = ("layer", "alpha", "beta", "R²", "residual of ln")
    return section(
        f"{head}Laws of iteration {state.iteration}",
        note + drawing + table(header, rows) + scores,
    )


def _scores(search: SearchRecord, state: DescentState) -> str:
    """The picture of an iteration's scores, and their slope over size, as HTML.

    Args:
        search: Whose network it is.
        state: Of the iteration, with scores.
    """
    drawing = picture(
        lambda file: draw_scores(search, state, file, format="svg"),
        f"Scores over size, iteration {state.iteration}",
    )
    _, slopes = slopes_of(search, state)
    rows = [
        [f"{size:,.0f}", f"{fall.exponent:.2f} ± {fall.error:.2f}", str(fall.events)]
        for size, fall in reversed(slopes)
    ]
    note = (
        "<p>The highest score removed at an event is what the last filter was worth. "
        "Near the sizes of the table it falls as parameters to the -p.</p>"
    )
    return note + drawing + table(("parameters", "p", "events"), rows)


def comparison_section(comparison: Mapping[str, Any]) -> str:
    """The table, the figures and the verdict of a comparison as HTML.

    Args:
        comparison: What comparison.json holds.

    Raises:
        KeyError, TypeError: a value is missing; the file is damaged.
    """
    for name in ("title", "recipe", "date", "latency"):
        if not isinstance(comparison[name], str):
            raise TypeError(f"{name} is no text")
    rows = [Line.from_json(row) for row in comparison["rows"]]
    pairs = [_value(Difference, pair) for pair in comparison["differences"]]
    about = f"{comparison['recipe']} {comparison['date']}. Latency: "
    about += f"{comparison['latency']} {comparison.get('missing', '')}"
    body = f"<p>{html.escape(about)}</p>"
    score = Score.of(comparison)
    body += table(verdicts.header(rows, score), verdicts.table_cells(rows, score))
    if staged := stages.rows_of(rows, score):
        body += f"<h3>Pruned networks, stage by stage</h3><p>{stages.NOTE}</p>"
        body += table(stages.header(score), staged)
    if mark := verdicts.elsewhere(rows):
        body += f"<p>{html.escape(mark)}</p>"
    for reason in comparison.get("unknown", ()):
        body += f"<p>{html.escape(reason)}</p>"
    for axis in axes.complete(rows):
        body += picture(
            lambda file, axis=axis: axis.draw(rows, file, score, format="svg"),
            f"{score.name.capitalize()} over {axis.name}",
        )
    sentences = verdicts.sentences(pairs, comparison["gaps"])
    items = "".join(f"<li>{html.escape(text)}</li>" for text in sentences)
    body += f"<p>{html.escape(TEST)}:</p><ul class='verdict'>{items}</ul>"
    return section(f"Comparison: {comparison['title']}", body)


def _value(kind: type[Value], values: Mapping[str, Any]) -> Value:
    """The dataclass of these values; keys that are no field are left out.

    >>> _value(Difference, {"budget": "params=3", "better": "a", "worse": "b",
    ...     "points": 2.0, "interval": None, "p": None, "certain": False}).points
    2.0
    """
    names = [field.name for field in dataclasses.fields(kind)]
    return kind(**{name: values[name] for name in names if name in values})
