"""Any functional Keras model as an architecture."""

import keras
import numpy as np
import pytest
from subclasses import Backbone, Doubled, DoubledStack, Nameless, Stack, around

from ns_tf import budgets
from ns_tf.base import InputError
from ns_tf.graph.flat import flat
from ns_tf.graph.walk import channel_graph
from ns_tf.networks import architectures
from ns_tf.networks import from_model as networks_from_model
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import analyse, count_params, shapes_only
from ns_tf.parts import Parts
from ns_tf.scaling.curves import uniform_curve
from ns_tf.scaling.solve import at_cost

layers = keras.layers


def resnet(classes=5, activation=None) -> keras.Model:
    """Two stages of ResNet v1: 7, then (11) 13 tied by an identity, softmax or none."""

    def conv(x, filters, name, stride=1):
        options = {"strides": stride, "padding": "same", "use_bias": False}
        x = layers.Conv2D(filters, 3, name=name, **options)(x)
        return layers.BatchNormalization(name=f"{name}_bn")(x)

    image = keras.Input((8, 8, 3), name="image")
    x = layers.ReLU(name="stem_relu")(conv(image, 7, "stem"))
    for block, stride in (("one", 2), ("two", 1)):
        y = layers.ReLU(name=f"{block}_relu")(conv(x, 11, f"{block}_a", stride))
        y = conv(y, 13, f"{block}_b")
        if stride == 2:
            x = conv(x, 13, f"{block}_project", stride)
        x = layers.ReLU(name=f"{block}_out")(layers.Add(name=f"{block}_add")([x, y]))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(classes, activation=activation, name="end")(x)
    return keras.Model(image, x, name="resnet")


TIED = {"one_b", "one_project", "two_b"}


def filters(model) -> dict[str, int]:
    return {
        layer.name: layer.filters
        for layer in model.layers
        if isinstance(layer, layers.Conv2D)
    }


def by_layer(found, model) -> dict[str, int]:
    """Width by the layer that it is the first to set, in the order of the widths."""
    graph = channel_graph(model)
    free = [group for group in graph.groups if group.frozen is None]
    return {g.name: w for g, w in zip(free, found.widths, strict=True)}


def test_widths_are_the_models_and_additions_share_one():
    model = resnet()
    found = from_model(model)
    assert found.name == "resnet"
    assert sorted(found.widths) == [7, 11, 11, 13]
    assert len(by_layer(found, model).keys() & TIED) == 1


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_other_widths_give_the_same_network_at_other_sizes(activation, rng):
    model = resnet(activation=activation)
    found = from_model(model)
    order = list(by_layer(found, model))
    sizes = dict(zip(order, (17, 19, 23, 29), strict=True))
    (tied,) = (sizes[name] for name in order if name in TIED)
    other = found.build(list(sizes.values()), input_shape=(8, 8, 3), classes=5)
    assert filters(other) == sizes | dict.fromkeys(TIED, tied)
    assert [layer.name for layer in other.layers] == [
        layer.name for layer in model.layers
    ]
    outputs = np.array(other(rng.normal(size=(3, 8, 8, 3))))
    assert outputs.shape == (3, 5) and np.isfinite(outputs).all()
    if activation == "softmax":
        np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)


def test_the_model_is_neither_changed_nor_shared(rng):
    model = resnet()
    images = rng.normal(size=(3, 8, 8, 3))
    before = np.array(model(images))
    other = from_model(model).build(input_shape=(8, 8, 3), classes=5)
    assert filters(other) == filters(model)
    assert not np.allclose(other(images), before)  # Fresh weights.
    for weight in other.weights:
        weight.assign(np.zeros(weight.shape))
    np.testing.assert_array_equal(model(images), before)


def test_costs_are_those_of_what_is_built():
    found = analyse(from_model(resnet()), (8, 8, 3), 5)
    for widths in ([7, 11, 13, 11], [17, 19, 23, 29], [3, 3, 3, 3]):
        model = shapes_only(found.build, widths)
        assert found.params(np.array(widths)) == count_params(model)
    assert found.params(np.array(found.architecture.widths)) == count_params(resnet())


@pytest.mark.parametrize("first", ["bypass", "branches"])
def test_a_layer_that_is_added_to_a_concatenation_belongs_to_two_widths(first):
    """SqueezeNet's complex bypass: its filters are those of one branch or the other."""
    image = keras.Input((8, 8, 3))

    def branches():
        s = layers.Conv2D(7, 1, name="squeeze")(image)
        sides = [
            layers.Conv2D(11, 1, name="one")(s),
            layers.Conv2D(13, 3, padding="same", name="three")(s),
        ]
        return layers.Concatenate(name="concat")(sides)

    def bypass():
        return layers.Conv2D(24, 5, padding="same", name="bypass")(image)

    order = (bypass, branches) if first == "bypass" else (branches, bypass)
    x = layers.ReLU(name="relu")(layers.Add(name="add")([make() for make in order]))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    found = analyse(from_model(model), (8, 8, 3), 5)
    assert set(found.names) == {"squeeze", "one", "three"}
    sizes = dict(zip(("squeeze", "one", "three"), (17, 19, 23), strict=True))
    built = found.build([sizes[name] for name in found.names])
    assert filters(built) == {**sizes, "bypass": 19 + 23}


def test_a_sequential_model_is_an_architecture():
    model = keras.Sequential(
        [
            keras.Input((6, 7, 3)),
            layers.Conv2D(11, 3, activation="relu", name="a"),
            layers.Flatten(),
            layers.Dense(13, activation="relu", name="b"),
            layers.Dense(5, name="logits"),
        ]
    )
    found = from_model(model)
    assert found.widths == (11, 13)
    other = found.build([17, 19], input_shape=(6, 7, 3), classes=5)
    assert other.get_layer("b").kernel.shape == (4 * 5 * 17, 19)


def test_operators_between_tensors_are_kept():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    x = x + layers.Conv2D(11, 1, name="b")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(5, name="logits")(x))
    other = from_model(model).build([17], input_shape=(6, 7, 3), classes=5)
    assert filters(other) == {"a": 17, "b": 17}


def test_another_image_size_or_number_of_classes_is_refused():
    found = from_model(resnet())
    with pytest.raises(InputError, match=r"was made for input_shape \(8, 8, 3\); got"):
        found.build(input_shape=(16, 16, 3), classes=5)
    with pytest.raises(InputError, match="was made for classes 5; got 7"):
        found.build(input_shape=(8, 8, 3), classes=7)


def test_wrong_widths_are_refused():
    found = from_model(resnet())
    with pytest.raises(InputError, match="resnet has 4 widths; got 3"):
        found.build([3, 5, 7], input_shape=(8, 8, 3), classes=5)


def test_models_of_several_inputs_and_outputs_are_built_at_other_widths():
    one, other = keras.Input((3,), name="one"), keras.Input((2,), name="other")
    x = layers.Dense(5, name="a")(layers.Concatenate()([one, other]))
    outputs = {"y": layers.Dense(7)(x), "x": layers.Dense(1)(x)}
    found = from_model(keras.Model({"other": other, "one": one}, outputs))
    built = found.build([11], input_shape=Parts([(3,), (2,)]), classes=1)
    assert [x.name for x in built.inputs] == ["one", "other"] and built.count_params()
    assert built.get_layer("a").units == 11 and sorted(built.output) == ["x", "y"]
    with pytest.raises(InputError, match=r"was made for input_shape \(\(3,\), \(2,\)"):
        found.build(input_shape=Parts([(2,), (3,)]), classes=1)


def test_a_model_without_a_free_width_is_refused_with_the_reasons():
    image = keras.Input((6, 7, 3), name="image")
    x = layers.Conv2D(11, 1, name="a")(image)
    x = layers.Softmax(name="norm")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(5)(x), name="fixed")
    with pytest.raises(
        InputError, match="'fixed' has no layer whose width is free: "
    ) as e:
        from_model(model)
    assert "'norm' cannot be followed" in str(e.value)
    assert "is the model's output" in str(e.value)
    architecture = from_model(model, fixed=True)
    structure = analyse(architecture, (6, 7, 3), 5)
    assert architecture.widths == structure.names == ()
    assert int(structure.params(np.array(()))) == model.count_params()
    assert structure.build().count_params() == model.count_params()


def test_layers_that_read_no_channels_are_named_too_where_no_width_is_free():
    """Such as a network of one layer that hides all of its own."""
    image = keras.Input((6, 7, 3), name="image")
    model = keras.Model(image, layers.Dense(2)(Doubled(name="odd")(image)))
    with pytest.raises(InputError, match="'odd' cannot be followed"):
        from_model(model)


@pytest.mark.parametrize("keep", [None, 5, [1]])
def test_layers_to_keep_are_names(keep):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3, name="first")])
    with pytest.raises(InputError, match="keep is the names of layers"):
        from_model(model, keep=keep)


def test_a_subclassed_model_is_refused():
    class Net(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(InputError, match="Net without a graph"):
        from_model(Net())


# Subclasses of functional models.


def test_a_functional_subclass_is_an_architecture(rng):
    model = Backbone(name="mine")
    found = from_model(model)
    assert (found.name, found.widths) == ("mine", (11, 13))
    structure = analyse(found, (6, 7, 3), 5)
    assert structure.names == ("a", "b")
    for widths in ((11, 13), (3, 7), (5, 5)):
        built = structure.build(widths)
        assert filters(built) == dict(zip("ab", widths, strict=True))
        expected = count_params(Backbone(widths))
        assert structure.params(np.array(widths)) == count_params(built) == expected
    assert np.isfinite(built(rng.normal(size=(2, 6, 7, 3)))).all()


def test_a_sequential_subclass_is_an_architecture():
    found = from_model(Stack(name="mine"))
    structure = analyse(found, (6, 7, 3), 5)
    assert structure.names == ("a",) and found.widths == (11,)
    assert structure.params(np.array([7])) == count_params(Stack(7))


@pytest.mark.parametrize(
    ("make", "inner"), [(Backbone, ("a", "b")), (Stack, ("a", "logits"))]
)
def test_the_layers_of_a_model_within_have_widths_of_their_own(make, inner, rng):
    model = around(make(name="mine"))
    structure = analyse(from_model(model), (6, 7, 3), 5)
    free = [name for name in ("first", "mix", *inner, "logits", "last")]
    assert structure.names == tuple(dict.fromkeys(free))
    widths = [19, 23, 29, 31, 37, 41][: len(structure.names)]
    built = structure.build(widths)
    assert {built.get_layer("mix").filters, built.get_layer("a").filters} == {23, 29}
    assert structure.params(np.array(widths)) == count_params(built)
    assert built(rng.normal(size=(2, 6, 7, 3))).shape == (2, 5)


@pytest.mark.parametrize("make", [Doubled, DoubledStack])
def test_a_model_within_that_overrides_call_keeps_its_size(make, rng):
    model = around(make(name="mine"))
    structure = analyse(from_model(model), (6, 7, 3), 5)
    assert structure.names == ("first", "last")
    (mix,) = (group for group in structure.reference.groups if group.name == "mix")
    assert mix.frozen == f"{make.__name__} 'mine' cannot be followed"
    built = structure.build((19, 23))
    assert type(built.get_layer("mine")) is make
    assert structure.params(np.array([19, 23])) == count_params(built)
    assert built(rng.normal(size=(2, 6, 7, 3))).shape == (2, 5)


@pytest.mark.parametrize("make", [Doubled, DoubledStack])
def test_a_subclass_that_overrides_call_is_refused(make):
    with pytest.raises(InputError, match="'mine' .* overrides `call`"):
        from_model(make(name="mine"))


def test_the_configuration_of_a_model_within_does_not_matter():
    """It may leave out its name: the layers in it are copied, not the model."""
    names = analyse(from_model(around(Nameless(name="mine"))), (6, 7, 3), 5).names
    assert {"a", "b"} < set(names)


def test_a_saved_functional_subclass_is_an_architecture(tmp_path):
    Backbone((7, 11), name="mine").save(tmp_path / "saved.keras")
    assert networks_from_model.load(str(tmp_path / "saved.keras")).widths == (7, 11)


# Frozen layers.


def transfer(frozen, nested=False) -> keras.Model:
    """image - (a[7] - BN - ReLU - b[11] - BN - ReLU) - c[13] - BN - average - end[5].

    Args:
        frozen: Names of layers with trainable=False; "base" is what is in parentheses.
        nested: Whether that is a model within the model.
    """
    x = image = keras.Input((8, 8, 3), name="image")
    for name, width in (("a", 7), ("b", 11)):
        x = layers.Conv2D(width, 3, padding="same", name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    base = keras.Model(image, x, name="base")
    if nested:
        image = keras.Input((8, 8, 3), name="outer_image")
        x = base(image)
    x = layers.BatchNormalization(name="c_bn")(layers.Conv2D(13, 3, name="c")(x))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    model = keras.Model(image, layers.Dense(5, name="end")(x))
    for name in frozen:
        (base if name == "base" else model.get_layer(name)).trainable = False
    return model


def stamped(model, rng) -> keras.Model:
    """The model with weights that no initializer makes."""
    model.set_weights([rng.uniform(0.3, 0.9, w.shape) for w in model.get_weights()])
    return model


FROZEN = {  # Frozen layers, whether they are nested -> what is free, what is kept.
    "a frozen beginning": (("a", "a_bn"), False, ("b", "c"), ("a", "a_bn")),
    "a frozen middle": (("b",), False, ("c",), ("b",)),
    "a frozen backbone": (("base",), False, ("c",), ("a", "a_bn", "b", "b_bn")),
    "a frozen model within": (("base",), True, ("c",), ("a", "a_bn", "b", "b_bn")),
    "frozen norms": (("a_bn", "b_bn"), False, ("a", "b", "c"), ()),
}


@pytest.mark.parametrize("name", FROZEN)
def test_a_frozen_layer_keeps_its_size_and_its_weights(name, rng):
    """No training would fill it; at another size it would stay at random."""
    frozen, nested, free, kept = FROZEN[name]
    model = flat(stamped(transfer(frozen, nested), rng))
    found = from_model(model)
    structure = analyse(found, (8, 8, 3), 5)
    assert structure.names == free
    for widths in (found.widths, [17 + i for i in range(len(free))]):
        built = structure.build(widths)
        sizes = {layer: built.get_layer(layer).filters for layer in free}
        assert list(sizes.values()) == list(widths)
        for layer in {layer.name for layer in model.layers} - {"image", "outer_image"}:
            pairs = zip(
                model.get_layer(layer).get_weights(),
                built.get_layer(layer).get_weights(),
                strict=True,
            )
            same = [a.shape == b.shape and (a == b).all() for a, b in pairs]
            assert all(same) if layer in kept else not any(same)
        assert [len(w.trainable_weights) for w in built.layers[1:]] == [
            len(w.trainable_weights) for w in model.layers[1:]
        ]


@pytest.mark.parametrize("nested", [False, True])
def test_frozen_layers_cost_as_much_as_others(nested):
    """Else the widths that they follow would cost nothing and grow without end."""
    structures = [
        analyse(from_model(transfer(frozen, nested)), (8, 8, 3), 5)
        for frozen in ((), ("base",))
    ]
    trained, frozen = ([s.params, budgets.get("macs").cost(s)] for s in structures)
    own = [np.array(s.architecture.widths) for s in structures]
    for one, other in zip(trained, frozen, strict=True):
        assert one(own[0]) == other(own[1])
    if not nested:
        gamma_and_beta = 2 * (7 + 11)
        kernels = 27 * 7 + 7 + 63 * 11 + 11
        built = structures[1].build([13])
        trained = sum(int(np.prod(w.shape)) for w in built.trainable_weights)
        assert frozen[0]([13]) == trained + kernels + gamma_and_beta


def test_half_of_the_parameters_of_a_network_that_begins_frozen_is_met():
    structure = analyse(from_model(transfer(("a", "a_bn"))), (8, 8, 3), 5)
    widths = structure.architecture.widths
    half = int(structure.params(np.array(widths))) // 2
    curve = uniform_curve(widths)
    found = at_cost(curve, {"params": structure.params}, {"params": half})
    assert all(a < b for a, b in zip(found.widths, widths, strict=True))
    built = structure.build(found.widths)
    assert 0.9 * half < count_params(built) <= half
    assert built.get_layer("a").filters == 7


def test_a_layer_of_which_some_weights_are_frozen_is_refused():
    model = transfer(())
    model.get_layer("b").kernel.trainable = False
    with pytest.raises(InputError, match="Some weights of layer 'b' are frozen"):
        from_model(model)
    given = [keras.Input((5,)), layers.Dense(3, name="a"), layers.Dense(2)]
    model = keras.Sequential(given)
    model.get_layer("a").enable_lora(2)
    with pytest.raises(InputError, match="layer 'a' are .*with LoRA, give a plain"):
        from_model(model)


def test_a_model_that_is_all_frozen_is_refused_with_the_reasons():
    with pytest.raises(InputError, match="layer 'a' is not trainable"):
        from_model(transfer(("a", "b", "c")))


# Saved models.


def test_a_saved_model_is_an_architecture_by_its_path(tmp_path):
    path = tmp_path / "saved.keras"
    resnet().save(path)
    found = architectures.get(f"keras:{path}")
    assert found.name == f"keras:{path}"
    assert found.widths == from_model(resnet()).widths
    analysed = analyse(found, (8, 8, 3), 5)
    assert analysed.params(np.array(found.widths)) == count_params(resnet())


def test_a_missing_file_is_told_with_its_path(tmp_path):
    path = str(tmp_path / "none.keras")
    for find in (networks_from_model.load, lambda p: architectures.get(f"keras:{p}")):
        with pytest.raises(
            InputError, match="Expected a saved .keras model at"
        ) as error:
            find(path)
        assert path in str(error.value)
    with pytest.raises(InputError, match="there is none"):
        networks_from_model.load(str(tmp_path))


def test_a_damaged_file_is_told_in_one_line(tmp_path):
    whole, path = tmp_path / "whole.keras", tmp_path / "damaged.keras"
    resnet().save(whole)
    contents = whole.read_bytes()
    for damaged in (b"", b"nothing of the kind", contents[: len(contents) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="is no .keras model to be read") as error:
            networks_from_model.load(str(path))
        assert "\n" not in str(error.value)


def test_code_in_a_file_is_not_run(tmp_path):
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Lambda(lambda x: x * 2)(layers.Conv2D(5, 1)(image))
    x = layers.GlobalAveragePooling2D()(x)
    path = tmp_path / "lambda.keras"
    keras.Model(image, layers.Dense(5)(x)).save(path)
    with pytest.raises(InputError, match="holds Python code.*safe_mode=False"):
        networks_from_model.load(str(path))


def test_what_is_no_whole_model_of_floats_is_refused_with_what_to_give(tmp_path):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.Dense(2)])
    model.save_weights(tmp_path / "mine.weights.h5")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    for name, words in (
        ("mine.weights.h5", "weights without"),
        ("saved", "SavedModel"),
    ):
        with pytest.raises(InputError, match=f"{words}.*model.save") as error:
            networks_from_model.load(str(tmp_path / name))
        assert "\n" not in str(error.value)
    for layer in model.layers:
        layer.quantize("int8")
    with pytest.raises(InputError, match="quantised layers .*before model.quantize"):
        from_model(model)
    policy = keras.DTypePolicy("bfloat16")
    given = [keras.Input((5,)), layers.Dense(3, dtype=policy), layers.Dense(2)]
    with pytest.raises(InputError, match="in bfloat16, as of .*'mixed_bfloat16'"):
        from_model(keras.Sequential(given))


# Models that are not ours.

APPLICATIONS = {
    "MobileNet": True,
    "MobileNetV2": True,
    "MobileNetV3Small": True,
    "EfficientNetB0": True,
    "ResNet50": True,
    "DenseNet121": True,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_networks_of_keras_applications_are_analysed(name):
    with keras.StatelessScope(initialize_variables=False):
        model = getattr(keras.applications, name)(
            weights=None, input_shape=(64, 64, 3), classes=7
        )
    found = analyse(from_model(model), (64, 64, 3), 7)
    widths = np.array(found.architecture.widths)
    assert found.params(widths) == count_params(model)
    half = shapes_only(found.build, np.maximum(1, widths // 2))
    assert found.params(np.maximum(1, widths // 2)) == count_params(half)


def test_a_model_that_is_compiled_and_trained_is_an_architecture_too():
    """As users have them: a copy of it must not be compiled again."""
    model = resnet()
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(np.zeros((2, 8, 8, 3)), np.zeros((2, 5)), verbose=0)
    structure = analyse(from_model(model), (8, 8, 3), 5)
    assert count_params(structure.build()) == count_params(model)
    assert model.compiled and not structure.build().compiled


def test_zeros_that_are_padded_are_no_layers_of_a_width():
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", name="a")(image)
    y = layers.Conv2D(7, 3, padding="same", name="b")(layers.ReLU()(x))
    x = keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, 3)))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([x, y])))
    model = keras.Model(image, layers.Dense(2)(x))
    found = from_model(model)
    structure = analyse(found, (6, 6, 3), 2)
    assert structure.layers == (("a", "b"), ("b",))
    with pytest.raises(InputError, match="pad"):
        from_model(model, keep=("pad*",))


@pytest.mark.parametrize("layer", [layers.GroupNormalization(8), "grouped"])
def test_layers_of_which_others_read_a_part_are_built_as_they_are(layer):
    """The group of a concatenation and groups that do not fit it, as of a U-Net."""
    if layer == "grouped":
        layer = layers.Conv2D(8, 3, groups=8)
    image = keras.Input((6, 6, 3))
    parts = [layers.Conv2D(n, 3, name=f"of{n}")(image) for n in (24, 16)]
    x = layer(layers.Concatenate()(parts))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(7, 1, name="free")(x))
    found = from_model(keras.Model(image, layers.Dense(2)(x)))
    widths = [max(1, width // 2) for width in found.widths]
    structure = analyse(found, (6, 6, 3), 2)
    small = structure.build(widths)
    assert [small.get_layer(f"of{n}").filters for n in (24, 16)] == [24, 16]
    assert structure.params(widths) == count_params(small)
