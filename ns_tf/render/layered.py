"""A graph as an SVG: boxes in rows, each below all that leads to it.

The picture is text: a browser zooms into it and searches it, and a box says more when
the pointer rests on it.
"""

import dataclasses
import html
from collections.abc import Iterator, Mapping, Sequence

_BOX = (176, 34)  # Width and height of a box.
_GAP = (26, 26)  # Between boxes of a row, and between rows.
_MARGIN = 24
_LINE = 18  # Height of a row of the legend.
_LEGEND = 260  # Width of a column of the legend.
_BULGE = 30  # How far an edge that skips a row swings out, for each row up to 6.
_CHARACTERS = 24  # Of a line of text that a box holds.


@dataclasses.dataclass(frozen=True)
class Box:
    """A node of the graph."""

    lines: tuple[str, str]  # What is written in it.
    about: str  # What is shown when the pointer rests on it.
    # (colour, share) of its parts from left to right; the shares add up to 1.
    parts: tuple[tuple[str, float], ...]


def svg(
    boxes: Mapping[str, Box],
    edges: Sequence[tuple[str, str]],
    legend: Sequence[tuple[str, str]],
    title: str,
) -> str:
    """The picture of a graph without loops.

    Args:
        boxes: By name, in an order in which every box comes after those that lead to
            it.
        edges: (from, to) each.
        legend: (colour, text) each.
        title: What the picture shows.

    Returns:
        The text of an SVG.
    """
    places = placed(list(boxes), edges)
    right = max((x for x, _ in places.values()), default=0) + 1
    down = max((y for _, y in places.values()), default=0) + 1
    rows = max(1, min(len(legend), 2 * down))
    columns = -(-len(legend) // rows)
    left = _MARGIN + columns * _LEGEND
    swing = 8 * _BULGE
    width = left + right * (_BOX[0] + _GAP[0]) + swing + _MARGIN
    height = 2 * _MARGIN + _LINE + max(down * (_BOX[1] + _GAP[1]), rows * _LINE)
    corners = {
        name: (left + x * (_BOX[0] + _GAP[0]), 2 * _MARGIN + y * (_BOX[1] + _GAP[1]))
        for name, (x, y) in places.items()
    }
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" '
        f'font-size="11" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}">',
        f"<title>{html.escape(title)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_MARGIN}" y="{_MARGIN}" font-size="14">{html.escape(title)}</text>',
        *_key(legend, rows),
        *(_edge(corners[a], corners[b]) for a, b in edges),
        *(part for name, box in boxes.items() for part in _drawn(box, corners[name])),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def placed(
    names: Sequence[str], edges: Sequence[tuple[str, str]]
) -> dict[str, tuple[int, int]]:
    """Column and row of every box: below all that leads to it, under their mean.

    >>> placed(["a", "b", "c", "d"], [("a", "b"), ("a", "c"), ("b", "d"), ("a", "d")])
    {'a': (0, 0), 'b': (0, 1), 'c': (1, 1), 'd': (0, 2)}

    Args:
        names: In an order in which every box comes after those that lead to it.
        edges: (from, to) each.
    """
    before: dict[str, list[str]] = {name: [] for name in names}
    for one, other in edges:
        before[other].append(one)
    row: dict[str, int] = {}
    for name in names:
        row[name] = 1 + max((row[other] for other in before[name]), default=-1)
    rows: dict[int, list[str]] = {}
    for name in names:
        rows.setdefault(row[name], []).append(name)
    column: dict[str, int] = {}
    for number in sorted(rows):
        wanted = {
            name: sum(column[other] for other in before[name])
            / max(1, len(before[name]))
            for name in rows[number]
        }
        free = 0
        for name in sorted(rows[number], key=wanted.get):
            column[name] = max(free, int(wanted[name]))
            free = column[name] + 1
    return {name: (column[name], row[name]) for name in names}


def _key(legend: Sequence[tuple[str, str]], rows: int) -> Iterator[str]:
    """The colours with their texts, in columns of so many rows."""
    for place, (colour, text) in enumerate(legend):
        x = _MARGIN + place // rows * _LEGEND
        y = 2 * _MARGIN + place % rows * _LINE
        yield (
            f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}" '
            'stroke="#444" stroke-width="0.5"/>'
        )
        yield f'<text x="{x + 18}" y="{y + 10}">{html.escape(text)}</text>'


def _edge(one: tuple[float, float], other: tuple[float, float]) -> str:
    """A line from the bottom of one box to the top of another.

    One that skips rows swings out to the right, around the boxes between.
    """
    x, y = one[0] + _BOX[0] / 2, one[1] + _BOX[1]
    to_x, to_y = other[0] + _BOX[0] / 2, other[1]
    skipped = round((to_y - y) / (_BOX[1] + _GAP[1]) - 0.5)
    path = f"M{x:g},{y:g} L{to_x:g},{to_y:g}"
    if skipped > 0:
        side = max(x, to_x) + _BOX[0] / 2 + _BULGE * (1 + min(skipped, 6))
        bend = f"C{side:g},{y + 20:g} {side:g},{to_y - 20:g}"
        path = f"M{x:g},{y:g} {bend} {to_x:g},{to_y:g}"
    return f'<path d="{path}" fill="none" stroke="#888"/>'


def _drawn(box: Box, corner: tuple[float, float]) -> Iterator[str]:
    """A box with its colours and its text."""
    (x, y), (width, height) = corner, _BOX
    yield f"<g><title>{html.escape(box.about)}</title>"
    start = 0.0
    for colour, share in box.parts:
        yield (
            f'<rect x="{x + start * width:.1f}" y="{y:g}" width="{share * width:.1f}" '
            f'height="{height}" fill="{colour}"/>'
        )
        start += share
    yield (
        f'<rect x="{x:g}" y="{y:g}" width="{width}" height="{height}" fill="none" '
        'stroke="#444" rx="2"/>'
    )
    for number, line in enumerate(box.lines):
        text = line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 1]}…"
        yield (
            f'<text x="{x + width / 2:g}" y="{y + 14 + 13 * number:g}" '
            f'text-anchor="middle">{html.escape(text)}</text>'
        )
    yield "</g>"
