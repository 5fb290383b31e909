"""Models and data given as Python objects: told apart by content, kept for later.

A name would not do: Keras numbers unnamed models anew in every process, and two models
may have one name. So the run folder keeps the model, and its flags keep a fingerprint.
"""

import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import keras

from ns_tf.base import Architecture, InputError
from ns_tf.graph.calls import functional
from ns_tf.graph.remake import check_readable
from ns_tf.networks import from_model
from ns_tf.run import files
from ns_tf.run.folder import MODEL, PREFIX

_PLACES = ("keras_history", "input_layers", "output_layers")  # Where layers are named.


def architecture(model: Any, run_dir: str | Path | None) -> Architecture | None:
    """The architecture of a model; None for a name, which is looked up later.

    The model that a run folder keeps stands for one of the same fingerprint: its
    layers' names are those that the run's files use.

    Raises:
        InputError: if it is neither a model nor a name, or could not be read again from
            a run folder.
    """
    if isinstance(model, str):
        return None
    if isinstance(model, Architecture):
        return model
    if not isinstance(model, keras.Model):
        raise InputError(
            "Expected an architecture's name, an Architecture, or a functional or "
            f"sequential model; got {model!r}."
        )
    name = PREFIX + _model_fingerprint(model)
    kept = Path(run_dir) / MODEL if run_dir else None
    if kept and kept.exists():
        found = from_model.load(str(kept)).source
        if PREFIX + _model_fingerprint(found) == name:
            model = found
    elif kept:
        check_readable(functional(model))
    return from_model.from_model(model, name)


def save(found: Architecture, folder: Path) -> None:
    """Keeps the model of an architecture that has no name to find it by."""
    if found.name.startswith(PREFIX) and not (folder / MODEL).exists():
        save_model(found.source, folder / MODEL)


def saved(name: str, folder: str | Path) -> Architecture | None:
    """The architecture of a Python model that `save` kept; None for one with a name.

    Args:
        name: As the search calls it.
        folder: The run folder.

    Raises:
        InputError: if the run folder has lost the model.
    """
    if not name.startswith(PREFIX):
        return None
    model = from_model.load(str(Path(folder) / MODEL)).source
    return from_model.from_model(model, name)


def save_model(model: keras.Model, path: Path) -> None:
    """Saves a `.keras` file whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / MODEL
        model.save(written)
        with files.replacing(path) as file:
            file.write(written.read_bytes())


def _model_fingerprint(model: keras.Model) -> str:
    """The same of a model's settings; names and the weights' values do not count."""
    config = _nameless(functional(model).get_config(), {})
    text = json.dumps(config, sort_keys=True, default=_kind)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _kind(value: Any) -> str:
    """For what JSON has no word for; `repr` may hold an address."""
    return type(value).__name__


def _nameless(value: Any, number: dict[str, int]) -> Any:
    """A configuration as the `.keras` format has it, layers numbered in place of named.

    Args:
        value: The configuration, or what is in it.
        number: Of the layers of the model that it is in, by name.
    """
    if isinstance(value, dict):
        if isinstance(value.get("layers"), list):  # A model, perhaps within another.
            number = {
                layer.get("name"): place for place, layer in enumerate(value["layers"])
            }
        kept = dict(value)
        if len(value) > 1 or value.get("name") in number:
            kept.pop("name", None)  # Else a dtype policy, which is nothing but a name.
        return {
            key: _numbered(part, number) if key in _PLACES else _nameless(part, number)
            for key, part in kept.items()
        }
    if isinstance(value, (list, tuple)):
        return [_nameless(part, number) for part in value]
    return value


def _numbered(place: Any, number: dict[str, int]) -> Any:
    """A tensor's place [layer, call, output], or a nest of them."""
    if isinstance(place, dict):
        return {key: _numbered(part, number) for key, part in place.items()}
    if isinstance(place, (list, tuple)):
        return [_numbered(part, number) for part in place]
    return number.get(place, place)


def file_name(name: str) -> str:
    """A name as files may have it.

    >>> file_name("vgg11(norm=True)")
    'vgg11-norm-True-'
    """
    return re.sub(r"[^\w.+-]+", "-", name) or "model"
