"""Pieces of a page, read back by a parser of HTML."""

import base64
import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.render import html as markup

NASTY = st.text(st.sampled_from("ab<>&\"' ;,=/"), max_size=13)


class Reader(html.parser.HTMLParser):
    """Tags with their attributes and texts, in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "img":
            self.open.append(tag)
            self.texts.append((tag, ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.texts[-1][0] == self.open[-1]:
            tag, before = self.texts.pop()
            self.texts.append((tag, before + data))

    def of(self, tag):
        """Texts directly within the tags of this name."""
        return [text for name, text in self.texts if name == tag]


@given(NASTY, NASTY)
def test_an_option_holds_any_value_and_any_text(value, text):
    page = Reader(markup.option(value, text))
    assert page.tags == [("option", {"value": value})] and not page.open
    assert page.of("option") == [text or value]


def test_an_option_without_a_text_shows_its_value():
    assert markup.option("a<b") == '<option value="a&lt;b">a&lt;b</option>'


@given(NASTY)
def test_a_section_escapes_its_title_and_keeps_its_body(title):
    page = Reader(markup.section(title, "<p>2 &lt; 3</p>"))
    assert [tag for tag, _ in page.tags] == ["section", "h2", "p"] and not page.open
    assert page.of("h2") == [title] and page.of("p") == ["2 < 3"]


@given(
    st.lists(NASTY, min_size=3, max_size=3),
    st.lists(st.lists(NASTY, min_size=3, max_size=3), max_size=5),
)
def test_a_table_holds_every_cell_in_order(header, rows):
    page = Reader(markup.table(header, iter(rows)))
    assert page.of("th") == header and not page.open
    assert page.of("td") == [text for row in rows for text in row]
    assert [tag for tag, _ in page.tags].count("tr") == 1 + len(rows)
    assert page.tags[0] == ("div", {"class": "scroll"})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("3, 5, 7, 11", {"class": "widths"}),
        ("3, 5, 7", {}),
        ("1,000,000,000,000", {}),
        ("", {}),
    ],
)
def test_long_lists_of_widths_have_a_class_of_their_own(text, kind):
    page = Reader(markup.table(["a"], [[text]]))
    assert [attributes for tag, attributes in page.tags if tag == "td"] == [kind]


@given(NASTY)
def test_a_picture_is_inside_the_page_and_says_what_it_shows(text):
    drawing = b'<svg id="one">\x00\xff</svg>'
    page = Reader(markup.picture(lambda file: file.write(drawing), text))
    (figure, (tag, attributes)) = page.tags
    assert figure == ("figure", {}) and tag == "img" and attributes["alt"] == text
    kind, _, data = attributes["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data, validate=True) == drawing
