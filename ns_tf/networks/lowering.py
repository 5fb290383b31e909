"""Buffers and operations of a network's LiteRT file, collected layer by layer."""

import dataclasses
from collections.abc import Mapping, Sequence

from ns_tf.base import InputError
from ns_tf.graph.calls import Tensor
from ns_tf.graph.channels import ChannelGraph
from ns_tf.networks.costs import ALWAYS
from ns_tf.networks.schedule import OTHER, SUM, Buffer, Step
from ns_tf.networks.weight_sizes import Sizes, axis_length

FLOAT = 4  # Bytes of a float32, or of an int32.
_AXES = 4  # Of a batch of images.
_FIRST = "!"  # Sorts before the names of layers: operations before the network.
_ANSWER = "~"  # And after them.


@dataclasses.dataclass
class Lowering:
    """Collects buffers and steps of the network while calls are visited.

    Args:
        graph: At widths that are all different.
        sizes: Group -> (width, factor).
        vanishing: Layer -> the two widths that must differ for it to exist.
        widths: Number of widths.
        int8: Whether the file computes in int8; else in float32.
    """

    graph: ChannelGraph
    sizes: Sizes
    vanishing: Mapping[str, tuple[int, int]]
    widths: int
    int8: bool

    def __post_init__(self):
        self.buffers: list[Buffer] = []
        self.steps: list[Step] = []
        self.places: dict[Tensor, int] = {}
        self.layer, self.count = "", 0

    @property
    def bytes(self) -> int:
        """Of an activation's entry."""
        return 1 if self.int8 else FLOAT

    def terms(self, tensor: Tensor) -> tuple[tuple[int, int], ...]:
        """Entries of a tensor, of one example, as (times, width).

        Raises:
            InputError: an axis of it has no length.
        """
        rows, shape = self.graph.rows.get(tensor, 1), self.graph.shapes[tensor]
        shape = shape[1:] if rows else shape  # Of weights every axis counts.
        if None in shape:
            raise InputError(f"the sizes of {tensor[0]!r} are not fixed")
        pixels = max(1, rows)
        for size in shape[:-1]:
            pixels *= size
        length = axis_length(
            self.graph, self.sizes, self.graph.channels[tensor], self.widths
        )
        return tuple((pixels * times, width) for width, times in length.items())

    def buffer(self, terms: tuple[tuple[int, int], ...], size: int) -> int:
        """The place of a new buffer."""
        self.buffers.append(Buffer(size, terms))
        return len(self.buffers) - 1

    def small(self) -> int:
        """A buffer of a shape: some whole numbers."""
        return self.buffer(((1, self.widths),), FLOAT)

    def step(
        self,
        kind: str,
        reads: Sequence[int],
        terms: tuple[tuple[int, int], ...],
        *,
        size: int | None = None,
        scratch: tuple[int, ...] = (),
    ) -> int:
        """The place of what a new step makes."""
        makes = self.buffer(terms, size or self.bytes)
        name = f"{self.layer}_1/{self.count:03}"
        self.count += 1
        differ = self.vanishing.get(self.layer, ALWAYS)
        self.steps.append(Step(name, kind, tuple(reads), makes, scratch, differ))
        return makes

    def sums(self, terms: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
        """A buffer of whole numbers that a kernel of int8 sums in."""
        return (self.buffer(terms, FLOAT),) if self.int8 else ()

    def indices(self) -> tuple[int, ...]:
        """Two buffers of the axes of a pixel, which reductions count in."""
        four = ((_AXES, self.widths),)
        return self.buffer(four, FLOAT), self.buffer(four, FLOAT)

    def entry(self, scaled: bool) -> int:
        """The operations before the network; what it reads.

        Args:
            scaled: Whether the network scales pixels itself.
        """
        (call,) = (call for call in self.graph.calls if not call.inputs)
        terms, self.layer = self.terms(call.output), _FIRST
        pixels = len(self.graph.shapes[call.output]) == 4
        x = self.buffer(terms, 1 if self.int8 and pixels else FLOAT)
        if self.int8:  # From bytes, or from floats.
            x = self.step(OTHER, [x], terms)
        if not scaled:
            x = self.step(SUM, [self.step(SUM, [x], terms)], terms)
        self.places[call.output] = x
        return x

    def answer(self, output: int, probabilities: bool) -> int:
        """The operations behind the network; what the file answers."""
        self.layer, terms = _ANSWER, self.buffers[output].terms
        if not probabilities:
            output = self.step(OTHER, [output], terms)
        return self.step(OTHER, [output], terms) if self.int8 else output
