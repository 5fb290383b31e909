"""MobileNetV2: the paper's parameter counts, its expansions, strides and shortcuts."""

import pytest
from papers import RATIOS, conv_params, scaled, shapes

from ns_tf.networks.structure import count_params

STRIDED = "mobilenet_v2(late_stride=2)"
# Trainable parameters at each of RATIOS, by network, image size and classes.
COUNTS = {
    ("mobilenet_v2", 32, 10): (170_464, 616_182, 1_337_164, 2_333_410, 9_071_034),
    ("mobilenet_v2", 32, 100): (199_354, 673_872, 1_423_654, 2_448_700, 9_301_524),
    (STRIDED, 64, 200): (231_454, 737_972, 1_519_754, 2_576_800, 9_557_624),
}
# At the other ratios nothing else is built.
CASES = [
    pytest.param(
        *(name, size, classes, ratio, count),
        id=f"{name}-{classes}-{ratio}",
        marks=[] if ratio in (0.5, 1) else pytest.mark.slow,
    )
    for (name, size, classes), counts in COUNTS.items()
    for ratio, count in zip(RATIOS, counts, strict=True)
]


@pytest.mark.parametrize("name, size, classes, ratio, count", CASES)
def test_the_network_has_the_papers_parameters(name, size, classes, ratio, count):
    model = shapes(name, scaled(name, ratio), size=size, classes=classes)
    assert count_params(model) == count


def table_params(widths, classes: int, late_stride: int) -> int:
    """A sum over the paper's table; nothing is built."""

    def conv_bn(inputs, outputs, size):
        return conv_params(inputs, outputs, size, bias=True) + 2 * outputs

    strides = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, late_stride, 1, 1, 2, 1, 1, 1]
    total, x = conv_bn(3, widths[0], 3), widths[0]
    for block, (width, stride) in enumerate(zip(widths[1:-1], strides, strict=True)):
        wide = x * (6 if block else 1)
        total += conv_bn(x, wide, 1) + conv_bn(1, wide, 3) + conv_bn(wide, width, 1)
        total += conv_bn(x, width, 1) * (stride != 1 or x != width)
        x = width
    last = widths[-1]
    return total + conv_bn(x, last, 1) + conv_params(last, classes, 1, bias=True)


@pytest.mark.parametrize(
    "name, stride",
    [("mobilenet_v2", 1), pytest.param(STRIDED, 2, marks=pytest.mark.slow)],
)
def test_parameters_at_any_widths_are_those_of_the_table(name, stride, rng):
    few = rng.choice([3, 5], 19)  # Many coincide: projections come and go.
    for widths in (few, rng.integers(1, 47, 19)):
        model = shapes(name, widths, classes=7)
        assert count_params(model) == table_params(list(widths), 7, stride)


@pytest.mark.parametrize("name, side", [("mobilenet_v2", 4), (STRIDED, 2)])
def test_the_stride_option_halves_the_last_map(name, side):
    model = shapes(name, [3] * 19, size=64)
    assert model.get_layer("average").input.shape[1:3] == (side, side)


def test_every_expansion_is_six_times_what_enters_the_bottleneck_but_the_first():
    widths = list(range(3, 22))
    model = shapes("mobilenet_v2", widths)
    expansions = [x for x in model.layers if x.name.endswith("_expand")]
    factors = [1] + [6] * 16
    assert [layer.filters for layer in expansions] == [
        factor * width for factor, width in zip(factors, widths[:-2], strict=True)
    ]


def test_a_convolution_stands_in_every_shortcut_if_it_is_asked_for():
    def shortcuts(text):
        names = [layer.name for layer in shapes(text, [3] * 19).layers]
        return [name for name in names if name.endswith("_shortcut")]

    halving = (2, 3, 4, 6)  # Stages whose first bottleneck has a stride of 2.
    expected = [f"stage{stage}_block1_shortcut" for stage in halving]
    assert shortcuts("mobilenet_v2") == expected
    assert len(shortcuts("mobilenet_v2(shortcuts='convolution')")) == 17
