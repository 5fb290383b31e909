"""What the layers of a network read, at a few places of some images.

A layer that makes channels is a *reader* of others. At one place of one image it reads
a window: the entries of its input that one output pixel is made of. Repairs and
criteria compare windows of a network before and after a cut, at the same places.
"""

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from ns_tf.graph.calls import Tensor
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.gated import GatedNetwork
from ns_tf.prune.forward import Forward
from ns_tf.prune.scoring import Proxy

PLACES = 12  # Places of an image at which a layer is read.


@dataclasses.dataclass(frozen=True, eq=False)
class Reader:
    """A layer that reads channels of others, and makes its own.

    Args:
        layer: Its name.
        tensors: What it reads: a tensor for each of its calls.
        reads: [inputs] channel numbers along the kernel's axis of inputs.
        makes: [filters] channel numbers of its filters.
        number: Its place among the readers of its network.
    """

    layer: str
    tensors: tuple[Tensor, ...]
    reads: np.ndarray
    makes: np.ndarray
    number: int


def readers(graph: ChannelGraph) -> list[Reader]:
    """The layers that read windows of made channels, from the image on.

    These are plain convolutions and dense layers. What another layer reads, as a
    transposed convolution, is no window, so repairs leave its kernel as the cut made
    it.

    Args:
        graph: Of a network.
    """
    made = {call.output for call in graph.calls if call.inputs}
    tensors: dict[str, list[Tensor]] = {}
    for call in graph.calls:
        kernel = graph.kernels.get(call.name)
        if kernel and kernel.window and call.inputs[0] in made:
            tensors.setdefault(call.name, []).append(call.inputs[0])
    return [
        Reader(name, tuple(read), *graph.axes[name, "kernel"][-2:], number)
        for number, (name, read) in enumerate(tensors.items())
    ]


def windows(x: np.ndarray, layer: keras.Layer, places: np.ndarray) -> np.ndarray:
    """What a layer reads at some places, [rows, entries of a window, inputs].

    Padding is the layer's own, of zeros.

    >>> layer = keras.layers.Conv1D(1, 3, padding="same")
    >>> x = np.array([[[1.0], [2.0], [3.0]]])
    >>> windows(x, layer, np.array([[0, 0], [0, 2]]))[..., 0].tolist()
    [[0.0, 1.0, 2.0], [2.0, 3.0, 0.0]]

    Args:
        x: [images, ..., inputs].
        layer: A convolution or a dense layer.
        places: [rows, 1 + axes]: of each row the image and the output pixel.
    """
    spatial = x.shape[1:-1]
    size, stride, rate, before, after = _geometry(layer, spatial)
    x = np.pad(x, [(0, 0), *zip(before, after, strict=True), (0, 0)])
    axes, rows = len(spatial), len(places)
    index = [places[:, 0].reshape(rows, *(1,) * axes)]
    for axis in range(axes):
        steps = np.arange(size[axis]) * rate[axis]
        along = places[:, 1 + axis, None] * stride[axis] + steps
        shape = [rows] + [1] * axes
        shape[1 + axis] = size[axis]
        index.append(along.reshape(shape))
    return x[tuple(index)].reshape(rows, int(np.prod(size, dtype=int)), x.shape[-1])


def _geometry(layer: keras.Layer, spatial: tuple) -> tuple:
    """(window, strides, dilation, padding before, padding after), each [axes]."""
    axes = len(spatial)
    if not hasattr(layer, "kernel_size"):  # A dense layer reads pixel by pixel.
        return (1,) * axes, (1,) * axes, (1,) * axes, (0,) * axes, (0,) * axes
    size, stride, rate = layer.kernel_size, layer.strides, layer.dilation_rate
    extent = [(k - 1) * d + 1 for k, d in zip(size, rate, strict=True)]
    if layer.padding == "causal":
        return size, stride, rate, (extent[0] - 1,), (0,)
    pads = [0] * axes
    if layer.padding == "same":
        pads = [
            max((-(-n // s) - 1) * s + e - n, 0)
            for n, s, e in zip(spatial, stride, extent, strict=True)
        ]
    return size, stride, rate, [p // 2 for p in pads], [p - p // 2 for p in pads]


def outputs_of(layer: keras.Layer, spatial: tuple) -> tuple[int, ...]:
    """[axes]: output pixels of a layer along each axis.

    >>> outputs_of(keras.layers.Conv2D(1, 3, strides=2, padding="same"), (7, 8))
    (4, 4)

    Args:
        layer: A convolution or a dense layer.
        spatial: Of its input, [axes].
    """
    size, stride, rate, before, after = _geometry(layer, spatial)
    return tuple(
        (n + b + a - (k - 1) * d - 1) // s + 1
        for n, k, s, d, b, a in zip(
            spatial, size, stride, rate, before, after, strict=True
        )
    )


class Views:
    """Windows that the layers of a network read, at the same places for any network.

    Reading one after another, from the image on, is fast (`ns_tf.prune.forward`).

    Args:
        network: With gates; its weights may change if `changed` is told.
        proxy: The images.
        seed: Draws the places, with the reader and the minibatch.
        places: Of an image; fewer, if the output has fewer pixels.
        keep: [n] bool: the gates that are open. All, if None.
    """

    def __init__(
        self,
        network: GatedNetwork,
        proxy: Proxy,
        *,
        seed: int = 0,
        places: int = PLACES,
        keep: np.ndarray | None = None,
    ):
        self.network, self.seed, self.places = network, seed, places
        self._forward = Forward(network, proxy, keep=keep)

    def layer(self, reader: Reader) -> keras.Layer:
        """The reader's layer in this network."""
        return self.network.model.get_layer(reader.layer)

    def rows(self, reader: Reader) -> Iterator[np.ndarray]:
        """Windows [rows, entries, inputs] float64, one array a minibatch and call."""
        for number, tensors in enumerate(self._inputs(reader)):
            for call, x in enumerate(tensors):
                yield self._windows(reader, x.numpy(), (number, call))

    def means(self, reader: Reader) -> np.ndarray:
        """[inputs]: the mean of every input over images and pixels."""
        sums, count = 0.0, 0
        for tensors in self._inputs(reader):
            for x in tensors:
                flat = x.numpy().astype(float).reshape(-1, x.shape[-1])
                sums, count = sums + flat.sum(axis=0), count + len(flat)
        return sums / count

    def pass_over(self, reader: Reader) -> None:
        """Computes what a reader reads, and leaves it at that."""
        for _ in self._inputs(reader):
            pass

    def changed(self, layer: str) -> None:
        """To be told when the weights of a layer are others.

        Args:
            layer: Its name.
        """
        self._forward.changed(layer)

    def _inputs(self, reader: Reader) -> Iterator[list[tf.Tensor]]:
        return self._forward.inputs(reader.layer, reader.tensors)

    def _windows(self, reader: Reader, x: np.ndarray, part: tuple) -> np.ndarray:
        """Windows of one tensor; the places depend on seed, reader and part alone."""
        layer = self.layer(reader)
        output = outputs_of(layer, x.shape[1:-1])
        pixels = int(np.prod(output, dtype=int))
        rng = np.random.default_rng([self.seed, reader.number, *part])
        count = min(self.places, pixels)
        chosen = rng.integers(0, pixels, (len(x), count))
        if count == pixels:
            chosen = np.broadcast_to(np.arange(pixels), (len(x), pixels))
        images = np.repeat(np.arange(len(x)), count)
        pixel = np.unravel_index(chosen.reshape(-1), output) if output else ()
        return windows(x, layer, np.stack([images, *pixel], axis=1)).astype(float)
