"""The row of supernets: which member a budget has."""

import keras
import numpy as np
import pytest
from small import problem, residual
from toys import DEFAULT, params, toy_setting

from ns_tf.base import Architecture, InputError
from ns_tf.descend.record import new_search
from ns_tf.networks.ratio import floor_ratio
from ns_tf.networks.structure import analyse
from ns_tf.plan import methods
from ns_tf.plan.config import SolverConfig
from ns_tf.plan.methods import Entry, NotApplicable, Setting


def proposed(text, **targets):
    return methods.get("supernet").propose(toy_setting(text), targets)


def test_a_universal_member_is_the_largest_of_uniform_widths():
    found = proposed("supernet", params=2003.0)
    assert found.trunk == ("supernet", "universal")
    assert found.widths == proposed("supernet:universal", params=2003.0).widths
    assert 0.95 * 2003 < params(found.widths) <= 2003
    uniform = methods.get("uniform").propose(toy_setting("uniform"), {"params": 2003.0})
    assert found.widths == uniform.widths


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 1.0])
def test_a_slimmable_member_is_the_largest_share_within_the_budget(share):
    widths = floor_ratio(DEFAULT, share)
    exact = float(params(widths))
    assert proposed("supernet:slimmable", params=exact).widths == widths
    if share > 0.25:
        below = proposed("supernet:slimmable", params=exact - 1).widths
        assert below == floor_ratio(DEFAULT, share - 0.25)


def test_no_width_is_above_the_whole_networks():
    setting = toy_setting("supernet", min_width=15)
    own = float(params(DEFAULT))
    found = methods.get("supernet").propose(setting, {"params": own})
    assert (np.array(found.widths) <= DEFAULT).all() and params(found.widths) <= own


@pytest.mark.parametrize(
    "text, targets, told",
    [
        ("supernet", {"params": 200.0}, "smallest member .* params=[1-9]"),
        ("supernet:slimmable", {"macs": 9.0}, "smallest member .* macs="),
        ("supernet", {"latency_ms": 3.0}, "latency_ms is measured"),
        ("supernet", {"params": 1e6}, "this budget is larger"),
    ],
)
def test_a_budget_without_a_member_is_told(text, targets, told):
    with pytest.raises(NotApplicable, match=told):
        proposed(text, **targets)


def test_a_share_is_taken_only_if_its_widths_are_allowed():
    half = float(params(floor_ratio(DEFAULT, 0.5)))

    def share(**solver):
        setting = toy_setting("supernet:slimmable", **solver)
        return methods.get("supernet").propose(setting, {"params": half})

    assert share(min_width=6).widths == (6, 8, 9)
    with pytest.raises(NotApplicable, match="smallest member"):
        share(min_width=7)
    with pytest.raises(NotApplicable, match="no share .*; supernet:universal"):
        share(round_to=8)


@pytest.mark.parametrize("name", ["supernet", "morphnet_gamma"])
def test_a_budget_that_cannot_be_counted_is_refused(name):
    def build(widths, *, input_shape, classes):
        x = image = keras.Input(input_shape)
        x = keras.layers.Conv2D(widths[0], 3, name="a")(x)
        x = keras.layers.LayerNormalization(name="odd")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(image, keras.layers.Dense(classes)(x))

    structure = analyse(Architecture("normed", (5,), build), (11, 11, 3), 5)
    plain = new_search(structure, "data", (5,))
    setting = Setting(Entry.parse(name), structure, plain, SolverConfig())
    with pytest.raises(InputError, match="peak_ram cannot be counted on normed"):
        methods.get(name).propose(setting, {"peak_ram": 1e5})


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="Unknown supernet 'slimable'. Did you mean"):
        proposed("supernet:slimable", params=2003.0)


def test_additions_join_channels_and_kept_layers_have_no_width():
    work = problem(residual, (7, 5, 7))
    plain = new_search(work.structure, "colours", work.architecture.widths)
    own = float(plain.costs["params"](np.array(plain.default_widths)))
    for keep, layers in (((), 2), (("conv1",), 1)):
        entry, solver = Entry.parse("supernet"), SolverConfig(keep=keep)
        setting = Setting(entry, work.structure, plain, solver)
        found = methods.get("supernet").propose(setting, {"params": 0.7 * own})
        assert len(found.widths) == layers
