"""The report in a real browser: it agrees with the plans, and needs nothing else."""

import dataclasses
import html.parser
import re

import numpy as np
import pytest
import toys
from browser import needs_browser, seen_in
from laws import noisy_device, toy_device, toy_ms
from searches import made_up
from toys import toy_search

from ns_tf import budgets
from ns_tf.api import Search
from ns_tf.base import InputError
from ns_tf.budgets import Measure
from ns_tf.descend.record import new_search, write_search
from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse
from ns_tf.plan.plan import make_plan
from ns_tf.report import page as report_page

MEMORY = ("peak_ram", "peak_ram_float32")
# Moves the controls as a hand would, and writes down what the page then shows.
HAND = """
const at = (id) => document.getElementById(id);
const text = (id) => at(id).textContent;
return asked.map((moves) => {
  for (const [id, value] of Object.entries(moves)) {
    at(id).value = value;
    at(id).dispatchEvent(new Event("input"));
  }
  const shown = document.querySelectorAll("[id^=width_]");
  return {
    asked: moves,
    problem: text("problem"),
    hidden: at("answer").hidden,
    widths: Array.from(shown, (cell) => Number(cell.textContent)),
    list: text("list"),
    params: text("cost_params"),
    macs: text("cost_macs"),
    ram: text("cost_peak_ram"),
    ms: at("cost_latency_ms") && text("cost_latency_ms"),
    extrapolation: text("extrapolation"),
    warning: text("warning"),
    pricing: Array.from(at("pricing").children, (line) => line.textContent),
    target: at("target").value,
    slider: Number(at("slider").value),
    second: at("second").value,
    second_target: at("second_target").value,
    exponent: at("exponent").placeholder,
    price: at("price").getClientRects().length > 0,
  };
});
"""


@pytest.fixture(scope="module")
def searched_folder(tmp_path_factory):
    """A run folder of a search of VGG11, and the search."""
    return written("vgg11", tmp_path_factory)


def written(name, tmp_path_factory):
    """A run folder of a search, and the search."""
    structure = analyse(architectures.get(name), (32, 32, 3), 10)
    plain = new_search(structure, "data <b>&", structure.architecture.widths)
    search = toys.scored(made_up(plain, np.random.default_rng(7), iterations=2))
    removed = search.states[-1].trace.scores.removed  # With a slope that differs.
    removed *= np.exp(np.random.default_rng(5).normal(0, 0.5, len(removed)))
    folder = tmp_path_factory.mktemp("report")
    for count in (1, 2):  # As a search does: the last iteration's files each time.
        states = search.states[:count]
        write_search(folder, dataclasses.replace(search, states=states))
    return folder, search


def browse(page, asked, tmp_path):
    """What the page showed after each of these moves."""
    return seen_in(page, HAND, asked, tmp_path)


@needs_browser
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("vgg11", 17),
        *(
            pytest.param(name, 307, marks=pytest.mark.slow)
            for name in ("vgg11", "preact_resnet18", "mobilenet_v2")
        ),
    ],
)
def test_the_page_agrees_with_the_plans_for_many_budgets(
    name, count, tmp_path_factory, tmp_path
):
    folder, search = written(name, tmp_path_factory)
    rng = np.random.default_rng(11)
    largest = int(1.5 * max(search.default_widths))
    device = noisy_device(search, rng, 0.1, largest)
    names = ["neuralscale@1", "neuralscale@2", "morphnet@1", "uniform"]
    names += ["priced@1", "priced@2"]
    asked, every = [], 3 if count < 100 else 9  # Those of RAM take the page longer.
    for place in range(count):
        memory = MEMORY if place % every == 0 else ()
        some = rng.permutation(["params", "macs", "latency_ms", *memory])
        budget, second = map(str, some[:2])
        near = np.array(search.default_widths) * np.exp(rng.uniform(-1.5, 1))
        costs = {**search.costs, "latency_ms": device.cost}
        target, other = (
            float(f"{costs[one](near.astype(int)) * rng.uniform(0.7, 1.4):.7g}")
            for one in (budget, second)
        )
        asked.append(
            {
                "curve": str(rng.choice(names)),
                "budget": budget,
                "second": second,
                "second_target": other if rng.random() < 0.5 else "",
                "exponent": str(rng.choice(["", "0.3", "1.2", "5"])),
                "round_to": int(rng.choice([1, 1, 2, 8])),
                "min_width": int(rng.choice([1, 1, 3])),
                "target": target,
            }
        )
    page = report_page.page(folder, device=device.write(tmp_path / "device.json").path)
    timed = filled = 0
    for one in browse(page, asked, tmp_path):
        given = one["asked"]
        try:
            plan = plan_of(search, given, device)
        except InputError:
            assert one["hidden"] and one["problem"], one
            continue
        assert one["problem"] == "" and not one["hidden"]
        assert tuple(one["widths"]) == plan.widths, given
        assert one["list"] == ",".join(map(str, plan.widths))
        assert one["params"] == f"{plan.params:,}"
        assert one["macs"] == f"{plan.costs['macs']:,}"
        if plan.tau_range:
            assert one["extrapolation"] == f"{plan.extrapolation:.2f} times"
        assert bool(one["warning"]) == bool(plan.warning)
        assert one["price"] == (plan.method == "priced")
        assert one["pricing"] == (lines_of(plan, search) if plan.pricing else [])
        if "latency_ms" in plan.scaling.costs:
            assert float(one["ms"].replace(",", "")) == pytest.approx(
                plan.scaling.costs["latency_ms"], rel=1e-5
            )
            timed += 1
        assert one["ram"] == f"{int(search.costs['peak_ram'](plan.widths)):,}"
        filled += bool(set(MEMORY) & plan.scaling.costs.keys())
        beyond = max(plan.widths) > largest
        assert (one["ms"] == "beyond its tables") == beyond
    assert timed > count / 5 and filled > count / every / 3


def plan_of(search, given, device):
    """The plan of what the page was asked."""
    method, _, iteration = given["curve"].partition("@")
    targets = {given["budget"]: given["target"]}
    if given["second_target"]:
        targets[given["second"]] = given["second_target"]
    priced = method == "priced" and given["exponent"]
    return make_plan(
        search,
        targets,
        method=method,
        iteration=int(iteration) if iteration else None,
        round_to=given["round_to"],
        min_width=given["min_width"],
        price_exponent=float(given["exponent"]) if priced else None,
        measure=Measure(device=device),
    )


def lines_of(plan, search):
    """What the page says of a plan at a price."""
    pricing = plan.pricing
    units = {name: budgets.get(name).unit for name in pricing.shares}
    units |= {name: f"bytes of RAM ({name})" for name in MEMORY if name in units}
    about = next(pricing.lines()).removeprefix("priced: ")
    lines = [f"{about[0].upper()}{about[1:]}."]
    if pricing.floored and pricing.fall:
        lines.append(
            "Scores fall too slowly here to say what a layer's last filters are worth."
        )
    for name, share in pricing.shares.items():
        takes = f"takes {share:.1%} of the value" if share else "does not bind"
        lines.append(f"The budget of {units[name]} {takes}.".replace("%", " %"))
    if all(pricing.shares.values()) and len(units) == 2:
        (name, unit), (other, more) = units.items()
        worth = float(f"{pricing.worth(name, other):.3g}")
        lines.append(f"1 % more {unit} is worth {worth:,g} % more {more}.")
    gap = f"{100 * max(pricing.gap, 0):.3f}"
    best = f"At most {gap} % more loss of value than any widths within the budgets."
    return [*lines, best]


@needs_browser
def test_slider_and_field_follow_each_other(searched_folder, tmp_path):
    folder, search = searched_folder
    full = float(search.costs["params"](np.array(search.default_widths)))
    asked = [
        {"budget": "params"},
        {"slider": 0},
        {"slider": 1000},
        {"target": full},
        {"target": -3},
        {"target": "", "round_to": 1.5},
        # A device's tables end below ten times the default network.
        {"budget": "latency_ms", "round_to": 1},
        {"slider": 1000},
        {"target": 1e9},
        {"target": 0.01},
    ]
    device = toy_device(search, largest=700)
    page = report_page.page(folder, device=device)
    assert "Milliseconds are by the tables of a device: law, 1 thread" in page
    found = browse(page, asked, tmp_path)
    default, low, high, middle, negative, empty, ms, most, much, little = found
    assert float(default["target"]) == full
    assert float(low["target"]) == pytest.approx(full / 100, rel=0.02)
    assert float(high["target"]) == pytest.approx(full * 10, rel=0.02)
    assert middle["slider"] == pytest.approx(1000 * np.log(100) / np.log(1000))
    assert middle["params"].replace(",", "") <= f"{full:.0f}"
    assert negative["hidden"] and "positive" in negative["problem"]
    assert empty["hidden"] and empty["problem"]
    assert float(ms["target"]) == pytest.approx(toy_ms(search.default_widths))
    widest = toy_ms((700,) * len(search.names))
    assert float(most["target"]) == pytest.approx(widest, rel=5e-3)
    assert "Too much: the largest network costs" in much["problem"]
    assert "Too little" in little["problem"] and little["problem"].endswith("ms.")


@needs_browser
def test_a_second_budget_and_an_exponent_are_free_to_give(searched_folder, tmp_path):
    folder, _ = searched_folder
    asked = [
        {"curve": "priced@2"},
        {"second_target": 10**6},
        {"budget": "macs"},
        {"second_target": 5},
        {"second_target": -5},
        {"second": "weight_bytes"},
        {"exponent": -1},
        {"curve": "neuralscale@2"},
    ]
    one, two, moved, little, negative, other, exponent, curve = browse(
        report_page.page(folder), asked, tmp_path
    )
    assert one["price"] and one["exponent"] == "by record"
    assert len(one["pricing"]) == 4  # Its p is below a beta.
    assert one["second_target"] == "" and one["second"] == "macs"
    assert len(two["pricing"]) == 5 and not two["hidden"]
    # The second budget is never what the first one has become.
    assert moved["second"] == "params" and moved["second_target"] == ""
    assert little["hidden"] and "Too little: the smallest" in little["problem"]
    assert "parameters" in little["problem"]
    assert negative["hidden"] and "positive" in negative["problem"]
    assert other["second_target"] == "" and not other["hidden"]
    assert exponent["problem"] == "A price exponent is a positive number."
    assert not curve["hidden"] and not curve["price"] and curve["pricing"] == []


def test_a_device_file_needs_a_search_and_its_network(tmp_path):
    (tmp_path / "comparison.json").write_text('{"version": 1}')
    with pytest.raises(InputError, match="--device is of the network of a search"):
        report_page.page(tmp_path, device=tmp_path / "device.json")
    folder = toys.written(tmp_path, toy_search(1))
    other = toy_device(toy_search(1, classes=7))
    with pytest.raises(InputError, match="is of another network"):
        report_page.page(folder, device=other)


class _Links(html.parser.HTMLParser):
    """Everything that a page would load, and its tags that were left open."""

    def __init__(self):
        super().__init__()
        self.links, self.open = [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.links += [values[name] for name in ("src", "href") if name in values]
        if tag not in ("meta", "img", "input", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_says_what_was_found(searched_folder):
    folder, search = searched_folder
    text = report_page.page(folder)
    parsed = _Links()
    parsed.feed(text)
    assert parsed.open == []
    assert all(link.startswith("data:image/svg+xml;base64,") for link in parsed.links)
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert "data &lt;b&gt;&amp;" in text and "data <b>" not in text
    for name in search.names:
        assert f"<td>{name}</td>" in text
    assert f"{search.states[-1].law.beta[0]:.3f}" in text
    plan = Search(search).plan(ratio=0.5)
    assert f"{plan.params:,}" in text and ", ".join(map(str, plan.widths)) in text


def test_what_if_offers_the_searches_that_one_set_of_costs_holds_for(tmp_path):
    """Of the same layers, one with other classes, whose parameters are others."""
    for name, classes in (("a", 5), ("b", 7), ("c", 5)):
        costs = toy_search(0).costs
        if name == "b":
            costs = {**costs, "params": costs["macs"]}
        folder = tmp_path / "searches" / name
        folder.mkdir(parents=True)
        toys.written(folder, toy_search(1, classes=classes, costs=costs))
    page = report_page.page(tmp_path)
    offered = re.findall(r'<option value="([^"]*neuralscale[^"]*)">', page)
    assert offered == ["a: neuralscale@1", "c: neuralscale@1"]
    assert "b: Laws of iteration 1" in page and "other costs: b. ns_tf.plan" in page
    curves = re.findall(r'<option value="([^"]*@1)">', page)
    assert "a: morphnet@1" in curves and "b: morphnet@1" not in curves


def test_a_folder_of_nothing_has_no_page(tmp_path):
    with pytest.raises(InputError, match="neither a search .* nor a comparison"):
        report_page.page(tmp_path)
    with pytest.raises(InputError, match="no comparison at .*comparison.json"):
        report_page.page(toys.written(tmp_path, toy_search(1)), tmp_path)


def test_a_search_without_an_iteration_has_no_page(tmp_path):
    write_search(tmp_path, toy_search(0))
    with pytest.raises(InputError, match="no finished iteration"):
        report_page.page(tmp_path)


@pytest.mark.parametrize("iterations", [1, 3])
def test_the_head_of_the_page_tells_iterations_minutes_and_inputs(tmp_path, iterations):
    """61 seconds an iteration."""
    text = report_page.page(toys.written(tmp_path, toy_search(iterations)))
    head = {1: "1 iteration of", 3: "3 iterations of"}[iterations]
    minutes = {1: "1.0 minutes", 3: "3.0 minutes"}[iterations]
    assert head in text and minutes in text and "<title>toy on data" in text
    assert "inputs 11x11x3, 5 outputs; seed network 13,17,19." in text
