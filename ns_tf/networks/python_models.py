"""Models given as Python objects: recognised by content, kept in the run folder.

A name does not identify a model: Keras numbers unnamed models anew in every process,
and two models may have one name. The run folder keeps the model, and its flags keep a
fingerprint of the model's settings.
"""

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import keras

from ns_tf.base import Architecture, InputError
from ns_tf.graph.compilation import check_kept
from ns_tf.graph.flat import flat
from ns_tf.graph.remake import check_readable
from ns_tf.networks import from_model
from ns_tf.run import files
from ns_tf.run.folder import MODEL, PREFIX

# Keys of a configuration whose values name layers.
_PLACES = ("keras_history", "input_layers", "output_layers")


def architecture(model: Any, run_dir: str | Path | None) -> Architecture | None:
    """The architecture of a model; None for a name, which is looked up later.

    If the run folder keeps a model of the same fingerprint, that one is taken: the
    run's files use the names of its layers.

    Args:
        model: A Keras model, an `Architecture` (returned as it is), or a name.
        run_dir: The run folder; None if nothing is kept.

    Returns:
        An architecture named by the model's fingerprint.

    Raises:
        InputError: it is neither a model nor a name, as `from_model`, or it could not
            be read again from a run folder.
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
    model = flat(model, blocks=True)
    name = PREFIX + settings_digest(model)
    path = Path(run_dir) / MODEL if run_dir else None
    if path and path.exists():
        earlier = from_model.load(str(path))
        if PREFIX + settings_digest(earlier.source) == name:
            # A file names outputs by their layers, which may be within a model.
            earlier.source.output_names = model.output_names
            return dataclasses.replace(earlier, name=name)
    elif path:
        check_readable(model)
        check_kept(model)
    return from_model.from_model(model, name)


def save(architecture: Architecture, folder: Path) -> None:
    """Keeps the model of an architecture that has no name to find it by.

    Args:
        architecture: Those with a name, and models that are kept already, are not
            saved.
        folder: The run folder.
    """
    if architecture.name.startswith(PREFIX) and not (folder / MODEL).exists():
        save_model(architecture.source, folder / MODEL)


def saved(
    name: str, folder: str | Path, shape: tuple[int, ...] | None = None
) -> Architecture | None:
    """The architecture of a model that `save` kept; None for one with a name.

    Args:
        name: Of the architecture, as the run's record has it.
        folder: The run folder.
        shape: Of an example, as the record has it: a model that leaves lengths open
            may have other widths there. None leaves it as it was kept.

    Raises:
        InputError: the run folder has lost the model.
    """
    if not name.startswith(PREFIX):
        return None
    found = from_model.load(str(Path(folder) / MODEL))
    if shape is not None:
        found = from_model.at_shape(found, shape)
    return dataclasses.replace(found, name=name)


def save_model(model: keras.Model, path: Path) -> None:
    """Saves a `.keras` file whole or not at all.

    Args:
        model: With its weights.
        path: An existing file is replaced once the new one is complete.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / MODEL
        model.save(written)
        with files.replacing(path) as file:
            file.write(written.read_bytes())


def settings_digest(model: keras.Model) -> str:
    """A hash of a flat model's graph and settings.

    Names and the values of weights do not count.

    Args:
        model: Functional or sequential.

    Returns:
        12 hexadecimal digits of a SHA-256.
    """
    config = nameless(model.get_config(), {})
    text = json.dumps(config, sort_keys=True, default=_kind)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _kind(value: Any) -> str:
    """Stands for a value that JSON cannot hold; its `repr` may contain an address."""
    return type(value).__name__


def nameless(value: Any, number: dict[str, int]) -> Any:
    """A configuration as the `.keras` format has it, with layers numbered, not named.

    Args:
        value: The configuration, or a part of it.
        number: Layer -> its place in the model that `value` is a part of.

    >>> config = {"layers": [{"name": "conv_7", "filters": 3}],
    ...           "output_layers": ["conv_7", 0, 0]}
    >>> nameless(config, {})
    {'layers': [{'filters': 3}], 'output_layers': [0, 0, 0]}
    """
    if isinstance(value, dict):
        if isinstance(value.get("layers"), list):  # A model, perhaps within another.
            number = {
                layer.get("name"): place for place, layer in enumerate(value["layers"])
            }
        parts = dict(value)
        # A dictionary of a name alone is a dtype policy: the name is the setting.
        if len(value) > 1 or value.get("name") in number:
            parts.pop("name", None)
        return {
            key: _numbered(part, number) if key in _PLACES else nameless(part, number)
            for key, part in parts.items()
        }
    if isinstance(value, (list, tuple)):
        return [nameless(part, number) for part in value]
    return value


def _numbered(place: Any, number: dict[str, int]) -> Any:
    """A tensor [layer, call, output], or a nest of them, with the layer numbered."""
    if isinstance(place, dict):
        return {key: _numbered(part, number) for key, part in place.items()}
    if isinstance(place, (list, tuple)):
        return [_numbered(part, number) for part in place]
    return number.get(place, place)
