"""State files as a person changes them on purpose: the line of the checksum goes."""

import json

from ns_tf.run import seal


def text_of(path):
    """The text of a state file without that line."""
    form = seal.JSON if path.suffix == ".json" else seal.LINES
    return seal.content_of(path.read_bytes(), form).decode()


def values_of(path):
    """What a JSON file of state holds."""
    return json.loads(text_of(path))


def edit(path, change):
    """Writes what `change` makes of the text."""
    path.write_text(change(text_of(path)))


def edit_json(path, change):
    """Writes the values after `change` has changed them."""
    values = values_of(path)
    change(values)
    path.write_text(json.dumps(values))
