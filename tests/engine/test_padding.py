"""A training at wider widths is the same training."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from papers import LARGE, registered
from small import coloured, data_only

from ns_tf.engine import padding
from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.padding import Padded, fast_width
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.weights import trainable_keys
from ns_tf.networks import architectures
from ns_tf.networks.architectures import ARCHITECTURES
from ns_tf.problem import tasks
from ns_tf.train.config import TrainConfig
from ns_tf.train.training import Training, train

layers = keras.layers
CLASSES = 5
RECIPE = TrainConfig(epochs=1, batch=16, rate=0.05, momentum=0.9)
PRIMES = (11, 13, 17, 19, 23, 29, 31, 37, 41, 43)
# Which layers of the handmade networks get filters: all that are not the logits or
# meet a sigmoid, which makes something of nothing.
WIDER = {
    "chain": {"a": 16, "b": 8},
    "no_norm": {"a": 12, "c": 8},
    "norm_last": {"a": 12, "b": 8},
    "concat": {"a": 16, "b": 24, "c": 8},
    "dense_block": {"a": 12, "b": 8},
    "flatten": {"a": 12, "hidden": 16},
    "depthwise": {"a": 8, "b": 12},
    "residual": {"a": 12, "b": 16, "c": 12},
    "excite": {"squeeze": 4, "b": 8},
    "shared": {"a": 12, "twice": 12, "b": 8},
    "operators": {"a": 12, "b": 12, "c": 8},
}


@pytest.fixture
def fours(monkeypatch):
    """Every width is padded to a multiple of four."""
    monkeypatch.setattr(padding, "MULTIPLES", ((1, 4),))


def named(name: str) -> keras.Model:
    """A network of the registry at odd widths."""
    architecture = architectures.get(name)
    count = len(architecture.widths)
    widths = [*itertools.islice(itertools.cycle(PRIMES), count)]
    return architecture.build(widths, input_shape=(32, 32, 3), classes=CLASSES)


def filters(model: keras.Model) -> dict[str, int]:
    """Layer -> its filters or units, of all layers that have such."""
    made = {}
    for layer in model.layers:
        config = layer.get_config()
        if "filters" in config or "units" in config:
            made[layer.name] = config.get("filters") or config["units"]
    return made


def test_widths_that_are_fast():
    found = {count: fast_width(count) for count in (1, 7, 8, 13, 31, 32, 61)}
    assert found == {1: 1, 7: 7, 8: 8, 13: 16, 31: 32, 32: 32, 61: 64}


@pytest.mark.parametrize("name", WIDER)
def test_what_keeps_a_zero_gets_wider_and_the_rest_does_not(
    handmade, randomise, fours, rng, name, float64
):
    own = randomise(handmade[name]())
    padded = Padded(own, Execution())
    before, after = filters(own), filters(padded.model)
    assert before.keys() == after.keys()
    assert {n: w for n, w in after.items() if w != before[n]} == WIDER[name]
    images = rng.normal(size=(7, *own.input_shape[1:]))
    for in_training in (False, True):
        np.testing.assert_allclose(
            padded.model(images, training=in_training),
            own(images, training=in_training),
            atol=1e-12,
        )


@pytest.mark.parametrize("name", WIDER)
def test_weights_go_in_and_come_out_as_they_are(handmade, randomise, fours, name):
    own = randomise(handmade[name]())
    padded = Padded(own, Execution())
    expected = weights.values(own)
    found = padded.values()
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)
        wide = padded.padded(key, value)
        assert np.count_nonzero(wide) == np.count_nonzero(value)
        np.testing.assert_array_equal(padded.own(key, wide), value)


def trained(build, dataset, execution=None):
    """(network, losses and accuracies by epoch) of a short training."""
    runtime = Runtime(execution or Execution(), seed=3)
    result = train(data_only(dataset), build, RECIPE, runtime)
    return result.model, [
        (epoch.train_loss, epoch.validation_loss, epoch.validation_score)
        for epoch in result.history
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("flatten", "depthwise", "excite", "residual"),
        *registered(slow=(*LARGE, "preact_resnet18")),
    ],
)
def test_networks_learn_the_same(handmade, randomise, rng, float64, monkeypatch, name):
    """Registered ones, and such as have what those do not."""
    if name in handmade:
        monkeypatch.setattr(padding, "MULTIPLES", ((1, 4),))
    own = randomise(handmade[name]() if name in handmade else named(name))
    padded = Padded(own, Execution())
    assert padded.model is not own
    images = rng.normal(size=(3, *own.input_shape[1:]))
    labels = np.array([0, 2, 1])
    found = []
    for model in (own, padded.model):
        with tf.GradientTape() as tape:
            loss = tasks.get("classification").loss(model)
            losses = loss(labels, model(images, training=True))
        variables = model.trainable_variables
        gradients = tape.gradient(losses, variables)
        keys = trainable_keys(model)
        found.append(dict(zip(keys, map(np.array, gradients), strict=True)))
    plain, wide = found
    assert plain.keys() == wide.keys()
    # A bias in front of a batch norm has no gradient but for rounding.
    noise = 1e-10 * max(np.abs(gradient).max() for gradient in plain.values())
    for key, gradient in plain.items():
        whole = padded.padded(key, gradient)
        np.testing.assert_allclose(wide[key], whole, 1e-6, noise, err_msg=key)


# Layer upon layer the rounding of a step grows; after some steps nothing agrees.
DEEP = "resnet110"


@pytest.mark.slow  # `test_a_stopped_training_goes_on_at_other_widths` is quick.
@pytest.mark.parametrize(
    "name", [name for name in (*WIDER, *ARCHITECTURES.names()) if name != DEEP]
)
def test_a_padded_training_is_the_plain_one(handmade, rng, float64, monkeypatch, name):
    build = handmade.get(name) or (lambda: named(name))
    dataset = coloured(rng, build().input_shape[1:])
    models = []
    for multiples in ((), ((1, 4),)):
        monkeypatch.setattr(padding, "MULTIPLES", multiples)
        models.append(trained(build, dataset))
    (plain, plain_history), (padded, padded_history) = models
    np.testing.assert_allclose(padded_history, plain_history, rtol=1e-7)
    for one, other in zip(plain.weights, padded.weights, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-8, err_msg=one.path)


def test_what_is_added_stays_zero(handmade, rng, fours):
    dataset = coloured(rng, (6, 7, 3))
    run = Training(data_only(dataset), handmade["residual"], RECIPE, Runtime(seed=3))
    for pixels, labels in run.batches():
        if run.steps == 5:
            break
        run.step(pixels, labels)
    own = run.padded.values()
    for key, value in weights.values(run.padded.model).items():
        if key[1] != "moving_variance":
            assert np.count_nonzero(value) == np.count_nonzero(own[key]), key


def test_a_stopped_training_goes_on_at_other_widths(
    handmade, rng, float64, monkeypatch
):
    """What is kept does not tell which widths were computed at."""
    problem = data_only(coloured(rng, (6, 7, 3)))

    def made(multiples):
        monkeypatch.setattr(padding, "MULTIPLES", multiples)
        return Training(problem, handmade["residual"], RECIPE, Runtime(seed=3))

    def walked(work, until):
        for pixels, labels in work.batches():
            if work.steps == until:
                return work.state()
            work.step(pixels, labels)

    wide, own = made(((1, 4),)), made(())
    own.restore(*walked(wide, until=3))
    (straight, _), (resumed, _) = (walked(work, until=7) for work in (wide, own))
    assert straight.keys() == resumed.keys()
    for name, value in straight.items():
        np.testing.assert_allclose(resumed[name], value, atol=1e-10, err_msg=name)


@pytest.mark.slow
def test_two_replicas_are_padded_too(handmade, rng, fours, float64):
    dataset = coloured(rng, (6, 7, 3))
    one, _ = trained(handmade["chain"], dataset)
    two, _ = trained(handmade["chain"], dataset, Execution(strategy("mirrored")))
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-8)


class Scaled(layers.Layer):
    """A user's own layer; its weight has no name."""

    def build(self, shape):
        self.scale = self.add_weight(shape=shape[-1:], initializer="ones")

    def call(self, x):
        return x * self.scale


class Conv2D(layers.Conv2D):
    """Named like Keras's; one filter depends on all others."""

    def call(self, x):
        kernel = self.kernel - keras.ops.mean(self.kernel, -1, keepdims=True)
        return self.convolution_op(x, kernel)


def one_filter_for_all(shape, dtype=None):
    return np.full(shape, 0.1)


def behind(x, *others):
    """A network of `x`, what comes behind it, and a class layer."""
    inputs = x
    x = layers.Conv2D(11, 3, name="a")(x)
    for other in others:
        x = other(x)
    return keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def frozen(image):
    model = behind(image, layers.Conv2D(11, 3, name="b"))
    model.get_layer("b").kernel.trainable = False
    return model


def tied(image):
    one, other = (layers.Conv2D(11, 3, padding="same", name=n) for n in "bc")
    model = behind(image, one, other)
    other._trainable_variables[0] = one.kernel
    return model


OTHERS = {
    "random numbers": lambda image: behind(image, layers.Dropout(0.5)),
    "a user's layer": lambda image: behind(image, Scaled()),
    "a user's convolution": lambda image: behind(image, Conv2D(13, 3)),
    "a lambda": lambda image: behind(image, layers.Lambda(lambda x: 2 * x)),
    "a user's activation": lambda image: behind(
        image, layers.Activation(lambda x: keras.ops.relu(x - 1))
    ),
    "division by zero": lambda image: behind(
        image, layers.BatchNormalization(epsilon=0)
    ),
    "renormalisation": lambda image: behind(
        image, layers.BatchNormalization(renorm=True)
    ),
    "adapted statistics": lambda image: behind(image, layers.Normalization()),
    "a frozen variable": frozen,
    "variables tied by hand": tied,
    "a model inside": lambda image: behind(
        image, keras.Sequential([layers.Conv2D(13, 3)])
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_networks_that_are_not_plain_stay_as_they_are(fours, name):
    own = OTHERS[name](keras.Input((6, 7, 3)))
    assert Padded(own, Execution()).model is own


def test_how_weights_began_and_what_else_they_have_does_not_matter(rng, fours, float64):
    """A copy needs none of it, and could not always be made with it."""

    def build():
        image = keras.Input((6, 7, 3))
        options = {
            "kernel_regularizer": lambda kernel: 0.0,
            "bias_initializer": keras.initializers.Constant(np.full(11, 0.1)),
            "kernel_initializer": one_filter_for_all,
        }
        return behind(image, layers.Conv2D(11, 3, name="b", **options))

    padded = Padded(build(), Execution())
    assert padded.model.get_layer("b").filters == 12
    trained(build, coloured(rng, (6, 7, 3)))


def test_networks_of_fast_widths_stay_as_they_are():
    own = architectures.get("vgg11").build(input_shape=(32, 32, 3), classes=10)
    assert Padded(own, Execution()).model is own


def test_under_xla_networks_stay_as_they_are(handmade, fours):
    own = handmade["chain"]()
    assert Padded(own, Execution(jit_compile=True)).model is own
