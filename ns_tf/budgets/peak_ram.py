"""RAM of the activations: the arena of an interpreter for microcontrollers."""

from typing import TYPE_CHECKING

from ns_tf.base import InputError
from ns_tf.budgets import budget
from ns_tf.networks.arena import PeakMemory

if TYPE_CHECKING:
    from ns_tf.networks.structure import Structure


@budget(
    "peak_ram",
    unit="bytes of RAM",
    help="Bytes of RAM for the activations of one image in int8, at most: the planned "
    "part of the arena of TensorFlow Lite for Microcontrollers.",
    refuses=True,
)
def peak_ram(structure: "Structure") -> PeakMemory:
    """Bytes that the activations of the int8 LiteRT file take (`litert_int8`).

    Buffers are those of the file's operations, in their order; each is alive from the
    operation that makes it to the last that reads it, and has its place by the
    interpreter's own rule (`ns_tf.networks.arena`). Scratch buffers of kernels count;
    what the interpreter keeps for good beside the buffers does not.

    Args:
        structure: Of the architecture.

    Raises:
        InputError: the operations of a layer are not known; names it.
    """
    return _peak(structure, "peak_ram", int8=True)


@budget(
    "peak_ram_float32",
    unit="bytes of RAM",
    help="The same of the float32 file, at most.",
    refuses=True,
)
def peak_ram_float32(structure: "Structure") -> PeakMemory:
    """Bytes that the activations of the float32 LiteRT file take (`litert`).

    Args:
        structure: Of the architecture.

    Raises:
        InputError: the operations of a layer are not known; names it.
    """
    return _peak(structure, "peak_ram_float32", int8=False)


def _peak(structure: "Structure", name: str, *, int8: bool) -> PeakMemory:
    """The cost of one kind of file.

    Raises:
        InputError: the operations of a layer are not known; names it.
    """
    try:
        schedule = structure.schedule(int8)
    except InputError as error:
        raise InputError(
            f"{name} cannot be counted on {structure.architecture.name}: {error}. "
            "Budget others, as weight_bytes and macs."
        ) from error
    return PeakMemory("bytes of RAM", schedule, len(structure.names))
