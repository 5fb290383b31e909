"""Budgets: never over one, nothing left that fits, and one line where it cannot be."""

import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from places import GOLDENS
from polynomials import MOBILENET_V2, VGG11, mobilenet_v2, vgg11

from ns_tf.base import Cost, Curve, InputError, PruneTrace, RunError, ScalingLaw
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.networks.ratio import floor_ratio
from ns_tf.scaling.curves import power_law, uniform_curve
from ns_tf.scaling.law import fit_law
from ns_tf.scaling.solve import MEASUREMENTS, at_cost

NETWORKS = {
    "vgg11_cifar10": (VGG11, vgg11(10)),
    "mobilenet_v2_cifar100": (MOBILENET_V2, mobilenet_v2(100)),
}
RECORDS = [
    pytest.param(name, record, id=f"{name}-{record['iteration']}")
    for name in NETWORKS
    for record in json.loads((GOLDENS / f"{name}.json").read_text())["iterations"]
]


@pytest.mark.parametrize(
    ("widths", "cost", "ratio", "expected"),
    [
        (VGG11, vgg11(10), 0.25, 579_786),
        (VGG11, vgg11(10), 0.75, 5_195_338),
        (VGG11, vgg11(10), 1, 9_231_114),
        (VGG11, vgg11(100), 2, 36_986_468),
        (MOBILENET_V2, mobilenet_v2(10), 0.5, 616_182),
        (MOBILENET_V2, mobilenet_v2(100), 0.25, 199_354),
        (MOBILENET_V2, mobilenet_v2(100), 1, 2_448_700),
        (MOBILENET_V2, mobilenet_v2(200), 2, 9_557_624),
    ],
)
def test_the_polynomials_of_this_file_count_as_the_paper(widths, cost, ratio, expected):
    assert cost(floor_ratio(widths, ratio)) == expected


def assert_meets(found, costs, targets, round_to=1, min_width=1, max_width=2**16):
    """Nothing over a budget, widths on the grid, and no width that could still grow."""
    widths = np.array(found.widths)
    assert set(found.costs) == set(found.targets) == set(targets)
    assert (widths % round_to == 0).all()
    assert min_width <= widths.min() <= widths.max() <= max_width
    for name, target in targets.items():
        assert found.costs[name] == costs[name](widths) <= target
    for layer in range(len(widths)):
        grown = widths.copy()
        grown[layer] += round_to
        fits = all(costs[name](grown) <= targets[name] for name in targets)
        assert not fits or grown[layer] > max_width


@st.composite
def problems(draw, least_beta=0.1):
    """A law, costs of a chain with projections that may vanish, targets, a grid."""
    seed = draw(st.integers(0, 2**32 - 1))
    layers, budgets = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    rng = np.random.default_rng(seed)
    law = ScalingLaw(rng.uniform(0.01, 3, layers), rng.uniform(least_beta, 1.1, layers))
    round_to, min_width = draw(st.integers(1, 17)), draw(st.integers(1, 23))
    low = -(-min_width // round_to) * round_to
    max_width = draw(st.integers(low, 400))
    costs, targets = {}, {}
    for budget in ["params", "macs", "bytes"][:budgets]:
        terms = [(int(rng.integers(1, 50)), layers, i, ALWAYS) for i in range(layers)]
        for a in range(layers - 1):
            terms.append((int(rng.integers(0, 30)), a, a + 1, ALWAYS))
            terms.append((int(rng.integers(0, 30)), a, a + 1, (a, a + 1)))
        costs[budget] = CostPolynomial.collect(budget, terms)
        high = max_width // round_to * round_to
        ends = [int(costs[budget](np.full(layers, width))) for width in (low, high)]
        targets[budget] = draw(st.integers(*ends))
    options = {"round_to": round_to, "min_width": min_width, "max_width": max_width}
    return law, costs, targets, options


@hypothesis.settings(max_examples=60)
@hypothesis.given(problems())
def test_no_budget_is_broken_and_nothing_more_fits(problem):
    law, costs, targets, options = problem
    found = at_cost(power_law(law), costs, targets, **options)
    assert_meets(found, costs, targets, **options)


@hypothesis.settings(max_examples=20)
@hypothesis.given(problems(least_beta=-0.9))
def test_negative_betas_end_in_valid_widths_or_one_line_that_names_beta(problem):
    law, costs, targets, options = problem
    try:
        found = at_cost(power_law(law), costs, targets, **options)
    except InputError as error:
        assert "beta" in str(error) and "\n" not in str(error)
        assert law.beta.min() < 0.02
    else:
        assert_meets(found, costs, targets, **options)


@hypothesis.settings(max_examples=20)
@hypothesis.given(problems())
def test_uniform_widths_meet_budgets_too(problem):
    law, costs, targets, options = problem
    curve = uniform_curve(law.widths(1e4), 1e4)
    assert_meets(at_cost(curve, costs, targets, **options), costs, targets, **options)


@pytest.mark.parametrize(("name", "record"), RECORDS)
@pytest.mark.parametrize("ratio", np.arange(1, 9) / 4)
def test_published_laws_land_within_a_thousandth_below_the_budget(name, record, ratio):
    default, cost = NETWORKS[name]
    law = fit_law(PruneTrace(np.array(record["widths"]), np.array(record["tau"])))
    costs = {"params": cost}
    targets = {"params": int(cost(floor_ratio(default, ratio)))}
    found = at_cost(power_law(law), costs, targets)
    assert_meets(found, costs, targets)
    assert -1e-3 <= found.costs["params"] / targets["params"] - 1 <= 0
    # The top-up changes the law's widths by little.
    wanted = law.widths(found.tau)
    assert (np.array(found.widths) >= np.floor(wanted + 0.5)).all()
    assert (np.array(found.widths) <= 1.15 * wanted + 2).all()


def test_tau_is_the_largest_where_the_rounded_law_fits(rng):
    law = ScalingLaw(rng.uniform(0.5, 2, 8), rng.uniform(0.3, 0.6, 8))
    cost = vgg11(10)
    found = at_cost(power_law(law), {"p": cost}, {"p": 600_000})
    for factor, fits in ((1 - 1e-9, True), (1 + 1e-9, False)):
        widths = np.floor(law.widths(found.tau * factor) + 0.5).astype(int)
        assert (cost(widths) <= 600_000) == fits


def test_the_budget_of_uniform_widths_leads_back_to_them():
    curve, target = uniform_curve(VGG11), {"p": 9_231_114}
    found = at_cost(curve, {"p": vgg11(10)}, target)
    assert found.widths == VGG11
    assert found.costs == found.targets == target


def test_the_largest_network_is_an_answer():
    cost = vgg11(10)
    target = {"p": int(cost(np.full(8, 40)))}
    found = at_cost(uniform_curve(VGG11), {"p": cost}, target, max_width=47, round_to=8)
    assert found.widths == (40,) * 8


@pytest.mark.parametrize("target", [0, -5, np.nan, np.inf, "9", None, True])
def test_targets_that_make_no_sense_are_refused(target):
    with pytest.raises(InputError, match="params is a positive, finite number"):
        at_cost(uniform_curve(VGG11), {"params": vgg11(10)}, {"params": target})


@pytest.mark.parametrize("target", [50, 2_000_000])
def test_an_impossible_budget_is_one_line_with_both_ends(target):
    cost = vgg11(10)
    with pytest.raises(InputError) as error:
        curve = uniform_curve(VGG11)
        at_cost(curve, {"p": cost}, {"p": target}, min_width=3, max_width=97)
    message = str(error.value)
    for part in (target, int(cost(np.full(8, 3))), int(cost(np.full(8, 97)))):
        assert f"{part:,}" in message
    assert "\n" not in message


def test_budgets_that_nothing_counts_are_refused():
    costs = {"params": vgg11(10)}
    with pytest.raises(InputError, match="Did you mean 'params'"):
        at_cost(uniform_curve(VGG11), costs, {"parms": 5})
    with pytest.raises(InputError, match="at least one budget of: params"):
        at_cost(uniform_curve(VGG11), costs, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"round_to": 0}, "--round_to"),
        ({"min_width": 9, "max_width": 8}, "--round_to=1, at least"),
    ],
)
def test_grids_without_a_width_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        at_cost(uniform_curve(VGG11), {"p": vgg11(10)}, {"p": 1e6}, **options)


@pytest.mark.parametrize(
    ("alpha", "beta", "how"),
    [
        (97.0, [0.0] * 8, "under"),
        (997.0, [0.0] * 8, "over"),
        (1e9, [0.5] * 3 + [-0.5] * 5, "over"),  # Some layers fall where others rise.
        (97.0, [-0.5] * 8, None),  # Upside down: large where tau is small.
    ],
)
def test_a_law_that_never_gets_there_names_its_betas(alpha, beta, how):
    curve = power_law(ScalingLaw(np.full(8, alpha), np.array(beta)))
    with pytest.raises(InputError, match=f"{how or ''} at every tau; .*in layer"):
        at_cost(curve, {"p": vgg11(10)}, {"p": 10_000_000})


class Stopwatch:
    """A time that grows with the network, with noise; keeps what it measured."""

    def __init__(self, rng, noise: float):
        self.rng, self.noise, self.seen = rng, noise, []
        self.cost = Cost(self.measure, measured=True)

    def measure(self, widths) -> float:
        assert np.shape(widths) == (8,)
        time = 1e-3 * float(vgg11(10)(widths)) ** 0.7
        self.seen.append((tuple(widths), time * self.rng.uniform(1, 1 + self.noise)))
        return self.seen[-1][1]


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    target=st.floats(2, 2000), noise=st.floats(0, 0.2), seed=st.integers(0, 2**32 - 1)
)
def test_a_measured_budget_is_met_by_measurement_in_few_of_them(target, noise, seed):
    clock = Stopwatch(np.random.default_rng(seed), noise)
    curve = uniform_curve(VGG11)
    found = at_cost(curve, {"ms": clock.cost}, {"ms": target})
    assert (found.widths, found.costs["ms"]) in clock.seen
    assert found.costs["ms"] <= target
    assert found.costs["ms"] >= 0.8 * target / (1 + noise)
    assert len(clock.seen) <= MEASUREMENTS


@pytest.mark.parametrize("target", [1e9, 60.0, 20.0])
def test_exact_budgets_hold_beside_measured_ones(target, rng):
    clock = Stopwatch(rng, 0.02)
    costs, targets = {"ms": clock.cost, "p": vgg11(10)}, {"ms": target, "p": 9_231_114}
    found = at_cost(uniform_curve(VGG11), costs, targets)
    assert list(found.costs) == ["ms", "p"]
    assert (found.widths, found.costs["ms"]) in clock.seen
    assert found.costs["ms"] <= target
    assert found.costs["p"] == vgg11(10)(found.widths) <= 9_231_114
    assert len(clock.seen) <= MEASUREMENTS
    if target == 1e9:  # Does not bind: the exact answer, measured once.
        assert found.widths == VGG11
        assert len(clock.seen) == 1


def test_a_measured_budget_that_nothing_meets_is_one_line(rng):
    clock = Stopwatch(rng, 0.0)
    with pytest.raises(InputError, match="ms=0.0001 was not met: .* had ms=") as error:
        at_cost(uniform_curve(VGG11), {"ms": clock.cost}, {"ms": 1e-4})
    assert "\n" not in str(error.value)
    assert len(clock.seen) <= MEASUREMENTS


def test_a_measurement_of_nan_is_a_failure():
    broken = Cost(lambda widths: np.nan, measured=True)
    with pytest.raises(RunError, match="ms was measured as nan"):
        at_cost(uniform_curve(VGG11), {"ms": broken}, {"ms": 1.0})


def test_plain_functions_and_costs_give_the_same_widths():
    curve, cost, targets = uniform_curve(VGG11, 3.0), vgg11(10), {"p": 600_011}
    expected = at_cost(curve, {"p": cost}, targets)
    for same in (Cost(cost), lambda widths: cost(widths)):
        assert at_cost(curve, {"p": same}, targets) == expected
    # A function is a curve that starts at tau = 1.
    function = at_cost(lambda tau: curve(tau), {"p": cost}, targets)
    assert function.widths == expected.widths
    assert function == at_cost(Curve(curve.at), {"p": cost}, targets)


def test_where_a_search_starts_changes_no_widths(rng):
    law = power_law(ScalingLaw(rng.uniform(0.5, 2, 8), rng.uniform(0.3, 0.6, 8)))
    answers = {
        at_cost(Curve(law.at, start), {"p": vgg11(10)}, {"p": 700_001}).widths
        for start in (1e-9, 1.0, 1e4, 1e12)
    }
    assert len(answers) == 1


def test_costs_without_a_target_are_not_asked():
    def never(widths):
        raise AssertionError(widths)

    costs = {"p": vgg11(10), "ms": Cost(never, measured=True), "q": never}
    found = at_cost(uniform_curve(VGG11), costs, {"p": 600_011})
    assert set(found.costs) == {"p"}


@pytest.mark.parametrize(
    ("name", "iteration", "ratio", "widths"),
    [
        ("vgg11_cifar10", 0, 0.25, (88, 132, 136, 120, 82, 56, 32, 54)),
        ("vgg11_cifar10", 0, 1.0, (211, 393, 523, 614, 415, 278, 111, 120)),
        (
            "mobilenet_v2_cifar100",
            0,
            0.25,
            (
                17,
                15,
                22,
                22,
                29,
                28,
                28,
                33,
                32,
                32,
                32,
                27,
                27,
                27,
                23,
                22,
                22,
                22,
                115,
            ),
        ),
        (
            "mobilenet_v2_cifar100",
            0,
            1.0,
            (
                34,
                21,
                36,
                44,
                69,
                71,
                71,
                122,
                128,
                122,
                120,
                122,
                122,
                113,
                131,
                131,
                119,
                107,
                472,
            ),
        ),
        (
            "mobilenet_v2_cifar100",
            1,
            0.25,
            (
                24,
                29,
                34,
                34,
                38,
                36,
                29,
                30,
                28,
                25,
                22,
                22,
                19,
                19,
                18,
                17,
                19,
                20,
                64,
            ),
        ),
        (
            "mobilenet_v2_cifar100",
            1,
            1.0,
            (
                64,
                70,
                79,
                87,
                114,
                121,
                114,
                133,
                133,
                123,
                114,
                101,
                95,
                91,
                93,
                90,
                80,
                85,
                190,
            ),
        ),
    ],
)
def test_published_laws_give_the_widths_that_they_always_gave(
    name, iteration, ratio, widths
):
    default, cost = NETWORKS[name]
    record = json.loads((GOLDENS / f"{name}.json").read_text())["iterations"][iteration]
    law = fit_law(PruneTrace(np.array(record["widths"]), np.array(record["tau"])))
    target = int(cost(floor_ratio(default, ratio)))
    assert at_cost(power_law(law), {"p": cost}, {"p": target}).widths == widths
