"""Checksums of state files: one line of a file is the SHA-256 of all others.

In tables and flagfiles it is the first line, a comment; in JSON the second line, the
first member of the object. What it tells is that of the file without that line, so a
person can compute it too (`sed 1d run.flags | sha256sum`). A cut cannot take the line
and leave the content. A file without the line is an older one, or one that a person
changed on purpose and took the line out of: it is read as it is.
"""

import dataclasses
import hashlib
import re

_DIGEST = re.compile(rb"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Form:
    """How a kind of file begins, and how the line with its checksum is written."""

    head: bytes  # What stands before the line.
    before: bytes  # What of the line stands before the checksum,
    after: bytes  # and what after it.

    @property
    def start(self) -> bytes:
        """What a file with a checksum begins with."""
        return self.head + self.before


LINES = Form(b"", b"# sha256=", b"\n")
JSON = Form(b"{\n", b' "sha256": "', b'",\n')


def sealed(content: bytes, form: Form) -> bytes:
    """The content with the line that has its checksum.

    >>> sealed(b"--seed=3\\n", LINES)[:20]
    b'# sha256=f1a59edfa2d'

    Args:
        content: Of the file, without that line.
        form: Of the file.

    Raises:
        ValueError: the content does not begin as files of this form do.
    """
    if not content.startswith(form.head):
        raise ValueError(f"Expected what begins with {form.head!r}.")
    rest = content[len(form.head) :]
    return form.start + _digest(content) + form.after + rest


def content_of(data: bytes, form: Form) -> bytes:
    """The content of a file, without the line that has its checksum.

    >>> content_of(sealed(b"--seed=3\\n", LINES), LINES)
    b'--seed=3\\n'
    >>> content_of(b"--seed=3\\n", LINES)
    b'--seed=3\\n'

    Args:
        data: All bytes of the file.
        form: Of the file.

    Raises:
        ValueError: it is not as it was written: cut off, or other than its checksum
            says.
    """
    if form.start.startswith(data):
        raise ValueError("its end is missing")
    end = len(form.start) + 64
    if not data.startswith(form.start):
        line, *_ = data[len(form.head) :].split(b"\n", 1)
        if _DIGEST.search(line):
            raise ValueError(_OTHER)
        return data
    content = form.head + data[end + len(form.after) :]
    if data[end:].startswith(form.after) and data[:end].endswith(_digest(content)):
        return content
    raise ValueError(_OTHER)


_OTHER = (
    "its content is not that of its checksum; whoever changed it on purpose takes the "
    "line with sha256 out"
)


def _digest(content: bytes) -> bytes:
    """64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest().encode()
