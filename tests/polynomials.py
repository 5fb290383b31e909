"""Polynomials: of real networks, from the papers' tables, and any others."""

import hypothesis.strategies as st

from ns_tf.networks.costs import ALWAYS, CostPolynomial

VGG11 = (64, 128, 256, 256, 512, 512, 512, 512)
MOBILENET_V2 = (32, 16, 24, 24, *[32] * 3, *[64] * 4, *[96] * 3, *[160] * 3, 320, 1280)


def vgg11(classes: int) -> CostPolynomial:
    """Trainable parameters: 3x3 convolutions with bias, batch norms, a dense layer."""
    one = 8
    terms = [
        (27, one, 0, ALWAYS),
        (classes, 7, one, ALWAYS),
        (classes, one, one, ALWAYS),
    ]
    terms += [(9, i - 1, i, ALWAYS) for i in range(1, 8)]
    terms += [(3, i, one, ALWAYS) for i in range(8)]
    return CostPolynomial.collect("parameters", terms)


def mobilenet_v2(classes: int) -> CostPolynomial:
    """Trainable parameters; the projection of a shortcut vanishes for equal widths."""
    one = 19
    stages = [
        (1, 1, 1),
        (6, 2, 2),
        (6, 3, 2),
        (6, 4, 2),
        (6, 3, 1),
        (6, 3, 2),
        (6, 1, 1),
    ]
    strides = [
        (t, stride if first == 0 else 1)
        for t, count, stride in stages
        for first in range(count)
    ]
    terms = [(27, one, 0, ALWAYS), (3, 0, one, ALWAYS)]
    for a, (t, stride) in enumerate(strides):
        b, shortcut = a + 1, (a, a + 1) if stride == 1 else ALWAYS
        terms += [(t, a, a, ALWAYS), (3 * t, a, one, ALWAYS)]  # Expansion.
        terms += [(9 * t + 3 * t, a, one, ALWAYS)]  # Depthwise.
        terms += [(t, a, b, ALWAYS), (3, b, one, ALWAYS)]  # Projection.
        terms += [(1, a, b, shortcut), (3, b, one, shortcut)]
    terms += [(1, 17, 18, ALWAYS), (3, 18, one, ALWAYS)]
    terms += [(classes, 18, one, ALWAYS), (classes, one, one, ALWAYS)]
    return CostPolynomial.collect("parameters", terms)


@st.composite
def terms_and_layers(draw):
    """A list of terms, negative ones and equal ones among them, with its layers."""
    layers = draw(st.integers(2, 7))
    factor = st.integers(0, layers)
    pair = st.lists(st.integers(0, layers - 1), min_size=2, max_size=2, unique=True)
    differ = st.one_of(st.just(ALWAYS), pair.map(tuple))
    coefficient, third = st.integers(-(10**6), 10**6), st.integers(0, layers - 1)
    two = st.tuples(coefficient, factor, factor, differ)
    three = st.tuples(coefficient, factor, factor, third, differ)
    return draw(st.lists(st.one_of(two, three), max_size=23)), layers
