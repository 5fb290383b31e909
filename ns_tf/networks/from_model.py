"""Any functional or sequential Keras model as an architecture.

Every group of channels that can be removed is a width. Layers that an addition joins
are one group, so identity shortcuts stay identities. Layers whose channels cannot be
followed (`ns_tf.graph.rules`) keep their size.
"""

import dataclasses
import os
import pathlib
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import Architecture, InputError, reason_of, refusing
from ns_tf.graph.calls import uncompiled
from ns_tf.graph.channels import NONE, ChannelGraph
from ns_tf.graph.flat import flat
from ns_tf.graph.remake import check_activations, recalled, resized
from ns_tf.graph.rules import UNKNOWN
from ns_tf.graph.shapes import check_outputs, shape_of, with_shape
from ns_tf.graph.walk import OUTPUT, channel_graph
from ns_tf.graph.weights import check_floats, held, names, partly_frozen
from ns_tf.networks import layers  # noqa: F401  Files may hold its layers.
from ns_tf.registry import fitting, no_layer
from ns_tf.run.paths import check_regular

PREFIX = "keras:"  # Of the names of saved models as architectures.


def from_model(
    model: keras.Model,
    name: str | None = None,
    *,
    keep: Sequence[str] = (),
    fixed: bool = False,
) -> Architecture:
    """The architecture whose default widths are the model's; the model is not changed.

    Args:
        model: A built functional or sequential model, or a subclass of one, of any
            number of inputs and outputs.
        name: What the architecture is called; the model's name if None.
        keep: Names of layers, or patterns of names ("stem*"), that keep all their
            filters, and so do layers that are joined with them. The heads of an
            attention are "attention/heads".
        fixed: Whether a model without a free width is taken as well, as one of epitomes
            may be. It has no widths: it can be counted, trained and exported.

    Returns:
        An architecture whose builder makes the model's graph at other widths, with
        fresh weights, for the model's image size and number of classes alone. Layers
        with `trainable=False` keep their size and the model's weights. A subclass is
        built as the plain functional model that it is, and models within the model
        layer by layer (`ns_tf.graph.flat.flat`).

    Raises:
        InputError: no graph, no width that is free, or a layer of which a part is
            frozen, weights of 16 bits or fewer, or a name in `keep` that no layer with
            filters has.
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a functional or sequential model; got {model!r}.")
    keep = (keep,) if isinstance(keep, str) else keep
    if not isinstance(keep, Iterable) or not all(isinstance(n, str) for n in keep):
        raise InputError(f"keep is the names of layers; got {keep!r}.")
    model = flat(model, blocks=True)
    _check_frozen(model)
    check_floats(model)
    check_outputs(model)
    for layer in model.layers:
        check_activations(layer)
    graph = channel_graph(model)
    kept = _kept(graph, keep)
    free = [
        i
        for i, group in enumerate(graph.groups)
        if group.frozen is None and not kept & set(group.makers)
    ]
    if not free and not fixed:
        raise InputError(
            f"{model.name!r} has no layer whose width is free: "
            f"{'; '.join(_reasons(graph))}."
        )
    widths = tuple(graph.groups[i].size for i in free)
    builder = Resizing(model, graph, tuple(free), tuple(keep))
    return Architecture(name or model.name, widths, builder, source=model)


@dataclasses.dataclass(frozen=True, eq=False)
class Resizing:
    """Builds a model at other widths, for its own shapes alone.

    Args:
        model: The original.
        graph: Its channel graph.
        free: [widths]: places of the groups in the graph.
        keep: As `from_model` was given it.
    """

    model: keras.Model
    graph: ChannelGraph
    free: tuple[int, ...]
    keep: tuple[str, ...]

    def __call__(self, widths: Sequence[int], **data: Any) -> keras.Model:
        """The model of these widths, with fresh weights.

        Args:
            widths: Of the free groups.
            **data: `input_shape` and `classes`.

        Raises:
            InputError: they are not the model's own.
        """
        classes = self.model.outputs[0].shape[-1]
        owns = ("input_shape", shape_of(self.model)), ("classes", classes)
        for what, own in owns:
            if data[what] != own:
                raise InputError(
                    f"{self.model.name!r} was made for {what} {own}; got {data[what]}."
                )
        sizes = {i: width for i, width in zip(self.free, widths, strict=True)}
        return resize(self.model, self.graph, sizes)


def at_shape(architecture: Architecture, shape: tuple[int, ...]) -> Architecture:
    """The architecture of a model whose open axes have the lengths of the data.

    A model of sequences of any length, `Input((None,))`, is counted and built at the
    length of the data.

    Args:
        architecture: Any; one that `from_model` did not make is returned as it is.
        shape: Of an example; `Parts` of shapes of several inputs.

    Returns:
        The architecture itself where no axis is open.
    """
    if not isinstance(architecture.builder, Resizing):
        return architecture
    model = with_shape(architecture.source, shape)
    if model is architecture.source:
        return architecture
    kept, fixed = architecture.builder.keep, not architecture.widths
    return from_model(model, architecture.name, keep=kept, fixed=fixed)


def _reasons(graph: ChannelGraph) -> list[str]:
    """Why no width of a network is free, layers that cannot be followed included."""
    if not graph.groups:
        return ["no layer of it has weights that make channels"]
    reasons = {
        f"{group.name!r} is the model's output"
        if group.frozen == OUTPUT
        else group.frozen or f"{group.name!r} is kept"
        for group in graph.groups
    }
    return sorted(reasons) + [
        f"{call.name!r} cannot be followed"
        for call in graph.calls
        if call.kind == UNKNOWN and not any(repr(call.name) in one for one in reasons)
    ]


def _kept(graph: ChannelGraph, names: Sequence[str]) -> set[str]:
    """The layers that keep all their filters.

    Args:
        graph: Of the model.
        names: Names or patterns of names.

    Raises:
        InputError: one fits no layer that makes channels; says the nearest.
    """
    makers = [maker for group in graph.groups for maker in graph.layers_of(group)]
    kept: set[str] = set()
    for name in names:
        found = fitting(makers, name)
        if not found:
            raise no_layer(f"--keep={name}", name, makers)
        kept.update(found)
    return kept


def load(path: str, *, fixed: bool = False) -> Architecture:
    """The architecture of a saved `.keras` model, called "keras:PATH".

    Args:
        path: Of the file. Code in it, as a Lambda has, is not run.
        fixed: As of `from_model`.

    Raises:
        InputError: the file is missing, cannot be read safely, or as `from_model`.
    """
    return from_model(read(path), PREFIX + path, fixed=fixed)


def read(path: str) -> keras.Model:
    """The model of a saved `.keras` file, compiled if it was, and if that can be read.

    Args:
        path: Of the file. Code in it, as a Lambda has, is not run.

    Raises:
        InputError: the file is missing, or cannot be read safely.
    """
    if is_saved_model(path):
        raise InputError(
            f"{path!r} is a SavedModel, which has no layers to search or prune: give "
            "the Keras model that it was made of, as model.save('mine.keras') writes "
            "it."
        )
    if not os.path.isfile(path):
        raise InputError(f"Expected a saved .keras model at {path!r}; there is none.")
    try:
        return loaded(path)
    except Exception as error:  # Keras raises what its parts raise.
        raise InputError(_unreadable(path, error)) from error


def is_saved_model(path: str | pathlib.Path) -> bool:
    """Whether a path is the folder of a SavedModel.

    Args:
        path: Of anything.
    """
    return os.path.isfile(os.path.join(path, "saved_model.pb"))


def _unreadable(path: str, error: Exception) -> str:
    """What Keras says of a file that it does not read, with what to do."""
    reason = reason_of(error)
    if "safe_mode" in reason:
        return (
            f"{path!r} holds Python code, as of a Lambda, which is not run. Load it "
            "yourself, keras.models.load_model(path, safe_mode=False), and give the "
            "model; or replace the Lambda by layers."
        )
    if "No model config" in reason:
        return (
            f"{path!r} holds weights without their model: give the whole model, as "
            "model.save('mine.keras') writes it."
        )
    return f"{path!r} is no .keras model to be read: {reason}"


def loaded(path: str | pathlib.Path) -> keras.Model:
    """`read` with Keras's own errors.

    Args:
        path: Of the file.
    """
    check_regular(path)
    try:
        with warnings.catch_warnings():  # Of the optimizer, which nobody reads.
            warnings.simplefilter("ignore")
            return keras.saving.load_model(path, compile=True, safe_mode=True)
    except Exception:  # Perhaps of a loss that is not known here.
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def resize(
    model: keras.Model, graph: ChannelGraph, sizes: dict[int, int]
) -> keras.Model:
    """The model with other group sizes and fresh weights; frozen layers keep theirs.

    Args:
        model: Functional; not changed.
        graph: Its channel graph.
        sizes: Place of a group in the graph -> its new size; others keep theirs.

    Raises:
        InputError: a layer cannot be made again from its configuration, or called.
    """

    def length(channels: np.ndarray) -> int:
        """New length of an axis; of a group that keeps its size it may have a part."""
        owners = graph.owner[channels[channels != NONE]]
        total = int((channels == NONE).sum())
        for owner, count in zip(*np.unique(owners, return_counts=True), strict=True):
            if owner in sizes:
                count = count // graph.groups[owner].size * sizes[owner]
            total += count
        return int(total)

    with refusing(f"{model.name!r} cannot be built at other widths"):
        copy = keras.models.clone_model(
            uncompiled(model),
            clone_function=lambda layer: resized(layer, graph, length),
            call_function=recalled(graph, length),
        )
    _keep_frozen(model, graph, copy)
    return copy


def _check_frozen(model: keras.Model) -> None:
    """Refuses single frozen weights: no copy of a layer would have them frozen.

    Raises:
        InputError: naming the layer.
    """
    name = partly_frozen(model)
    if name:
        raise InputError(
            f"Some weights of layer {name!r} are frozen and some are not; neither a "
            "copy of the model nor its file keeps that. Set trainable=False for all of "
            "the layer; of one with LoRA, give a plain layer its `kernel`, the merged "
            "one."
        )


def _keep_frozen(model: keras.Model, graph: ChannelGraph, copy: keras.Model) -> None:
    """Gives the frozen layers of a copy their weights: no training would.

    A frozen batch norm behind channels that may go starts afresh, as they do.

    Args:
        model: The original.
        graph: Its channel graph.
        copy: At other group sizes; set in place.
    """
    free = np.append(~graph.frozen, False)  # NONE is -1: the appended entry.
    for layer in model.layers:
        kept = {id(weight) for weight in held(layer)}
        if not kept:
            continue
        called = names(layer)
        pairs = zip(layer.weights, copy.get_layer(layer.name).weights, strict=True)
        for weight, target in pairs:
            axes = graph.axes.get((layer.name, called[id(weight)]), ())
            changes = any(axis is not None and free[axis].any() for axis in axes)
            if id(weight) in kept and not changes:
                target.assign(weight)
