"""Pieces of an HTML page: sections, tables, options, pictures inside it.

Arguments are plain text, which is escaped here, unless they are called HTML.
"""

import base64
import html
import io
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO


def option(value: str, text: str | None = None) -> str:
    """An `<option>` of a list to choose from.

    >>> option("vgg11", "VGG-11 & co")
    '<option value="vgg11">VGG-11 &amp; co</option>'

    Args:
        value: What the page's script reads.
        text: What is shown; the value if None or empty.
    """
    return f'<option value="{html.escape(value)}">{html.escape(text or value)}</option>'


def section(title: str, body: str) -> str:
    """A `<section>` of the page with a heading.

    Args:
        title: The heading, plain text.
        body: HTML.
    """
    return f"<section>\n<h2>{html.escape(title)}</h2>\n{body}\n</section>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A `<table>` in a box that scrolls on narrow screens.

    Args:
        header: Titles `[columns]`.
        rows: Texts `[rows][columns]`.
    """
    head = "".join(f"<th>{html.escape(text)}</th>" for text in header)
    body = "".join(
        "<tr>" + "".join(_cell(text) for text in row) + "</tr>\n" for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    """A `<td>`; a list of four or more has the class of widths, which may break."""
    kind = ' class="widths"' if text.count(", ") > 2 else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def picture(draw: Callable[[BinaryIO], None], text: str) -> str:
    """A `<figure>` whose SVG is part of the page.

    The SVG is the source of an `<img>`, so that the ids of two pictures do not collide.

    Args:
        draw: Writes the SVG into the binary file that it is given.
        text: What the picture shows, for those who cannot see it.
    """
    file = io.BytesIO()
    draw(file)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img alt="{html.escape(text)}" '
        f'src="data:image/svg+xml;base64,{data}"></figure>'
    )
