"""The fit of algorithm 2: recovers laws, gives the published ones, refuses junk."""

import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
from places import GOLDENS

from ns_tf.base import InputError, PruneTrace, ScalingLaw
from ns_tf.scaling.law import fit_by_layer, fit_law, uncertain

RECORDS = [
    pytest.param(record, id=f"{path.stem}-{record['iteration']}")
    for path in sorted(GOLDENS.glob("*_cifar*.json"))
    for record in json.loads(path.read_text())["iterations"]
]


def _trace(law: ScalingLaw, tau: np.ndarray) -> PruneTrace:
    return PruneTrace(law.widths(tau[:, None]), tau)


@hypothesis.given(
    layers=st.integers(1, 23),
    rows=st.integers(6, 41),
    start=st.floats(10, 1e7),
    factor=st.floats(2, 1e4),
    seed=st.integers(0, 2**32 - 1),
)
def test_fit_recovers_the_law_that_made_the_trace(layers, rows, start, factor, seed):
    rng = np.random.default_rng(seed)
    law = ScalingLaw(rng.uniform(1e-3, 5, layers), rng.uniform(-0.3, 1.5, layers))
    tau = np.geomspace(start * factor, start, rows)
    found = fit_law(_trace(law, tau))
    np.testing.assert_allclose(found.alpha, law.alpha, rtol=1e-9)
    np.testing.assert_allclose(found.beta, law.beta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.residual, 0, atol=1e-12)
    assert found.tau_range == (tau.min(), tau.max())


@pytest.mark.parametrize("record", RECORDS)
def test_fit_of_a_published_trace_is_the_published_law(record):
    law = fit_law(PruneTrace(np.array(record["widths"]), np.array(record["tau"])))
    np.testing.assert_allclose(law.alpha, record["alpha"], rtol=1e-9)
    np.testing.assert_allclose(law.beta, record["beta"], rtol=1e-9)
    assert law.r2.min() > 0.88


def test_r2_and_residual_are_those_of_a_line_fitted_layer_by_layer(rng):
    tau = np.geomspace(1e4, 1e6, 17)
    widths = tau[:, None] ** [0.3, 0.7, 0.5] * rng.uniform(0.8, 1.2, (17, 3))
    law = fit_law(PruneTrace(widths, tau))
    for layer in range(3):
        x, y = np.log(tau), np.log(widths[:, layer])
        slope, offset = np.polyfit(x, y, 1)
        missed = y - slope * x - offset
        assert law.beta[layer] == pytest.approx(slope, rel=1e-9)
        assert law.residual[layer] == pytest.approx(np.sqrt(np.mean(missed**2)))
        assert law.r2[layer] == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


def test_a_layer_of_constant_width_has_beta_0_and_r2_1():
    tau = np.geomspace(1e4, 1e6, 11)
    law = fit_law(PruneTrace(np.stack([np.full(11, 13), tau**0.5], axis=1), tau))
    np.testing.assert_allclose(law.widths(3e5)[0], 13, rtol=1e-12)
    assert abs(law.beta[0]) < 1e-12
    assert law.r2[0] == 1
    assert np.isfinite(law.r2).all()


def test_two_rows_are_enough_where_the_caller_says_so():
    law = ScalingLaw(np.array([0.3, 2.0]), np.array([0.5, 0.25]))
    trace = _trace(law, np.array([1e5, 1e6]))
    np.testing.assert_allclose(fit_law(trace, min_rows=2).alpha, law.alpha, rtol=1e-9)


def test_few_rows_are_refused_with_the_options_to_change():
    trace = PruneTrace(np.full((5, 3), 7), np.arange(1, 6))
    with pytest.raises(InputError, match="at least 6 .* has 5") as error:
        fit_law(trace)
    for option in ("--filters_per_event", "--stop_fraction"):
        assert option in str(error.value)
    with pytest.raises(InputError, match="at least 6 .* has 0"):
        fit_law(PruneTrace(np.zeros((0, 3)), np.zeros(0)))


@pytest.mark.parametrize("spread", [0.0, 1e-12])
def test_rows_of_the_same_tau_are_refused(spread):
    tau = np.full(7, 12345.0) * (1 + spread * np.arange(7))
    with pytest.raises(InputError, match="12,345"):
        fit_law(PruneTrace(np.full((7, 3), 5), tau))


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf])
@pytest.mark.parametrize("where", ["widths", "tau"])
def test_numbers_without_a_logarithm_are_refused_by_row(value, where):
    trace = PruneTrace(np.full((7, 3), 5.0), np.geomspace(10, 99, 7))
    getattr(trace, where)[3] = value
    with pytest.raises(InputError, match="row 4"):
        fit_law(trace)


@pytest.mark.parametrize("shapes", [((7, 3), (6,)), ((7,), (7,)), ((7, 3), (7, 1))])
def test_shapes_that_are_no_trace_are_refused(shapes):
    with pytest.raises(InputError, match="widths .steps, layers."):
        fit_law(PruneTrace(np.ones(shapes[0]), np.ones(shapes[1])))


# Layer by layer, where few events came after every layer had lost a filter.


@hypothesis.given(
    layers=st.integers(1, 11),
    rows=st.integers(6, 41),
    seed=st.integers(0, 2**32 - 1),
)
def test_layers_that_all_lost_filters_at_once_have_the_law_of_the_whole_trace(
    layers, rows, seed
):
    rng = np.random.default_rng(seed)
    tau = np.geomspace(1e6, 1e3, rows)
    noise = rng.uniform(0.8, 1.2, (rows, layers))
    widths = tau[:, None] ** rng.uniform(0.1, 1, layers) * noise
    trace = PruneTrace(widths, tau)
    law, whole = fit_by_layer(trace, np.full(layers, 1e9)), fit_law(trace)
    np.testing.assert_allclose(law.alpha, whole.alpha, rtol=1e-9)
    np.testing.assert_allclose(law.beta, whole.beta, rtol=1e-9)
    np.testing.assert_allclose(law.residual, whole.residual, rtol=1e-6, atol=1e-12)
    assert law.tau_range == whole.tau_range and law.rows.tolist() == [rows] * layers


def late(rng):
    """A pruning of 23 events, the widths before it, and the laws of its layers.

    Layer 0 loses filters from event 0 on, 1 from event 11, 2 from event 20; 3 never.
    """
    tau = np.geomspace(1e6, 1e4, 23)
    betas = np.array([0.75, 0.25])
    start = np.array([10**4, 10**4, 97, 8])
    widths = np.tile(start.astype(float), (23, 1))
    widths[:, 0] = 0.31 * tau ** betas[0]
    widths[11:, 1] = 1.7 * tau[11:] ** betas[1]
    widths[20:, 2] = [89, 83, 79]
    return PruneTrace(widths, tau), start, betas


def test_a_layer_is_fitted_to_the_events_after_its_own_first_loss(rng):
    trace, start, betas = late(rng)
    law = fit_by_layer(trace, start)
    assert law.rows.tolist() == [23, 12, 3, 0]
    np.testing.assert_allclose(law.beta[:2], betas, rtol=1e-9)
    np.testing.assert_allclose(law.alpha[:2], [0.31, 1.7], rtol=1e-9)
    np.testing.assert_allclose(law.error[:2], 0, atol=1e-9)


def test_a_layer_of_few_rows_has_the_median_beta_through_the_mean_of_its_rows(rng):
    trace, start, _ = late(rng)
    law = fit_by_layer(trace, start)
    assert law.beta[2] == pytest.approx(0.5) and np.isnan(law.error[2])
    middle = np.exp(np.log(trace.tau[20:]).mean())
    expected = np.exp(np.log([89, 83, 79]).mean())
    assert law.widths(middle)[2] == pytest.approx(expected)


def test_a_layer_that_never_lost_a_filter_keeps_its_width_at_the_smallest_tau(rng):
    trace, start, _ = late(rng)
    law = fit_by_layer(trace, start)
    assert law.widths(1e4)[3] == pytest.approx(8)
    assert law.beta[3] == pytest.approx(0.5) and law.r2[3] == 0
    assert (law.widths(np.array([[1e4], [1e6]]))[:, 3] >= 8 - 1e-9).all()


def test_a_layer_that_lost_one_filter_and_no_more_has_no_slope_of_its_own(rng):
    trace, start, _ = late(rng)
    trace.widths[5:, 3] = 7
    law = fit_by_layer(trace, start)
    assert law.rows[3] == 18 and np.isnan(law.error[3])
    assert law.beta[3] == pytest.approx(0.5) and law.widths(1e4)[3] == pytest.approx(7)


def test_without_a_fitted_layer_the_slope_is_that_of_uniform_scaling():
    tau = np.array([1e4, 9e3, 8e3])
    trace = PruneTrace(np.array([[7, 5], [6, 5], [5, 5]]), tau)
    law = fit_by_layer(trace, (8, 5))
    np.testing.assert_allclose(law.beta, 0.5)
    assert law.rows.tolist() == [3, 0]


def test_the_standard_error_of_beta_is_that_of_a_line(rng):
    tau = np.geomspace(1e6, 1e4, 29)
    widths = tau**0.5 * np.exp(rng.normal(0, 0.1, 29))
    law = fit_by_layer(PruneTrace(widths[:, None], tau), (10**9,))
    line = scipy.stats.linregress(np.log(tau), np.log(widths))
    assert law.error[0] == pytest.approx(line.stderr)


def test_a_pruning_without_an_event_has_no_law():
    with pytest.raises(InputError, match="at least 1 .* has 0"):
        fit_by_layer(PruneTrace(np.zeros((0, 3)), np.zeros(0)), (3, 5, 7))


def test_what_is_uncertain_is_said_layer_by_layer(rng):
    trace, start, _ = late(rng)
    law = fit_by_layer(trace, start)
    head, *lines = uncertain(law, "abcd")
    assert "own first loss" in head
    assert lines[1] == "b: 12 events, beta 0.250 ± 0.000."
    assert lines[2].startswith("c lost too few filters for a slope, in 3 events")
    assert lines[3].startswith("d never lost a filter: its widths are lower bounds")
    assert not list(uncertain(fit_law(_trace(law, trace.tau)), "abcd"))


def test_one_event_has_a_law_and_its_slopes_are_those_of_uniform_scaling():
    law = fit_by_layer(PruneTrace(np.array([[7, 8]]), np.array([1000.0])), (8, 8))
    np.testing.assert_allclose(law.widths(1000.0), [7, 8])
    np.testing.assert_allclose(law.beta, 0.5)
    assert all("of uniform scaling" in line for line in list(uncertain(law, "ab"))[1:])
