"""What the page plans with: its curves, its data, its controls."""

import dataclasses
import html
import json
import re
import types

import numpy as np
import pytest
from browser import needs_browser, seen_in
from laws import toy_device
from places import GOLDENS, ROOT
from toys import DEFAULT, NAMES, params, scored, toy_search

from ns_tf.base import Cost, InputError, PriceLaw, ScalingLaw
from ns_tf.budgets import Measure
from ns_tf.descend.record import read_search
from ns_tf.devices.cost import Form, TableCost, Use
from ns_tf.devices.tables import Table, monomials, monotone, posynomial
from ns_tf.networks.arena import PeakMemory
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.networks.schedule import CONV, NORM, PAD, RELU, SUM, Buffer, Schedule, Step
from ns_tf.plan import methods
from ns_tf.plan.plan import make_plan
from ns_tf.plan.width_plan import FAR
from ns_tf.report import what_if
from ns_tf.report.what_if import controls, curves_of, script
from ns_tf.scaling.config import Wishes
from ns_tf.scaling.growth import ScalingInTurns
from ns_tf.scaling.priced import at_price

SEARCH = toy_search(3)


def data_of(text):
    return json.loads(re.search('id="data">(.*?)</script>', text).group(1))


def test_every_method_with_a_curve_is_offered_for_every_iteration_it_can_be_of():
    names = list(curves_of({"": SEARCH}))
    laws = [f"neuralscale@{iteration}" for iteration in (3, 2, 1)]
    priced = [f"priced@{iteration}" for iteration in (3, 2, 1)]
    assert names == [*laws, "morphnet@1", *priced, "ranking@1", "uniform"]
    offered = {name.partition("@")[0] for name in names}
    # The page cannot compute a curve without terms again.
    assert offered == set(methods.with_curve()) - {"divisible"}


def test_curves_of_several_searches_are_called_by_their_searches():
    names = list(curves_of({"a": toy_search(1), "b": toy_search(2)}))
    assert names == [
        "a: neuralscale@1",
        "b: neuralscale@2",
        "b: neuralscale@1",
        "a: morphnet@1",
        "b: morphnet@1",
        "a: priced@1",
        "b: priced@2",
        "b: priced@1",
        "a: ranking@1",
        "b: ranking@1",
        "uniform",
    ]


def test_a_curve_that_a_search_does_not_have_is_not_offered():

    (state,) = toy_search(1).states
    above = dataclasses.replace(state.trace, history=np.array([DEFAULT]))
    state = dataclasses.replace(state, trace=above)
    names = curves_of({"": dataclasses.replace(SEARCH, states=(state,))})
    assert list(names) == ["neuralscale@1", "priced@1", "ranking@1", "uniform"]


@pytest.mark.parametrize("name", ["neuralscale@2", "morphnet@1", "uniform"])
def test_the_numbers_of_a_curve_are_its_curve(name):
    """As the page computes it, at the tau where it begins and elsewhere."""
    numbers = curves_of({"": SEARCH})[name]
    method, _, iteration = name.partition("@")
    curve = methods.curve(SEARCH, method, int(iteration) if iteration else None)
    assert numbers["scale"] == curve.start
    assert numbers.get("range") == (list(curve.tau_range) if curve.tau_range else None)
    for tau in (curve.start, 777.0):
        if numbers["kind"] == "law":
            widths = np.array(numbers["alpha"]) * tau ** np.array(numbers["beta"])
        else:
            widths = np.array(numbers["widths"]) * (tau / numbers["scale"]) ** 0.5
        np.testing.assert_allclose(widths, curve(tau))


def test_the_numbers_of_a_price_law_are_its_law_and_its_exponent():
    numbers = curves_of({"": SEARCH})["priced@2"]
    price = methods.curve(SEARCH, "priced", 2)
    assert numbers == {
        "kind": "price",
        "alpha": price.law.alpha.tolist(),
        "beta": price.law.beta.tolist(),
        "exponent": price.exponent,
        "source": "assumed",
        "range": list(price.tau_range),
    }
    short = read_search(ROOT / "docs" / "runs" / "vgg11_cifar10_scores")
    limit, paper = curves_of({"": short})["priced@1"]["limit"], short.states[-1].law
    assert limit["alpha"] == paper.alpha.tolist()
    assert limit["range"] == list(paper.tau_range)
    record = scored(SEARCH)
    price = methods.curve(record, "priced", 3)
    numbers = curves_of({"": record})["priced@3"]
    assert numbers["worth"] == price.worth.tolist()
    assert numbers["sizes"] == price.sizes.tolist()


def test_the_page_carries_costs_and_curves_and_begins_at_a_quarter():
    data = data_of(script(SEARCH, curves_of({"": SEARCH})))
    assert data["default_widths"] == list(DEFAULT) and data["far"] == FAR
    assert data["start"] == params([width // 4 for width in DEFAULT])
    assert data["costs"] == {
        n: {**c.to_json(), "countsSize": n == "params"} for n, c in SEARCH.costs.items()
    }
    assert list(data["curves"]) == list(curves_of({"": SEARCH}))


def test_budgets_of_one_unit_are_told_apart():
    costs = {"a": Network(np.random.default_rng(3), 4).cost, **SEARCH.costs}
    costs["b"] = costs["a"]
    search = dataclasses.replace(SEARCH, costs=costs)
    data = data_of(script(search, {}))
    units = {name: cost["unit"] for name, cost in data["costs"].items()}
    others = {name: cost.unit for name, cost in SEARCH.costs.items()}
    assert units == {"a": "bytes (a)", "b": "bytes (b)", **others}
    text = controls(search, ["uniform"], [])
    assert "bytes (a)</option>" in text and "<dt>bytes (b)</dt>" in text


def test_no_text_in_the_data_can_end_its_element():
    text = script(SEARCH, {"</script><b>": {"kind": "law"}})
    assert text.count("</script>") == 8 and "</script><b>" in data_of(text)["curves"]


def test_the_controls_offer_curves_and_budgets_parameters_first():
    text = controls(SEARCH, ["a<b", "uniform"], [])
    options = re.findall('<option value="(.*?)">', text)
    assert [html.unescape(option) for option in options[:2]] == ["a<b", "uniform"]
    assert options[2:4] == ["params", "macs"]
    assert options[4:] == ["macs", "params"]  # Of the second budget.
    for i, (name, width) in enumerate(zip(NAMES, DEFAULT, strict=True)):
        assert f'<td>{name}</td><td>{width}</td><td id="width_{i}">' in text
    assert 'id="cost_params"' in text and "Not here" not in text


def test_searches_of_other_networks_are_named_as_not_offered():
    text = controls(SEARCH, [], ["x<y", "z"])
    assert "other costs: x&lt;y, z. ns_tf.plan has their widths." in text


# Plans at a price, by the page's functions alone.

PRIMES = [n for n in range(2, 2000) if all(n % k for k in range(2, int(n**0.5) + 1))]
# A published law, and a kept search of the same network, whose costs are its costs.
PUBLISHED = [
    ("vgg11_cifar10.json", "vgg11_cifar10_short"),
    ("mobilenet_v2_cifar100.json", "mobilenet_v2_cifar100_longer"),
]
SOLVE = """
return asked.map(({ law, costs, targets, options }) => {
  const budgets = costs.map((one, k) => ({ cost: costOf(one), target: targets[k] }));
  try {
    const found = widthsFor(law, budgets, options);
    const units = targets.map((_, k) => `unit ${k}`);
    return { ...found, lines: found.pricing ? pricingLines(found.pricing, units) : [] };
  } catch (error) {
    return { problem: error.message };
  }
});
"""


def published():
    """Laws that the paper's authors found, with the widths and costs they are of."""
    for golden, run in PUBLISHED:
        search = read_search(ROOT / "docs" / "runs" / run)
        for law in json.loads((GOLDENS / golden).read_text())["iterations"]:
            pair = ScalingLaw(np.array(law["alpha"]), np.array(law["beta"]))
            yield pair, search.default_widths, list(search.costs.values())


def made_up(rng):
    """A law and costs that no network has: of distinct primes, with projections.

    Some have terms of three widths, as attentions do.
    """
    layers = int(rng.integers(2, 21))
    law = ScalingLaw(rng.uniform(0.1, 2, layers), rng.uniform(0.2, 0.9, layers))
    costs = []
    for unit in ("MACs", "parameters"):
        primes = rng.choice(PRIMES, (2, layers), replace=False).tolist()
        terms = [(c, i, min(i + 1, layers), ALWAYS) for i, c in enumerate(primes[0])]
        terms += [(c, i, i + 1, (i, i + 1)) for i, c in enumerate(primes[1][:-1])]
        if layers % 2:
            terms += [(primes[0][0], 0, 1, 2, ALWAYS), (3, 1, 1, 2, (0, 2))]
        costs.append(CostPolynomial.collect(unit, terms))
    return law, rng.integers(20, 150, layers), costs


def priced_cases(rng, times):
    """Laws, each at so many budgets.

    (law, costs, targets, exponent, round_to, min_width).
    """
    laws = [*published(), *(made_up(rng) for _ in range(30))]
    for law, default, costs in laws * times:
        some = rng.permutation(costs)[: rng.choice([1, 2, 2])].tolist()
        near = np.array(default) * np.exp(rng.uniform(-2, 1))
        targets = [int(c(near.astype(int)) * rng.uniform(0.8, 1.2)) for c in some]
        exponent = float(rng.choice([-0.2, 0.3, 1, 5, 800, 1e6]))
        grid = int(rng.choice([1, 1, 2, 8])), int(rng.choice([1, 1, 3]))
        if rng.random() < 0.2:  # Hardly more than the smallest network.
            least = -(-grid[1] // grid[0]) * grid[0]
            low = [int(c(np.full(len(default), least))) for c in some]
            targets = [int(t * rng.uniform(1, 1.02)) for t in low]
        yield law, some, targets, exponent, *grid


def made_up_device(rng):
    """A law, and a device of a chain of layers: noise, projections, a flat table."""
    layers, largest = int(rng.integers(2, 13)), int(rng.integers(80, 300))
    law = ScalingLaw(rng.uniform(0.1, 2, layers), rng.uniform(0.2, 0.9, layers))
    axis = np.unique([1, 8, 24, largest // 2, largest]).astype(float)
    tables = []
    for place, reads in enumerate(([3.0], axis, axis)):
        price = rng.uniform(0, 1, 4) * [0.1, 1e-3, 1e-3, 1e-4]
        ms = monomials(np.array(reads), axis) @ price
        ms = monotone(ms * rng.uniform(0.8, 1.2, ms.shape))
        price = posynomial(np.array(reads), axis, ms)
        tables.append(Table(f"{place}", np.array(reads), axis, ms, price))
    one = np.ones(1)
    flat = Table("flat", one, one, np.full((1, 1), 0.1), np.array([0.1, 0, 0, 0]))
    uses = [Use(0, Form(3), Form(0, ((0, 1),)))]
    for i in range(1, layers):  # The last width may be in no time at all.
        ends = Form(0, ((i - 1, 1),)), Form(int(rng.integers(0, 3)), ((i, 1),))
        free = i == layers - 1 and rng.random() < 0.3
        uses.append(Use(3, Form(1), Form(1)) if free else Use(1, *ends))
        if rng.random() < 0.4:
            uses.append(Use(2, *ends, differ=(i - 1, i)))
    cost = TableCost([*tables, flat], uses, offset=float(rng.uniform(0, 0.5)))
    return law, rng.integers(20, 80, layers), cost, [largest] * layers


def device_cases(rng, count):
    """As `priced_cases`, of milliseconds, with the largest widths of the tables."""
    for _ in range(count):
        law, default, ms, largest = made_up_device(rng)
        other = CostPolynomial.collect(
            "MACs", [(7, i, i + 1, ALWAYS) for i in range(len(default))]
        )
        costs = [ms, other][: rng.choice([1, 2])]
        near = np.array(default) * np.exp(rng.uniform(-1.5, 1))
        targets = [float(c(near.astype(int)) * rng.uniform(0.8, 1.2)) for c in costs]
        if rng.random() < 0.2:  # More than any network costs.
            targets[-1] = 2 * float(costs[-1](np.array(largest)))
        grid = int(rng.choice([1, 1, 2, 8])), int(rng.choice([1, 1, 3]))
        yield law, costs, targets, float(rng.choice([1, 5, 1e6])), *grid, largest


class Network:
    """Operations that no network has: borders, norms and ReLUs before or behind some,
    scratch, and blocks of which a projection is missing where two widths are equal."""

    def __init__(self, rng, layers):
        self.rng, self.layers = rng, layers
        self.buffers, self.steps = [Buffer(1, ((97, layers),))], []
        x = 0
        for layer in range(layers):
            x = self.block(x, layer)
        self.cost = PeakMemory("bytes", Schedule(self.buffers, self.steps, x), layers)

    def block(self, x, layer):
        entries, y = int(self.rng.choice(PRIMES[:40])), x
        own, kinds = ((entries, layer),), [NORM, RELU]
        if self.rng.random() < 0.3:
            y = self.step(PAD, [y], self.buffers[y].terms)
        scratch = (self.buffer(own),) if self.rng.random() < 0.2 else ()
        y = self.step(CONV, [y], own, scratch=scratch)
        for kind in self.rng.permutation(kinds)[: self.rng.integers(0, 3)].tolist():
            y = self.step(kind, [y], own)
        if layer and self.rng.random() < 0.5:
            how = {"differ": (layer - 1, layer), "instead": x}
            y = self.step(SUM, [y, self.step(CONV, [x], own, **how)], own)
        return y

    def buffer(self, terms):
        self.buffers.append(Buffer(int(self.rng.choice([1, 4])), terms))
        return len(self.buffers) - 1

    def step(self, kind, reads, terms, **how):
        makes, name = self.buffer(terms), f"{self.rng.integers(99)}/{len(self.steps)}"
        self.steps.append(Step(name, kind, tuple(reads), makes, **how))
        return makes


def memory_cases(rng, count):
    """As `priced_cases`, of bytes of RAM."""
    for _ in range(count):
        layers = int(rng.integers(2, 9))
        law = ScalingLaw(rng.uniform(0.1, 2, layers), rng.uniform(0.2, 0.9, layers))
        other = CostPolynomial.collect(
            "MACs", [(7, i, i + 1, ALWAYS) for i in range(layers)]
        )
        costs = [Network(rng, layers).cost, other][: rng.choice([1, 2])]
        near = rng.integers(20, 80, layers)
        targets = [float(c(near) * rng.uniform(0.8, 1.2)) for c in costs]
        grid = int(rng.choice([1, 1, 2, 8])), int(rng.choice([1, 1, 3]))
        yield law, costs, targets, float(rng.choice([1, 5, 1e6])), *grid, None


def limit_of(law):
    """Another law, for the limit of large exponents."""
    return ScalingLaw(2 * law.alpha, law.beta[::-1])


def told(cost, largest):
    """A cost as the page has it."""
    if largest is None or isinstance(cost, CostPolynomial):
        return what_if._counted(cost)
    device = types.SimpleNamespace(cost=cost, limits=lambda: largest)
    return json.loads(json.dumps(what_if._tables(device)))


RANKED = """
const named = Object.entries({ ...asked.costs, latency_ms: asked.ms });
const costs = Object.fromEntries(named.map(([name, cost]) => [name, costOf(cost)]));
const options = { sizeOf: costs.params.of, macs: costs.macs };
return asked.targets.map((targets) => {
  const budgets = Object.entries(targets).map(([name, target]) => {
    return { cost: costs[name], target };
  });
  return widthsFor(asked.curve, budgets, options).widths;
});
"""


@needs_browser
def test_multiply_adds_price_filters_where_no_table_reaches_the_network(rng, tmp_path):
    record, device = toy_search(1), toy_device(toy_search(1), largest=18)
    curves = curves_of({"": record})
    asked = {
        "curve": curves["ranking@1"],
        "costs": {name: cost.to_json() for name, cost in record.costs.items()},
        "ms": told(device.cost, device.limits()),
        "targets": [
            {"latency_ms": share * device.ms(DEFAULT), **others}
            for share in (0.5, 0.6, 0.7, 0.8, 0.9)
            for others in ({}, {"macs": 90_001}, {"params": 3001})
        ],
    }
    page = f"<body>{controls(record, ['uniform'], [])}{script(record, curves)}</body>"
    seen = seen_in(page, RANKED, asked, tmp_path)
    for targets, found in zip(asked["targets"], seen, strict=True):
        measure = Measure(device=device)
        plan = make_plan(record, targets, method="ranking", measure=measure)
        assert found == list(plan.widths), targets


@needs_browser
@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_plans_at_a_price_are_those_of_python_to_the_filter(rng, tmp_path, times):
    page = f"<body>{controls(SEARCH, ['uniform'], [])}"
    page += f"{script(SEARCH, curves_of({'': SEARCH}))}</body>"
    cases = [(*case, None) for case in priced_cases(rng, times)]
    cases += device_cases(rng, 40)
    cases += memory_cases(rng, 13)
    # A layer that does not grow has no tau.
    flat = ScalingLaw(cases[0][0].alpha, np.append(cases[0][0].beta[:-1], 0.0))
    cases.append((flat, *cases[0][1:]))
    asked = [
        {
            "law": {
                "kind": "price",
                "alpha": law.alpha.tolist(),
                "beta": law.beta.tolist(),
                "exponent": p if p < 0 else 0.7,  # Another one is asked for.
                "source": "given",
                "limit": what_if._law(limit_of(law)),
            },
            "costs": [told(cost, largest) for cost in costs],
            "targets": targets,
            "options": {
                **({"exponent": p} if p > 0 else {}),
                "roundTo": step,
                "minWidth": least,
            },
        }
        for law, costs, targets, p, step, least, largest in cases
    ]
    seen = {"floored": 0, "both bind": 0, "tables": 0, "memory": 0, "in turns": 0}
    seen["no bound"] = 0
    for case, found in zip(cases, seen_in(page, SOLVE, asked, tmp_path), strict=True):
        law, costs, targets, exponent, step, least, largest = case
        try:
            plan = at_price(
                PriceLaw(law, exponent, limit=limit_of(law)),
                {f"{place}": Cost(cost) for place, cost in enumerate(costs)},
                {f"{place}": target for place, target in enumerate(targets)},
                round_to=step,
                min_width=least,
                max_width=largest,
            )
        except InputError:
            assert found["problem"].endswith("."), found
            continue
        assert tuple(found["widths"]) == plan.widths, case
        seen["tables"] += largest is not None
        seen["memory"] += isinstance(costs[0], PeakMemory)
        seen["in turns"] += isinstance(plan, ScalingInTurns)
        if exponent >= 1e6:  # Along the law.
            assert found["taus"] == [pytest.approx(plan.tau)]
            continue
        np.testing.assert_allclose(found["taus"], plan.taus, rtol=1e-9)
        pricing, shares = plan.pricing, list(plan.pricing.shares.values())
        assert found["pricing"] == {
            "asked": exponent,
            "source": "given",
            "exponent": pytest.approx(pricing.exponent),
            "floored": pricing.floored,
            "shares": pytest.approx(shares, abs=1e-8),
            "gap": pytest.approx(pricing.gap, rel=1e-6, abs=1e-8),
        }
        about, *_, bound = pricing.lines()
        about = about.removeprefix("priced: o")
        assert found["lines"][0] == f"O{about}."
        bound = bound.partition(" more")[0].capitalize().replace("%", " %")
        assert found["lines"][-1].startswith(bound.partition(" of such")[0])
        seen["no bound"] += pricing.gap > 10
        seen["floored"] += pricing.floored
        seen["both bind"] += sum(share > 0 for share in shares) == 2
    assert len(cases) > 80 and seen["floored"] > (20 if times > 1 else 5)
    assert seen["both bind"] > 3 and seen["no bound"] > 5 and seen["tables"] > 25
    assert seen["memory"] > 9 and seen["in turns"] > 2


def test_the_page_says_that_the_wishes_of_the_search_are_not_in_it():
    search = dataclasses.replace(SEARCH, wishes=Wishes(keep="a"))
    assert "--keep=a. ns_tf.plan keeps them" in controls(search, ["uniform"], [])
    assert "wishes" not in controls(SEARCH, ["uniform"], [])
