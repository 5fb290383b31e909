"""CIFAR's ResNets: the paper's parameters but for projections, and shortcuts."""

import numpy as np
import pytest
from papers import conv_params, shapes
from picked import picked

from ns_tf.networks import architectures
from ns_tf.networks.structure import analyse, count_params

# With option A, whose shortcuts have no parameters; the paper rounds them.
PAPER = {"resnet56": 853_018, "resnet110": 1_727_962}


def projection(inputs: int, outputs: int) -> int:
    """Parameters of a 1x1 convolution with batch norm."""
    return conv_params(inputs, outputs, 1, bias=False) + 2 * outputs


@pytest.mark.parametrize("name", picked({"resnet56"}, PAPER))
def test_the_network_has_the_papers_parameters_and_those_of_two_projections(name):
    more = projection(16, 32) + projection(32, 64)
    assert count_params(shapes(name)) == PAPER[name] + more


def table_params(widths, classes: int) -> int:
    """A sum over the paper's table; nothing is built."""
    total = conv_params(3, widths[0], 3, bias=False) + 2 * widths[0]
    x, stage = widths[0], (len(widths) - 1) // 6
    for block, (inner, outer) in enumerate(
        zip(widths[1::2], widths[2::2], strict=True)
    ):
        total += conv_params(x, inner, 3, bias=False) + 2 * inner
        total += conv_params(inner, outer, 3, bias=False) + 2 * outer
        halves = block in (stage, 2 * stage)
        total += projection(x, outer) * (halves or x != outer)
        x = outer
    return total + x * classes + classes


def test_parameters_at_any_widths_are_those_of_the_table(rng):
    few = rng.choice([3, 5], 55)  # Many coincide: projections come and go.
    for widths in (few, rng.integers(1, 31, 55)):
        model = shapes("resnet56", widths, classes=7)
        assert count_params(model) == table_params(list(widths), 7)


@pytest.mark.slow
def test_its_parameters_are_a_polynomial_of_its_widths():
    found = analyse(architectures.get("resnet56"), (32, 32, 3), 10)
    assert len(found.primary) == 55
    assert found.params(np.array(found.architecture.widths)) == 855_770


def test_shortcuts_are_identities_but_where_the_image_halves():
    models = [
        shapes(name, [3] * 55)
        for name in ("resnet56", "resnet56(shortcuts='convolution')")
    ]
    own, cut = (
        [layer.name for layer in model.layers if layer.name.endswith("_shortcut")]
        for model in models
    )
    assert own == ["stage2_block1_shortcut", "stage3_block1_shortcut"]
    assert len(cut) == 27
    assert models[0].get_layer("average").input.shape[1:] == (8, 8, 3)
