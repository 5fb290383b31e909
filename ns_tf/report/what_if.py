"""The part of the report that plans in the browser: its controls, curves and data.

`assets/` has code of the package once more, as JavaScript. `costs.js` has the costs of
`ns_tf.networks.costs` and `ns_tf.devices.cost`, `arena.js` those of
`ns_tf.networks.arena`; `what_if.js`, `growth.js`, `interior.js` and `priced.js` the
solvers of `ns_tf.scaling.solve`, `growth`, `interior` and `priced`; `ranks.js` the
order of `ns_tf.scaling.ranks`. They read the curves, the price laws, the scores of
filters, the cost polynomials, the operations of a network's files and the tables of a
device that the page carries as JSON.
"""

import collections
import html
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ns_tf.base import Along, InputError, PriceLaw, ScalingLaw
from ns_tf.budgets import get
from ns_tf.descend.record import SearchRecord
from ns_tf.devices.device import BUDGET, Device
from ns_tf.networks.arena import ExactCost
from ns_tf.networks.costs import CostPolynomial
from ns_tf.networks.priced_cost import PricedCost
from ns_tf.plan import methods
from ns_tf.plan.targets import with_ratio
from ns_tf.plan.width_plan import FAR
from ns_tf.render.html import option
from ns_tf.scaling.ranks import SIZES
from ns_tf.scores import FilterScores

ASSETS = Path(__file__).parent / "assets"
# The last one starts the page.
_SCRIPTS = (
    "costs.js",
    "arena.js",
    "growth.js",
    "interior.js",
    "priced.js",
    "ranks.js",
    "what_if.js",
)
_START = 0.25  # The paper's r of the budget that the page begins with.


def curves_of(searches: Mapping[str, SearchRecord]) -> dict[str, dict[str, Any]]:
    """The curves and the price laws that the page offers, by name.

    Every method with either is there: one that needs a search for every iteration that
    it can be of, the others once. NeuralScale's last iteration comes first.

    Args:
        searches: Of one network, by name; the name of a single one is empty.
    """
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
    for name in sorted(members.keys() - set(searching)):
        curves[name] = _curve(first, name)
    return {title: curve for title, curve in curves.items() if curve}


def _curve(
    search: SearchRecord, method: str, iteration: int | None = None
) -> dict[str, Any] | None:
    """The numbers of a curve or of a price law.

    None if the search has no such curve, as MorphNet's where pruning ended above half
    of the filters, or if the page cannot draw it.

    Args:
        search: Whose curve it is.
        method: With a curve or a price law.
        iteration: Of the search; None for a method that needs none.

    Returns:
        Of a curve its terms (`ns_tf.base.Curve`) and the tau that a search along it
        begins at, of a price law what `_price` says; and the recorded range.
    """
    try:
        curve = methods.curve(search, method, iteration)
    except InputError:
        return None
    if isinstance(curve, FilterScores):
        scores = [own.tolist() for own in curve.scores]
        return {"kind": "filters", "sets": curve.sets.tolist(), "scores": scores}
    tau_range = _range(curve)
    if isinstance(curve, PriceLaw):
        return {**_price(curve), **tau_range}
    if not curve.terms:
        return None
    return {**curve.terms, "scale": curve.start, **tau_range}


def _price(price: PriceLaw) -> dict[str, Any]:
    """The numbers of a price law, of kind "price".

    They are alpha, beta, the exponent and its source, what filters were worth at what
    sizes, if that is recorded, and the law of the limit, if that is another one.
    """
    law = _law(price.law)
    if price.limit is not None and price.limit is not price.law:
        law["limit"] = {**_law(price.limit), **_range(price.limit)}
    own = {"exponent": price.exponent, "source": price.source}
    if price.worth is not None:
        own |= {"worth": price.worth.tolist(), "sizes": price.sizes.tolist()}
    return {"kind": "price", **law, **own}


def _law(law: ScalingLaw) -> dict[str, list[float]]:
    """alpha and beta of a law."""
    return {"alpha": law.alpha.tolist(), "beta": law.beta.tolist()}


def _range(law: Along | ScalingLaw) -> dict[str, list[float]]:
    """The recorded range, if there is one."""
    return {"range": list(law.tau_range)} if law.tau_range else {}


def _units(search: SearchRecord) -> dict[str, str]:
    """Units by budget; where several budgets have one, with their names.

    Args:
        search: Whose network the widths are of.
    """
    units = {name: cost.unit for name, cost in search.costs.items()}
    count = collections.Counter(units.values())
    return {
        name: unit if count[unit] == 1 else f"{unit} ({name})"
        for name, unit in units.items()
    }


def _counted(cost: ExactCost) -> dict[str, Any]:
    """A cost as the page counts it: `assets/costs.js`."""
    if isinstance(cost, CostPolynomial):
        return cost.to_json()
    return {**cost.to_json(), **_posynomials(cost)}


def _posynomials(cost: PricedCost) -> dict[str, Any]:
    """The posynomials near a cost and below it; None in place of the same ones."""
    near, floors = (
        [posynomial.to_json() for posynomial in some]
        for some in (cost.near, cost.floors)
    )
    return {"near": near, "floors": None if cost.floors == cost.near else floors}


def _tables(device: Device) -> dict[str, Any]:
    """The milliseconds of a device as the page counts them: `assets/costs.js`."""
    cost = device.cost
    keys = ("reads", "makes", "ms")
    tables = [
        {key: getattr(table, key).tolist() for key in keys} for table in cost.tables
    ]
    return {
        "unit": get(BUDGET).unit,
        "perUnit": cost.per_unit,
        "offset": cost.offset,
        "tables": tables,
        "uses": [use.to_json() for use in cost.uses],
        **_posynomials(cost),
        "largest": device.limits(),
    }


def script(
    search: SearchRecord, curves: Mapping[str, Any], device: Device | None = None
) -> str:
    """The elements with the page's data and its programs.

    Args:
        search: Whose network the widths are of.
        curves: From `curves_of`.
        device: That says milliseconds, of the same network; none if None.
    """
    units = _units(search)
    costs = {
        name: {**_counted(cost), "unit": units[name], "countsSize": name in SIZES}
        for name, cost in search.costs.items()
    }
    if device is not None:
        costs[BUDGET] = _tables(device)
    data = {
        "default_widths": search.default_widths,
        "costs": costs,
        "curves": curves,
        "far": FAR,
        "start": with_ratio(search, {}, _START)["params"],
    }
    # Escaped, so that no text in the data can end the element.
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    programs = [(ASSETS / name).read_text() for name in _SCRIPTS]
    return f'<script type="application/json" id="data">{text}</script>\n' + "".join(
        f"<script>\n{program}</script>\n" for program in programs
    )


def controls(
    search: SearchRecord,
    curves: Iterable[str],
    others: list[str],
    device: Device | None = None,
) -> str:
    """The section with a curve, one or two budgets, and the widths, as HTML.

    Args:
        search: Whose network the widths are of.
        curves: Names of the curves that are offered.
        others: Searches of other networks, which the section cannot offer.
        device: That says milliseconds; none if None.
    """
    units = _units(search)
    if device is not None:
        units[BUDGET] = f"{get(BUDGET).unit} by device"
    names = sorted(units, key=lambda name: name != "params")
    budgets = [option(name, units[name]) for name in names]
    return f"""<section id="what_if">
<h2>What if: the widths for a budget</h2>
<div class="controls">
<label>along<select id="curve">{"".join(map(option, curves))}</select></label>
<label>budget<select id="budget">{"".join(budgets)}</select></label>
<label>at most<input id="target" type="number" min="0" step="any"></label>
<label>and<select id="second">{"".join(budgets[1:] + budgets[:1])}</select></label>
<label>at most<input id="second_target" type="number" min="0" step="any"
 placeholder="no limit"></label>
<label>multiples of<input id="round_to" class="short" type="number" min="1" value="1">
</label>
<label>at least<input id="min_width" class="short" type="number" min="1" value="1">
</label>
<label id="price">a filter is worth tau to minus
<input id="exponent" type="number" min="0" step="any"></label>
<label class="wide">from a hundredth of the default network to ten times it
<input id="slider" type="range" min="0" max="1000" step="any"></label>
</div>
<p id="problem" role="alert"></p>
<div id="answer">
<dl class="costs">{_costs(units)}
<div><dt>extrapolated</dt><dd id="extrapolation"></dd></div></dl>
<p id="warning"></p>
<ul id="pricing"></ul>
<div class="scroll"><table><thead><tr><th>layer</th><th>default</th><th>filters</th>
<th></th></tr></thead><tbody>{_layers(search)}</tbody></table></div>
<p>--widths=<code id="list"></code></p>
</div>
{_by_device(device)}{_wished(search)}{_not_offered(others)}
</section>"""


def _costs(units: Mapping[str, str]) -> str:
    """A place for every cost, with its unit.

    >>> _costs({"params": "parameters"})
    '<div><dt>parameters</dt><dd id="cost_params"></dd></div>'
    """
    return "".join(
        f'<div><dt>{html.escape(unit)}</dt><dd id="cost_{name}"></dd></div>'
        for name, unit in units.items()
    )


def _layers(search: SearchRecord) -> str:
    """A row a layer: name, default width, and places for the width and its bar."""
    return "".join(
        f'<tr><td>{html.escape(name)}</td><td>{default}</td><td id="width_{i}"></td>'
        f'<td><div class="track"><i id="bar_{i}"></i><b id="mark_{i}"></b></div></td>'
        "</tr>"
        for i, (name, default) in enumerate(
            zip(search.names, search.default_widths, strict=True)
        )
    )


def _by_device(device: Device | None) -> str:
    """A sentence on the device that says milliseconds; empty without one."""
    if device is None:
        return ""
    return (
        f"<p>Milliseconds are by the tables of a device: {html.escape(device.about)}. "
        "Where they are a budget, widths stay within the tables.</p>"
    )


def _wished(search: SearchRecord) -> str:
    """A sentence on what was wished for the widths; empty if nothing was."""
    if not search.wishes.asked:
        return ""
    return (
        "<p>The search had wishes that are not in these widths: "
        f"{html.escape(' '.join(search.wishes.asked))}. ns_tf.plan keeps them.</p>"
    )


def _not_offered(others: list[str]) -> str:
    """A sentence on the searches of other networks; empty if there are none."""
    if not others:
        return ""
    return (
        "<p>Not here, as their networks have other costs: "
        f"{html.escape(', '.join(others))}. ns_tf.plan has their widths.</p>"
    )
