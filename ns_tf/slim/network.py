"""All networks of a supernet: the whole one, and members of any smaller widths."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import Widths
from ns_tf.engine.execution import Execution
from ns_tf.graph import weights
from ns_tf.graph.weights import Key
from ns_tf.networks.ratio import floor_ratio
from ns_tf.networks.structure import Structure
from ns_tf.prune.removal import Prunable, down_to
from ns_tf.slim.config import SWITCHABLE, SupernetConfig, share_name
from ns_tf.slim.members import Member


class SlicedNetwork:
    """A network and its members, with all variables that they have between them.

    A member has the first channels of every layer. It keeps weights under names of
    their own for checkpoints, as `ns_tf.engine.padding.Padded` does for one network.

    Args:
        whole: Of the architecture, at its default widths.
        structure: Of its architecture, in which additions join channels.
        config: Its shares, its norms.
        execution: By which members are made.

    Attributes:
        model: The whole network.
        members: By share, the largest first; 1.0 is the whole network.
    """

    def __init__(
        self,
        whole: keras.Model,
        structure: Structure,
        config: SupernetConfig,
        execution: Execution,
    ):
        self.model, self.structure, self.execution = whole, structure, execution
        self.own_norms = config.norms == SWITCHABLE
        self.graph = structure.graph(whole)
        self.prunable = Prunable.of(structure, self.graph)
        self.members = {
            share: self.member(self.widths(share)) for share in config.drawn
        }

    def widths(self, share: float) -> Widths:
        """Filters of every layer of the member of a share; at least one."""
        return floor_ratio(self.structure.architecture.widths, share)

    def keep(self, widths: Widths) -> np.ndarray:
        """[channels] bool: the first channels of every layer.

        Args:
            widths: At most the whole network's, [layers].
        """
        order = -np.arange(len(self.graph.owner), dtype=float)
        return down_to(order, self.prunable, widths)

    def member(self, widths: Widths, model: keras.Model | None = None) -> Member:
        """A new member of these widths, its own norms fresh.

        Args:
            widths: At most the whole network's, [layers].
            model: Made at these widths; made here if None, or the whole network.
        """
        keep = self.keep(widths)
        if model is None and keep.all():
            model = self.model
        elif model is None:
            model = self.execution.build(lambda: self.structure.build(widths))
        return Member(self.model, self.graph, keep, model, own_norms=self.own_norms)

    @property
    def trained(self) -> list[keras.Variable]:
        """All variables that are trained, those of members' own norms among them."""
        found = list(self.model.trainable_variables)
        for member in self.members.values():
            found += member.trained
        return found

    def _own(self) -> Iterable[tuple[Key, keras.Variable]]:
        """Members' own variables, under layer names that say the share."""
        for share, member in self.members.items():
            for (layer, name), variable in member.own.items():
                yield (f"{layer}@{share_name(share)}", name), variable

    def values(self) -> dict[Key, np.ndarray]:
        """All weights, those of members' own norms among them."""
        own = {key: np.array(variable) for key, variable in self._own()}
        return weights.values(self.model) | own

    def assign(self, arrays: Mapping[Key, np.ndarray]) -> None:
        """Sets what `values` returned."""
        weights.assign(self.model, arrays)
        for key, variable in self._own():
            variable.assign(arrays[key])

    def pairs(self, values: Sequence) -> list[tuple[None, Any]]:
        """Values of `trained`, each with None: no array has another shape here."""
        return [(None, value) for value in values]

    def own(self, key: Key | None, array: np.ndarray) -> np.ndarray:
        """The array as it is: a supernet is trained at its own widths."""
        del key
        return array

    padded = own
