"""A network of some of the channels, computed with slices of another one's variables.

No layer knows of it: Keras calls the smaller network with given values in place of its
variables (`stateless_call`), and derivatives of a slice reach the whole variable.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from ns_tf.graph import weights
from ns_tf.graph.channels import ChannelGraph
from ns_tf.graph.substituted import check_substitutable
from ns_tf.graph.weights import Key, learnable, scale_of, stays


@dataclasses.dataclass(frozen=True, eq=False)
class Slice:
    """What a member has in place of one of its variables.

    Args:
        variable: Of the whole network, or the member's own.
        places: Of each axis the entries that the member has; None for all. May be
            shorter than the variable has axes.
        scale: What they are multiplied by.
        kept: Whether what a call makes of it is assigned: statistics of the member's
            own norms, states of random generators.
    """

    variable: keras.Variable
    places: tuple[np.ndarray | None, ...] = ()
    scale: float = 1.0
    kept: bool = False

    def value(self) -> tf.Tensor:
        """The slice, now."""
        value = tf.convert_to_tensor(self.variable.value)
        for axis, places in enumerate(self.places):
            if places is not None and len(places) < value.shape[axis]:
                value = _taken(value, places, axis)
        return value if self.scale == 1.0 else value * self.scale


def _taken(value: tf.Tensor, places: np.ndarray, axis: int) -> tf.Tensor:
    """Entries of an axis; of the first ones the derivative is a padding, not a sum."""
    if np.array_equal(places, np.arange(len(places))):
        return value[(slice(None),) * axis + (slice(len(places)),)]
    return tf.gather(value, places, axis=axis)


class Member:
    """A network of the channels `keep` of another one.

    Its batch norms are its own, or their statistics alone.

    Args:
        whole: The network whose variables are sliced.
        graph: Its channel graph.
        keep: [channels] bool.
        model: What the builder makes at the widths of `keep`; `whole` itself for all.
        own_norms: Whether gamma and beta of batch norms are the member's own, too.

    Attributes:
        own: Its own variables by key, in order.

    Raises:
        InputError: as `ns_tf.graph.substituted.check_substitutable`.
    """

    def __init__(
        self,
        whole: keras.Model,
        graph: ChannelGraph,
        keep: np.ndarray,
        model: keras.Model,
        *,
        own_norms: bool,
    ):
        check_substitutable(model)
        self.model = model
        self.own: Mapping[Key, keras.Variable] = {}
        if model is not whole:
            self.own = _norm_weights(model, statistics_alone=not own_norms)
        found = self._states(whole) | self._slices(whole, graph, keep)
        self._trainable = [found[id(v)] for v in model.trainable_variables]
        self._others = [found[id(v)] for v in model.non_trainable_variables]

    def _states(self, whole: keras.Model) -> dict[int, Slice]:
        """The states of random generators: the whole network's, one for all members."""
        states = weights.generators(whole)
        return {
            id(own): Slice(states[key], kept=True)
            for key, own in weights.generators(self.model).items()
        }

    def _slices(
        self, whole: keras.Model, graph: ChannelGraph, keep: np.ndarray
    ) -> dict[int, Slice]:
        """What stands for each weight of the model, by the weight's id."""
        variables = weights.weights(whole)
        found = {}
        for key, weight in weights.weights(self.model).items():
            if key in self.own or self.model is whole:
                found[id(weight)] = Slice(weight, kept=not weight.trainable)
                continue
            places = tuple(
                None if axis is None else np.flatnonzero(stays(axis, keep))
                for axis in graph.axes.get(key, ())
            )
            scale = scale_of(key, graph, keep)
            found[id(weight)] = Slice(variables[key], places, scale)
        return found

    @property
    def trained(self) -> Sequence[keras.Variable]:
        """Those of its own variables that are trained."""
        return [variable for variable in self.own.values() if variable.trainable]

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """What the member puts out in training mode; its own statistics follow.

        Args:
            inputs: [batch, ...].
        """
        outputs, states = self.model.stateless_call(
            [one.value() for one in self._trainable],
            [one.value() for one in self._others],
            inputs,
            training=True,
        )
        for one, state in zip(self._others, states, strict=True):
            if one.kept:
                one.variable.assign(state)
        return outputs

    def fill(self) -> keras.Model:
        """The model with its slices as its weights: an ordinary one, as of now."""
        pairs = (
            *zip(self.model.trainable_variables, self._trainable, strict=True),
            *zip(self.model.non_trainable_variables, self._others, strict=True),
        )
        for variable, one in pairs:
            if variable is not one.variable:
                variable.assign(one.value())
        return self.model


def _norm_weights(
    model: keras.Model, *, statistics_alone: bool
) -> dict[Key, keras.Variable]:
    """The weights of batch norms by key.

    Args:
        model: Flat.
        statistics_alone: Without gamma and beta.
    """
    norms = keras.layers.BatchNormalization
    affine = {id(v) for v in learnable(model)} if statistics_alone else set()
    of_norms = {layer.name for layer in model.layers if isinstance(layer, norms)}
    return {
        key: weight
        for key, weight in weights.weights(model).items()
        if key[0] in of_norms and id(weight) not in affine
    }
