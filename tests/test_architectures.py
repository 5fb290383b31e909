"""The three networks: the paper's parameter counts, names, images and bad widths."""

import keras
import numpy as np
import pytest

from ns_tf.base import InputError
from ns_tf.networks import architectures
from ns_tf.networks.structure import count_params, shapes_only

RATIOS = (0.25, 0.5, 0.75, 1, 2)
# The paper's trainable parameters at each of RATIOS, by network, size, classes.
COUNTS = {
    ("vgg11", 32, 10): (579_786, 2_311_562, 5_195_338, 9_231_114, 36_894_218),
    ("vgg11", 32, 100): (591_396, 2_334_692, 5_229_988, 9_277_284, 36_986_468),
    ("preact_resnet18", 32, 10): (
        701_018,
        2_796_714,
        6_287_098,
        11_172_170,
        44_659_338,
    ),
    ("preact_resnet18", 32, 100): (
        *(712_628, 2_819_844, 6_321_748, 11_218_340, 44_751_588),
    ),
    ("preact_resnet18(first_stride=2)", 64, 200): (
        *(725_784, 2_846_568, 6_362_552, 11_273_736, 44_870_472),
    ),
    ("mobilenet_v2", 32, 10): (170_464, 616_182, 1_337_164, 2_333_410, 9_071_034),
    ("mobilenet_v2", 32, 100): (199_354, 673_872, 1_423_654, 2_448_700, 9_301_524),
    ("mobilenet_v2(late_stride=2)", 64, 200): (
        *(231_454, 737_972, 1_519_754, 2_576_800, 9_557_624),
    ),
}
CASES = [
    pytest.param(name, size, classes, ratio, count, id=f"{name}-{classes}-{ratio}")
    for (name, size, classes), counts in COUNTS.items()
    for ratio, count in zip(RATIOS, counts, strict=True)
]
NAMES = ("vgg11", "preact_resnet18", "mobilenet_v2")
LAYERS = {"vgg11": 8, "preact_resnet18": 17, "mobilenet_v2": 19}


def shapes(text: str, widths=None, *, size=32, classes=10) -> keras.Model:
    """The network of that name, without values."""
    build = architectures.get(text).build
    return shapes_only(build, widths, input_shape=(size, size, 3), classes=classes)


def scaled(text: str, ratio: float) -> list[int]:
    return [int(width * ratio) for width in architectures.get(text).widths]


# Independent counts: a sum over the paper's table, nothing is built.


def conv(inputs, outputs, size, *, bias):
    return size * size * inputs * outputs + bias * outputs


def count_vgg11(widths, classes):
    total = 0
    for before, width in zip([3, *widths], widths, strict=False):
        total += conv(before, width, 3, bias=True) + 2 * width
    return total + widths[-1] * classes + classes


def count_preact_resnet18(widths, classes, first_stride):
    x = widths[0]
    total = conv(3, x, 3, bias=False)
    for block in range(8):
        inner, outer = widths[1 + 2 * block : 3 + 2 * block]
        strided = block % 2 == 0 and (block > 0 or first_stride == 2)
        total += 2 * x + conv(x, inner, 3, bias=False)
        total += 2 * inner + conv(inner, outer, 3, bias=False)
        total += conv(x, outer, 1, bias=False) * (strided or x != outer)
        x = outer
    return total + 2 * x + x * classes + classes


def count_mobilenet_v2(widths, classes, late_stride):
    def conv_bn(inputs, outputs, size):
        return conv(inputs, outputs, size, bias=True) + 2 * outputs

    strides = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, late_stride, 1, 1, 2, 1, 1, 1]
    total, x = conv_bn(3, widths[0], 3), widths[0]
    for block, (width, stride) in enumerate(zip(widths[1:-1], strides, strict=True)):
        wide = x * (6 if block else 1)
        total += conv_bn(x, wide, 1) + conv_bn(1, wide, 3) + conv_bn(wide, width, 1)
        total += conv_bn(x, width, 1) * (stride != 1 or x != width)
        x = width
    return total + conv_bn(x, widths[-1], 1) + conv(widths[-1], classes, 1, bias=True)


FORMULAS = {
    "vgg11": count_vgg11,
    "preact_resnet18": lambda w, c: count_preact_resnet18(w, c, 1),
    "preact_resnet18(first_stride=2)": lambda w, c: count_preact_resnet18(w, c, 2),
    "mobilenet_v2": lambda w, c: count_mobilenet_v2(w, c, 1),
    "mobilenet_v2(late_stride=2)": lambda w, c: count_mobilenet_v2(w, c, 2),
}


@pytest.mark.parametrize("name, size, classes, ratio, count", CASES)
def test_the_network_has_the_papers_parameters(name, size, classes, ratio, count):
    model = shapes(name, scaled(name, ratio), size=size, classes=classes)
    assert count_params(model) == count


@pytest.mark.parametrize("name", FORMULAS)
def test_parameters_at_any_widths_are_those_of_the_table(name, rng):
    layers = len(architectures.get(name).widths)
    few = rng.choice([3, 5], layers)  # Many coincide: projections come and go.
    for widths in (few, rng.integers(1, 47, layers)):
        model = shapes(name, widths, classes=7)
        assert count_params(model) == FORMULAS[name](list(widths), 7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [32, 64])
def test_images_of_32_and_64_become_one_logit_a_class(name, size):
    model = shapes(name, [5] * LAYERS[name], size=size, classes=11)
    assert model.input_shape == (None, size, size, 3)
    assert model.output_shape == (None, 11)
    assert getattr(model.layers[-1], "activation", None) in (
        None,
        keras.activations.linear,
    )


@pytest.mark.parametrize("name", NAMES)
def test_images_may_be_grey_and_oblong(name):
    model = shapes_only(
        architectures.get(name).build,
        [3] * LAYERS[name],
        input_shape=(33, 47, 1),
        classes=2,
    )
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize(
    "plain, strided, maps",
    [
        ("preact_resnet18", "preact_resnet18(first_stride=2)", (8, 4)),
        ("mobilenet_v2", "mobilenet_v2(late_stride=2)", (4, 2)),
    ],
)
def test_the_stride_option_halves_the_last_map(plain, strided, maps):
    for name, side in zip((plain, strided), maps, strict=True):
        model = shapes(name, [3] * LAYERS[plain], size=64)
        assert model.get_layer("average").input.shape[1:3] == (side, side)


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_named_and_keep_their_names_at_all_widths(name, rng):
    layers = LAYERS[name]
    models = [
        shapes(name, widths) for widths in (None, [3] * layers, range(3, 3 + layers))
    ]
    names = [{layer.name for layer in model.layers} for model in models]
    # Where widths differ there may be more projections, nothing else; names that Keras
    # gives would be others in every model.
    assert names[1] <= names[0] <= names[2]
    assert all("shortcut" in layer for layer in names[2] - names[1])


@pytest.mark.parametrize("name", NAMES)
def test_default_widths_are_as_many_as_the_paper_counts(name):
    assert len(architectures.get(name).widths) == LAYERS[name]
    assert count_params(shapes(name)) == COUNTS[name, 32, 10][3]


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_in_full_precision_under_a_mixed_policy(name):
    keras.config.set_dtype_policy("mixed_float16")
    model = shapes(name, [3] * LAYERS[name])
    assert model.layers[-1].compute_dtype == "float32"
    assert model.outputs[0].dtype == "float32"


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 300
    return text


@pytest.mark.parametrize("size", [1, 16, 31])
def test_images_too_small_for_vgg11_are_told_in_one_line(size):
    with pytest.raises(InputError) as error:
        shapes("vgg11", [3] * 8, size=size)
    text = one_line(error)
    assert f"{size}x{size}" in text and "larger images" in text
    # What is wrong, not Keras's account of the call.
    assert "size would be zero or negative" in text
    assert "Exception encountered" not in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("more", [-1, 1])
def test_a_wrong_number_of_widths_is_told_with_both_numbers(name, more):
    layers = LAYERS[name]
    with pytest.raises(InputError, match=f"{name} has {layers} widths; got") as error:
        shapes(name, [5] * (layers + more))
    assert f"got {layers + more}: 5,5" in one_line(error)


@pytest.mark.parametrize("bad", [0, -7, 5.0, True, "5", None, np.nan, np.bool_(True)])
def test_a_width_that_is_no_positive_whole_number_is_told_with_its_place(bad):
    with pytest.raises(InputError, match="width 3 of vgg11 is") as error:
        shapes("vgg11", [5, 5, bad, 5, 5, 5, 5, 5])
    assert repr(bad) in one_line(error)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint8])
def test_widths_may_be_an_array(dtype):
    widths = np.array([3, 5, 7, 11, 13, 17, 19, 23], dtype)
    model = shapes("vgg11", widths)
    assert [model.get_layer(f"conv{i}").filters for i in range(1, 9)] == list(widths)


@pytest.mark.parametrize(
    "text, near",
    [("vgg12", "vgg11"), ("mobilenetv2", "mobilenet_v2"), ("resnet18", "preact_res")],
)
def test_an_unknown_name_suggests_the_nearest(text, near):
    with pytest.raises(InputError, match=f"Did you mean '{near}") as error:
        architectures.get(text)
    assert all(name in one_line(error) for name in NAMES)


def test_an_unknown_option_suggests_the_nearest_or_says_that_there_is_none():
    with pytest.raises(InputError, match="Did you mean 'late_stride'"):
        architectures.get("mobilenet_v2(late_strid=2)")
    with pytest.raises(InputError, match="option of vgg11 'stride'.*none"):
        architectures.get("vgg11(stride=2)")
    for reserved in ("widths", "classes", "input_shape"):
        with pytest.raises(InputError, match="Unknown option"):
            architectures.get(f"mobilenet_v2({reserved}=3)")


@pytest.mark.parametrize("text", ["vgg11(", "a b", "", "vgg11(2)", "f(x=open('y'))"])
def test_a_text_that_is_no_name_and_no_call_is_refused(text):
    with pytest.raises(InputError, match=r"Expected a name or name\(argument=value\)"):
        architectures.get(text)


@pytest.mark.parametrize(
    "name, option",
    [("preact_resnet18", "first_stride"), ("mobilenet_v2", "late_stride")],
)
@pytest.mark.parametrize(
    "stride",
    [
        "0",
        "3",
        "-1",
        "'2'",
        "None",
        "[2]",
        "True",
        "2.0",
    ],
)
def test_a_stride_other_than_1_and_2_is_refused(name, option, stride):
    architecture = architectures.get(f"{name}({option}={stride})")
    with pytest.raises(InputError, match=f"{option} is a stride, 1 or 2; got"):
        architecture.build([3] * LAYERS[name], input_shape=(32, 32, 3), classes=2)


def test_an_option_is_part_of_the_name():
    text = "mobilenet_v2(late_stride=2)"
    found = architectures.get(text)
    assert found.name == text
    assert found.widths == architectures.get("mobilenet_v2").widths


def test_a_name_can_be_registered_once_only():
    with pytest.raises(ValueError, match="'vgg11' is registered twice"):
        architectures.architecture("vgg11", widths=(3, 5))(lambda widths: None)
    assert len(architectures.get("vgg11").widths) == 8
