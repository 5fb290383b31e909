"""A network that was cut, beside the whole one, while its readers are repaired."""

import collections
import functools
from collections.abc import Iterator, Mapping

import keras
import numpy as np

from ns_tf.base import InputError
from ns_tf.graph import activations, weights
from ns_tf.graph.calls import functional
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.rules import NORM
from ns_tf.graph.walk import channel_graph
from ns_tf.graph.weights import stays
from ns_tf.prune.readers import Reader, Views, readers
from ns_tf.prune.repairs import Cut

_FILTERS = 0xF1  # Keeps the draw of filters apart from that of places.


class Rebuilt:
    """The readers of what went, with their inputs and targets, from the image on.

    Works on a copy; `finish` writes it back.

    Args:
        cut: The whole network, and what is left of it.

    Attributes:
        readers: The layers that lost inputs, in the order in which they compute.
        whole: Windows of the whole network.
        small: Windows of what is left, as it is now.
    """

    def __init__(self, cut: Cut):
        self.cut = cut
        self.graph = channel_graph(functional(cut.small))
        self.readers = [
            one for one in readers(cut.graph) if not stays(one.reads, cut.keep).all()
        ]
        self.whole = Views(GatedNetwork(cut.trained, cut.graph), cut.proxy)
        self.small = Views(GatedNetwork(cut.small, self.graph), cut.proxy)

    def whole_kernel(self, reader: Reader) -> np.ndarray:
        """The kernel [window, inputs, filters] of the whole network.

        Of its filters those that are left, of its inputs all.
        """
        kernel = _flat(self.whole.layer(reader))
        return kernel[..., stays(reader.makes, self.cut.keep)]

    def kernel(self, reader: Reader) -> np.ndarray:
        """The kernel [window, inputs, filters] of what is left, as it is now."""
        return _flat(self.small.layer(reader))

    def set_kernel(self, reader: Reader, kernel: np.ndarray) -> None:
        """Sets the kernel of a reader.

        Args:
            reader: The layer.
            kernel: [window, inputs, filters].
        """
        variable = self.small.layer(reader).kernel
        variable.assign(kernel.reshape(variable.shape))
        self.small.changed(reader.layer)

    def pairs(
        self, reader: Reader, *, ones: bool = False
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(windows of what is left, what the whole network puts out there).

        Args:
            reader: The layer.
            ones: Whether windows end with a 1, the input of an offset.

        Yields:
            [rows, window * inputs, perhaps + 1] and [rows, filters], both without the
            bias that the layer has now.
        """
        kernel, gap = self.whole_kernel(reader), self._gap(reader)
        both = zip(self.small.rows(reader), self.whole.rows(reader), strict=True)
        for now, before in both:
            a = now.reshape(len(now), -1)
            if ones:
                a = np.concatenate([a, np.ones((len(a), 1))], axis=1)
            flat = before.reshape(len(before), -1)
            yield a, flat @ kernel.reshape(-1, kernel.shape[-1]) + gap

    def contributions(self, reader: Reader) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(what each input adds to one output, the output of the whole network).

        Each row has an output of its own, drawn at random.

        Yields:
            [rows, inputs] and [rows, 1], both without the bias that the layer has now.
        """
        kernel, whole = self.kernel(reader), self.whole_kernel(reader)
        gap = self._gap(reader)
        both = zip(self.small.rows(reader), self.whole.rows(reader), strict=True)
        for number, (now, before) in enumerate(both):
            rng = np.random.default_rng([reader.number, number, _FILTERS])
            chosen = rng.integers(0, kernel.shape[-1], len(now))
            y = contributions(before, whole, chosen).sum(axis=1) + gap[chosen]
            yield contributions(now, kernel, chosen), y[:, None]

    # Offsets.

    def _gap(self, reader: Reader) -> np.ndarray:
        """[filters]: the whole network's bias above that of what is left."""
        whole, now = self.whole.layer(reader), self.small.layer(reader)
        if not now.use_bias:
            return np.zeros(now.kernel.shape[-1])
        own = stays(reader.makes, self.cut.keep)
        return np.array(whole.bias, float)[own] - np.array(now.bias, float)

    def has_offset(self, reader: Reader) -> bool:
        """Whether a constant can be added to what the reader puts out."""
        layer = self.small.layer(reader)
        return layer.use_bias or self._norm_behind(reader) is not None

    def move_offset(
        self, reader: Reader, more: np.ndarray, *, needed: bool = False
    ) -> None:
        """Adds to a reader's outputs, by its bias or by the mean of the norm behind it.

        Args:
            reader: The layer.
            more: [filters].
            needed: Whether it is an error if the reader has neither.

        Raises:
            InputError: it is needed, and there is no place for it.
        """
        layer, norm = self.small.layer(reader), self._norm_behind(reader)
        if layer.use_bias:
            layer.bias.assign(np.array(layer.bias) + more)
            self.small.changed(layer.name)
        elif norm is not None:
            norm.moving_mean.assign(np.array(norm.moving_mean) - more)
            self.small.changed(norm.name)
        elif needed:
            raise no_offset(reader.layer)

    def _norm_behind(self, reader: Reader) -> keras.layers.BatchNormalization | None:
        """The norm that alone reads what the reader puts out; None if there is none."""
        name = norm_behind(self.small.layer(reader), self._norms)
        return None if name is None else self.small.network.model.get_layer(name)

    @functools.cached_property
    def _norms(self) -> dict[str, str]:
        return norms_behind(self.graph)

    def finish(self) -> None:
        """Gives the network that is left the weights of the repaired copy."""
        weights.assign(self.cut.small, weights.values(self.small.network.model))


def norms_behind(graph: ChannelGraph) -> dict[str, str]:
    """Layer -> the norm that alone reads its only output, and nothing else.

    Args:
        graph: Of the network.
    """
    times, found = collections.Counter(call.name for call in graph.calls), {}
    for call in graph.calls:
        users = [c for c in graph.calls if call.output in c.inputs]
        if len(users) == 1 and users[0].kind == NORM:
            norm = users[0].name
            if times[call.name] == times[norm] == 1:
                found[call.name] = norm
    return found


def norm_behind(layer: keras.Layer, norms: Mapping[str, str]) -> str | None:
    """The norm whose mean can take an offset of what a layer puts out.

    Args:
        layer: A reader.
        norms: As of `norms_behind`.

    Returns:
        None if there is none, or the layer has an activation of its own.
    """
    linear = activations.name_of(layer.activation) == "linear"
    return norms.get(layer.name) if linear else None


def no_offset(layer: str) -> InputError:
    """The error of a layer that has no place for an offset.

    Args:
        layer: Its name.
    """
    return InputError(
        f"Layer {layer!r} reads filters that go, and has neither a bias nor a batch "
        "norm behind it that could take their mean. Use --repair=statistics or "
        "least_squares."
    )


def contributions(
    windows: np.ndarray, kernel: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """What each input adds to one output of each row, [rows, inputs].

    x_c = sum over the window of K[., c, o] input_c, for the output o of the row.

    >>> kernel = np.array([[[1.0, 2.0], [3.0, 4.0]]])  # 1 entry, 2 inputs, 2 filters.
    >>> contributions(np.array([[[5.0, 7.0]]]), kernel, np.array([1])).tolist()
    [[10.0, 28.0]]

    Args:
        windows: [rows, window, inputs].
        kernel: [window, inputs, filters].
        chosen: [rows] numbers of filters.
    """
    return np.einsum("rwc,wcr->rc", windows, kernel[..., chosen], optimize=True)


def _flat(layer: keras.Layer) -> np.ndarray:
    """A kernel as [window, inputs, filters], float64."""
    kernel = np.array(layer.kernel, float)
    return kernel.reshape(-1, *kernel.shape[-2:])
