"""What holds for every network: names, images, precision, and bad widths."""

import keras
import numpy as np
import pytest
from papers import registered, shapes

from ns_tf.base import InputError
from ns_tf.networks import architectures
from ns_tf.networks.structure import count_params, shapes_only

# Trainable parameters at the default widths, of 32 x 32 x 3 images and 10 classes.
COUNTS = {
    "vgg11": 9_231_114,
    "preact_resnet18": 11_172_170,
    "mobilenet_v2": 2_333_410,
    "vgg16": 14_991_946,
    "vgg19": 20_035_018,
    "resnet56": 855_770,
    "resnet110": 1_730_714,
    "lenet5": 657_080,  # Of images of 32 x 32 x 3.
    "lenet300_100": 953_010,
}
LAYERS = {
    "vgg11": 8,
    "preact_resnet18": 17,
    "mobilenet_v2": 19,
    "vgg16": 14,
    "vgg19": 16,
    "resnet56": 55,
    "resnet110": 109,
    "lenet5": 3,
    "lenet300_100": 2,
}


@pytest.mark.parametrize("name", registered())
@pytest.mark.parametrize("size", [32, pytest.param(64, marks=pytest.mark.slow)])
def test_images_of_32_and_64_become_one_logit_a_class(name, size):
    model = shapes(name, [5] * LAYERS[name], size=size, classes=11)
    assert model.input_shape == (None, size, size, 3)
    assert model.output_shape == (None, 11)
    assert getattr(model.layers[-1], "activation", None) in (
        None,
        keras.activations.linear,
    )


@pytest.mark.parametrize("name", registered())
def test_images_may_be_grey_and_oblong(name):
    model = shapes_only(
        architectures.get(name).build,
        [3] * LAYERS[name],
        input_shape=(33, 47, 1),
        classes=2,
    )
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize("name", registered())
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


@pytest.mark.parametrize("name", registered())
def test_default_widths_are_as_many_as_the_paper_counts(name):
    assert len(architectures.get(name).widths) == LAYERS[name]
    assert count_params(shapes(name)) == COUNTS[name]


@pytest.mark.parametrize("name", registered())
def test_logits_are_in_full_precision_under_a_mixed_policy(name):
    keras.config.set_dtype_policy("mixed_float16")
    model = shapes(name, [3] * LAYERS[name])
    assert model.layers[-1].compute_dtype == "float32"
    assert model.outputs[0].dtype == "float32"


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 300
    return text


@pytest.mark.parametrize("name", registered())
@pytest.mark.parametrize("more", [-1, 1])
def test_a_wrong_number_of_widths_is_told_with_both_numbers(name, more):
    layers = LAYERS[name]
    with pytest.raises(InputError, match=f"{name} has {layers} widths; got") as error:
        shapes(name, [5] * (layers + more))
    assert f"got {layers + more}: 5" in one_line(error)


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
    [
        ("vgg111", "vgg11"),
        ("mobilenetv2", "mobilenet_v2"),
        ("preactresnet", "preact_r"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(text, near):
    with pytest.raises(InputError, match=f"Did you mean '{near}") as error:
        architectures.get(text)
    assert all(name in one_line(error) for name in LAYERS)


def test_an_unknown_option_suggests_the_nearest_or_lists_what_there_is():
    with pytest.raises(InputError, match="Did you mean 'late_stride'"):
        architectures.get("mobilenet_v2(late_strid=2)")
    with pytest.raises(InputError, match="option of vgg11 'stride'. Known: ratio"):
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


@pytest.mark.parametrize("name", registered())
def test_ratio_is_a_part_of_the_default_widths_of_every_network(name):
    found = architectures.get(f"{name}(ratio=0.29)")
    whole = architectures.get(name).widths
    assert found.widths == tuple(max(1, width * 29 // 100) for width in whole)
    assert found.name == f"{name}(ratio=0.29)"
    assert architectures.get(f"{name}(ratio=1)").widths == whole


def test_ratio_goes_with_options_of_the_builder():
    found = architectures.get("mobilenet_v2(ratio=0.5, late_stride=2)")
    model = shapes_only(found.build, input_shape=(32, 32, 3), classes=11)
    alone = architectures.get("mobilenet_v2(late_stride=2)")
    same = shapes_only(alone.build, found.widths, input_shape=(32, 32, 3), classes=11)
    assert count_params(model) == count_params(same)


@pytest.mark.parametrize("ratio", ["0", "-1", "101", "'1'", "None", "True", "1e999"])
def test_a_ratio_that_makes_no_sense_is_refused(ratio):
    with pytest.raises(InputError, match="ratio is a number above 0 and at most 100"):
        architectures.get(f"vgg11(ratio={ratio})")


def test_a_name_can_be_registered_once_only():
    with pytest.raises(ValueError, match="'vgg11' is registered twice"):
        architectures.architecture("vgg11", widths=(3, 5))(lambda widths: None)
    assert len(architectures.get("vgg11").widths) == 8
