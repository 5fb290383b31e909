"""The operations of a LiteRT file in the order in which an interpreter runs them.

What a converter makes of a network depends on the widths: a projection is missing where
two of them are equal, and a batch norm is an operation of its own where more than one
operation reads what is before it. So a `Schedule` holds the operations as the network
has them, and `Schedule.at` folds and orders them as TensorFlow's converter does:

* a batch norm goes into the convolution or dense layer that it alone reads; elsewhere
  it is a product and a sum;
* a ReLU goes into a convolution, dense layer, product or sum that it alone reads;
* zeros at the border go into a convolution that would add the same ones itself;
* of operations that could run next, chains run to their end, those of the lower name
  first (reverse post-order of a depth-first walk, the order of TensorFlow's importer).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ns_tf.networks.costs import ALWAYS

# What an operation is, as far as folding asks.
CONV, SUM, NORM, RELU, PAD, OTHER = "conv", "sum", "norm", "relu", "pad", "other"
KINDS = (CONV, SUM, NORM, RELU, PAD, OTHER)
NONE = -1  # No buffer.


@dataclasses.dataclass(frozen=True)
class Buffer:
    """A tensor: terms · bytes, in bytes.

    Attributes:
        bytes: Of an entry.
        terms: (entries, width) each: entries times the width, or times 1 where the
            width is the number of widths.
    """

    bytes: int
    terms: tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class Step:
    """An operation of a network.

    Attributes:
        name: By which operations are ordered.
        kind: One of `KINDS`.
        reads: Places of the buffers that it reads.
        makes: Place of the buffer that it makes.
        scratch: Places of the buffers that it needs only while it runs.
        differ: The two widths that must differ for it to exist, or `ALWAYS`.
        instead: Where it does not exist, its readers read this buffer.
    """

    name: str
    kind: str
    reads: tuple[int, ...]
    makes: int
    scratch: tuple[int, ...] = ()
    differ: tuple[int, int] = ALWAYS
    instead: int = NONE


@dataclasses.dataclass(frozen=True)
class Live:
    """Buffers of a file, each with the operations between which it is alive.

    Attributes:
        places: [buffers] places in `Schedule.buffers`, in the order of the file.
        first: [buffers]: the operation that makes it, from 1; 0 for the input.
        last: [buffers]: the last operation that reads it.
    """

    places: tuple[int, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The operations of a network, not yet folded or ordered.

    Attributes:
        buffers: All of them; the first one is the input.
        steps: In any order.
        output: Place of the buffer that the last one makes.
    """

    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    output: int

    @property
    def conditions(self) -> tuple[tuple[int, int], ...]:
        """The pairs of widths that must differ for some step to exist, each once."""
        pairs = dict.fromkeys(step.differ for step in self.steps)
        return tuple(pair for pair in pairs if pair != ALWAYS)

    def at(self, missing: frozenset[tuple[int, int]] = frozenset()) -> Live:
        """The buffers of the file.

        Args:
            missing: Of the conditions those that do not hold.
        """
        steps = _folded(*_existing(self, missing))
        return _lives(_ordered(steps), self.output)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` reads back."""
        return {
            "buffers": [[b.bytes, [list(t) for t in b.terms]] for b in self.buffers],
            "steps": [list(dataclasses.astuple(step)) for step in self.steps],
            "output": self.output,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Schedule":
        """The schedule that `to_json` wrote.

        Args:
            data: As read from a file that may be damaged.

        Raises:
            KeyError, TypeError, ValueError: it cannot be one.
        """
        buffers = tuple(
            Buffer(_whole(size), tuple((_whole(n), _whole(w)) for n, w in terms))
            for size, terms in data["buffers"]
        )
        places = set(range(len(buffers)))
        steps = []
        for name, kind, reads, makes, scratch, differ, instead in data["steps"]:
            known = {*reads, makes, *scratch} | {instead} - {NONE}
            if kind not in KINDS or not known <= places:
                raise ValueError(f"a step {name!r} of kind {kind!r}")
            first, second = map(_whole, differ)
            own = str(name), kind, tuple(reads), makes, tuple(scratch)
            steps.append(Step(*own, (first, second), instead))
        if data["output"] not in places:
            raise ValueError(f"an output at {data['output']!r}")
        found = cls(buffers, tuple(steps), data["output"])
        found.at()  # Raises where a buffer is read that no step makes.
        return found


def _whole(value: Any) -> int:
    """The value, if it is a whole number of 64 bits.

    Raises:
        TypeError: otherwise.
    """
    if type(value) is not int or value.bit_length() > 63:
        raise TypeError(f"{value!r} is no whole number")
    return value


def _existing(
    schedule: Schedule, missing: frozenset[tuple[int, int]]
) -> tuple[list[Step], int]:
    """The steps that exist, reading what they read then; and the output."""
    gone = [step for step in schedule.steps if step.differ in missing]
    other = {step.makes: step.instead for step in gone if step.instead != NONE}

    def of(place: int) -> int:
        while place in other:
            place = other[place]
        return place

    left = [
        dataclasses.replace(step, reads=tuple(of(place) for place in step.reads))
        for step in schedule.steps
        if step.differ not in missing
    ]
    return left, schedule.output


def _folded(steps: Sequence[Step], output: int) -> list[Step]:
    """The steps, those left out that become part of others.

    A norm that stays is two steps: its buffer is made twice, one after the other.
    """
    makers = {step.makes: step for step in steps}
    readers: dict[int, int] = {output: 1}
    for step in steps:
        for place in step.reads:
            readers[place] = readers.get(place, 0) + 1
    closed: set[int] = set()  # Buffers behind a ReLU, which end a fold.
    for step in steps:
        before = makers.get(step.reads[0])
        alone = before is not None and readers[step.reads[0]] == 1
        if not alone or before.makes in closed:
            continue
        takes = {NORM: (CONV,), RELU: (CONV, SUM, NORM)}.get(step.kind, ())
        if step.kind == CONV and before.kind == PAD:
            del makers[before.makes]
            makers[step.makes] = dataclasses.replace(step, reads=before.reads)
        elif before.kind in takes:
            del makers[before.makes]
            makers[step.makes] = dataclasses.replace(before, makes=step.makes)
            closed |= {step.makes} if step.kind == RELU else set()
    return list(makers.values())


def _ordered(steps: Sequence[Step]) -> list[Step]:
    """The steps in the order in which they run; of a norm, its product and its sum."""
    readers: dict[int, list[Step]] = {}
    for step in sorted(steps, key=lambda step: step.name):
        for place in dict.fromkeys(step.reads):
            readers.setdefault(place, []).append(step)
    stack = [(step, False) for step in readers.get(0, ())]
    visited: set[int] = set()
    order = []
    while stack:
        step, leaves = stack.pop()
        if leaves:
            order.append(step)
        elif step.makes not in visited:
            visited.add(step.makes)
            stack.append((step, True))
            stack += [(reader, False) for reader in readers.get(step.makes, ())]
    return order[::-1]


def _lives(order: Sequence[Step], output: int) -> Live:
    """From which to which operation every buffer is alive.

    A scratch buffer stands behind all others, as in an interpreter's list.
    """
    lives: list[list[int]] = [[0, 0, 0]]
    place: dict[int, int] = {0: 0}
    scratch = []
    count = 0
    for step in order:
        for half in range(2 if step.kind == NORM else 1):
            count += 1
            for read in step.reads if half == 0 else (step.makes,):
                lives[place[read]][2] = count
            place[step.makes] = len(lives)
            lives.append([step.makes, count, count])
        scratch += [[one, count, count] for one in step.scratch]
    lives[place[output]][2] = count
    places, first, last = zip(*lives, *scratch, strict=True)
    return Live(places, first, last)
