"""A worker of the benchmarks: pruning in TensorFlow, in one of five ways."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import lockstep
import numpy as np

from ns_tf.data import sources
from ns_tf.data.arrays import from_arrays
from ns_tf.data.dataset import Dataset
from ns_tf.engine import layer_ops
from ns_tf.engine.execution import Execution, forget_kernels
from ns_tf.engine.padding import Padded
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.sgd import Sgd
from ns_tf.engine.step import TrainStep
from ns_tf.graph.gates import Gates
from ns_tf.graph.thin import rebuild
from ns_tf.networks import architectures
from ns_tf.problem import tasks
from ns_tf.problem.problem import Problem
from ns_tf.prune import iterative, network, rebuilding
from ns_tf.prune.config import PruneConfig
from ns_tf.prune.iterative import Pruning
from ns_tf.prune.network import PrunableNetwork
from ns_tf.prune.removal import Prunable
from ns_tf.run import files

REBUILD = {"masked": "never", "never": "never", "naive": "always"}
Answer = dict[str, Any]  # Plain values: they are sent as JSON.


class KerasSgd:
    """Keras's own optimizer, made anew with every network: the naive way."""

    def __init__(self, variables, *, momentum, weight_decay):
        self.variables = list(variables)
        self.keras = keras.optimizers.SGD(
            0.01, momentum=momentum, weight_decay=weight_decay
        )
        self.keras.build(self.variables)
        self.slots = [slot.value for slot in self.keras.momentums]

    def apply(self, gradients, rate):
        """One update, at that rate."""
        self.keras.learning_rate.assign(rate)
        self.keras.apply_gradients(zip(gradients, self.variables, strict=True))


class Race:
    """One way to prune: what its removals and steps take."""

    def start(
        self,
        *,
        way: str,
        network: str,
        ratio: float,
        batch: int,
        steps: int,
        nominal_steps: int,
        filters: int,
        dataset: str,
        data_dir: str | None,
        pretrain: int,
    ) -> Answer:
        """Builds the seed network.

        Args:
            way: "ns_tf", "masked", "never", "naive" or "static".
            network: The architecture's name.
            ratio: Times its default widths.
            batch: Images a step.
            steps: Training steps that are run between two removals.
            nominal_steps: How many steps these stand for.
            filters: Filters removed at once.
            dataset: Name of the data set; noise if empty.
            data_dir: Where TFDS data sets are prepared.
            pretrain: Training steps of "ns_tf" before the first removal.

        Returns:
            Memory in MiB, the number of events, the channels of each width, and the
            seconds by part.
        """
        self.way, self.steps, self.forced = way, steps, None
        self.nominal_steps = nominal_steps
        self.parts = lockstep.Parts()
        self._instrument()
        architecture = architectures.get(network)
        problem = Problem.of(architecture, _data(dataset, data_dir))
        widths = [max(1, int(width * ratio)) for width in architecture.widths]
        config = PruneConfig(
            pretrain_epochs=0,
            search_batch=batch,
            steps_per_event=steps,
            filters_per_event=filters,
            rebuild=REBUILD.get(way, "pays"),
        )
        self.run = Pruning(problem, widths, config, Runtime())
        self.batches = iter(self.run.batches())
        times = []
        for _ in range(2 + (pretrain if way == "ns_tf" else 0)):
            images, labels = next(self.batches)
            clock = lockstep.Clock()
            float(self.run.network.train(images, labels, config.pretrain_rate))
            times.append(clock.read())
        self.run.network.forget()
        self.stepped = self.run.network._step
        parts = self.parts.taken()
        usual = np.median(times[1:], axis=0)
        first = np.maximum(0.0, np.subtract(times[0], usual)).tolist()
        parts["tracing"] = np.add(parts["tracing"], first).tolist()
        left = sum(widths) - self.run.stop_at
        channels = [width.tolist() for width in self.run.prunable.widths]
        return {
            "memory": lockstep.resident(),
            "events": -(-left // filters),
            "channels": channels,
            "parts": parts,
        }

    def _instrument(self) -> None:
        """Times the parts of the loop, and replaces some of them in the naive way."""
        rebuilding.PASSES *= self.nominal_steps / self.steps
        wrap = self.parts.wrap
        if self.way in ("masked", "naive"):
            _leave_norms()
        if self.way == "naive":
            network.Sgd = KerasSgd
            network.forget_kernels = lambda: None
        choose = iterative.choose

        def chosen(*args, **keywords):
            own = choose(*args, **keywords)
            return own if self.forced is None else np.array(self.forced, int)

        iterative.choose = chosen
        wrap(Pruning, "_score", "scoring")
        wrap(iterative, "choose", "scoring")
        wrap(PrunableNetwork, "close", "closing")
        wrap(PrunableNetwork, "compact", "thinning")
        wrap(PrunableNetwork, "_build", "thinning")
        wrap(PrunableNetwork, "_compile", "tracing")
        wrap(network, "rebuild", "building")
        wrap(Prunable, "count", "counting")
        wrap(Pruning, "trace", "counting")

    def event(self, *, remove: list[int] | None = None) -> Answer:
        """Trains, scores and removes channels.

        Args:
            remove: Channels to remove; the way's own choice if None.

        Returns:
            Seconds of a step and by part, memory in MiB, the channels removed and
            present, the widths, and whether the network was rebuilt.
        """
        run, times, fresh = self.run, [], self.run.network._step
        alive, self.forced = run.network.alive.copy(), remove
        read = self.parts.timed("data", lambda: next(self.batches))
        loop = self.parts.timed("loop", run.step)
        with self._timed_training(times):
            for _ in range(self.steps):
                loop(*read())
        usual = np.median(times[1:] or times, axis=0)
        # The first step with a new network traces it.
        first, self.stepped = self.stepped is not fresh, fresh
        parts = self.parts.taken()
        for part in parts.keys() & {"data", "loop"}:  # Done at every step.
            parts[part] = [s * self.nominal_steps / self.steps for s in parts[part]]
        if first:
            tracing = parts.setdefault("tracing", [0.0, 0.0])
            for i in (0, 1):
                tracing[i] += max(0.0, times[0][i] - usual[i])
        return {
            "step": list(usual),
            "parts": parts,
            "memory": lockstep.resident(),
            "removed": np.flatnonzero(alive & ~run.network.alive).tolist(),
            "widths": run.prunable.count(run.network.alive),
            "rebuilt": run.network._step is not fresh,
            "present": np.flatnonzero(run.network.present).tolist(),
        }

    @contextlib.contextmanager
    def _timed_training(self, times: list) -> Iterator[None]:
        """Adds (wall, CPU) seconds of every training step to `times`.

        Each step is waited for.
        """
        net = self.run.network
        train = type(net).train

        def timed(*args):
            clock = lockstep.Clock()
            loss = train(net, *args)
            float(loss)
            times.append(clock.read())
            return loss

        net.train = self.parts.timed("steps", timed)
        yield
        del net.train

    def checkpoint(self) -> Answer:
        """Seconds of one checkpoint, which a run writes once a minute."""
        with tempfile.TemporaryDirectory() as folder:
            clock = lockstep.Clock()
            arrays, facts = self.run.state()
            files.write_arrays(Path(folder) / "state.npz", arrays, facts)
            return {"seconds": clock.read()}

    def steps_at(self, *, present: list[int], repeats: int) -> Answer:
        """Seconds of a step of a plain model: no gates, no probe.

        The model is the seed's graph with the channels `present` alone, of Keras layers
        alone, compiled once.
        """
        graph = self.run.network.graph
        keep = np.zeros(len(graph.owner), bool)
        keep[present] = True
        model, _ = rebuild(self.run.network.seed_model, graph, keep, Gates((), {}))
        sgd = Sgd(model.trainable_variables, momentum=0.5, weight_decay=5e-4)
        loss, batch = self.run.problem.task.loss(model), self.run.config.search_batch
        step = TrainStep(model, sgd, loss, batch, Execution()).compiled()
        images, labels = next(self.batches)
        times = []
        for _ in range(repeats + 1):
            clock = lockstep.Clock()
            float(step(images, labels, np.float32(0.01)))
            times.append(clock.read())
        forget_kernels()
        return {"step": list(np.median(times[1:], axis=0))}


class Plain:
    """A network of given widths, trained on one batch."""

    def start(
        self,
        *,
        network: str,
        widths: list[int],
        batch: int,
        fused: bool = True,
        padded: bool = True,
        **options: Any,
    ) -> Answer:
        """Builds the network as a training does, and takes the first step.

        Args:
            network: The architecture's name.
            widths: Filters of every layer.
            batch: Images a step.
            fused: Whether batch norms are fused (`ns_tf.engine.layer_ops`).
            padded: Whether widths are padded (`ns_tf.engine.padding`).
            **options: Fields of `ns_tf.engine.execution.Execution`.
        """
        clock = lockstep.Clock()
        if not fused:
            _leave_norms()
        execution = Execution(**options)
        architecture = architectures.get(network)
        model = execution.build(
            lambda: architecture.build(widths, input_shape=(32, 32, 3), classes=10)
        )
        if padded:
            model = Padded(model, execution).model
        sgd = Sgd(model.trainable_variables, momentum=0.5, weight_decay=5e-4)
        loss = tasks.get("classification").loss(model)
        scale = execution.loss_scale(model)
        self.compiled = TrainStep(
            model, sgd, loss, batch, execution, loss_scale=scale
        ).compiled()
        rng = np.random.default_rng(0)
        self.batch = (
            rng.normal(size=(batch, 32, 32, 3)).astype(np.float32),
            rng.integers(0, 10, batch).astype(np.int32),
        )
        self.step()
        return {"first": clock.read()[0]}

    def step(self) -> Answer:
        """(wall, CPU) seconds of one step."""
        clock = lockstep.Clock()
        float(self.compiled(*self.batch, np.float32(0.01)))
        return {"step": clock.read()}


def _leave_norms() -> None:
    """Lets batch norms compute as Keras does."""
    layer_ops.fuse = lambda layer: None


def _data(name: str, data_dir: str | None) -> Dataset:
    """The data set; noise of CIFAR's shape if no name is given."""
    if name:
        return sources.load(name, data_dir=data_dir)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2000, 32, 32, 3), np.uint8)
    return from_arrays((images, rng.integers(0, 10, 2000)), classes=10)


if __name__ == "__main__":
    race, plain = Race(), Plain()
    lockstep.serve(
        plain=plain.start,
        plain_step=plain.step,
        start=race.start,
        event=race.event,
        checkpoint=race.checkpoint,
        steps_at=race.steps_at,
    )
