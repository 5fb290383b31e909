"""Every method keeps to every budget; what `--methods` may say; settings of methods."""

import dataclasses

import numpy as np
import pytest
from papers import registered
from toys import (
    DEFAULT,
    file_of,
    network_of,
    params,
    setting_of,
    toy_search,
    toy_setting,
)

from ns_tf.base import InputError
from ns_tf.plan import methods
from ns_tf.plan.methods import METHODS, Entry, Setting
from ns_tf.scaling.curves import uniform_curve

CUT = "conv_cut"  # Whose network is another one: tests/plan/methods/test_conv_cut.py.
LATE = ("pruned", "scratch", "scratch_b")  # Whose widths follow from a training.
OTHERS = (
    CUT,
    *LATE,
    "epitome",
    "supernet",
    "morphnet_gamma",
)  # Of networks that are no scaled ones.
WORTHS = ("priced", "ranking")  # Say what filters are worth, in place of a curve.
CURVES = sorted(methods.with_curve())


@pytest.mark.parametrize("network", registered())
@pytest.mark.parametrize("name", [n for n in METHODS.names() if n not in OTHERS])
@pytest.mark.parametrize("ratio", [0.29, 0.83])
def test_a_method_keeps_to_the_budget_and_nothing_more_fits(
    name, ratio, network, tmp_path
):
    structure, plain = network_of(network)
    default = plain.default_widths
    held = {
        "file": {"widths": [width + 0.5 for width in default]},
        "priced_file": {"alpha": default, "beta": [0.5] * len(default)},
    }
    source = f":{file_of(tmp_path, **held[name])}" if name in held else ""
    setting = setting_of(f"{name}{source}", network)
    full = float(plain.costs["params"](np.array(plain.default_widths)))
    budget = ratio**2 * full
    proposal = methods.get(name).propose(setting, {"params": budget})
    cost = int(structure.params(np.array(proposal.widths)))
    assert 0.98 * budget < cost == proposal.costs["params"] <= budget
    grown = np.array(proposal.widths) + np.eye(len(plain.names), dtype=int)
    assert (structure.params(grown) > budget).all()


# Entries of --methods.


@pytest.mark.parametrize(
    "text, expected",
    {
        "uniform": Entry("uniform"),
        "neuralscale@15": Entry("neuralscale", 15),
        "morphnet:runs/x=y": Entry("morphnet", None, "runs/x=y"),
        "P 2=neuralscale@3:a/b.flags": Entry("neuralscale", 3, "a/b.flags", "P 2"),
        " file:a.json ": Entry("file", None, "a.json"),
        "x=pruned:random+distil": Entry("pruned", None, "random+distil", "x"),
        "scratch:pruned:random": Entry("scratch", None, "pruned:random"),
    }.items(),
)
def test_a_method_is_written_as_label_name_iteration_source(text, expected):
    assert Entry.parse(text) == expected


@pytest.mark.parametrize(
    "text, told",
    {
        "": "A method is",
        "neural scale": "A method is",
        "neuralscal": "Did you mean 'neuralscale'?",
        "neuralscale@x": "A method is",
        "=uniform": "A method is",
        "uniform:": "A method is",
        "uniform@3": "no iteration and no source",
        "li_l1:runs/x": "no iteration and no source",
        "neuralscale@0": "Iterations count from 1",
    }.items(),
)
def test_what_is_no_method_is_refused(text, told):
    with pytest.raises(InputError) as error:
        Entry.parse(text)
    assert told in str(error.value)


# Settings.


def test_a_setting_has_the_iteration_of_the_entry_or_the_methods_own_or_the_last():
    assert toy_setting("neuralscale", 3).iteration == 3
    assert toy_setting("neuralscale@2", 3).iteration == 2
    assert toy_setting("morphnet", 3).iteration == 1, "it prunes the given network"
    assert toy_setting("morphnet@3", 3).iteration == 3
    assert toy_setting("uniform", 3).iteration is None
    with pytest.raises(InputError, match=r"neuralscale@5: .* iterations 1 to 3"):
        toy_setting("neuralscale@5", 3).iteration  # noqa: B018


def test_a_setting_without_a_search_says_how_to_name_one():
    setting = dataclasses.replace(toy_setting("neuralscale"), search=None)
    with pytest.raises(InputError, match="--search=RUN_DIR.* neuralscale:RUN_DIR"):
        methods.get("neuralscale").propose(setting, {"params": 3e3})


def test_a_proposal_obeys_the_solver_and_counts_every_exact_cost():
    setting = toy_setting("uniform", round_to=5, min_width=10)
    curve = uniform_curve(DEFAULT, tau=float(params(DEFAULT)))
    proposal = setting.propose(curve, {"params": 4001.0})
    assert isinstance(setting, Setting) and proposal.architecture == "toy"
    assert all(width % 5 == 0 and width >= 10 for width in proposal.widths)
    assert proposal.costs["params"] == params(proposal.widths) <= 4001
    assert proposal.costs.keys() == {"params", "macs"}
    assert 0 < proposal.tau < params(DEFAULT)


# The registry.


def test_methods_with_a_curve_are_those_that_do_not_propose():
    names = {"divisible", "morphnet", "neuralscale", "priced", "ranking", "uniform"}
    assert set(CURVES) == names
    others = {"file", "li_l1", "priced_file", "random", *OTHERS}
    assert set(METHODS.names()) - set(CURVES) == others
    assert all(methods.get(name).help.endswith(".") for name in METHODS.names())


@pytest.mark.parametrize("name", [n for n in CURVES if n not in WORTHS])
def test_a_curve_has_positive_widths_that_grow_with_tau(name):
    record = toy_search()
    curve = methods.curve(record, name)
    tau = np.geomspace(100, 1e6, 17)
    widths = np.array([curve(value) for value in tau])
    assert widths.shape == (17, 3) and (widths > 0).all()
    growth = np.diff(widths, axis=0)
    assert (growth >= 0).all() if name == "divisible" else (growth > 0).all()


def test_a_name_that_has_no_curve_is_refused_and_those_that_have_one_are_named():
    for name in ("li_l1", "neuralscal"):
        with pytest.raises(InputError, match="Unknown method.*morphnet, neuralscale"):
            methods.curve(toy_search(), name)


@pytest.mark.parametrize("iteration", [1.0, "1", True])
def test_an_iteration_is_a_whole_number(iteration):
    with pytest.raises(InputError, match="whole number from 1"):
        methods.get("neuralscale").check_iteration(iteration)


def test_a_method_without_a_search_has_no_iterations():
    with pytest.raises(InputError, match="uniform has no iterations.*--iteration=3"):
        methods.get("uniform").check_iteration(3)
    for sound in (3, np.int64(3)):
        methods.get("neuralscale").check_iteration(sound)


@pytest.fixture
def registry(monkeypatch):
    """The registry, whose new members go when the test ends."""
    METHODS.names()  # Loads the files first.
    monkeypatch.setattr(METHODS, "_members", dict(METHODS._members))
    return METHODS


def test_a_new_curve_is_a_method_that_proposes_along_it(registry):
    @methods.method("twice", help="Twice as wide at the first layer.")
    def twice(record, iteration):
        return methods.proportional(record, (26, 17, 19))

    proposal = methods.get("twice").propose(toy_setting("twice"), {"params": 6007.0})
    a, b, _ = proposal.widths
    assert a == pytest.approx(26 / 17 * b, abs=1.5)
    assert params(proposal.widths) <= 6007
    assert not methods.get("twice").takes_source and "twice" in methods.with_curve()


def test_a_method_of_an_unknown_need_or_a_taken_name_is_a_mistake(registry):
    with pytest.raises(ValueError, match="'search' or None; got 'data'"):
        methods.method("x", help="X.", needs="data")
    with pytest.raises(ValueError, match="registered twice"):
        methods.method("uniform", help="X.")(lambda record, iteration: None)


def test_proportional_widths_cost_tau_at_tau():
    record = toy_search()
    curve = methods.proportional(record, (3, 5, 7))
    np.testing.assert_allclose(curve(params((3, 5, 7))), (3, 5, 7))
    np.testing.assert_allclose(curve(4 * params((3, 5, 7))), (6, 10, 14))
