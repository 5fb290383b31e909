"""Models within a model, seen through: one graph of all their layers.

People call a backbone within a model, put blocks into `keras.Sequential`, and call one
model twice. The channel graph, costs and weights know layers; so such a model is first
copied into one whose calls are those of the layers themselves.
"""

import inspect
from typing import Any

import keras

from ns_tf.base import InputError, refusing
from ns_tf.graph import steps
from ns_tf.graph.calls import functional, has_graph, uncompiled
from ns_tf.graph.compilation import carried
from ns_tf.graph.constants import as_weights
from ns_tf.graph.layout import channels_last
from ns_tf.graph.masking import makes_masks
from ns_tf.graph.naming import names
from ns_tf.graph.reads import check_own
from ns_tf.graph.remake import copied
from ns_tf.graph.shapes import listed
from ns_tf.graph.symbolic import tensors
from ns_tf.graph.traced import Trace, is_block, traced


def flat(
    model: keras.Model, values: bool = True, *, blocks: bool = False
) -> keras.Model:
    """The model with the layers of all models within it as layers of its own.

    A layer keeps its name if no other layer has it. A layer of a model within is
    called "MODEL_LAYER" otherwise, with all the models that it is in: two copies of a
    backbone give "left_conv" and "right_conv". A model that is called twice stays one
    set of weights; so does a layer that two models share. Layers that are frozen stay
    so, and `training=False` of a call goes to every layer within. The copy is compiled
    with the losses and metrics of the model, and its inputs are one or a list. A model
    of channels first has them last within (`ns_tf.graph.layout.channels_last`).

    A model within stays one layer where its class overrides `call`, because its graph
    is hidden, and where a layer of it cannot be made again from its configuration.

    Args:
        model: Functional, sequential, or a subclass of either; not changed.
        values: Whether the copy gets the values of the weights. False where a network
            is built without values.
        blocks: Whether layers that are made of layers are seen through as well
            (`ns_tf.graph.traced.traced`), and models within `TimeDistributed`
            (`ns_tf.graph.steps`), and constants of a number for each channel become
            weights (`ns_tf.graph.constants.as_weights`).

    Returns:
        The model as `ns_tf.graph.calls.functional` gives it if there is no model
        within it, and its channels are last; else a copy.

    Raises:
        InputError: as `functional`, or a layer of the model itself cannot be made
            again, or reads weights of other layers (`ns_tf.graph.reads.check_own`).
    """
    given, model = model, listed(functional(model))
    found = channels_last(_of_layers(model, values, _Graphs(model, blocks)), values)
    if blocks:
        found = as_weights(found, values)
        check_own(given, found)
    return carried(given, found) if values else found


def _of_layers(model: keras.Model, values: bool, graphs: "_Graphs") -> keras.Model:
    """The copy of a model, in which blocks that cannot be called anew stay layers."""
    while True:
        try:
            return _flat(model, values, graphs)
        except InputError:  # A block that stays a layer is made again as a whole.
            if not graphs.blocks:
                raise
            if not graphs.close():
                graphs = _Graphs(model, blocks=False)


def _flat(model: keras.Model, values: bool, graphs: "_Graphs") -> keras.Model:
    """The copy of a model without those within it that have a graph.

    Raises:
        InputError: a layer cannot be made again, or not with weights in one order, or
            not as the one layer that it is in two places.
    """
    flattening = _Flattening(model, graphs)
    if not flattening.within:
        return model
    with refusing(f"The models within {model.name!r} cannot be put into one graph"):
        copy = keras.models.clone_model(
            uncompiled(model),
            clone_function=flattening.copy,
            call_function=flattening.call,
        )
    copy.output_names = model.output_names  # Not those of the layers within.
    if len(copy.weights) > len(model.weights):
        raise InputError(
            f"A layer of {model.name!r} is called there and within another layer that "
            "cannot be followed. Give each a layer of its own, or call it by itself."
        )
    if values:
        flattening.assign()
    return copy


class _Flattening:
    """Copies layers under their new names and calls models within layer by layer."""

    def __init__(self, model: keras.Model, graphs: "_Graphs"):
        self.graphs = graphs
        self.within = any(graphs.of(operation) for operation in model.operations)
        self.names = names(model, graphs.of)
        self.through: dict[int, bool] = {}  # id of a model within: is it seen through?
        # id -> (original, copy): holding both keeps ids unique.
        self.copies: dict[int, tuple[keras.Operation, keras.Operation]] = {}
        self.steps = 1  # Of a sequence that are among the examples of a call.
        self.stepped: set[int] = set()  # ids of copies that see one step at a time.

    def copy(self, operation: keras.Operation) -> keras.Operation:
        """The copy of a layer or operation; a model that is seen through has none."""
        if self._sees_through(operation):
            return operation
        if id(operation) not in self.copies:
            self.copies[id(operation)] = operation, self._copied(operation)
        return self.copies[id(operation)][1]

    def _sees_through(self, operation: keras.Operation) -> bool:
        """Whether an operation is a model within whose layers can all be copied."""
        graph = self.graphs.of(operation)
        if id(operation) in self.through or not graph:
            return self.through.get(id(operation), False)
        try:
            for inner in graph.operations:
                if not isinstance(inner, keras.layers.InputLayer):
                    self.copy(inner)
            self.through[id(operation)] = True
        except InputError:
            self.through[id(operation)] = False
        return self.through[id(operation)]

    def _copied(self, operation: keras.Operation) -> keras.Operation:
        """A copy under the operation's name in the flat model."""
        name = self.names.get(id(operation), operation.name)
        if id(operation) in self.graphs.by_step:
            copy = steps.stepped(operation, name)
            self.stepped.add(id(copy))
            return copy
        if steps.hides(operation, self.graphs.by_step):
            raise InputError(f"Layers within {name!r} see one step at a time.")
        if isinstance(operation, keras.layers.Layer):
            return copied(operation, name=name)
        if name == operation.name:  # It has no weights and no state.
            return operation
        return type(operation).from_config({**operation.get_config(), "name": name})

    def call(self, operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        """Calls a copied layer, or the layers of a model within."""
        if id(operation) in self.stepped:
            return steps.of_examples(operation, *args, steps=self.steps, **kwargs)
        if not self.through.get(id(operation), False):
            return operation(*args, **kwargs)
        inner, training = self.graphs.of(operation), kwargs.get("training")

        def call(one: keras.Operation, *args: Any, **kwargs: Any) -> Any:
            undecided = kwargs.get("training") is None and _takes_training(one)
            if training is not None and undecided:
                kwargs["training"] = training
            return self.call(one, *args, **kwargs)

        if has_graph(operation):
            given = _flattened(args[0] if args else kwargs["inputs"], inner)
        else:
            given = tensors(args, kwargs)
        fitted = [
            _fitted(x, reference)
            for x, reference in zip(given, inner.inputs, strict=True)
        ]
        outer, self.steps = self.steps, self.graphs.steps_of(operation, self.steps)
        # What Keras's own `clone_model` calls; that one makes a model of the copy.
        try:
            outputs = inner._run_through_graph(fitted, self.copy, call_fn=call)
        except Exception:
            self.graphs.fails(operation)
            raise
        self.steps = outer
        return self.graphs.outputs(operation, outputs)

    def assign(self) -> None:
        """Gives the copies the values of the originals' weights.

        The statistics of a Normalization are in the copy's configuration.
        """
        for original, copy in self.copies.values():
            if not getattr(copy, "weights", None) or not copy.built:
                continue  # It has none, or what it is in stayed one layer.
            shapes = [[w.shape for w in one.weights] for one in (original, copy)]
            if shapes[0] != shapes[1]:
                raise InputError(
                    f"Layer {original.name!r} makes its weights in another order when "
                    "it is made again from its configuration."
                )
            for one, other in zip(original.weights, copy.weights, strict=True):
                other.assign(one)


class _Graphs:
    """The graphs of what is within a model, each read once.

    Args:
        model: The outermost model, functional.
        blocks: Whether layers that are made of layers have one.
    """

    def __init__(self, model: keras.Model, blocks: bool):
        self.blocks = blocks
        self.masks = blocks and makes_masks(model)
        # id of a block in a model within -> the tensors that its first call reads.
        self.given: dict[int, list[keras.KerasTensor]] = {}
        if blocks and _has_block_within(model, self.masks):
            self._note(model, model.inputs)
        # id -> (operation, graph): holding the operation keeps its id unique.
        self.known: dict[int, tuple[keras.Operation, keras.Model | None]] = {}
        self.traces: dict[int, Trace] = {}  # id of a block -> its trace.
        self.by_step: set[int] = set()  # ids of layers that see one step at a time.
        self.failed: keras.Operation | None = None  # The innermost block of a failure.

    def fails(self, operation: keras.Operation) -> None:
        """Notes that what is within an operation cannot be called anew."""
        if self.failed is None and id(operation) in self.traces:
            self.failed = operation

    def close(self) -> bool:
        """Makes the block that was noted a layer; False if there is none."""
        closed, self.failed = self.failed, None
        if closed is not None:
            self.known[id(closed)] = closed, None
        return closed is not None

    def of(self, operation: keras.Operation) -> keras.Model | None:
        """The graph of a model within, or of a block; None for what has none."""
        if id(operation) not in self.known:
            self.known[id(operation)] = operation, self._graph(operation)
        return self.known[id(operation)][1]

    def _graph(self, operation: keras.Operation) -> keras.Model | None:
        if has_graph(operation):
            return functional(operation)
        if self.blocks and steps.is_stepped(operation):
            return self._of_steps(operation)
        given = self.given.get(id(operation))
        trace = self.blocks and traced(operation, given, self.masks)
        if not trace:
            return None
        self.traces[id(operation)] = trace
        return trace.model

    def _of_steps(self, operation: keras.layers.TimeDistributed) -> keras.Model | None:
        """The graph of a model that is applied at every step."""
        calls = operation._inbound_nodes
        first, *others = (node.input_tensors[0] for node in calls)
        alike = all(x.shape == first.shape for x in others)
        if not alike or not all(map(steps.is_plain, calls)):
            return None
        graph = steps.as_examples(operation, first)
        if graph is not None:  # Called elsewhere too, they see the one step there.
            self.by_step.update(map(id, steps.by_step(operation)))
        return graph

    def steps_of(self, operation: keras.Operation, outer: int) -> int:
        """Steps that are among the examples within an operation with a graph."""
        if steps.is_stepped(operation):
            return self.of(operation).inputs[0].shape[1]
        return outer

    def outputs(self, operation: keras.Operation, made: Any) -> Any:
        """What an operation with a graph puts out.

        Args:
            operation: A model within, or a block.
            made: What its graph makes.
        """
        flat_outputs = keras.tree.flatten(made)
        trace = self.traces.get(id(operation))
        if trace:
            made = flat_outputs = trace.outputs(flat_outputs)
        return flat_outputs[0] if len(flat_outputs) == 1 else made

    def _note(self, model: keras.Model, inputs: list[keras.KerasTensor]) -> Any:
        """Notes with which shapes blocks are called.

        A model within may have been made for images or texts of any size; it is called
        with those of one size.
        """

        def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
            if has_graph(operation):
                inner = functional(operation)
                given = _flattened(args[0] if args else kwargs["inputs"], inner)
                return self._note(inner, given)
            if is_block(operation, self.masks):
                self.given.setdefault(id(operation), tensors(args, kwargs))
            return operation.compute_output_spec(*args, **kwargs)

        outputs = model._run_through_graph(inputs, lambda one: one, call_fn=call)
        flat_outputs = keras.tree.flatten(outputs)
        return flat_outputs[0] if len(flat_outputs) == 1 else outputs


def _has_block_within(model: keras.Model, masks: bool) -> bool:
    """Whether a model within a model has a layer that is made of layers."""
    models = [functional(one) for one in model.operations if has_graph(one)]
    return any(
        any(is_block(one, masks) for one in inner.operations)
        or _has_block_within(inner, masks)
        for inner in models
    )


def _takes_training(operation: keras.Operation) -> bool:
    """Whether an operation computes another thing in training."""
    return "training" in inspect.signature(operation.call).parameters


def _flattened(given: Any, inner: keras.Model) -> list:
    """The tensors that a model is called with, in the order of its inputs."""
    if isinstance(given, dict) and not isinstance(inner.input, dict):
        return [given[tensor.name] for tensor in inner.inputs]
    return keras.tree.flatten(given)


def _fitted(x: keras.KerasTensor, reference: keras.KerasTensor) -> keras.KerasTensor:
    """A tensor of the kind of numbers that an input of a model has, as Keras casts it.

    Floats of another precision are cast by every layer.
    """
    floats = [keras.backend.is_float_dtype(one.dtype) for one in (x, reference)]
    return x if all(floats) else keras.ops.cast(x, reference.dtype)
