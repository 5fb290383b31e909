"""Boxes of a graph never overlap, and stand below what leads to them."""

import xml.etree.ElementTree as ElementTree

import hypothesis.strategies as st
from hypothesis import given

from ns_tf.render.layered import Box, placed, svg


@st.composite
def graphs(draw):
    """Names, and edges that lead from earlier to later ones."""
    count = draw(st.integers(1, 30))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = {(a, b) for a, b in draw(st.lists(pairs, max_size=60)) if a < b}
    return [f"n{i}" for i in range(count)], [(f"n{a}", f"n{b}") for a, b in edges]


@given(graphs())
def test_boxes_stand_apart_and_below_what_leads_to_them(graph):
    names, edges = graph
    places = placed(names, edges)
    assert set(places) == set(names) and len(set(places.values())) == len(names)
    for one, other in edges:
        assert places[one][1] < places[other][1]


def test_a_chain_is_straight_and_the_picture_is_valid():
    names = [f"layer {i} <&>" for i in range(300)]
    edges = list(zip(names, names[1:], strict=False))
    assert {x for x, _ in placed(names, edges).values()} == {0}
    box = Box(("a very long name of a layer, really", "x"), "<&>", (("#fff", 1.0),))
    legend = [("#fff", f"w{i}") for i in range(900)]
    root = ElementTree.fromstring(svg(dict.fromkeys(names, box), edges, legend, "<t>"))
    assert float(root.get("width")) > 100 and float(root.get("height")) > 300 * 34
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert max(map(len, texts)) <= 30
