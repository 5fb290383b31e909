"""What is printed of a pruned network."""

import dataclasses

import keras
import numpy as np
from trained import learned, pruner

from ns_tf.base import Cost
from ns_tf.engine.runtime import Runtime
from ns_tf.problem.weighted import Weighted
from ns_tf.prune.config import FinetuneConfig
from ns_tf.prune.pruned import Pruned, prune_trained
from ns_tf.prune.summary import summary


def test_it_has_costs_accuracies_and_widths():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="random", macs=0.5)
    found = prune_trained(made, FinetuneConfig(finetune_epochs=0), Runtime())
    text = summary(made, found)
    cost, own = int(found.scaling.costs["macs"]), int(found.own["macs"])
    assert f"macs: {cost:,} of {own:,} ({cost / own:.2%}), at most" in text
    assert "params: " in text and "weight_bytes: " in text
    for stage, score in found.accuracies.items():
        assert f"{stage} {100 * score:.2f} %" in text
    assert f"accuracy on test examples: {100 * found.test_score:.2f} %" in text
    assert f"conv1 12->{found.scaling.widths[0]}" in text
    assert text.startswith("mine pruned by random, uniform widths, repair statistics")


def test_milliseconds_by_a_device_file_are_no_whole_numbers():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="random", macs=1.0)
    costs = {**made.budgets.costs, "latency_ms": Cost(lambda w: w.sum(axis=-1) * 0.01)}
    made.budgets = dataclasses.replace(made.budgets, costs=costs)
    whole, own = np.ones(made.size, bool), 0.01 * sum(made.widths)
    scaling = dataclasses.replace(made.at(made.widths), targets={"latency_ms": 0.75})
    found = Pruned(*(model, scaling, np.ones(made.size), whole, {}, {}, {}, None, 0.5))
    line = f"latency_ms: {own:.6g} of {own:.6g} (100.00%), at most 0.75"
    assert line in summary(made, found).splitlines()


def test_it_names_what_keeps_its_size_with_the_reason():
    model, problem = learned()
    model = keras.models.clone_model(model)
    model.get_layer("conv1").trainable = False
    made = pruner(model, problem.dataset, method="random", params=0.9)
    found = prune_trained(made, FinetuneConfig(finetune_epochs=0), Runtime())
    line = "keep their size: conv1 (layer 'conv1' is not trainable)"
    assert line in summary(made, found).splitlines()


def test_it_says_that_the_recipe_of_the_method_gave_way():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="curl_kl", macs=1.0)
    made.problem = dataclasses.replace(problem, task=Weighted(problem.task))
    tuning, whole = FinetuneConfig(), np.ones(made.size, bool)
    widths = made.widths
    found = Pruned(
        *(model, made.at(widths), np.ones(made.size), whole, {}, {}, {}, None, 0.5)
    )
    line = "trained by plain: distil, the recipe of curl_kl, is none for the task"
    assert line in summary(made, found, tuning)
    assert line not in summary(made, found)
    asked = dataclasses.replace(tuning, recipe="plain")
    assert line not in summary(made, found, asked)


def test_it_says_in_how_many_rounds_channels_were_scored():
    model, problem = learned()
    made = pruner(model, problem.dataset, method="magnitude", rounds=2, macs=1.0)
    found = prune_trained(made, FinetuneConfig(finetune_epochs=0), Runtime())
    assert "pruned by magnitude in 2 rounds, uniform" in summary(made, found)
