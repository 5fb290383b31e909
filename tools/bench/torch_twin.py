"""A Keras model in PyTorch: the same graph, the same weights, layers of the same names.

Of the layers that the networks of these benchmarks have; images are
[batch, channels, height, width].
"""

from collections.abc import Callable

import keras
import numpy as np
import torch
from torch import nn

from ns_tf.base import InputError
from ns_tf.graph import calls


class Twin(nn.Module):
    """What a functional Keras model computes.

    Args:
        model: With one image, one output, and layers of `MAKERS`, each called once.

    Raises:
        InputError: a layer has no counterpart here.
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        config = calls.graph_config(model)
        self.output = calls.tensors_in(config["output_layers"])[0][0]
        self.calls: list[tuple[str, list[str]]] = []
        self.layers = nn.ModuleDict()
        for name, inputs, _ in calls.ordered(list(calls.nodes(config))):
            if not inputs:
                self.image = name
                continue
            self.calls.append((name, [tensor[0] for tensor, _ in inputs]))
            self.layers[name] = _module(model, name, self.calls[-1][1])
        self.to(torch.from_numpy(np.zeros((), model.dtype)).dtype).eval()

    def forward(self, x):
        """Outputs of images [batch, channels, height, width]."""
        values = {self.image: x}
        for name, inputs in self.calls:
            values[name] = self.layers[name](*(values[one] for one in inputs))
        return values[self.output]


class Function(nn.Module):
    """A function without weights."""

    def __init__(self, function: Callable):
        super().__init__()
        self.forward = function


def _module(model: keras.Model, name: str, inputs: list[str]) -> nn.Module:
    """The counterpart of a layer, with its weights."""
    layer = model.get_layer(name)
    kind = type(layer).__name__
    if kind not in MAKERS:
        raise InputError(
            f"The layer {name!r} is a {kind}, which has no counterpart here; there is "
            f"one for {', '.join(MAKERS)}."
        )
    module = MAKERS[kind](layer)
    before = model.get_layer(inputs[0])
    if isinstance(layer, keras.layers.Dense) and isinstance(
        before, keras.layers.Flatten
    ):
        _flattened(module, before.input.shape[1:])
    return module


def _flattened(linear: nn.Linear, shape: tuple[int, int, int]) -> None:
    """Puts the inputs of a dense layer in the order of flattened PyTorch images."""
    places = np.arange(np.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
    linear.weight.data = linear.weight.data[:, places]


def _set(tensor: torch.Tensor, value: np.ndarray) -> None:
    tensor.data = torch.from_numpy(np.array(value))


def _conv(layer: keras.layers.Conv2D) -> nn.Module:
    """A convolution; "same" pads as Keras does, which at a stride may be lopsided."""
    kernel = np.asarray(layer.kernel)
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    turned = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
    groups = turned.shape[0] if depthwise else layer.groups
    conv = nn.Conv2d(
        turned.shape[1] * groups,
        turned.shape[0],
        turned.shape[2:],
        layer.strides,
        groups=groups,
        bias=layer.use_bias,
    )
    _set(conv.weight, turned)
    if layer.use_bias:
        _set(conv.bias, layer.bias)
    pads = [(0, 0), (0, 0)]
    if layer.padding == "same":
        sizes = zip(
            layer.input.shape[1:3], turned.shape[2:], layer.strides, strict=True
        )
        pads = [_pads(*one) for one in sizes]
    if all(first == last for first, last in pads):
        conv.padding = tuple(first for first, _ in pads)
        return conv
    return nn.Sequential(nn.ZeroPad2d((*pads[1], *pads[0])), conv)


def _pads(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels of padding before and behind an axis, as of "same"."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def _dense(layer: keras.layers.Dense) -> nn.Linear:
    linear = nn.Linear(*layer.kernel.shape)
    _set(linear.weight, np.asarray(layer.kernel).T)
    _set(linear.bias, layer.bias)
    return linear


def _norm(layer: keras.layers.BatchNormalization) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(layer.gamma.shape[0], eps=layer.epsilon)
    _set(norm.weight, layer.gamma)
    _set(norm.bias, layer.beta)
    _set(norm.running_mean, layer.moving_mean)
    _set(norm.running_var, layer.moving_variance)
    return norm


def _relu(layer: keras.layers.ReLU) -> nn.Module:
    return nn.ReLU() if layer.max_value is None else nn.Hardtanh(0, layer.max_value)


def _average(layer: keras.layers.GlobalAveragePooling2D) -> nn.Module:
    return Function(lambda x: x.mean((2, 3), keepdim=layer.keepdims))


MAKERS: dict[str, Callable] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _conv,
    "Dense": _dense,
    "BatchNormalization": _norm,
    "ReLU": _relu,
    "Activation": lambda layer: Function(getattr(torch, layer.activation.__name__)),
    "MaxPooling2D": lambda layer: nn.MaxPool2d(layer.pool_size, layer.strides),
    "GlobalAveragePooling2D": _average,
    "UpSampling2D": lambda layer: nn.Upsample(scale_factor=layer.size),
    "Flatten": lambda layer: nn.Flatten(),
    "Add": lambda layer: Function(lambda *some: sum(some[1:], some[0])),
    "Multiply": lambda layer: Function(torch.mul),
    "Concatenate": lambda layer: Function(lambda *some: torch.cat(some, 1)),
}
