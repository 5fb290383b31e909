"""The step of a supernet: the losses of some of its members, added up."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from ns_tf.engine.step import TrainStep
from ns_tf.slim.members import Member


@dataclasses.dataclass(frozen=True)
class SlicedStep(TrainStep):
    """One update by the sum of the gradients of several members' losses.

    `model` is the whole network, `sgd` holds the variables of all members. Targets are
    pairs (targets, choices [slots]).

    Args:
        members: The first is the whole network.
        slots: Of every network of a step the places in `members` that it may be; the
            first slot is the whole network. Where there are several, `choices` says
            which of them.
        taught: (targets, outputs, the whole network's outputs) -> losses [batch], of
            all members but the first; None for `loss`.
    """

    members: Sequence[Member] = ()
    slots: Sequence[Sequence[int]] = ()
    taught: Callable | None = None

    def _gradients(self) -> Callable:
        """(inputs, (targets, choices)) -> (mean loss of the members, gradients)."""
        read: set[int] = set()  # Places of the variables; known once all are traced.
        # A graph of its own for each, so that several slots share it.
        each = [
            tf.function(self._of(member, read, first=not place), autograph=False)
            for place, member in enumerate(self.members)
        ]

        def gradients(inputs, targets):
            targets, choices = targets
            total, summed, taught = each[0](inputs, targets, ())
            for slot, places in enumerate(self.slots[1:], 1):
                branches = [
                    functools.partial(each[place], inputs, targets, taught)
                    for place in places
                ]
                if len(branches) == 1:
                    loss, parts, _ = branches[0]()
                else:
                    loss, parts, _ = tf.switch_case(choices[slot], branches)
                total = total + loss
                summed = [one + other for one, other in zip(summed, parts, strict=True)]
            found = [one if i in read else None for i, one in enumerate(summed)]
            return total / len(self.slots), found

        return gradients

    def _of(self, member: Member, read: set[int], *, first: bool) -> Callable:
        """(inputs, targets, taught) -> (loss, gradients, what it puts out, constant).

        Args:
            member: Called in training mode.
            read: Here it adds the places of the variables that its loss reads.
            first: Whether it is the whole network, which learns from targets.
        """
        variables = [variable.value for variable in self.sgd.variables]
        scaling = self.loss_scale

        def gradients(inputs, targets, taught):
            with tf.GradientTape() as tape:
                outputs = member(inputs)
                if first or self.taught is None:
                    losses = self.loss(targets, outputs)
                else:
                    losses = self.taught(targets, outputs, taught)
                loss = tf.reduce_sum(losses) / self.batch_size
                scaled = loss * scaling.scale if scaling else loss
            found = tape.gradient(scaled, variables)
            read.update(i for i, one in enumerate(found) if one is not None)
            whole = tf.nest.map_structure(tf.stop_gradient, outputs) if first else ()
            parts = [
                tf.zeros_like(variable) if one is None else tf.convert_to_tensor(one)
                for variable, one in zip(variables, found, strict=True)
            ]
            return loss, parts, whole

        return gradients
