"""Networks with epitomes: never over a budget, and what starts as what."""

import functools

import keras
import numpy as np
import pytest
from trained import digits

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.budgets import Measure
from ns_tf.condense.epitomes import costs_of, counted, epitomise
from ns_tf.graph import weights
from ns_tf.networks.layers import EpitomeLayer
from ns_tf.networks.layers.plain import as_plain

layers = keras.layers


@functools.cache
def network():
    x = image = keras.Input((16, 16, 3), name="image")
    for name, width, stride in (("a", 13, 1), ("b", 17, 2), ("c", 23, 2), ("d", 29, 1)):
        x = layers.Conv2D(width, 3, strides=stride, padding="same", name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(31, activation="relu", name="hidden")(x)
    model = keras.Model(image, layers.Dense(7, name="logits")(x), name="net")
    model.compile(loss="mse")
    return model


@functools.cache
def made(sampling="learned", **options):
    """The network with epitomes; read only."""
    return epitomise(network(), sampling=sampling, **options)


def epitomes(model):
    return {one.name: one for one in model.layers if isinstance(one, EpitomeLayer)}


CASES = [
    ("learned", {"params": 0.5}),
    ("wrapped", {"macs": 0.6, "params": 0.7}),
    ("fixed", {"params": 0.4}),
]


# Another budget of the same epitomes.
ALIKE = [
    pytest.param("learned", {"weight_bytes": 0.6}, marks=pytest.mark.slow),
    pytest.param("learned", {"params": 6000}, marks=pytest.mark.slow),
    pytest.param("wrapped", {"params": 0.5}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("sampling, budgets", [*CASES, *ALIKE])
def test_never_over_a_budget_and_near_it(sampling, budgets):
    whole, small = network(), made(sampling, **budgets)
    own, costs = (costs_of(counted(one), budgets) for one in (whole, small))
    targets = {
        n: own[n] * value if value <= 1 else value for n, value in budgets.items()
    }
    assert all(costs[name] <= most for name, most in targets.items())
    near = 0.8 if sampling == "fixed" else 0.95  # Strides are whole numbers.
    assert any(costs[name] >= near * most for name, most in targets.items())
    assert set(epitomes(small)) == {"b", "c", "d", "hidden"}
    assert small.output_shape == whole.output_shape and small.loss == "mse"
    trained = sum(int(np.prod(w.shape)) for w in small.trainable_weights)
    assert trained == costs_of(counted(small), ["params"])["params"]


def test_multiply_adds_fall_by_wrapped_sampling_alone():
    whole = costs_of(counted(network()), ["macs"])["macs"]
    for sampling in ("wrapped", "learned", "fixed"):
        small = made(sampling, params=0.4 if sampling == "fixed" else 0.5)
        macs = costs_of(counted(small), ["macs"])["macs"]
        assert macs < 0.7 * whole if sampling == "wrapped" else macs == whole


def test_what_stays_has_the_weights_of_the_model_and_the_model_its_own():
    before = weights.values(network())
    small = made(params=0.5)
    new, after = epitomes(small), weights.values(network())
    for key, array in weights.values(small).items():
        if key[0] not in new:
            assert np.array_equal(array, before[key])
    assert all(np.array_equal(after[key], before[key]) for key in before)


def test_its_own_cost_is_the_model_itself():
    small = epitomise(network(), params=1)
    assert not epitomes(small) and small is not network()
    x = np.ones((1, 16, 16, 3))
    assert np.array_equal(small(x), network()(x))


def share(layer):
    return layer.how.params / np.prod(layer.how.kernel)


def test_layers_in_front_have_more_of_their_kernels():
    plain, front = made(params=0.5), made(params=0.5, front=1.7)
    nets = map(epitomes, (plain, front))
    shares = [{name: share(one) for name, one in net.items()} for net in nets]
    # The images are 16 high; b puts out 8, c 4.
    assert shares[1]["b"] > 1.3 * shares[0]["b"]
    lost = {name: shares[0][name] - shares[1][name] for name in ("c", "d", "hidden")}
    assert min(lost.values()) >= 0 and max(lost.values()) > 0


def test_a_factor_that_all_layers_have_changes_nothing():
    """The ratio goes on until the layer of the least factor is whole."""
    options = {"params": 0.95, "where": "b"}
    small, front = made(**options), made(**options, front=0.5)
    assert share(epitomes(front)["b"]) > 0.6
    assert epitomes(front)["b"].epitome == epitomes(small)["b"].epitome


@pytest.mark.parametrize(
    "name, options",
    [
        ("weight_bytes_int8", ()),
        *((name, (Measure(),)) for name in ("flash", "litert_bytes")),
    ],
)
def test_files_have_kernels_so_their_sizes_are_refused(name, options):
    structure = counted(made(params=0.5))
    with pytest.raises(InputError, match="give ns_tf.as_plain") as error:
        budgets.get(name).cost(structure, *options)
    assert "\n" not in str(error.value)


def test_named_layers_alone():
    assert set(epitomes(made(params=0.8, where="d"))) == {"d"}
    assert set(epitomes(made(params=0.8, where=("d", "h*")))) == {"d", "hidden"}


def test_a_network_of_epitomes_can_have_more_of_them():
    small = epitomise(made(params=0.8, where="d"), params=0.8, where="c")
    assert set(epitomes(small)) == {"c", "d"}
    assert as_plain(small).count_params() == network().count_params()


@pytest.mark.parametrize(
    "options, told",
    [
        ({}, "Give a budget"),
        ({"params": 0.01}, "No epitomes of 4 layers meet params=.*leave params="),
        ({"params": 10**9}, "more than the trained network has"),
        ({"macs": 0.5}, "give sampling='wrapped'"),
        ({"latency_ms": 1}, "Unknown budget of epitomes 'latency_ms'"),
        ({"peak_ram": 0.5}, "Known: macs, params, weight_bytes"),
        ({"ratio": 0.5}, "Unknown budget of epitomes 'ratio'"),
        ({"parms": 0.5}, "Did you mean 'params'"),
        ({"params": 0.5, "sampling": "tiled"}, "sampling is one of"),
        ({"params": 0.5, "front": 0}, "positive factor"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options, told):
    with pytest.raises(InputError, match=told) as error:
        epitomise(network(), **options)
    assert "\n" not in str(error.value)


def rows():
    """Rows of an 8 x 8 digit as 8 steps of 8 channels."""
    x = image = keras.Input((8, 8, 1))
    x = layers.Reshape((8, 8))(x)
    for name, filters in (("a", 32), ("b", 48), ("c", 48)):
        x = layers.Conv1D(filters, 3, padding="same", name=name)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(image, layers.Dense(10, name="logits")(x))


def accuracy(model, epochs):
    """On test images, after epochs of 500."""
    data = digits()
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    x, y = data.train.images / 255, data.train.labels
    model.fit(x, y, batch_size=25, epochs=epochs, verbose=0)
    return model.evaluate(data.test.images / 255, data.test.labels, 256, verbose=0)[1]


@pytest.mark.slow
def test_wsnet_of_a_quarter_of_the_parameters_learns_rows_of_digits():
    """The CI-sized form of docs/epitomes.md: what cannot be noise."""
    small = epitomise(rows(), params=0.25, sampling="fixed", where="*")
    assert accuracy(small, epochs=3) > 0.4


@pytest.mark.slow
def test_wsnet_of_a_quarter_of_the_parameters_is_near_the_whole():
    whole = rows()
    small = epitomise(whole, params=0.25, sampling="fixed", where="*")
    found = [accuracy(network, epochs=15) for network in (whole, small)]
    assert found[0] > 0.9 and found[1] > found[0] - 0.06, found


@pytest.mark.parametrize(
    "sampling", ["wrapped", pytest.param("learned", marks=pytest.mark.slow)]
)
def test_fitted_epitomes_make_what_the_network_computed(sampling):
    """Of kernels that such epitomes make; biases and other layers are the model's."""
    whole = as_plain(made(sampling, params=0.5))
    for variable in whole.trainable_variables:
        if variable.name == "bias":
            variable.assign(np.linspace(-1, 1, variable.shape[0]))
    kinds = {layer.name: type(layer) for layer in network().layers}
    assert {layer.name: type(layer) for layer in whole.layers} == kinds
    again = epitomise(whole, sampling=sampling, params=0.5, start="fitted")
    assert set(epitomes(again)) == set(epitomes(made(sampling, params=0.5)))
    x = np.random.default_rng(5).normal(size=(2, 16, 16, 3))
    np.testing.assert_allclose(again(x), whole(x), atol=2e-4)
    with pytest.raises(InputError, match="start is one of fresh, fitted; got 'own'"):
        epitomise(network(), params=0.5, start="own")


@pytest.mark.parametrize("kind", [layers.LeakyReLU, layers.ELU, layers.Softmax])
def test_a_layer_given_as_an_activation_stays_one(kind):
    x = image = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, activation=kind(), name="a")(x)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, name="b")(x))
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    small = epitomise(model, params=0.9, where="a")
    assert isinstance(small.get_layer("a"), EpitomeLayer)
    assert type(small.get_layer("a").activation) is kind


def test_an_activation_with_weights_is_refused_in_one_line():
    x = image = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, activation=layers.PReLU(), name="a")(x)
    x = layers.Conv2D(16, 3, name="b")(x)
    model = keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
    for where in ("", "a"):
        with pytest.raises(InputError, match="Call the PReLU behind it"):
            epitomise(model, params=0.9, where=where)


@pytest.mark.parametrize(
    "model, where, told",
    [
        ("vgg11", (), "functional or sequential model; got 'vgg11'"),
        (None, 3, "where='block2.'; got 3"),
        (None, ["a", 3], "where='block2.'; got"),
    ],
)
def test_what_is_no_model_or_no_name_is_refused_in_one_line(model, where, told):
    with pytest.raises(InputError, match=told):
        epitomise(model or network(), params=0.5, where=where)
