"""From times to tables: noise is smoothed or refused, sums are fitted to wholes."""

import dataclasses

import numpy as np
import pytest
from conftest import HANDMADE
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.base import InputError
from ns_tf.measure.fitting import Setup, Times, check_monotone, device_of, fitted
from ns_tf.measure.survey import Detail, Survey
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import as_it_is

SETUP = Setup("law", 1, 1, "a toy")


@pytest.fixture(scope="module")
def survey():
    structure = as_it_is(from_model(HANDMADE["chain"]()))
    return Survey.of(structure, (40, 40), Detail(points=4, networks=7))


def times_of(survey, noise=0.0):
    rng, times = np.random.default_rng(7), []
    for shape in survey.shapes:
        ms = np.array([[0.5 + 0.01 * r + 0.02 * m for r, m in shape.points]] * 2)
        ms *= rng.uniform(1 - noise, 1 + noise, ms.shape)
        times.append(Times.of(shape, ms, np.zeros_like(ms), [0.1, 0.2]))
    return times


@given(st.integers(0, 2**20), st.integers(1, 2))
def test_offset_and_factors_are_found_again_and_none_is_negative(seed, passes):
    rng = np.random.default_rng(seed)
    sums, factors = rng.uniform(1, 9, (passes, 7)), rng.uniform(0, 2, passes)
    found = fitted(sums, 0.5 + factors @ sums)
    np.testing.assert_allclose(found, [0.5, *factors], atol=1e-6)
    assert min(fitted(sums, rng.uniform(1, 9, 7))) >= 0


def test_what_an_empty_network_takes_is_taken_off(survey):
    first = times_of(survey)[0]
    r, m = survey.shapes[0].points[0]
    np.testing.assert_allclose(
        first.ms[:, 0, 0] - 0.5 - 0.01 * r - 0.02 * m, [-0.1, -0.2]
    )
    none = np.zeros((1, len(survey.shapes[0].points)))
    below = Times.of(survey.shapes[0], none, none, [5.0])
    assert (below.ms == 0).all()


def test_a_device_adds_up_to_the_whole_networks(survey):
    times = times_of(survey)
    plain = device_of(survey, times, [], 0.25, SETUP)
    assert plain.offset == 0.25  # Nothing is fitted: the first pass counts.
    sums = [plain.ms(widths) - 0.25 for widths in survey.networks]
    device = device_of(survey, times, [0.125 + 3 * one for one in sums], 0.25, SETUP)
    for one in device.whole:
        assert one.by_table == pytest.approx(one.ms, rel=1e-6) == device.ms(one.widths)


def test_what_a_layer_takes_less_in_a_network_is_found(survey):
    times = times_of(survey)
    plain = device_of(survey, times, [], 0.0, SETUP)
    least = min(table.ms.min() for table in plain.tables)
    layers = len(survey.uses)
    truth = [0.3 * (plain.ms(w) - 0.5 * least * layers) for w in survey.networks]
    device = device_of(survey, times, truth, 0.0, SETUP)
    for widths, ms in zip(survey.networks, truth, strict=True):
        assert device.ms(widths) == pytest.approx(ms, rel=0.02)


def test_what_weights_take_that_are_in_no_cache_is_found(survey):
    """As many as the network has, in millions, at 7 ms each."""
    times = times_of(survey)
    plain = device_of(survey, times, [], 0.0, SETUP)
    count = [
        sum(int(np.prod(w.shape)) for w in survey.structure.build(list(widths)).weights)
        for widths in survey.networks
    ]
    truth = [
        0.3 * plain.ms(widths) + 7 * n / 1e6
        for widths, n in zip(survey.networks, count, strict=True)
    ]
    device = device_of(survey, times, truth, 0.0, SETUP)
    for widths, ms in zip(survey.networks, truth, strict=True):
        assert device.ms(widths) == pytest.approx(ms, rel=1e-4)


def test_a_runtime_that_is_slow_between_the_multiples_is_said(survey):
    times = times_of(survey)
    plain = device_of(survey, times, [], 0.0, SETUP)
    for slower, said in ((1.3, True), (1.02, False)):
        on, off = (
            [plain.ms(w) for w in part] for part in (survey.whole, survey.between)
        )
        whole = [*on, *(slower * ms for ms in off)]
        device = device_of(survey, times, whole, 0.0, SETUP)
        assert device.between == pytest.approx(slower, rel=0.03)
        assert ("30 % longer" in str(device)) == said
        assert bool(device.warning_at(survey.between[0])) == said
        assert not device.warning_at(survey.whole[0])


def test_one_whole_network_is_too_few_to_fit(survey):
    one = dataclasses.replace(
        survey, whole=survey.whole[:1], between=survey.between[:1]
    )
    device = device_of(one, times_of(one), [99.0, 99.0], 0.25, SETUP)
    assert device.offset == 0.25 and len(device.whole) == 2


def test_small_noise_is_smoothed_and_large_noise_is_seen(survey):
    assert not any(one.noisy.any() for one in times_of(survey, noise=0.05))
    device = device_of(survey, times_of(survey, noise=0.05), [], 0.1, SETUP)
    assert all((np.diff(table.ms, axis=1) >= 0).all() for table in device.tables)
    shape, times = survey.shapes[1], times_of(survey)[1]
    times.ms[0, -1, -1] /= 3
    with pytest.raises(InputError, match=r"times.csv: b: Conv2D.* takes .* noise"):
        check_monotone(shape, times, "times.csv")
    quiet = Times(times.ms, np.full_like(times.ms, 0.5))
    check_monotone(shape, quiet, "times.csv")  # Within the spread that was measured.
