"""A network whose channels can be closed, weighed and differentiated, one by one.

Every edge by which a removable channel leaves its group reads x * g, with one gate g a
channel. The gates of all channels are an input of the network, a row for each image:

* all gates 1: the network as it is.
* gates 0 for some channels: what is left when they are removed.
* the derivative by a row: what a small change of each channel does to that image's
  loss, summed over the channel's pixels and over all of its edges.

Channels that additions join are one channel, so they share their gate.
"""

from collections.abc import Sequence

import keras
import numpy as np

from ns_tf.graph import gates as places
from ns_tf.graph import weights
from ns_tf.graph.calls import Tensor, functional, input_names
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.gates import Edge, Gates, Gating
from ns_tf.graph.thin import Editor, policy_of

GATES = "gates"  # The name of the input that takes them.


class GatedNetwork:
    """A copy of a network with its gates as a second input.

    n is the number of channels of the graph. A row of gates has n + 1 entries; the last
    one belongs to what is no channel, as an image's colours, and is 1.

    Args:
        model: Functional or sequential; not changed.
        graph: Its channel graph.

    Attributes:
        model: (inputs, gates [batch, n + 1]) -> outputs, where several inputs are a
            tuple. It has copies of the layers, with the same names and weights.
        edges: Edge -> the tensor that is gated there.
        tensors: The tensors of `model` by their names in the graph, each before its
            gate.
        gated: The same tensors behind their gates, those that have any.
        inputs: The inputs of `model` without the gates, by their names in the graph.

    Raises:
        InputError: a layer cannot be made again from its configuration.
    """

    def __init__(self, model: keras.Model, graph: ChannelGraph):
        model = functional(model)
        self.graph = graph
        self.edges: dict[Edge, Tensor] = self.places()
        images = [_copied(tensor) for tensor in model.inputs]
        dtype = keras.backend.result_type(model.outputs[0].dtype, "float32")
        row = keras.Input((self.size + 1,), dtype=dtype, name=GATES)
        editor = self.editor(row)
        editor.note_inputs(model, images)
        # Keras copies a graph only between its inputs, so the gates are one of them.
        ready = keras.Model([_unwrapped(model.inputs), row], model.output)
        self.model = keras.models.clone_model(
            ready,
            input_tensors=[_unwrapped(images), row],
            clone_function=editor.clone,
            call_function=editor.call,
        )
        own = weights.values(self.model)  # A subclass's gates may have weights.
        weights.assign(self.model, {**own, **weights.values(model)})
        self.tensors: dict[Tensor, keras.KerasTensor] = {
            name: tensor
            for tensor, names in editor.copies.values()
            for name in names
            if name[0] not in input_names(model)
        }
        self.gated: dict[Tensor, keras.KerasTensor] = editor.gated
        self.inputs: dict[Tensor, keras.KerasTensor] = {
            (name, 0, 0): tensor
            for name, tensor in zip(input_names(model), images, strict=True)
        }

    @property
    def size(self) -> int:
        """n: the number of gates."""
        return len(self.graph.owner)

    def places(self) -> dict[Edge, Tensor]:
        """Edge -> the tensor that is gated there."""
        return places.edges(self.graph)

    def editor(self, row: keras.KerasTensor) -> "Passing":
        """What copies the network.

        Args:
            row: The input of all gates, [batch, n + 1].
        """
        return Passing(self.graph, self.edges, row)

    def rows(self, count: int, keep: np.ndarray | None = None) -> np.ndarray:
        """Gates [count, n + 1], the same for each image.

        Args:
            count: Images.
            keep: [n] gates, or bool: open where True. All open if None.
        """
        own = np.ones(self.size) if keep is None else np.asarray(keep, float)
        row = np.append(own, 1.0).astype(self.model.inputs[-1].dtype)
        return np.repeat(row[None], count, axis=0)

    def reader(self, tensors: list[keras.KerasTensor]) -> keras.Model:
        """A model of the same inputs that gives these of its tensors.

        Args:
            tensors: Values of `tensors` or `gated`.
        """
        return keras.Model(self.model.input, tensors)


def _copied(tensor: keras.KerasTensor) -> keras.KerasTensor:
    """An input like another one."""
    return keras.Input(tensor.shape[1:], dtype=tensor.dtype)


def _unwrapped(inputs: list) -> keras.KerasTensor | tuple:
    """The only input, or a tuple of several."""
    return tuple(inputs) if len(inputs) > 1 else inputs[0]


def gates_at(row: keras.KerasTensor, places: Sequence[int]) -> keras.KerasTensor:
    """The gates at these places of a row, [batch, places].

    Places that follow each other are a slice, whose derivative is one operation; that
    of a gather is thirty, at each of the network's edges.

    Args:
        row: Gates [batch, n + 1].
        places: Of channels in the row.
    """
    first, end = places[0], places[0] + len(places)
    if list(places) == list(range(first, end)):
        return row[:, first:end]
    return keras.ops.take(row, np.array(places), axis=-1)


@keras.saving.register_keras_serializable("ns_tf")
class PassGates(Gating):
    """Multiplies every channel by its gate, taken from a row of all gates.

    Args:
        channels: [channels of the tensor] their places in the row.
        rows: How many entries of the first axis are one example's.
        **options: Of `keras.layers.Layer`.
    """

    def __init__(self, channels: list[int], rows: int = 1, **options: object):
        super().__init__(**options)
        self.channels, self.rows = list(channels), rows

    def call(self, x: keras.KerasTensor, gates: keras.KerasTensor) -> keras.KerasTensor:
        """x [batch * rows, ..., channels] times its gates of `gates` [batch, n + 1]."""
        own = gates_at(gates, self.channels)
        if self.rows > 1 and gates.shape[0] != 1:
            own = keras.ops.repeat(own, self.rows, axis=0)
        middle = (1,) * (len(x.shape) - 2)
        own = keras.ops.reshape(own, (-1, *middle, len(self.channels)))
        return x * keras.ops.cast(own, x.dtype)

    def get_config(self) -> dict:
        """The channels and the rows, beside what every layer has."""
        own = {"channels": self.channels, "rows": self.rows}
        return {**super().get_config(), **own}


class Passing(Editor):
    """Copies a network whole, with `PassGates` on the edges.

    Args:
        graph: The network's channel graph, of n channels.
        edges: Where gates go, as of `ns_tf.graph.gates.edges`.
        row: All gates, [batch, n + 1].
    """

    def __init__(
        self, graph: ChannelGraph, edges: dict[Edge, Tensor], row: keras.KerasTensor
    ):
        super().__init__(graph, np.ones(len(graph.owner), bool), Gates((), edges))
        self.row = row

    def gate(
        self, x: keras.KerasTensor, channels: np.ndarray, name: str, rows: int = 1
    ) -> keras.KerasTensor:
        """x behind the gates of its channels; NONE (-1) is the row's last entry."""
        places = channels % self.row.shape[-1]
        layer = PassGates(places.tolist(), rows, name=name, dtype=policy_of(x))
        return layer(x, self.row)
