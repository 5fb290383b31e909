"""Tables as text: for a terminal, and in Markdown."""

from collections.abc import Sequence


def plain(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns in line: the first to the left, the others to the right."""
    return "\n".join("  ".join(cells).rstrip() for cells in _padded([header, *rows]))


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same in Markdown, readable as it stands."""
    head, *rest = _padded([header, *rows])
    rule = [("-" if i == 0 else ":").rjust(len(c), "-") for i, c in enumerate(head)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rest))


def _padded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    # Markdown's rule of a column on the right is two characters at least.
    sizes = [max(2, *map(len, column)) for column in zip(*rows, strict=True)]
    return [
        [
            text.ljust(size) if i == 0 else text.rjust(size)
            for i, (text, size) in enumerate(zip(row, sizes, strict=True))
        ]
        for row in rows
    ]
