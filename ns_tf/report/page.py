"""report.html: what a run folder holds, on one page that needs nothing else."""

import dataclasses
import html
import json
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ns_tf.base import InputError
from ns_tf.compare import verdicts
from ns_tf.compare.verdicts import HEADER, TEST, Difference, Line
from ns_tf.descend.record import SearchRecord, read_search
from ns_tf.plan import methods
from ns_tf.plan.plan import FAR, make_plan
from ns_tf.plan.targets import with_ratio
from ns_tf.render import html as render_html
from ns_tf.render import plots
from ns_tf.render.html import option
from ns_tf.run import files
from ns_tf.run.folder import COMPARISON, DESCENT

PAGE = Path(__file__).parent / "assets"
_REMEDY = "Run ns_tf.compare there again: it writes it anew; or give another folder."
RATIOS = (0.25, 0.5, 0.75, 1.0, 2.0)  # Of the paper.


def write(
    run_dir: str | Path, comparison_dir: str | Path | None, path: str | Path
) -> None:
    """Writes the report of a search, of a comparison, or of both.

    Args:
        run_dir: The run folder of a search or of a comparison.
        comparison_dir: The run folder of a comparison, if it is another one.
        path: Where the page goes.

    Raises:
        InputError: no folder of either kind, a damaged one, or the page cannot be
            written.
    """
    text = page(run_dir, comparison_dir)
    try:
        files.write_text(path, text)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}. Give another --out."
        ) from error


def page(run_dir: str | Path, comparison_dir: str | Path | None = None) -> str:
    """The report as one HTML page; see `write`."""
    folder = Path(run_dir)
    compared = Path(comparison_dir) if comparison_dir else folder
    searches = _searches_of(folder)
    told = _comparison_of(compared, needed=comparison_dir is not None)
    if not searches and told is None:
        raise InputError(
            f"{folder} holds neither a search ({DESCENT}) nor a comparison "
            f"({COMPARISON}). Give the run folder of one: --run_dir=runs/NAME."
        )
    title, sections, script = "", [], ""
    if searches:
        first = next(iter(searches.values()))
        title = f"{first.architecture} on {first.dataset}"
        offered = _of_one_network(searches)
        curves = _curves(offered)
        others = [name for name in searches if name not in offered]
        sections.append(_what_if(first, curves, others))
        for name, search in searches.items():
            sections += _search_sections(name, search)
        script = _script(first, curves)
    if told is not None:
        with files.readable(compared / COMPARISON, "comparison", _REMEDY):
            title = title or told["title"]
            sections.append(_comparison(told))
    return string.Template((PAGE / "report.html").read_text()).substitute(
        title=html.escape(title),
        style=(PAGE / "report.css").read_text(),
        about=html.escape(" ".join(map(_about, searches.values()))),
        sections="\n".join(sections),
        script=script,
    )


def _searches_of(folder: Path) -> dict[str, SearchRecord]:
    """The search in a folder, or those that a comparison did there, by name."""
    below = sorted(folder.glob(f"searches/*/{DESCENT}"))
    found = {}
    for path in [folder / DESCENT] if (folder / DESCENT).exists() else below:
        search = read_search(path.parent)
        search.state()  # Refuses one without an iteration.
        found[path.parent.name if len(below) > 1 else ""] = search
    return found


def _of_one_network(
    searches: dict[str, SearchRecord],
) -> dict[str, SearchRecord]:
    """The searches that the first one's costs hold for, by name.

    Layers of one name may cost otherwise, at other images or classes.
    """

    def costs(search):
        return {name: cost.to_json() for name, cost in search.costs.items()}

    first = costs(next(iter(searches.values())))
    return {name: search for name, search in searches.items() if costs(search) == first}


def _search_sections(name: str, search: SearchRecord) -> list[str]:
    """What one search found; its name in every title, where there are several."""
    head = f"{name}: " if name else ""
    return [
        _budgets(head, search),
        _iterations(head, search),
        *(_laws(head, search, state) for state in reversed(search.states)),
    ]


def _comparison_of(folder: Path, *, needed: bool) -> dict[str, Any] | None:
    if not needed and not (folder / COMPARISON).exists():
        return None
    return files.read_json(
        folder / COMPARISON, what="comparison", version=1, remedy=_REMEDY
    )


def _about(search: SearchRecord) -> str:
    count = len(search.states)
    iterations = f"{count} iteration{'s' if count > 1 else ''}"
    minutes = sum(state.seconds for state in search.states) / 60
    size = "x".join(map(str, search.input_shape))
    return (
        f"{iterations} of architecture descent in "
        f" {minutes:.1f} minutes; images {size}, {search.classes} classes; seed "
        f"network {','.join(map(str, search.seed_widths))}."
    )


def _script(search: SearchRecord, curves: dict[str, Any]) -> str:
    data = {
        "default_widths": search.default_widths,
        "costs": {name: cost.to_json() for name, cost in search.costs.items()},
        "curves": curves,
        "far": FAR,
        "start": _ratio_target(search, RATIOS[0]),
    }
    # No "</script>" can end the element early.
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    code = (PAGE / "what_if.js").read_text()
    return (
        f'<script type="application/json" id="data">{text}</script>\n'
        f"<script>\n{code}</script>\n"
    )


def _curves(searches: dict[str, SearchRecord]) -> dict[str, Any]:
    """Every curve that the page offers, by name; the last iteration's law first."""
    curves = {}
    members = methods.with_curve()
    searching = [name for name in members if members[name].needs_search]
    for name in sorted(searching, key=lambda name: name != "neuralscale"):
        for label, search in searches.items():
            for state in reversed(search.states):
                if members[name].iteration not in (None, state.iteration):
                    continue
                title = f"{label + ': ' if label else ''}{name}@{state.iteration}"
                curves[title] = _curve(search, name, state.iteration)
    first = next(iter(searches.values()))
    for name in members.keys() - set(searching):
        curves[name] = _curve(first, name)
    return {title: curve for title, curve in curves.items() if curve}


def _curve(
    search: SearchRecord, method: str, iteration: int | None = None
) -> dict[str, Any] | None:
    """The numbers of a curve; None if the search has none, or the page cannot draw it."""
    try:
        curve = methods.curve(search, method, iteration)
    except InputError:  # MorphNet, where pruning ended above half of the filters.
        return None
    if not curve.terms:
        return None
    tau_range = {"range": list(curve.tau_range)} if curve.tau_range else {}
    return {**curve.terms, "scale": curve.start, **tau_range}


def _ratio_target(search: SearchRecord, ratio: float) -> float:
    return with_ratio(search, {}, ratio)["params"]


def _what_if(search: SearchRecord, curves: Iterable[str], others: list[str]) -> str:
    left = ""
    if others:
        named = html.escape(", ".join(others))
        left = (
            f"<p>Not here, as their networks have other costs: {named}. ns_tf.plan has "
            "their widths.</p>"
        )
    offered = "".join(map(option, curves))
    units = {name: cost.unit for name, cost in search.costs.items()}
    costs = "".join(
        option(name, f"{unit}, at most")
        for name, unit in sorted(units.items(), key=lambda pair: pair[0] != "params")
    )
    told = "".join(
        f'<div><dt>{html.escape(unit)}</dt><dd id="cost_{name}"></dd></div>'
        for name, unit in units.items()
    )
    rows = "".join(
        f'<tr><td>{html.escape(name)}</td><td>{default}</td><td id="width_{i}"></td>'
        f'<td><div class="track"><i id="bar_{i}"></i><b id="mark_{i}"></b></div></td>'
        "</tr>"
        for i, (name, default) in enumerate(
            zip(search.names, search.default_widths, strict=True)
        )
    )
    return f"""<section id="what_if">
<h2>What if: the widths for a budget</h2>
<div class="controls">
<label>along<select id="curve">{offered}</select></label>
<label>budget<select id="budget">{costs}</select></label>
<label>at most<input id="target" type="number" min="1" step="any"></label>
<label>multiples of<input id="round_to" class="short" type="number" min="1" value="1">
</label>
<label>at least<input id="min_width" class="short" type="number" min="1" value="1">
</label>
<label class="wide">from a hundredth of the default network to ten times it
<input id="slider" type="range" min="0" max="1000" step="any"></label>
</div>
<p id="problem" role="alert"></p>
<div id="answer">
<dl class="costs">{told}
<div><dt>extrapolated</dt><dd id="extrapolation"></dd></div></dl>
<p id="warning"></p>
<div class="scroll"><table><thead><tr><th>layer</th><th>default</th><th>filters</th>
<th></th></tr></thead><tbody>{rows}</tbody></table></div>
<p>--widths=<code id="list"></code></p>
</div>
{left}
</section>"""


def _budgets(head: str, search: SearchRecord) -> str:
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
                    far + (" (far)" if plan.warning else ""),
                    ", ".join(map(str, plan.widths)),
                ]
            )
    header = ("budget", "method", "parameters", "MACs", "extrapolated, times", "widths")
    return render_html.section(
        f"{head}Budgets of the paper", render_html.table(header, rows)
    )


def _iterations(head: str, search: SearchRecord) -> str:
    header = ("layer", "default", *(f"it {s.iteration}" for s in search.states), "next")
    columns = [search.default_widths, *(state.widths for state in search.states)]
    columns.append(search.states[-1].scaling.widths)
    rows = [
        [name, *map(str, widths)]
        for name, *widths in zip(search.names, *columns, strict=True)
    ]
    picture = render_html.picture(
        lambda file: plots.descent(columns[1:], search.names, file, format="svg"),
        "Widths by iteration",
    )
    return render_html.section(
        f"{head}Widths by iteration", render_html.table(header, rows) + picture
    )


def _laws(head: str, search: SearchRecord, state) -> str:
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
    picture = render_html.picture(
        lambda file: plots.growth(state.trace, law, search.names, file, format="svg"),
        f"Widths over size, iteration {state.iteration}",
    )
    table = render_html.table(("layer", "alpha", "beta", "R²", "residual of ln"), rows)
    return render_html.section(
        f"{head}Laws of iteration {state.iteration}", note + picture + table
    )


def _comparison(told: dict[str, Any]) -> str:
    rows = [_made(Line, row) for row in told["rows"]]
    found = [_made(Difference, one) for one in told["differences"]]
    body = f"<p>{html.escape(told['recipe'])} {html.escape(told['date'])}. Latency: "
    body += f"{html.escape(told['latency'])} {html.escape(told.get('missing', ''))}</p>"
    body += render_html.table(HEADER, [verdicts.cells(row) for row in rows])
    if mark := verdicts.elsewhere(rows):
        body += f"<p>{html.escape(mark)}</p>"
    for axis in ("params", "latency_ms"):
        if any(getattr(row, axis) is None for row in rows):
            continue  # Not measured yet.
        body += render_html.picture(
            lambda file, axis=axis: plots.comparison(rows, axis, file, format="svg"),
            f"Accuracy over {axis}",
        )
    said = verdicts.sentences(found, told["gaps"])
    items = "".join(f"<li>{html.escape(text)}</li>" for text in said)
    body += f"<p>{html.escape(TEST)}:</p><ul class='verdict'>{items}</ul>"
    return render_html.section(f"Comparison: {told['title']}", body)


def _made(kind: type, values: dict[str, Any]) -> Any:
    """The dataclass of these values; others are left."""
    return kind(
        **{
            field.name: values[field.name]
            for field in dataclasses.fields(kind)
            if field.name in values
        }
    )
