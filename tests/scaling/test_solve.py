"""Budgets: never over one, nothing left that fits, and one line where it cannot be."""

import json
import pathlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from ns_tf.base import InputError, PruneTrace, RunError, ScalingLaw
from ns_tf.networks.costs import ALWAYS, CostPolynomial
from ns_tf.scaling.curves import floor_ratio, power_law, uniform_curve
from ns_tf.scaling.law import fit_law
from ns_tf.scaling.solve import MEASUREMENTS, at_cost

GOLDENS = pathlib.Path(__file__).parent / "goldens"
VGG11 = (64, 128, 256, 256, 512, 512, 512, 512)
MOBILENET_V2 = (32, 16, 24, 24, *[32] * 3, *[64] * 4, *[96] * 3, *[160] * 3, 320, 1280)


def vgg11(classes: int) -> CostPolynomial:
    """Trainable parameters: 3x3 convolutions with bias, batch norms, a dense layer."""
    one = 8
    terms = [
        (27, one, 0, ALWAYS),
        (classes, 7, one, ALWAYS),
        (classes, one, one, ALWAYS),
    ]
    terms += [(9, i - 1, i, ALWAYS) for i in range(1, 8)]
    terms += [(3, i, one, ALWAYS) for i in range(8)]
    return CostPolynomial.collect("parameters", terms)


def mobilenet_v2(classes: int) -> CostPolynomial:
    """Trainable parameters; the projection of a shortcut vanishes for equal widths."""
    one = 19
    stages = [
        (1, 1, 1),
        (6, 2, 2),
        (6, 3, 2),
        (6, 4, 2),
        (6, 3, 1),
        (6, 3, 2),
        (6, 1, 1),
    ]
    strides = [
        (t, stride if first == 0 else 1)
        for t, count, stride in stages
        for first in range(count)
    ]
    terms = [(27, one, 0, ALWAYS), (3, 0, one, ALWAYS)]
    for a, (t, stride) in enumerate(strides):
        b, shortcut = a + 1, (a, a + 1) if stride == 1 else ALWAYS
        terms += [(t, a, a, ALWAYS), (3 * t, a, one, ALWAYS)]  # Expansion.
        terms += [(9 * t + 3 * t, a, one, ALWAYS)]  # Depthwise.
        terms += [(t, a, b, ALWAYS), (3, b, one, ALWAYS)]  # Projection.
        terms += [(1, a, b, shortcut), (3, b, one, shortcut)]
    terms += [(1, 17, 18, ALWAYS), (3, 18, one, ALWAYS)]
    terms += [(classes, 18, one, ALWAYS), (classes, one, one, ALWAYS)]
    return CostPolynomial.collect("parameters", terms)


NETWORKS = {
    "vgg11_cifar10": (VGG11, vgg11(10)),
    "mobilenet_v2_cifar100": (MOBILENET_V2, mobilenet_v2(100)),
}
RECORDS = [
    pytest.param(name, record, id=f"{name}-{record['iteration']}")
    for name in NETWORKS
    for record in json.loads((GOLDENS / f"{name}.json").read_text())["iterations"]
]


@pytest.fixture
def rng():
    return np.random.default_rng(13)


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


@hypothesis.settings(max_examples=100)
@hypothesis.given(problems())
def test_no_budget_is_broken_and_nothing_more_fits(problem):
    law, costs, targets, options = problem
    found = at_cost(power_law(law), costs, targets, **options)
    assert_meets(found, costs, targets, **options)


@hypothesis.settings(max_examples=30)
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


@hypothesis.settings(max_examples=30)
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


def test_uniform_passes_through_its_widths_and_finds_the_way_back():
    assert uniform_curve(VGG11, 3.0)(3.0).tolist() == list(VGG11)
    curve, target = uniform_curve(VGG11), {"p": 9_231_114}
    found = at_cost(curve, {"p": vgg11(10)}, target)
    assert found.widths == VGG11
    assert found.costs == found.targets == target


def test_the_largest_network_is_an_answer():
    cost = vgg11(10)
    target = {"p": int(cost(np.full(8, 40)))}
    found = at_cost(uniform_curve(VGG11), {"p": cost}, target, max_width=47, round_to=8)
    assert found.widths == (40,) * 8


@pytest.mark.parametrize(("width", "parts"), [(100, 29), (128, 25), (50, 58), (7, 1)])
def test_floor_ratio_does_not_lose_a_filter_to_float_error(width, parts):
    expected = max(1, width * parts // 100)
    assert floor_ratio([width], parts / 100) == (expected,)


@pytest.mark.parametrize("ratio", [0, -1, np.nan, np.inf, "1", None, True])
def test_ratios_that_make_no_sense_are_refused(ratio):
    with pytest.raises(InputError, match="positive number"):
        floor_ratio([5], ratio)


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
        ({"round_to": 2.0}, "--round_to"),
        ({"min_width": -3}, "--min_width"),
        ({"max_width": True}, "--max_width"),
        ({"min_width": 9, "max_width": 8}, "--round_to=1, at least"),
        ({"round_to": 8, "min_width": 9, "max_width": 15}, "--round_to=8, at least"),
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


@pytest.mark.parametrize(
    "broken", [{"alpha": 0.0}, {"alpha": np.nan}, {"beta": np.inf}]
)
def test_laws_that_are_none_are_refused(broken):
    values = {"alpha": 1.0, "beta": 0.5} | broken
    with pytest.raises(InputError, match="positive alpha and a finite beta"):
        power_law(ScalingLaw(*(np.array([v, 0.5]) for v in values.values())))


class Stopwatch:
    """A measured cost: a time that grows with the network, with noise; counts calls."""

    measured = True

    def __init__(self, rng, noise: float):
        self.rng, self.noise, self.seen = rng, noise, []

    def __call__(self, widths) -> float:
        assert np.shape(widths) == (8,)
        time = 1e-3 * float(vgg11(10)(widths)) ** 0.7
        self.seen.append((tuple(widths), time * self.rng.uniform(1, 1 + self.noise)))
        return self.seen[-1][1]


@hypothesis.settings(max_examples=40)
@hypothesis.given(
    target=st.floats(2, 2000), noise=st.floats(0, 0.2), seed=st.integers(0, 2**32 - 1)
)
def test_a_measured_budget_is_met_by_measurement_in_few_of_them(target, noise, seed):
    clock = Stopwatch(np.random.default_rng(seed), noise)
    curve = uniform_curve(VGG11)
    found = at_cost(curve, {"ms": clock}, {"ms": target})
    assert (found.widths, found.costs["ms"]) in clock.seen
    assert found.costs["ms"] <= target
    assert found.costs["ms"] >= 0.8 * target / (1 + noise)
    assert len(clock.seen) <= MEASUREMENTS


@pytest.mark.parametrize("target", [1e9, 60.0, 20.0])
def test_exact_budgets_hold_beside_measured_ones(target, rng):
    clock = Stopwatch(rng, 0.02)
    costs, targets = {"ms": clock, "p": vgg11(10)}, {"ms": target, "p": 9_231_114}
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
        at_cost(uniform_curve(VGG11), {"ms": clock}, {"ms": 1e-4})
    assert "\n" not in str(error.value)
    assert len(clock.seen) <= MEASUREMENTS


def test_a_measurement_of_nan_is_a_failure():
    def broken(widths):
        return np.nan

    broken.measured = True
    with pytest.raises(RunError, match="ms was measured as nan"):
        at_cost(uniform_curve(VGG11), {"ms": broken}, {"ms": 1.0})
