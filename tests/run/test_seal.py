"""Checksums: no flip and no cut of a file is read as something else."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns_tf.run import seal

CONTENTS = {
    seal.JSON: json.dumps({"version": 1, "widths": [2, 3, 5]}, indent=1).encode(),
    seal.LINES: b"a,b\n2,0.5\n3,0.25\n",
}
FORMS = pytest.mark.parametrize("form", CONTENTS, ids=["json", "lines"])


@FORMS
def test_the_line_is_the_checksum_of_the_others(form):
    data = seal.sealed(CONTENTS[form], form)
    lines = data.split(b"\n")
    line = lines.pop(form.head.count(b"\n"))
    digest = hashlib.sha256(CONTENTS[form]).hexdigest()
    assert b"\n".join(lines) == CONTENTS[form]
    assert digest.encode() in line
    if form is seal.JSON:
        assert json.loads(data) == {"sha256": digest, **json.loads(CONTENTS[form])}
    else:
        assert line.startswith(b"#")


@FORMS
@given(rest=st.binary())
def test_what_was_sealed_is_read_back(form, rest):
    content = form.head + rest
    assert seal.content_of(seal.sealed(content, form), form) == content


@FORMS
def test_every_flipped_bit_is_noticed(form):
    data = seal.sealed(CONTENTS[form], form)
    for place in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError):
            seal.content_of(bytes(damaged), form)


@FORMS
def test_every_cut_is_noticed(form):
    data = seal.sealed(CONTENTS[form], form)
    for length in range(len(data)):
        with pytest.raises(ValueError):
            seal.content_of(data[:length], form)


@FORMS
def test_a_file_without_the_line_is_read_as_it_is(form):
    assert seal.content_of(CONTENTS[form], form) == CONTENTS[form]


def test_a_change_on_purpose_is_told_how_to_be_one():
    data = seal.sealed(b"--seed=3\n", seal.LINES).replace(b"3\n", b"5\n")
    with pytest.raises(ValueError, match="on purpose takes the line with sha256 out"):
        seal.content_of(data, seal.LINES)


def test_what_is_no_object_has_no_place_for_the_line():
    with pytest.raises(ValueError, match="begins with"):
        seal.sealed(b"[]\n", seal.JSON)
