"""A network whose channels are closed, and the same network without them."""

import keras
import numpy as np

from ns_tf.graph import gates, weights
from ns_tf.graph.thin import rebuild, selection
from ns_tf.graph.weights import stays, take


class Thinner:
    """A network with gates, and what `rebuild` makes of it when channels go."""

    def __init__(self, model: keras.Model, graph):
        self.model, self.graph = model, graph
        self.gates = gates.place(graph)
        self.arrays = weights.values(model)
        everything = np.ones(len(graph.owner), bool)
        self.gated, self.extra = rebuild(model, graph, everything, self.gates)
        self.fill(self.gated, self.extra, everything)

    def fill(self, model, extra, keep) -> None:
        """Sets the weights of a rebuilt network from the seed's."""
        arrays = {}
        for key in weights.weights(model):
            axes = extra.get(key) or self.graph.axes.get(key) or ()
            if key in self.arrays:
                whole = self.arrays[key]
            elif key[1] == "gate":
                whole = np.ones(len(axes[0]))
            else:
                whole = selection(len(axes[-1]))
            arrays[key] = take(whole, axes, keep)
        weights.assign(model, arrays)

    def closed(self, keep) -> keras.Model:
        """The network at full size with the gates of what goes at zero."""
        self.fill(self.gated, self.extra, np.ones_like(keep))
        for key, weight in weights.weights(self.gated).items():
            layer, name = key
            norm = layer in self.gates.norms and name in ("gamma", "beta")
            if norm or name == "gate":
                (axis,) = self.extra.get(key) or self.graph.axes[key]
                weight.assign(np.array(weight) * stays(axis, keep))
        return self.gated

    def thin(self, keep) -> keras.Model:
        """The network without what goes."""
        model, extra = rebuild(self.model, self.graph, keep, self.gates)
        self.fill(model, extra, keep)
        return model

    def subset(self, rng, share: float) -> np.ndarray:
        """[n] bool: some channels of every group, all of the frozen ones."""
        keep = (rng.random(len(self.graph.owner)) < share) | self.graph.frozen
        for group in self.graph.groups:
            keep[rng.choice(group.channels)] = True
        return keep
