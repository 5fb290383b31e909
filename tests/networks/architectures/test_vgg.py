"""VGG networks: the papers' parameter counts, and images that are too small."""

import keras
import pytest
from papers import RATIOS, conv_params, scaled, shapes

from ns_tf.base import InputError
from ns_tf.networks.structure import count_params

# Trainable parameters at each of RATIOS, by number of classes.
COUNTS = {
    10: (579_786, 2_311_562, 5_195_338, 9_231_114, 36_894_218),
    100: (591_396, 2_334_692, 5_229_988, 9_277_284, 36_986_468),
}
CASES = [
    pytest.param(
        *(classes, ratio, count),
        id=f"{classes}-{ratio}",
        marks=[] if ratio in (0.5, 1) else pytest.mark.slow,
    )
    for classes, counts in COUNTS.items()
    for ratio, count in zip(RATIOS, counts, strict=True)
]


@pytest.mark.parametrize("classes, ratio, count", CASES)
def test_the_network_has_the_papers_parameters(classes, ratio, count):
    model = shapes("vgg11", scaled("vgg11", ratio), classes=classes)
    assert count_params(model) == count


def table_params(widths, classes: int, *, bias=True, hidden=()) -> int:
    """A sum over the paper's table; nothing is built."""
    total = 0
    for before, width in zip([3, *widths], widths, strict=False):
        total += conv_params(before, width, 3, bias=bias) + 2 * width
    for before, width in zip([widths[-1], *hidden], hidden, strict=False):
        total += before * width + 3 * width
    last = [*widths, *hidden][-1]
    return total + last * classes + classes


def test_parameters_at_any_widths_are_those_of_the_table(rng):
    for widths in (rng.choice([3, 5], 8), rng.integers(1, 47, 8)):
        model = shapes("vgg11", widths, classes=7)
        assert count_params(model) == table_params(list(widths), 7)
    *widths, dense = rng.integers(1, 31, 14)
    like = count_params(shapes("vgg16", [*widths, dense], classes=7))
    assert like == table_params(widths, 7, hidden=[dense])
    widths = list(rng.integers(1, 31, 16))
    deep = count_params(shapes("vgg19", widths, classes=7))
    assert deep == table_params(widths, 7, bias=False)


@pytest.mark.parametrize("name, millions", [("vgg16", "15.0"), ("vgg19", "20.04")])
def test_deeper_ones_have_the_parameters_that_papers_on_pruning_print(name, millions):
    digits = len(millions.partition(".")[2])
    assert f"{count_params(shapes(name)) / 1e6:.{digits}f}" == millions


def test_vgg19_averages_a_map_that_four_pools_leave():
    model = shapes("vgg19", [3] * 16)
    assert model.get_layer("average").input.shape[1:] == (2, 2, 3)
    assert not model.get_layer("conv1").use_bias


@pytest.mark.parametrize(
    "size, maps", [(32, [16, 8, 4, 2, 1]), (64, [32, 16, 8, 4, 2])]
)
def test_five_poolings_halve_the_map_and_the_average_takes_the_rest(size, maps):
    model = shapes("vgg11", [3] * 8, size=size)
    pools = [x for x in model.layers if isinstance(x, keras.layers.MaxPooling2D)]
    assert [layer.output.shape[1] for layer in pools] == maps
    assert [layer.name for layer in pools] == [f"pool{i}" for i in (1, 2, 4, 6, 8)]
    assert model.get_layer("average").input.shape[1:] == (maps[-1], maps[-1], 3)


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
