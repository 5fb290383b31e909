"""Multiply-adds by the library's count, and those of TensorFlow's graph."""

import keras
import numpy as np
import tensorflow as tf

from ns_tf.budgets.macs import KERNELS
from ns_tf.graph.walk import channel_graph
from ns_tf.networks.positions import positions


def counted(model) -> int:
    """Multiply-adds of one example: entries of kernels times positions."""
    found = positions(model, channel_graph(model))
    return sum(
        int(np.prod(weight.shape)) * found[id(weight)]
        for weight in model.weights
        if weight.name in KERNELS
    )


def traced(model) -> int:
    """Multiply-adds of the products in the graph that TensorFlow makes of the model."""
    spec = tf.TensorSpec((1, *model.input_shape[1:]), model.inputs[0].dtype)
    function = tf.function(lambda x: model(x, training=False))
    return sum(
        _of(operation) for operation in _all(function.get_concrete_function(spec).graph)
    )


def _all(graph):
    """The operations of a graph and of the functions that it calls."""
    yield from graph.get_operations()
    for function in graph._functions.values():
        yield from function.graph.get_operations()


def _of(operation) -> int:
    """Multiply-adds of one operation of static shapes; 0 of one that has no kernel."""
    sizes = [tuple(tensor.shape) for tensor in operation.inputs]
    if operation.type in ("MatMul", "BatchMatMulV2"):
        flip = "transpose_b" if operation.type == "MatMul" else "adj_y"
        return int(np.prod(sizes[0]) * sizes[1][-2 if operation.get_attr(flip) else -1])
    if operation.type in ("Conv2D", "Conv3D", "DepthwiseConv2dNative"):
        pixels = np.prod(operation.outputs[0].shape[1:-1])
        return int(np.prod(sizes[1]) * pixels)
    if operation.type == "Conv2DBackpropInput":
        return int(np.prod(sizes[1]) * np.prod(sizes[2][1:-1]))
    if operation.type == "Einsum":
        names = operation.get_attr("equation").decode().split("->")[0].split(",")
        of = {}
        for name, size in zip(names, sizes, strict=True):
            name = name.replace("...", "ABC"[: len(size) - len(name) + 3])
            of |= dict(zip(name, size, strict=True))
        return int(np.prod(list(of.values())))
    return 0


def on(shape, *stack) -> keras.Model:
    """A model of these layers, one after the other."""
    x = image = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(image, x)
