"""Pre-activation ResNet18: the paper's parameter counts, its strides and shortcuts."""

import pytest
from papers import RATIOS, conv_params, scaled, shapes

from ns_tf.networks.structure import count_params

STRIDED = "preact_resnet18(first_stride=2)"
# Trainable parameters at each of RATIOS, by network, image size and classes.
COUNTS = {
    ("preact_resnet18", 32, 10): (
        *(701_018, 2_796_714, 6_287_098, 11_172_170, 44_659_338),
    ),
    ("preact_resnet18", 32, 100): (
        *(712_628, 2_819_844, 6_321_748, 11_218_340, 44_751_588),
    ),
    (STRIDED, 64, 200): (725_784, 2_846_568, 6_362_552, 11_273_736, 44_870_472),
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


def table_params(widths, classes: int, first_stride: int) -> int:
    """A sum over the paper's table; nothing is built."""
    x = widths[0]
    total = conv_params(3, x, 3, bias=False)
    for block in range(8):
        inner, outer = widths[1 + 2 * block : 3 + 2 * block]
        strided = block % 2 == 0 and (block > 0 or first_stride == 2)
        total += 2 * x + conv_params(x, inner, 3, bias=False)
        total += 2 * inner + conv_params(inner, outer, 3, bias=False)
        total += conv_params(x, outer, 1, bias=False) * (strided or x != outer)
        x = outer
    return total + 2 * x + x * classes + classes


@pytest.mark.parametrize("name, stride", [("preact_resnet18", 1), (STRIDED, 2)])
def test_parameters_at_any_widths_are_those_of_the_table(name, stride, rng):
    few = rng.choice([3, 5], 17)  # Many coincide: projections come and go.
    for widths in (few, rng.integers(1, 47, 17)):
        model = shapes(name, widths, classes=7)
        assert count_params(model) == table_params(list(widths), 7, stride)


@pytest.mark.parametrize("name, side", [("preact_resnet18", 8), (STRIDED, 4)])
def test_the_stride_option_halves_the_last_map(name, side):
    model = shapes(name, [3] * 17, size=64)
    assert model.get_layer("average").input.shape[1:3] == (side, side)


def shortcuts(model) -> set[str]:
    return {layer.name for layer in model.layers if layer.name.endswith("_shortcut")}


def test_convolutions_stand_where_an_identity_would_do_if_they_are_asked_for():
    always = {f"stage{stage}_block1_shortcut" for stage in (2, 3, 4)}  # Strided.
    every = {f"stage{s}_block{b}_shortcut" for s in (1, 2, 3, 4) for b in (1, 2)}
    assert shortcuts(shapes("preact_resnet18", [3] * 17)) == always
    cut = "preact_resnet18(shortcuts='convolution')"
    assert shortcuts(shapes(cut, [3] * 17)) == every
    assert shortcuts(shapes("preact_resnet18", range(3, 20))) == every
