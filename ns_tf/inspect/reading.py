"""A model as it is inspected: its channel graph, and which groups are whose widths."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from ns_tf.base import Architecture, InputError
from ns_tf.data.config import image_shape
from ns_tf.descend.record import search_in
from ns_tf.graph.channels import ChannelGraph, match
from ns_tf.graph.flat import flat
from ns_tf.graph.shapes import of_lengths, open_axes
from ns_tf.graph.walk import channel_graph
from ns_tf.networks import architectures, from_model, python_models
from ns_tf.networks.structure import Structure, analyse, as_it_is, shapes_only
from ns_tf.run.folder import MODEL
from ns_tf.train.results import training_in


@dataclasses.dataclass(frozen=True, eq=False)
class Reading:
    """A model, its graph, and what its widths are.

    Attributes:
        name: Of the model or the architecture.
        model: Functional; models within it are its layers.
        graph: Its channel graph.
        widths: Place of a group -> the width that it counts, or a multiple of it.
        structure: The network as a function of its widths; None if it is refused.
        refused: Why ns_tf can neither plan nor prune it; None if it can.
    """

    name: str
    model: keras.Model
    graph: ChannelGraph
    widths: Mapping[int, int]
    structure: Structure | None
    refused: str | None = None

    @property
    def open(self) -> bool:
        """Whether lengths of its inputs are open, and count as 1."""
        return open_axes(self.model)


def read(model: Any, input_shape: tuple[int, ...] = (), classes: int = 10) -> Reading:
    """The reading of what a user calls a model.

    Args:
        model: A Keras model, an `Architecture`; the path of a `.keras` file; a run
            folder; or the name of an architecture.
        input_shape: Of an image, for an architecture; of an example, for a model that
            leaves lengths open.
        classes: Number of classes, for an architecture.

    Raises:
        InputError: it is none of these, a model without a graph, or one of other
            inputs.
    """
    if isinstance(model, (str, Path)):
        found = _named(str(model), input_shape, classes)
        if isinstance(found, Structure):
            return _of_structure(found)
        model = found
    if isinstance(model, Architecture):
        if model.source is None:
            return _of_structure(analyse(model, image_shape(input_shape), classes))
        return _of_model(model.source, input_shape, model.name)
    if not isinstance(model, keras.Model):
        raise InputError(
            "Expected a keras.Model, an Architecture, the path of a .keras file, a run "
            f"folder or an architecture's name; got {type(model).__name__}."
        )
    return _of_model(model, input_shape)


def _named(
    text: str, input_shape: tuple[int, ...], classes: int
) -> Structure | keras.Model | Architecture:
    """What a path or a name means.

    Raises:
        InputError: nothing, or a search, with an input shape beside its own.
    """
    path = text.removeprefix(from_model.PREFIX)
    if os.path.isdir(path) and not from_model.is_saved_model(path):
        record = search_in(path)
        if record is None:
            return from_model.read(str(training_in(Path(path), None) / MODEL))
        if input_shape:
            raise InputError(
                f"{path} holds a search, which has an input shape of its own: leave "
                "--input_shape out."
            )
        shape = record.input_shape
        own = python_models.saved(record.architecture, path, shape)
        if own is not None:
            return own
        architecture = architectures.get(record.architecture)
        return analyse(architecture, shape, record.classes)
    if path != text or path.endswith(".keras") or os.path.exists(path):
        return from_model.read(path)
    return analyse(architectures.get(text), image_shape(input_shape), classes)


def _of_model(
    model: keras.Model, shape: tuple[int, ...], name: str | None = None
) -> Reading:
    """The reading of a Keras model; of one that is refused, too, if it has a graph.

    Args:
        model: The model.
        shape: Of an example, where the model leaves lengths open; empty if not named.
        name: In place of the model's own.

    Raises:
        InputError: it has no graph, or takes other inputs.
    """
    plain = of_lengths(flat(model, blocks=True), shape)
    try:
        structure, refused = as_it_is(from_model.from_model(plain, name)), None
        plain = structure.architecture.source  # Of known lengths it sees through more.
    except InputError as error:
        structure, refused = None, str(error)
    graph = structure.reference if structure else channel_graph(plain)
    free = [i for i, group in enumerate(graph.groups) if group.frozen is None]
    widths = {group: width for width, group in enumerate(free)}
    return Reading(name or model.name, plain, graph, widths, structure, refused)


def _of_structure(structure: Structure) -> Reading:
    """The reading of an architecture at its default widths."""
    model = shapes_only(structure.build)
    graph, reference = structure.graph(model), structure.reference
    widths = {}
    for place, group in enumerate(graph.groups):
        other = match(group, reference)
        if group.frozen is None and other in structure.sizes:
            widths[place] = structure.sizes[other][0]
    return Reading(structure.architecture.name, model, graph, widths, structure)
