"""Tables as text: for a terminal, and in Markdown.

Cells are text already: who prints a number decides its digits. `align` has a character
a column, "<" for the left and ">" for the right; columns beyond it are on the right,
as numbers are.
"""

import itertools
from collections.abc import Sequence

GAP = "  "  # Between the columns of a plain table.


def plain(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    align: str = "<",
    least: Sequence[int] = (),
    gaps: Sequence[str] = (),
) -> str:
    """Columns in line, without rules.

    >>> print(plain(["layer", "width"], [["conv1", "64"], ["logits", "10"]]))
    layer   width
    conv1      64
    logits     10
    >>> print(plain(["a", "b"], [["1", "x"]], align=">", least=[4], gaps=[" | "]))
       a |  b
       1 |  x

    Args:
        header: Titles `[columns]`.
        rows: Texts `[rows][columns]`.
        align: Sides of the first columns; the others are on the right.
        least: Characters that the first columns have at least; of the others, 2.
        gaps: What stands behind the first columns; `GAP` behind the others.

    Returns:
        A line for the header and for each row, with no blanks at its end.
    """
    gaps = itertools.chain(gaps, itertools.repeat(GAP))
    between = list(itertools.islice(gaps, len(header) - 1))
    lines = []
    for first, *rest in _padded([header, *rows], align, least):
        pairs = zip(between, rest, strict=True)
        lines.append((first + "".join(gap + text for gap, text in pairs)).rstrip())
    return "\n".join(lines)


def markdown(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    align: str = "<",
    padded: bool = True,
) -> str:
    """A table in Markdown.

    >>> print(markdown(["layer", "width"], [["conv1", "64"]]))
    | layer | width |
    | ----- | ----: |
    | conv1 |    64 |
    >>> print(markdown(["layer", "width"], [["conv1", "64"]], padded=False))
    | layer | width |
    | --- | --: |
    | conv1 | 64 |

    Args:
        header: Titles `[columns]`.
        rows: Texts `[rows][columns]`.
        align: Sides of the first columns; the others are on the right.
        padded: Whether the columns are in line in the file as well; otherwise a line
            changes only with its own cells.

    Returns:
        A line for the header, one for the rule below it, one for each row.
    """
    table = [list(header), *map(list, rows)]
    sizes = [3] * len(header)
    if padded:
        table = _padded(table, align)
        sizes = [len(text) for text in table[0]]
    sides = _sides(align, len(header))
    rule = [
        "-" * size if side == "<" else "-" * (size - 1) + ":"
        for size, side in zip(sizes, sides, strict=True)
    ]
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in (table[0], rule, *table[1:])
    )


def _sides(align: str, columns: int) -> str:
    """The side of every column."""
    return align[:columns].ljust(columns, ">")


def _padded(
    rows: Sequence[Sequence[str]], align: str, least: Sequence[int] = ()
) -> list[list[str]]:
    """The cells with blanks, so that those of a column have one size."""
    # Markdown's rule of a column on the right has two characters at least.
    smallest = itertools.chain(least, itertools.repeat(2))
    sizes = [
        max(size, *map(len, column))
        for size, column in zip(smallest, zip(*rows, strict=True), strict=False)
    ]
    sides = _sides(align, len(sizes))
    return [
        [
            f"{text:{side}{size}}"
            for text, side, size in zip(row, sides, sizes, strict=True)
        ]
        for row in rows
    ]
