"""What a model does at its ends: whether it scales pixels, or ends in a softmax."""

import keras

from ns_tf.graph.calls import functional, has_graph
from ns_tf.graph.rules import INPUT, THROUGH
from ns_tf.graph.walk import channel_graph

# Operations that leave probabilities as they are, by class name in lower case.
_PASSING = ("flatten", "reshape", "identity", "dropout")
_SCALING = "Rescaling Normalization TrueDivide Divide Multiply Subtract Add".split()
# Operations that leave pixels in their unit; so do layers named Random...
_ARRANGING = "Cast GetItem Flip Resizing CenterCrop".split()


def ends_in_softmax(model: keras.Model) -> bool:
    """Whether a model gives probabilities: no operation computes after a softmax.

    A softmax counts as a layer, as an `Activation`, as the activation of a layer, and
    at the end of a model within the model.

    Args:
        model: Functional; models within may be sequential.

    Returns:
        False if the model gives logits.
    """
    graph = channel_graph(model)
    operations = {operation.name: operation for operation in model.operations}
    producer = {call.output: call for call in graph.calls}
    call = producer[graph.outputs[0]]
    while call.inputs:
        operation = operations[call.name]
        if has_graph(operation):
            return ends_in_softmax(functional(operation))
        activation = getattr(operation, "activation", None)
        names = (getattr(activation, "__name__", ""), type(operation).__name__.lower())
        if "softmax" in names:
            return True
        if names[1] not in _PASSING and names != ("linear", "activation"):
            return False
        call = producer[call.inputs[0]]
    return False


def scales_pixels(model: keras.Model) -> bool:
    """Whether a model brings pixels into its own range before any layer that learns.

    It begins with a Rescaling or Normalization or with arithmetic on the image, such
    as that of `keras.applications`' `preprocess_input`, or it takes whole numbers.
    Such a model is given pixels as they are; others are given normalised images.

    Args:
        model: Functional, of one input; models within may be sequential.
    """
    if not keras.backend.is_float_dtype(model.inputs[0].dtype):
        return True
    graph = channel_graph(model)
    operations = {operation.name: operation for operation in model.operations}
    tensor = next(call.output for call in graph.calls if call.kind == INPUT)
    while True:
        readers = [call for call in graph.calls if tensor in call.inputs]
        if len(readers) != 1 or len(readers[0].inputs) != 1:
            return False
        operation = operations[readers[0].name]
        kind = type(operation).__name__
        if kind in _SCALING:
            return True
        if has_graph(operation):
            inner = functional(operation)
            if scales_pixels(inner):
                return True
            passes = not inner.trainable_variables
        else:
            passes = kind in _ARRANGING or kind.startswith("Random")
        if not passes and readers[0].kind != THROUGH:
            return False
        tensor = readers[0].output
