"""What is counted is what is built; what cannot be counted is refused."""

import functools

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest

from ns_tf import budgets
from ns_tf.base import Architecture, InputError
from ns_tf.graph.gates import Gate
from ns_tf.graph.rules import INPUT, MAKE, NORM, THROUGH
from ns_tf.networks import architectures, structure
from ns_tf.networks.from_model import from_model
from ns_tf.networks.structure import Structure, count_params, shapes_only

layers = keras.layers

# Architecture, image size, widths.
CASES = {
    "vgg11": (32, 8),
    "preact_resnet18": (16, 17),
    "preact_resnet18(first_stride=2)": (16, 17),
    "mobilenet_v2": (16, 19),
}


@functools.cache
def analyse(name: str) -> Structure:
    size, _ = CASES[name]
    return structure.analyse(architectures.get(name), (size, size, 3), 7)


def macs_by_hand(model: keras.Model) -> int:
    """Multiply-adds of one image, from the shapes of kernels and outputs."""
    makers = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
    return sum(
        int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:-1]))
        for layer in model.layers
        if isinstance(layer, makers)
    )


@pytest.mark.parametrize("name", CASES)
@hypothesis.settings(max_examples=2, phases=["generate"])
@hypothesis.given(data=st.data())
def test_costs_are_those_of_what_is_built(name, data):
    found, layers = analyse(name), CASES[name][1]
    # Few numbers, so that widths coincide and projections vanish.
    width = data.draw(st.sampled_from([st.integers(1, 3), st.integers(1, 97)]))
    widths = np.array(data.draw(st.lists(width, min_size=layers, max_size=layers)))
    model = shapes_only(found.build, widths)
    assert found.params(widths) == count_params(model)
    assert budgets.get("macs").cost(found)(widths) == macs_by_hand(model)
    entries = sum(int(np.prod(weight.shape)) for weight in model.weights)
    assert budgets.get("weight_bytes").cost(found)(widths) == 4 * entries


@pytest.mark.parametrize("name", ["preact_resnet18", "mobilenet_v2"])
def test_costs_are_those_of_what_is_built_where_all_widths_agree(name):
    found, widths = analyse(name), np.full(CASES[name][1], 6)
    model = shapes_only(found.build, widths)
    assert found.params(widths) == count_params(model)
    assert budgets.get("macs").cost(found)(widths) == macs_by_hand(model)
    entries = sum(int(np.prod(weight.shape)) for weight in model.weights)
    assert budgets.get("weight_bytes").cost(found)(widths) == 4 * entries


def test_kernels_are_counted_where_they_are_applied():
    """At any widths; of layers too in a model within."""
    inner = keras.Sequential(
        [
            keras.Input((None, None, 5)),
            keras.layers.Conv2D(13, 3, strides=2, padding="same", name="kept"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4),
        ]
    )
    image = keras.Input((12, 14, 3))
    x = keras.layers.Conv2D(7, 3, padding="same", name="free")(image)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same")(keras.ops.relu(x))
    x = keras.layers.SeparableConv2D(11, 3, strides=2, padding="same")(x)
    x = keras.layers.Conv2DTranspose(5, 3, strides=2, padding="same")(x)
    free = from_model(keras.Model(image, inner(x)), keep=["kept"])
    found = structure.analyse(free, (12, 14, 3), 4)
    for one, two, three, four in ((7, 6, 11, 5), (19, 2, 13, 3)):
        expected = 12 * 14 * 27 * one + 6 * 7 * 9 * one * two
        expected += 3 * 4 * (9 * two + two * three)  # Depthwise, then pointwise.
        # Every pixel that comes in meets the kernel.
        expected += 3 * 4 * 9 * three * four
        expected += 3 * 4 * 9 * four * 13 + 13 * 4
        widths = np.array([one, two, three, four])
        assert budgets.get("macs").cost(found)(widths) == expected


def test_vgg11_has_the_known_multiply_adds():
    found = structure.analyse(architectures.get("vgg11"), (32, 32, 3), 10)
    widths = np.array(found.architecture.widths)
    assert budgets.get("macs").cost(found)(widths) == 152_769_536
    assert found.params(widths) == 9_231_114


def test_multiply_adds_grow_with_the_image_and_parameters_do_not():
    small, large = (
        structure.analyse(architectures.get("vgg11"), (size, size, 3), 7)
        for size in (32, 64)
    )
    widths = np.array([3, 5, 7, 11, 13, 17, 19, 23])
    assert small.params(widths) == large.params(widths)
    one, other = (budgets.get("macs").cost(s)(widths) for s in (small, large))
    head = 23 * 7
    assert other - head == 4 * (one - head)


@pytest.mark.parametrize("name", CASES)
def test_every_width_is_named_after_a_layer_with_as_many_filters(name):
    found = analyse(name)
    widths = range(23, 23 + CASES[name][1])
    model = shapes_only(found.build, widths)
    default = shapes_only(found.build)
    assert len(set(found.names)) == len(found.names)
    for layer, width in zip(found.names, widths, strict=True):
        assert model.get_layer(layer).filters == width
        assert default.get_layer(layer) is not None


@pytest.mark.parametrize(
    "name",
    [
        "preact_resnet18",
        "mobilenet_v2",
    ],
)
def test_widths_are_named_after_layers_that_never_vanish(name):
    found = analyse(name)
    model = shapes_only(found.build, [6] * CASES[name][1])
    assert {model.get_layer(layer).filters for layer in found.names} == {6}


def test_names_are_the_layers_in_forward_order():
    assert analyse("vgg11").names == tuple(f"conv{i}" for i in range(1, 9))
    blocks = [f"stage{s}_block{b}" for s in range(1, 5) for b in (1, 2)]
    assert analyse("preact_resnet18").names == (
        "stem",
        *(f"{block}_conv{i}" for block in blocks for i in (1, 2)),
    )
    names = analyse("mobilenet_v2").names
    assert (names[0], names[-1]) == ("stem", "last")
    # Of the layers that make a sum, the one with the most weights.
    assert all(name.endswith("_project") for name in names[2:-1])


def test_expansions_of_mobilenet_v2_follow_their_input_six_times():
    found = analyse("mobilenet_v2")
    followers = {
        found.reference.groups[group].name: (width, factor)
        for group, (width, factor) in found.sizes.items()
        if group not in found.primary
    }
    assert len(followers) == 17
    assert followers.pop("stage1_block1_expand") == (0, 1)
    assert [followers[name] for name in followers] == [(i, 6) for i in range(1, 17)]
    assert all(name.endswith("_expand") for name in followers)


@pytest.mark.parametrize("name", ["vgg11", "preact_resnet18"])
def test_nothing_follows_where_every_layer_has_its_width(name):
    found = analyse(name)
    assert set(found.sizes) == set(found.primary)
    assert [found.sizes[group] for group in found.primary] == [
        (width, 1) for width in range(CASES[name][1])
    ]


def test_projections_of_preact_resnet18_exist_where_widths_differ():
    differ = {
        weight.layer: weight.differ
        for weight in analyse("preact_resnet18").weights
        if weight.differ != (-1, -1)
    }
    # The blocks without a stride: the first, and the second of every stage.
    assert differ == {
        "stage1_block1_shortcut": (0, 2),
        "stage1_block2_shortcut": (2, 4),
        "stage2_block2_shortcut": (6, 8),
        "stage3_block2_shortcut": (10, 12),
        "stage4_block2_shortcut": (14, 16),
    }


def test_shapes_alone_never_become_values():
    """Not even later: Keras initialises what it has put off when it next can."""
    made = []

    def initializer(shape, dtype=None):
        made.append(shape)
        return keras.ops.zeros(shape, dtype)

    def build():
        image = keras.Input((7,), name="image")
        x = layers.Dense(5, kernel_initializer=initializer, name="a")(image)
        return keras.Model(image, x)

    shapes_only(build)
    Gate()(keras.Input((7,)))
    assert made == []


# Builders of other shapes.


def plain(sizes, *, kinds=("a", "b", "c")):
    """A builder of 1x1 convolutions of sizes(widths)."""

    def build(widths, *, input_shape, classes):
        x = image = keras.Input(input_shape, name="image")
        for name, filters in zip(kinds, sizes(widths), strict=False):
            x = layers.Conv2D(filters, 1, activation="relu", name=name)(x)
        x = layers.GlobalAveragePooling2D(name="average")(x)
        return keras.Model(image, layers.Dense(classes, name="logits")(x))

    return build


def analyse_plain(sizes, widths=(6, 10)):
    made = Architecture("plain", widths, plain(sizes))
    return structure.analyse(made, (5, 7, 3), 2)


def test_a_width_may_set_several_layers():
    found = analyse_plain(lambda w: (w[0], w[1], w[0]))
    assert found.names == ("a", "b")
    assert sorted(found.sizes.values()) == [(0, 1), (0, 1), (1, 1)]
    widths = np.array([13, 29])
    model = shapes_only(found.build, widths)
    assert found.params(widths) == count_params(model)


def test_a_layer_may_have_a_multiple_of_a_width_or_a_size_of_its_own():
    found = analyse_plain(lambda w: (w[0], 3 * w[1], w[1]))
    assert sorted(found.sizes.values()) == [(0, 1), (1, 1), (1, 3)]
    assert found.names == ("a", "c")
    found = analyse_plain(lambda w: (w[0], 5, w[1]))
    assert sorted(found.sizes.values()) == [(0, 1), (1, 1)]
    for widths in ([13, 29], [29, 29]):
        model = shapes_only(found.build, widths)
        assert found.params(np.array(widths)) == count_params(model)


def test_a_width_that_sets_nothing_is_refused():
    with pytest.raises(InputError, match="Width 2 of plain makes no layer's filters"):
        analyse_plain(lambda w: (w[0], 5, w[0]))


def test_a_width_of_a_layer_that_cannot_lose_any_is_refused_with_the_reason():
    def build(widths, *, input_shape, classes):
        x = image = keras.Input(input_shape, name="image")
        x = layers.Conv2D(widths[0], 1, name="a")(x)
        x = layers.Softmax(name="norm")(x)
        x = layers.GlobalAveragePooling2D(name="average")(x)
        return keras.Model(image, layers.Dense(classes, name="logits")(x))

    with pytest.raises(InputError, match="Softmax 'norm' cannot be followed"):
        structure.analyse(Architecture("odd", (5,), build), (5, 7, 3), 2)


@pytest.mark.parametrize(
    "sizes",
    [
        lambda w: (w[0], w[1], w[0] // 2),
        lambda w: (w[0], w[1], w[0] + w[1]),
        lambda w: (w[0], w[1], w[0] + 1),
        lambda w: (w[0], w[1], max(16, w[0])),
    ],
)
def test_parameters_that_are_no_polynomial_of_the_widths_are_refused(sizes):
    with pytest.raises(InputError, match="of its cost polynomial. A width must set"):
        analyse_plain(sizes)


def test_structures_are_kept():
    one = analyse_plain(lambda w: w)
    again = structure.analyse(one.architecture, (5, 7, 3), 2)
    assert again is one
    other = structure.analyse(one.architecture, (5, 7, 3), 3)
    assert other.params([6, 10]) == one.params([6, 10]) + 11


def test_the_structure_builds_and_traces_the_network_of_any_widths():
    found = analyse("vgg11")
    widths = (3, 5, 7, 11, 13, 17, 19, 23)
    model = shapes_only(found.build, widths)
    assert model.output_shape == (None, 7)
    sizes = [g.size for g in found.graph(model).groups if g.frozen is None]
    assert tuple(sizes) == widths
    assert found.build().count_params() > 0
    assert {call.kind for call in found.reference.calls} == {
        INPUT,
        MAKE,
        NORM,
        THROUGH,
    }
