"""Whole networks measured as a device file was."""

from collections.abc import Callable

from ns_tf.base import Widths
from ns_tf.devices.device import Device
from ns_tf.measure import runtimes
from ns_tf.measure.timing import in_turns
from ns_tf.networks.structure import Structure

_ROUNDS = 30


def begin(device: Device) -> None:
    """What the runtime of a device file needs before TensorFlow starts.

    Raises:
        InputError: the runtime is unknown, or TensorFlow has started otherwise.
    """
    runtimes.get(device.runtime).begin(device.threads)


def clock(structure: Structure, device: Device) -> Callable[[Widths], float]:
    """What measures networks with the runtime, threads and batch of a device file.

    Args:
        structure: Of the network.
        device: Says how its tables were measured.

    Returns:
        Widths -> the median of a pass, in ms.

    Raises:
        InputError: the runtime is not installed.
    """
    runtime = runtimes.get(device.runtime)
    runtime.check()

    def measured(widths: Widths) -> float:
        model = structure.build(widths)
        run = runtime.ready(model, device.batch, device.threads)
        return float(in_turns([run], _ROUNDS)[0][1, 0])

    return measured
