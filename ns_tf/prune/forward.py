"""Forward passes of which each goes on where the last one stopped.

Repairs and criteria read one layer of a network after another over the same images. A
pass from the images for each of n layers computes n² / 2 of them, and traces as many.
Here a pass leaves behind what the rest of the network needs, and the next one starts
there, where that is little enough to be held.
"""

import collections
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ns_tf.graph.calls import Tensor, entries
from ns_tf.graph.gated import GatedNetwork
from ns_tf.graph.masking import has_mask
from ns_tf.parts import first
from ns_tf.prune.scoring import Proxy

ROOM = 2**27  # Bytes of tensors of all images that are held: 128 MiB.


class Forward:
    """What the layers of a network read, of all images, one layer after another.

    Layers may be asked for in any order; that in which they compute is the fast one.

    Args:
        network: With gates. Weights of a layer may change if `changed` is told.
        proxy: The images.
        keep: [n] bool: the gates that are open. All, if None.
        room: Bytes that may be held, beside those of a minibatch.
    """

    def __init__(
        self,
        network: GatedNetwork,
        proxy: Proxy,
        *,
        keep: np.ndarray | None = None,
        room: int = ROOM,
    ):
        self.network, self.proxy, self.room = network, proxy, room
        self._gates = network.rows(1, keep)
        self._calls = network.graph.calls
        self._first: dict[str, int] = {}
        for place, call in enumerate(self._calls):
            self._first.setdefault(call.name, place)
        # The call where the next pass starts, and what it starts with, by minibatch.
        self._start, self._held = 0, collections.deque()
        self._masked = False  # Whether the pass has masks, which cannot be held.

    def inputs(self, layer: str, read: Sequence[Tensor]) -> Iterator[list[tf.Tensor]]:
        """What a layer reads, a list of tensors for each minibatch.

        Args:
            layer: Its name.
            read: Inputs of its calls.
        """
        self.changed(layer)
        start, given = self._start, self._given()
        stops = np.flatnonzero(self._stops[: self._first[layer] + 1])
        stop = max([start, *stops])
        compute = self._computing(start, read, self._live(stop))
        self.forget()  # A pass that is left before its end leaves nothing behind.
        self._masked, held = False, collections.deque()
        for x, count in given:
            tensors, live = compute(x, tf.constant(count))
            held.append((live, count))
            yield tensors
        if not self._masked:
            self._start, self._held = stop, held

    def changed(self, layer: str) -> None:
        """Forgets what a layer computed, whose weights are others now.

        Args:
            layer: Its name.
        """
        if self._first[layer] < self._start:
            self.forget()

    def forget(self) -> None:
        """The next pass starts with the images."""
        self._start, self._held = 0, collections.deque()

    def _given(self) -> Iterator[tuple[Any, int]]:
        """(what a pass starts with, its number of images), each minibatch once."""
        if not self._start:
            batches = self.proxy.batches()
            return ((images, len(first(images))) for images, _ in batches)
        held = self._held
        return (held.popleft() for _ in range(len(held)))

    def _computing(
        self, start: int, read: Sequence[Tensor], live: Sequence[Tensor]
    ) -> Callable:
        """(what a pass starts with, images) -> (read, live), compiled.

        Args:
            start: The call where it starts.
            read: Names of tensors.
            live: Names of those that the next pass starts with.
        """
        gates, row = tf.constant(self._gates), self.network.model.inputs[-1]
        tensors = [self._tensors[name] for name in (*read, *live)]
        if start:
            given = [self._tensors[name] for name in self._live(start)]
            part = _Part([*given, row], tensors)
        else:
            part = self.network.reader(tensors)

        @tf.function(autograph=False, reduce_retracing=True)
        def compute(x, count):
            rows = tf.repeat(gates, count, axis=0)
            x = [*x, rows] if start else [x, rows]
            found = keras.tree.flatten(part(x, training=False))
            kept = found[len(read) :]
            self._masked |= any(map(has_mask, kept))  # Known when it is traced.
            return found[: len(read)], kept

        return compute

    # Where a pass can stop.

    @functools.cached_property
    def _tensors(self) -> dict[Tensor, keras.KerasTensor]:
        return {**self.network.inputs, **self.network.tensors}

    @functools.cached_property
    def _spans(self) -> dict[Tensor, tuple[int, int]]:
        """Tensor -> (the call that makes it, the last one that reads it)."""
        made = {call.output[:2]: place for place, call in enumerate(self._calls)}
        return {
            tensor: (made[tensor[:2]], place)
            for place, call in enumerate(self._calls)
            for tensor in call.inputs
        }

    def _live(self, place: int) -> list[Tensor]:
        """What was made before a call, and is read by it or behind it."""
        spans = self._spans.items()
        return [tensor for tensor, (made, last) in spans if made < place <= last]

    @functools.cached_property
    def _stops(self) -> np.ndarray:
        """[calls] bool: the calls before which all that is live can be held."""
        size = np.zeros(len(self._calls))
        for tensor, (made, last) in self._spans.items():
            size[made + 1 : last + 1] += self._bytes(tensor)
        # Inputs come before all other calls.
        return (size <= self.room) & [bool(call.inputs) for call in self._calls]

    def _bytes(self, name: Tensor) -> float:
        """Of a tensor, all images together; nan if it cannot be held.

        That is one not of images, or with a mask, which would be lost. Masks out of
        models within a model are not seen here.
        """
        x, rows = self._tensors.get(name), self.network.graph.rows.get(name, 1)
        if x is None or not x.shape or x.shape[0] is not None or not rows:
            return np.nan
        if has_mask(x):
            return np.nan
        images = len(self.proxy.split)
        return images * rows * entries(x.shape) * tf.as_dtype(x.dtype).size


class _Part(keras.Layer):
    """The calls of a network between some of its tensors and others.

    A model of these tensors would be wrong where one layer makes a given tensor and is
    called again behind it.
    """

    def __init__(self, given: list[keras.KerasTensor], made: list[keras.KerasTensor]):
        super().__init__(autocast=False, name="part")
        self.graph = keras.Function(given, made)

    def call(self, given: list[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """The tensors that are made of those given."""

        def call(one, *args, **kwargs):
            if getattr(one, "_call_has_training_arg", False):
                kwargs["training"] = training
            return one(*args, **kwargs)

        return self.graph._run_through_graph(given, lambda one: one, call_fn=call)
