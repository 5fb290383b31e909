"""Whole blocks: which stay under the budgets, and what the network is without them."""

import copy
import dataclasses
import functools

import keras
import numpy as np
import pytest
from trained import deep, digits, walked

from ns_tf.base import Cost, InputError
from ns_tf.budgets import Measure
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.blocks import BlockNetwork
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import count_params
from ns_tf.problem.problem import Problem
from ns_tf.prune.block_pruner import BlockPruner
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.method import Scored
from ns_tf.prune.pruned import prune_trained
from ns_tf.prune.targets import budgets_of

layers = keras.layers


@pytest.fixture(scope="module")
def trunk():
    """The network, its weights at random, and its problem."""
    keras.utils.set_random_seed(0)
    model = deep()
    return model, Problem.of(from_model(model), digits())


def pruner(trunk, keep=(), grid=None, **asked):
    model, problem = trunk
    if keep:
        problem = Problem.of(from_model(model, keep=keep), problem.dataset)
    options = {n: asked.pop(n) for n in list(asked) if n in CutConfig.__annotations__}
    options = {"method": "sss", "gate_epochs": 1, "gate_batch": 100, **options}
    config = CutConfig(level="block", proxy_images=48, **options)
    budgets = budgets_of(asked, problem.structure, problem.architecture.widths)
    return BlockPruner(model, problem, config, budgets, grid=grid)


@pytest.fixture(scope="module")
def made(trunk):
    """A pruner that knows what it has read of its networks; not changed."""
    return pruner(trunk, params=0.6)


def asking(made, targets, **others):
    """The pruner under other budgets."""
    other = copy.copy(made)
    other.budgets = dataclasses.replace(made.budgets, targets=targets, **others)
    return other


def without(keep):
    """Parameters of the network of some of the blocks, by hand."""
    own = [1 * 9 * 6 + 6 + 6 * 10 + 10]
    own += [
        k * (2 * 9 * 6 * w + 3 * w + 6) for k, w in zip(keep, (5, 7, 11), strict=True)
    ]
    return sum(own)


def test_costs_are_those_of_the_network_without_the_blocks(made):
    assert made.names == ("add1", "add2", "add3") and made.widths == (1, 1, 1)
    for keep in ((1, 1, 1), (0, 1, 1), (1, 0, 0), (0, 0, 0)):
        expected = without(keep)
        assert made.budgets.exact["params"](np.array(keep)) == expected
        thin = made.cut(np.array(keep, bool))
        assert count_params(thin) == expected
        assert set(weights.values(thin)) <= set(weights.values(made.model))
    pressure = made.pressure(True)
    alive = np.array([True, False, True])
    shares = pressure.shares(alive)["params"]
    assert shares == pytest.approx(without((1, 0, 1)) / without((1, 1, 1)))
    price = pressure.price(alive)
    saved = [without((1, 1, 1)) - without(k) for k in ((0, 1, 1), (1, 0, 1), (1, 1, 0))]
    np.testing.assert_allclose(price / price[0], np.array(saved) / saved[0])
    assert pressure.widths(np.zeros(3, bool)).tolist() == [0, 0, 0]


def test_the_lowest_go_until_the_budgets_are_met_and_what_fits_comes_back(made):
    """1 and 2 do not save enough, so 3 goes as well; then there is room for 2."""
    budget = without((0, 1, 0)) + 1
    found = asking(made, {"params": budget}).solve(np.array([0.1, 0.2, 0.3]))
    assert found.widths == (0, 1, 0) and found.costs["params"] == without((0, 1, 0))
    assert found.targets == {"params": budget}
    whole = asking(made, {"params": without((1, 1, 1))}).solve(
        np.array([0.1, 0.2, 0.3])
    )
    assert whole.widths == (1, 1, 1)
    equal = asking(made, {"params": without((1, 1, 1)) - 1}).solve(np.zeros(3))
    assert equal.widths == (0, 1, 1), "equal scores go in the order of the blocks"


@pytest.mark.parametrize(
    "asked, told",
    [
        ({"params": 0.01}, "without any of its 3 blocks the network has 130"),
        ({"params": 0.5, "repair": "least_squares"}, "--repair is of channels"),
        ({"params": 0.5, "allocation": "uniform"}, "--allocation is of channels"),
        ({"params": 0.5, "grid": {"round_to": 8}}, "--round_to is of channels"),
        ({"params": 0.5, "rounds": 2}, "trained once; got --rounds=2"),
    ],
)
def test_what_is_of_channels_or_cannot_be_met_is_refused(trunk, asked, told):
    with pytest.raises(InputError, match=told):
        pruner(trunk, **asked).check()


def test_what_is_measured_chooses_and_is_told(trunk):
    """By a clock that is slower every time: what is told is what was found."""
    made, read = pruner(trunk, params=1.0), []

    def slower(widths):
        read.append(widths)
        return len(widths) - 1 + 0.1 * len(read)

    cost = Cost(functools.partial(made._cost, "latency_ms"), measured=True)
    targets = {"latency_ms": 2.25}
    costs = {**made.budgets.costs, "latency_ms": cost}
    made.budgets = dataclasses.replace(made.budgets, targets=targets, costs=costs)
    for keep in ((0, 0, 1), (0, 1, 1), (1, 1, 1)):
        structure, known = made._costs(keep)
        made._priced[keep] = structure, {**known, "latency_ms": slower}
    found = made.solve(np.array([0.1, 0.2, 0.3]))
    assert found.widths == (0, 1, 1) and found.costs["latency_ms"] == 2.2
    assert len(read) == 3, "two, one and no block gone"


def nested():
    """A block within a branch, behind a stem that keeps its width."""
    image = keras.Input((8, 8, 1))
    x = u = layers.Conv2D(6, 3, padding="same", name="stem", trainable=False)(image)
    for name in ("inner", "outer"):
        f = layers.Conv2D(5, 3, padding="same", name=f"{name}_a")(u)
        f = layers.Conv2D(6, 3, padding="same", name=f"{name}_b")(f)
        u = layers.Add(name=name)([u if name == "inner" else x, f])
    x = layers.GlobalAveragePooling2D()(u)
    return keras.Model(image, layers.Dense(10, name="logits")(x), name="nested")


def test_of_blocks_within_one_another_the_innermost_go_and_no_free_width_is_left():
    model = nested()
    made = pruner((model, Problem.of(from_model(model), digits())), params=0.9)
    assert made.names == ("inner",)
    made.check()
    assert made.solve(np.ones(1)).widths == (0,)
    (saved,) = made.pressure(True).costs.values()
    thin = count_params(made.cut(np.zeros(1, bool)))
    assert saved(np.zeros(1)) == thin > 0


def test_the_network_that_is_left_may_have_no_free_width():
    model = deep(1)
    model.get_layer("stem").trainable = False
    made = pruner((model, Problem.of(from_model(model), digits())), params=0.5)
    made.check()
    problem, widths = made.left(np.zeros(1, bool))
    assert widths == () and count_params(problem.build(widths)) == 60 + 70


def test_times_of_other_networks_are_refused(made):
    by_device = {"measure": Measure(device="phone.json")}
    with pytest.raises(InputError, match="leave --device away"):
        asking(made, {"latency_ms": 1.0}, **by_device).check()


def test_networks_without_shortcuts_and_blocks_that_are_kept(trunk):
    plain = deep(blocks=0)
    problem = Problem.of(from_model(plain), digits())
    with pytest.raises(InputError, match="'deep' has none that may go"):
        pruner((plain, problem), params=0.5)
    assert pruner(trunk, keep=("a2",), params=0.5).names == ("add1", "add3")
    with pytest.raises(InputError, match="slimming removes channels"):
        CutConfig(method="slimming", level="block")


@pytest.fixture(scope="module")
def taught(trunk):
    """Masks that learn: the pruner, the stepper, its state half way, what it found."""
    made = pruner(trunk, method="gal", macs=0.7)
    made.check()
    work = made.scorer.learning(Runtime())
    state = walked(work, saved_at=3)
    return made, work, state, Scored(work.gates.raw.copy(), work.gates.weights())


def test_gates_of_blocks_learn_resume_and_leave(taught, rng):
    made, work, state, scored = taught
    work.restore(*state)
    walked(work)
    np.testing.assert_array_equal(work.gates.raw, scored.scores)
    table = work.table()
    assert table["closed"][0] == 0 and table["alive_macs"][0] == 1
    after = made.after(scored)
    work.gates.raw = rng.uniform(0.5, 1.5, 3)
    images = rng.normal(size=(3, 8, 8, 1)).astype("float32")
    row = np.append(work.gates.raw, 1.0).astype("float32")[None].repeat(3, axis=0)
    gated = BlockNetwork(made.model, made.graph, made.blocks).model
    weights.assign(gated, weights.values(work.gates.network))
    expected = gated([images, row], training=False)
    weights.assign(after.model, work.gates.weights())
    np.testing.assert_allclose(after.model(images), expected, rtol=1e-4, atol=1e-5)


def test_a_network_loses_blocks_and_is_trained_on(taught, monkeypatch):
    made, _, _, scored = taught
    monkeypatch.setattr(made.scorer, "score", lambda *_: scored)
    tuning = FinetuneConfig(finetune_epochs=1, finetune_batch=100)
    found = prune_trained(made, tuning, Runtime())
    assert found.scaling.costs["macs"] <= found.scaling.targets["macs"]
    assert not found.keep.all() and set(found.accuracies) >= {"cut", "tuned"}
    problem, widths = made.left(found.keep)
    assert widths == tuple(problem.architecture.widths)
    assert int(problem.structure.params(np.array(widths))) == count_params(found.model)
    gone = ", ".join(np.array(made.names)[~found.keep])
    assert made.told(found.scaling.widths).endswith(f"without {gone}")
    fresh = dataclasses.replace(tuning, recipe="scratch")
    assert made.tunings(found.scaling.widths, fresh)[0].fresh


@pytest.mark.slow
def test_codes_of_blocks_come_to_the_share_that_the_budgets_leave(trunk):
    """One code a block, drawn together: two of three at these budgets."""
    made = pruner(trunk, method="autopruner", params=0.8, gate_epochs=2)
    made.check()
    work = made.scorer.learning(Runtime())
    ((own, share),) = work.gates.shares
    kept = sum(made.solve(made.scorer.curvature()).widths)
    assert own.tolist() == [0, 1, 2] and share == kept / 3
    state = walked(work, saved_at=3)
    codes = work.gates.raw
    assert codes.shape == (3,) and np.isfinite(codes).all()
    work.restore(*state)
    walked(work)
    np.testing.assert_array_equal(work.gates.raw, codes)
    after = made.after(Scored(codes, work.gates.weights()))
    found = after.solve(codes)
    assert found.costs["params"] <= found.targets["params"] and sum(found.widths) < 3
