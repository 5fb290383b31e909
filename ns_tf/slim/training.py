"""Training a supernet: members in turn or all at once, judged by the mean of shares."""

import dataclasses
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from ns_tf.base import InputError, Widths
from ns_tf.engine.evaluate import evaluator
from ns_tf.engine.runtime import Runtime
from ns_tf.graph import weights
from ns_tf.graph.substituted import check_substitutable
from ns_tf.problem.problem import Problem
from ns_tf.problem.tasks.classification import Classification
from ns_tf.prune.norms import measure
from ns_tf.prune.scoring import Proxy
from ns_tf.slim.config import SupernetConfig
from ns_tf.slim.members import Member
from ns_tf.slim.network import SlicedNetwork
from ns_tf.slim.step import SlicedStep
from ns_tf.train import recipes
from ns_tf.train.config import TrainConfig
from ns_tf.train.recipes import Objective
from ns_tf.train.training import Epoch, Training, TrainResult, best_of

_DRAW = 0x51  # Keeps the draw of members apart from that of epochs.
# Cross-entropy with the whole network's probabilities, but for a constant.
_TAUGHT = "distil(temperature=1.0, share=1.0, mixup=0.0)"


def check(problem: Problem, config: SupernetConfig, runtime: Runtime) -> None:
    """Refuses what a supernet cannot be trained on.

    Raises:
        InputError: several devices, in-place distillation of another task than
            classification, or a layer that assigns its kernel.
    """
    if problem.architecture.source is not None:
        check_substitutable(problem.architecture.source)
    if runtime.execution.replicas > 1:
        raise InputError(
            f"A supernet trains on one device; got {runtime.execution.replicas}. Give "
            "--strategy=one_device."
        )
    if config.inplace_distil and not isinstance(problem.task, Classification):
        raise InputError(
            "--inplace_distil learns one class an example, without weights; the task "
            f"is {problem.task.told}. Leave it away."
        )


class SupernetTraining(Training):
    """The state of a supernet's training between two steps.

    An epoch is as good as the mean score of the shares on validation images.

    Args:
        problem: Data, task, and an architecture in which additions join channels.
        config: Shares, norms, rule.
        recipe: How it is trained.
        runtime: Its seed draws weights, batches and members.

    Raises:
        InputError: as `check`, or the batch is larger than the training set.
    """

    def __init__(
        self,
        problem: Problem,
        config: SupernetConfig,
        recipe: TrainConfig,
        runtime: Runtime,
    ):
        check(problem, config, runtime)
        self.problem, self.supernet = problem, config
        super().__init__(problem, problem.build, recipe, runtime)

    def _prepare(self) -> None:
        """Makes members, the step, and what evaluates each share."""
        execution = self.runtime.execution
        structure = self.problem.structure
        network = SlicedNetwork(self.model, structure, self.supernet, execution)
        self.network = self.padded = network
        self.sgd = self._sgd(network.trained)
        self.loss_scale = execution.loss_scale(self.model)
        self._step = SlicedStep(
            self.model,
            self.sgd,
            self.task.loss(self.model),
            self.config.batch,
            execution,
            loss_scale=self.loss_scale,
            members=list(network.members.values()),
            slots=self.supernet.slots,
            taught=self._taught(),
        ).compiled()
        self._evaluators = {
            share: self._evaluator(network.members[share].model)
            for share in self.supernet.shares
        }

    def _taught(self):
        """The loss of the smaller members, if they learn the whole one's answers."""
        if not self.supernet.inplace_distil:
            return None
        recipe, classes = recipes.get(_TAUGHT), self.problem.dataset.classes
        return Objective(recipe, classes, self.model).loss(self.model)

    def _evaluator(self, model: keras.Model):
        """Evaluates a member's model by its weights of then."""
        return evaluator(model, self.task.loss(model), self.task.counter(model))

    def batches(self) -> Iterable[tuple]:
        """Endless batches, whose targets say which members learn from them."""
        for step, (inputs, targets) in enumerate(super().batches(), self.steps):
            yield inputs, (targets, tf.constant(self.choices(step)))

    def choices(self, step: int) -> np.ndarray:
        """[slots]: which of a slot's members learn at a step; drawn by seed and step.

        No two slots that may be the same members have the same one, if there are
        enough.

        Args:
            step: Counted from 0.
        """
        slots = self.supernet.slots
        generator = np.random.default_rng([self.runtime.seed, _DRAW, step])
        free = [slot for slot, places in enumerate(slots) if len(places) > 1]
        choices = np.zeros(len(slots), np.int32)
        if free:
            count = len(slots[free[0]])
            again = len(free) > count
            choices[free] = generator.choice(count, len(free), replace=again)
        return choices

    def calibrated(self, member: Member) -> keras.Model:
        """The model of a member as of now, with statistics of training images.

        Args:
            member: Whose norms have their own statistics; the whole network keeps its.
        """
        model = member.fill()
        if model is not self.model:
            images = self.supernet.calibration_images
            proxy = Proxy.of(
                self.dataset, images=images, batch=self.config.batch, seed=0
            )
            measure(model, (inputs for inputs, _ in proxy.batches()))
        return model

    def by_share(self, split: str) -> dict[float, tuple[float, float]]:
        """Mean loss and score of every share on a split.

        Args:
            split: "validation" or "test".
        """
        found = {}
        for share, evaluate in self._evaluators.items():
            member = self.network.members[share]
            if self.network.own_norms:
                member.fill()
            else:
                self.calibrated(member)
            loss, counts = evaluate(self.dataset, split, self.config.batch)
            found[share] = loss, self.task.score_of(counts)
        return found

    def _evaluated(self, split: str) -> tuple[float, float]:
        """Means of loss and score over the shares."""
        loss, score = np.mean([*self.by_share(split).values()], axis=0)
        return float(loss), float(score)

    def at(self, widths: Widths) -> keras.Model:
        """A new model of some widths, with weights of now.

        Args:
            widths: At most the whole network's. With switchable norms those of a share.

        Raises:
            InputError: no switch has norms for these widths.
        """
        return self.task.finished(self._sliced(widths))

    def judged(self, widths: Widths) -> TrainResult:
        """The network of some widths, at the weights of the best epoch.

        Args:
            widths: As of `at`.

        Returns:
            The network; a history of that epoch alone, with scores of this network.

        Raises:
            InputError: as `at`.
        """
        self.take_best()
        model = self._sliced(widths)
        evaluate, found = self._evaluator(model), {}
        for split in ("validation", "test"):
            loss, counts = evaluate(self.dataset, split, self.config.batch)
            found[split] = loss, self.task.score_of(counts)
        return single(
            self.task.finished(model),
            best_of(self.history),
            *(found["validation"], found["test"], self.clock.seconds),
        )

    def _sliced(self, widths: Widths) -> keras.Model:
        """A new model of some widths, as it is trained.

        Raises:
            InputError: no switch has norms for these widths.
        """
        network = self.network
        model = self.runtime.execution.build(lambda: network.structure.build(widths))
        if network.keep(widths).all():
            weights.assign(model, weights.values(self.model))
            return model
        member = network.member(widths, model)
        if not network.own_norms:
            return self.calibrated(member)
        for key, variable in member.own.items():
            variable.assign(self._switch(widths).own[key])
        return member.fill()

    def _switch(self, widths: Widths) -> Member:
        """The member whose norms are of these widths.

        Raises:
            InputError: there is none.
        """
        network, shares = self.network, self.supernet.shares
        for share in shares:
            if network.widths(share) == tuple(widths):
                return network.members[share]
        raise InputError(
            "With switchable norms there are networks of the shares "
            f"{', '.join(f'{share:g}' for share in shares)} alone; norms='shared' has "
            "any widths."
        )


def single(
    model: keras.Model,
    best: Epoch,
    validation: tuple[float, float],
    test: tuple[float, float],
    seconds: float,
) -> TrainResult:
    """One network of a supernet as the result of a training.

    Args:
        model: The network.
        best: The epoch of the supernet whose weights it has.
        validation: (loss, score) of this network on validation images.
        test: (loss, score) of it on test images.
        seconds: Of the supernet's training.
    """
    (loss, score), (test_loss, test_score) = validation, test
    own = dataclasses.replace(
        best, validation_loss=loss, validation_score=score, test_score=test_score
    )
    return TrainResult(model, (own,), best.epoch, test_score, test_loss, seconds)
