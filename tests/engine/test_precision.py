"""Mixed precision: what is computed, scored and kept in which precision."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from papers import LARGE, registered
from small import chain, problem, prunable

from ns_tf.base import InputError
from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.precision import LossScale, plain, with_policy
from ns_tf.engine.runtime import Runtime
from ns_tf.networks import architectures
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.iterative import Pruning

MIXED = ("mixed_bfloat16", "mixed_float16")


def network(model, **options):
    """A network of the model, at its own weights, that can be trained and scored."""
    return prunable(model, execution=Execution(**options))


def batch(rng):
    images = rng.normal(size=(7, 6, 7, 3)).astype(np.float32)
    return tf.constant(images), tf.constant(rng.integers(0, 5, 7))


@pytest.fixture
def made(handmade, randomise):
    """Copies of one network, all with the same weights."""
    first = {}

    def made(name):
        if name not in first:
            first[name] = randomise(handmade[name]())
        copy = keras.models.clone_model(first[name])
        copy.set_weights(first[name].get_weights())
        return copy

    return made


@pytest.mark.parametrize("policy", MIXED)
@pytest.mark.parametrize("name", ["chain", "residual", "no_norm"])
def test_layers_compute_low_weights_and_logits_stay_high(made, policy, name):
    model = made(name)
    mixed = with_policy(model, policy)
    assert [layer.name for layer in mixed.layers] == [lay.name for lay in model.layers]
    for one, other in zip(mixed.variables, model.variables, strict=True):
        assert one.dtype == "float32"
        np.testing.assert_array_equal(np.array(one), np.array(other))
    low = {layer.name for layer in mixed.layers if layer.compute_dtype != "float32"}
    assert low == {layer.name for layer in model.layers} - {"image", "logits"}
    images = np.random.default_rng(3).normal(size=(11, 6, 7, 3)).astype(np.float32)
    high, near = model(images).numpy(), mixed(images).numpy()
    assert near.dtype == np.float32
    np.testing.assert_allclose(near, high, atol=0.1 * np.abs(high).max())


@pytest.mark.parametrize("name", registered(slow=(*LARGE, "preact_resnet18")))
def test_the_last_layer_with_weights_makes_whole_logits(name):
    model = architectures.get(name).build(input_shape=(32, 32, 3), classes=7)
    mixed = with_policy(model, "mixed_bfloat16")
    *body, last = [layer for layer in mixed.layers if layer.weights]
    assert {layer.compute_dtype for layer in body} == {"bfloat16"}
    assert last.compute_dtype == mixed.output.dtype == "float32"


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("no_norm", "mixed_float16"),
        pytest.param("chain", "mixed_bfloat16", marks=pytest.mark.slow),
        *(
            pytest.param(name, policy, marks=pytest.mark.slow)
            for name in ("residual", "no_norm", "operators")
            for policy in MIXED
            if (name, policy) != ("no_norm", "mixed_float16")
        ),
    ],
)
def test_scores_are_those_of_float32_whatever_the_loss_is_scaled_by(
    made, policy, name, rng
):
    images, labels = batch(rng)
    scores = []
    for scale in (None, 2.0**10, 2.0**15):
        way = {"precision": policy} if scale else {}
        pruned = network(made(name), **way)
        if scale and pruned.loss_scale:
            pruned.loss_scale.scale.assign(scale)
        pruned.train(images, labels, 0.0)
        scores.append(pruned.score_sums())
    high, low, lower = scores
    assert high.max() > 0
    # 8 bits of bfloat16, through six layers and a square.
    np.testing.assert_allclose(low, high, rtol=0.25, atol=0.1 * high.max())
    # A power of two changes no digit, but for what is too small for float16 at 2**10.
    np.testing.assert_allclose(lower, low, rtol=1e-3, atol=1e-4 * high.max())


def test_a_step_whose_gradients_overflow_changes_nothing_and_halves_the_scale(
    made, rng
):
    images, labels = batch(rng)
    pruned = network(made("residual"), precision="mixed_float16")
    pruned.loss_scale.scale.assign(2.0**40)
    before = pruned.state()
    pruned.train(images, labels, 0.1)
    after = pruned.state()
    for name in before:
        if "moving" not in name and name != "loss_scale":
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    np.testing.assert_array_equal(after["loss_scale"], [2.0**39, 0, 0])
    assert not pruned.scored
    for _ in range(40):
        pruned.train(images, labels, 0.01)
    scale, good, applied = pruned.loss_scale.state()
    assert 1 <= scale < 2.0**30 and 0 < good <= applied < 40
    assert pruned.scored
    assert pruned.score_sums().max() > 0


def test_the_scale_doubles_after_as_many_good_steps_as_it_says(monkeypatch):
    monkeypatch.setattr(LossScale, "STEPS", 7)
    scale = LossScale()
    for _ in range(scale.STEPS - 1):
        scale.update(tf.constant(True))
    np.testing.assert_array_equal(
        scale.state(), [2.0**15, scale.STEPS - 1, scale.STEPS - 1]
    )
    scale.update(tf.constant(True))
    np.testing.assert_array_equal(scale.state(), [2.0**16, 0, scale.STEPS])
    scale.update(tf.constant(False))
    np.testing.assert_array_equal(scale.state(), [2.0**15, 0, scale.STEPS])
    other = LossScale()
    other.restore(scale.state())
    np.testing.assert_array_equal(other.state(), scale.state())


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy",
    MIXED,
)
def test_masked_and_thinned_networks_of_mixed_precision_train_alike(made, policy, rng):
    images, labels = batch(rng)
    losses = []
    for compact in (False, True):
        pruned = network(made("residual"), precision=policy)
        pruned.close(np.array([1, 4, 15, 17]))
        if compact:
            pruned.compact()
        policies = {layer.dtype_policy.name for layer in pruned.model.layers}
        assert policies <= {policy, "float32"}
        losses.append([float(pruned.train(images, labels, 0.01)) for _ in range(3)])
    np.testing.assert_allclose(*losses, rtol=0.02)


@pytest.mark.parametrize(
    "name",
    [
        "chain",
        pytest.param("residual", marks=pytest.mark.slow),
        pytest.param("no_norm", marks=pytest.mark.slow),
    ],
)
def test_xla_changes_nothing_but_rounding(made, name, rng):
    images, labels = batch(rng)
    plain, compiled = (network(made(name), jit_compile=jit) for jit in (False, True))
    for _ in range(3):
        losses = [float(n.train(images, labels, 0.01)) for n in (plain, compiled)]
        np.testing.assert_allclose(*losses, rtol=1e-5)
    np.testing.assert_allclose(plain.score_sums(), compiled.score_sums(), rtol=1e-3)


def test_a_model_that_is_mixed_already_has_its_loss_scaled_and_keeps_its_policies():
    keras.config.set_dtype_policy("mixed_float16")
    model = chain((7, 5), input_shape=(6, 7, 3), classes=5)
    keras.config.set_dtype_policy("float32")
    assert Execution().loss_scale(model) is not None
    mixed = with_policy(model, "mixed_bfloat16")
    assert {layer.dtype_policy.name for layer in mixed.layers if layer.weights} == {
        "mixed_float16"
    }


def test_an_event_waits_for_a_step_that_did_not_overflow():
    run = float16_search()
    run.network.loss_scale.scale.assign(2.0**60)
    for batch in itertools.islice(run.batches(), 6):
        run.step(*batch)
    assert run.events == 0 and run.left == 24
    run.network.loss_scale.scale.assign(2.0**10)
    for batch in itertools.islice(run.batches(), 2):
        run.step(*batch)
    assert run.events == 1 and run.left == 22


class WholeOnly(keras.layers.Layer):
    """Computes in float32 and nothing else."""

    def call(self, x):
        return x + keras.ops.ones(x.shape[1:], "float32").astype("float32")

    def compute_output_spec(self, x):
        if x.dtype != "float32":
            raise TypeError("WholeOnly needs float32.")
        return keras.KerasTensor(x.shape, dtype=x.dtype)


@pytest.mark.parametrize("policy", MIXED)
def test_what_cannot_compute_so_is_refused_before_the_search(policy):
    image = keras.Input((6, 7, 3))
    x = keras.layers.Conv2D(7, 3, name="a")(image)
    x = WholeOnly(dtype="float32", name="whole", autocast=False)(x)
    x = keras.layers.Conv2D(5, 3, name="b")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(3)(x), name="mine")
    said = f"'mine' cannot compute with --precision={policy}: .*WholeOnly needs"
    with pytest.raises(InputError, match=said):
        Execution(precision=policy).check(lambda: model)
    keras.config.set_floatx("float64")
    with pytest.raises(InputError, match="floatx is float64"):
        Execution(precision=policy).check(lambda: model)


@pytest.mark.slow
def test_two_replicas_scale_alike(made, rng):
    images, labels = batch(rng)
    images, labels = images[:6], labels[:6]
    scores = []
    for devices in (strategy("one_device"), strategy("mirrored")):
        way = Execution(devices, precision="mixed_float16")
        pruned = prunable(made("chain"), execution=way, batch=6)
        dealt = way.deal_out(
            tf.data.Dataset.from_tensors((images, labels)).unbatch().batch(6)
        )
        for some in dealt:
            pruned.train(*some, 0.1)
        scores.append(pruned.score_sums())
        np.testing.assert_array_equal(pruned.loss_scale.state(), [2.0**15, 1, 1])
    np.testing.assert_allclose(*scores, rtol=0.2)


def float16_search(rebuild="always") -> Pruning:
    """A short search in float16."""
    config = PruneConfig(
        pretrain_epochs=0,
        search_batch=16,
        steps_per_event=2,
        filters_per_event=2,
        rebuild=rebuild,
    )
    runtime = Runtime(Execution(precision="mixed_float16"), seed=3)
    return Pruning(problem(chain, (13, 11)), (13, 11), config, runtime)


@pytest.mark.slow
@pytest.mark.parametrize("rebuild", ["never", "always"])
def test_a_float16_search_goes_on_where_it_was_stopped(rebuild):
    def walked(work, steps):
        for batch in itertools.islice(work.batches(), steps):
            work.step(*batch)
        return work.state()

    straight, again = float16_search(rebuild), float16_search(rebuild)
    again.restore(*walked(straight, 3))
    whole, stopped = walked(straight, 2), walked(again, 2)
    for facts in (stopped[1], whole[1]):
        facts.pop("seconds")  # Of two runs.
    assert stopped[1] == whole[1]
    for name, array in whole[0].items():
        np.testing.assert_array_equal(stopped[0][name], array, err_msg=name)
    assert whole[0]["loss_scale"].tolist() == [2.0**15, 5, 1]


@pytest.mark.parametrize("policy", MIXED)
def test_a_model_made_plain_again_has_its_weights_and_computes_whole(made, policy, rng):
    model = made("residual")
    whole = plain(with_policy(model, policy))
    assert {layer.compute_dtype for layer in whole.layers} == {"float32"}
    images, _ = batch(rng)
    np.testing.assert_allclose(whole(images), model(images), rtol=1e-6, atol=1e-6)
    assert plain(model) is model
