"""The thinner network, with the weights of the channels that stay.

Two ways to a smaller network, for two uses:

* `rebuild` copies the *seed's graph* at smaller sizes. An identity shortcut stays an
  identity: where it joins widths that have come apart it becomes a fixed 0/1 selection
  matrix, so the thin network computes exactly what the masked one would.
* `inherit` fills what the *builder* makes at the new widths, as a user would train it.
  A projection that appears there where an identity was starts as the selection matrix.
"""

import keras
import numpy as np

from ns_tf.graph.calls import functional
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.gates import Gate, Gates
from ns_tf.graph.remake import resized
from ns_tf.graph.weights import Key, stays

SELECT = "select"


def rebuild(
    model: keras.Model, graph: ChannelGraph, keep: np.ndarray, gates: Gates
) -> tuple[keras.Model, dict[Key, tuple]]:
    """The seed's graph with the channels `keep` [channels] alone; weights are not set.

    Args:
        model: The seed network.
        graph: Its channel graph.
        keep: [channels] bool, never all False within a group.
        gates: Where `Gate` layers go.

    Returns:
        The new model, and the axes of the weights that it has beside the seed's: gates
        and selection matrices, in the seed's channel numbers.
    """
    editor = _Editor(graph, keep, gates)
    if not editor.changes:
        return model, {}
    thin = keras.models.clone_model(
        functional(model), clone_function=editor.clone, call_function=editor.call
    )
    return thin, editor.extra


class _Editor:
    """The two functions that `keras.models.clone_model` takes."""

    def __init__(self, graph: ChannelGraph, keep: np.ndarray, gates: Gates):
        self.graph = graph
        self.keep = keep
        self.gates = gates
        self.gated: dict[tuple, keras.KerasTensor] = {}
        self.made: dict[int, tuple] = {}  # id of a copy -> (copy, tensor).
        self.by_name = {}
        for call in graph.calls:
            self.by_name.setdefault(call.name, []).append(call)
        self.extra: dict[Key, tuple] = {}
        self.changes = bool(gates.edges) or not keep.all()

    def clone(self, layer):
        """The layer at its new size."""
        if not isinstance(layer, keras.layers.Layer):
            return layer
        return resized(layer, self.graph, lambda axis: stays(axis, self.keep).sum())

    def call(self, layer, *args, **kwargs):
        """Calls the layer, its inputs gated and aligned where that is due."""
        given = keras.tree.flatten((args, kwargs))
        tensors = [x for x in given if isinstance(x, keras.KerasTensor)]
        number, call = self._which(layer.name, tensors)
        places = iter(range(len(tensors)))

        def edit(x):
            if not isinstance(x, keras.KerasTensor):
                return x
            return self._edge(x, call, number, next(places))

        args, kwargs = keras.tree.map_structure(edit, (args, kwargs))
        output = layer(*args, **kwargs)
        self.made[id(output)] = (output, call.output)
        return output

    def _which(self, name: str, tensors: list):
        """Number and record of the call that reads copies of these tensors.

        Keras copies the calls of a shared layer in an order of its own.
        """
        for number, call in enumerate(self.by_name[name]):
            pairs = zip(tensors, call.inputs, strict=True)
            # The model's inputs are copied without a call to this.
            if all(self.made.get(id(x), (x, t))[1] == t for x, t in pairs):
                return number, call
        raise AssertionError(f"no call of {name!r} reads what its copy reads")

    def _edge(self, x, call, number, place):
        """The tensor x as the call reads it at this input."""
        tensor = call.inputs[place]
        if (call.name, number, place) in self.gates.edges:
            x = self._gate(x, tensor)
        if place in call.crossing:
            x = self._select(x, tensor, call, place)
        return x

    def _gate(self, x, tensor):
        if tensor not in self.gated:
            name = "_".join(str(part) for part in tensor) + "_gate"
            self.gated[tensor] = Gate(name=name, dtype=_policy(x))(x)
            self.extra[name, "gate"] = (self.graph.channels[tensor],)
        return self.gated[tensor]

    def _select(self, x, tensor, call, place):
        """x with the channels of `call`'s output: those that both have, zeros else."""
        source, target = self.graph.channels[tensor], self.graph.channels[call.output]
        kept = stays(source, self.keep), stays(target, self.keep)
        if np.array_equal(*kept):
            return x
        name = f"{call.name}_{SELECT}{place}"
        layer = keras.layers.Conv2D(
            int(kept[1].sum()),
            1,
            use_bias=False,
            trainable=False,
            name=name,
            dtype=_policy(x),
        )
        self.extra[name, "kernel"] = (None, None, source, target)
        return layer(x)


def _policy(x: keras.KerasTensor) -> str:
    """The dtype policy of a layer that leaves the dtype of its input as it is."""
    return f"mixed_{x.dtype}" if x.dtype in ("bfloat16", "float16") else x.dtype


def selection(size: int) -> np.ndarray:
    """[1, 1, size, size]: a 1x1 convolution that changes nothing; `take` thins it."""
    return np.eye(size, dtype=np.float32)[None, None]
