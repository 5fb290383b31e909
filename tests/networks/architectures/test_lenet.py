"""LeNet-5 and LeNet-300-100: the papers' parameters, at any widths too."""

import pytest

from ns_tf.networks import architectures
from ns_tf.networks.structure import count_params, shapes_only

DIGITS = (28, 28, 1)


def params_of(name, widths=None, shape=DIGITS, classes=10) -> int:
    build = architectures.get(name).build
    return count_params(shapes_only(build, widths, input_shape=shape, classes=classes))


@pytest.mark.parametrize(
    "name, count", [("lenet5", 431_080), ("lenet300_100", 266_610)]
)
def test_the_network_has_the_papers_parameters(name, count):
    assert params_of(name) == count


def test_parameters_of_lenet5_follow_its_widths_and_the_size_of_an_image():
    a, b, c = 3, 5, 7
    convolutions = 25 * 2 * a + a + 25 * a * b + b
    for height, rows in ((28, 4), (21, 2)):  # ((28 - 4) / 2 - 4) / 2; rounded down.
        flat = rows * 4 * b
        expected = convolutions + flat * c + c + c * 11 + 11
        assert params_of("lenet5", (a, b, c), (height, 28, 2), 11) == expected


def test_parameters_of_lenet300_100_follow_its_widths():
    assert params_of("lenet300_100", (3, 5), (7, 9, 2), 11) == (
        7 * 9 * 2 * 3 + 3 + 3 * 5 + 5 + 5 * 11 + 11
    )
