"""The numbers of algorithm 1."""

import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.prune.config import CutConfig, FinetuneConfig, PruneConfig


def test_the_search_rate_is_the_papers():
    config = PruneConfig()
    epochs = [0, 9, 10, 19, 20, 30]
    rates = [config.rate(epoch * 175, 175) for epoch in epochs]
    np.testing.assert_allclose(
        rates, [0.1, 0.1, 0.01, 0.01, 0.01 / 1.5, 0.01 / 1.5**2], rtol=1e-12
    )


def test_pretraining_has_a_rate_of_its_own_and_later_epochs_lower_ones():
    config = PruneConfig(
        pretrain_epochs=3, pretrain_rate=0.5, rate_decay=2.0, rate_decay_epochs=5
    )
    steps = np.arange(7 * 20)
    rates = np.array([config.rate(int(step), 7) for step in steps])
    epochs = steps // 7
    expected = np.where(epochs < 3, 0.5, 0.01 / 2.0 ** ((epochs - 3) // 5))
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_pruning_ends_at_the_share_of_filters_but_at_no_layers_minimum():
    widths = (13, 11, 17)
    ends = {f: PruneConfig(stop_fraction=f).stop_at(widths) for f in (0, 0.05, 0.5, 1)}
    assert ends == {0: 3, 0.05: 3, 0.5: 21, 1: 41}
    assert PruneConfig(prune_min_width=12).stop_at(widths) == 12 + 11 + 12


def test_the_steps_are_those_of_pretraining_and_of_whole_events():
    config = PruneConfig(
        pretrain_epochs=2, steps_per_event=5, filters_per_event=7, stop_fraction=0.5
    )
    assert config.steps((13, 11, 17), steps_per_epoch=11) == 2 * 11 + 3 * 5
    assert PruneConfig(stop_fraction=1.0).steps((13, 11), 11) == 10 * 11


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pretrain_epochs": -1}, "--pretrain_epochs is a whole number of at least 0"),
        ({"prune_rate": 0.0}, "--prune_rate is a number above 0"),
        ({"stop_fraction": 1.5}, "--stop_fraction lies between 0 and 1; got 1.5"),
        ({"search_momentum": 2.0}, "--search_momentum lies between 0 and 1"),
        ({"filters_per_event": 0}, "--filters_per_event is a whole number of at"),
        ({"search_batch": 2.5}, "--search_batch is a whole number"),
        ({"criterion": "taylor"}, "Did you mean 'taylor_fo'"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused_by_name(settings, words):
    with pytest.raises(InputError, match=words):
        PruneConfig(**settings)


# Of a trained network.


@pytest.mark.parametrize(
    "options, told",
    [
        ({"method": "taylor_f"}, "Did you mean 'taylor_fo'"),
        ({"proxy_batch": 0}, "--proxy_batch"),
        ({"proxy_images": 0}, "--proxy_images"),
        ({"weigh": -1.0}, "--weigh"),
        ({"least_share": 1.5}, "--least_share"),
        ({"rounds": 0}, "--rounds"),
        ({"gate_weight_decay": -1.0}, "--gate_weight_decay"),
        ({"rounds": 2.5}, "--rounds is a whole number"),
        ({"closed": "shut"}, "--closed is stay or reopen; got 'shut'"),
    ],
)
def test_a_cut_that_cannot_be_is_refused(options, told):
    with pytest.raises(InputError, match=told):
        CutConfig(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"finetune_epochs": -1},
        {"finetune_rate": 0.0},
        {"finetune_batch": 0},
        {"finetune_momentum": 1.5},
        {"finetune_weight_decay": -1.0},
    ],
)
def test_a_finetuning_that_cannot_be_is_refused(options):
    (name,) = options
    with pytest.raises(InputError, match=f"--{name}"):
        FinetuneConfig(**options)


def test_the_rate_after_the_cut_falls_to_zero_as_a_cosine():
    recipe = FinetuneConfig(finetune_epochs=2, finetune_rate=0.02).settings(1000)
    rates = [recipe.rate_at(step, 5) for step in range(10)]
    expected = 0.02 * (1 + np.cos(np.pi * np.arange(10) / 10)) / 2
    np.testing.assert_allclose(rates, expected)
    assert recipe.batch == 128 and FinetuneConfig().settings(7).batch == 7
