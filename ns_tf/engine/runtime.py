"""How one piece of work runs: devices and precision, the seed, who watches."""

import dataclasses

from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution
from ns_tf.run.watch import Watch


@dataclasses.dataclass(frozen=True)
class Runtime:
    """How work runs, handed down from a command to the training step.

    The default computes on one device in float32 and shows and keeps nothing.
    """

    execution: Execution = dataclasses.field(default_factory=Execution)
    seed: int = 0  # Of weights, the order of examples, augmentation.
    watch: Watch = dataclasses.field(default_factory=Watch)

    @classmethod
    def of(cls, config: RuntimeConfig, execution: Execution | None = None) -> "Runtime":
        """What the settings ask for.

        Args:
            config: The settings.
            execution: Made of the settings before; made now if None.

        Raises:
            InputError: TensorFlow has started with other threads.
        """
        return cls(
            execution or Execution.of(config),
            config.seed,
            Watch(seconds=config.checkpoint_seconds),
        )

    def seeded(self, seed: int) -> "Runtime":
        """The same with another seed."""
        return dataclasses.replace(self, seed=seed)

    def watched(self, watch: Watch) -> "Runtime":
        """The same, watched by another watch that saves as often as this one's."""
        watch = dataclasses.replace(watch, seconds=self.watch.seconds)
        return dataclasses.replace(self, watch=watch)
