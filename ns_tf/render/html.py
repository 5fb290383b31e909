"""Pieces of an HTML page: sections, tables, options, pictures inside it."""

import base64
import html
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def option(value: str, text: str | None = None) -> str:
    """An entry of a list to choose from; it shows its value if there is no text."""
    return f'<option value="{html.escape(value)}">{html.escape(text or value)}</option>'


def section(title: str, body: str) -> str:
    """A part of the page; `body` is HTML."""
    return f"<section>\n<h2>{html.escape(title)}</h2>\n{body}\n</section>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain text that scrolls on narrow screens."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in header)
    body = "".join(
        "<tr>" + "".join(_cell(text) for text in row) + "</tr>\n" for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    kind = ' class="widths"' if text.count(", ") > 2 else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def picture(draw: Callable[[Any], None], text: str) -> str:
    """The drawing inside the page: an image of its own, so that no ids collide."""
    file = io.BytesIO()
    draw(file)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img alt="{html.escape(text)}" '
        f'src="data:image/svg+xml;base64,{data}"></figure>'
    )
