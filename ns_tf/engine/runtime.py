"""How one piece of work runs: devices and precision, the seed, who watches."""

import dataclasses

from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution, strategy
from ns_tf.run.watch import Watch


@dataclasses.dataclass(frozen=True)
class Runtime:
    """How one piece of work runs: handed down from a command to the training step.

    The default computes on one device in float32, draws from seed 0, shows nothing and
    keeps nothing.

    Args:
        execution: Devices, precision, XLA.
        seed: Of weights, of the order of examples, of augmentation.
        watch: Shows progress, requests stops, keeps checkpoints.
    """

    execution: Execution = dataclasses.field(default_factory=Execution)
    seed: int = 0
    watch: Watch = dataclasses.field(default_factory=Watch)

    @classmethod
    def of(cls, config: RuntimeConfig, execution: Execution | None = None) -> "Runtime":
        """The runtime that the settings ask for, with nothing shown or kept yet.

        Args:
            config: The settings.
            execution: Made of the same settings earlier, before TensorFlow started;
                made now if None.

        Raises:
            InputError: TensorFlow has started with other threads.
        """
        return cls(
            execution or Execution.of(config),
            config.seed,
            Watch(seconds=config.checkpoint_seconds),
        )

    def seeded(self, seed: int) -> "Runtime":
        """The same runtime with another seed."""
        return dataclasses.replace(self, seed=seed)

    def watched(self, watch: Watch) -> "Runtime":
        """The same runtime with another watch, which saves as often as this one's.

        Of several workers the chief alone shows progress and writes.

        Args:
            watch: Its progress, stop and folder are taken; its seconds are not.
        """
        chief = self.execution.workers.chief
        watch = dataclasses.replace(watch, seconds=self.watch.seconds, writes=chief)
        return dataclasses.replace(self, watch=watch if chief else watch.quiet())

    @property
    def alone(self) -> "Runtime":
        """The same runtime for what the chief does by itself, on one device."""
        if self.execution.workers.count == 1:
            return self
        execution = dataclasses.replace(self.execution, strategy=strategy("one_device"))
        return dataclasses.replace(self, execution=execution)
