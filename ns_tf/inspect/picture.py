"""A picture of a network: its calls as boxes whose colours are the widths."""

import colorsys
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from ns_tf.graph.channels import NONE, Call, ChannelGraph
from ns_tf.render import layered

STAYS = "#d0d0d0"  # Of channels that stay as they are.
NOTHING = "#ffffff"  # Of what no channels index, as an image.
_GOLDEN = 0.61803398875  # Turns of the hue from one width to the next: all far apart.


@dataclasses.dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn.

    Attributes:
        name: Of the network.
        graph: Its channel graph.
        widths: Place of a group -> its width.
        names: [widths]
        kinds: By name of a call: the class of what is called.
    """

    name: str
    graph: ChannelGraph
    widths: Mapping[int, int]
    names: Sequence[str]
    kinds: Mapping[str, str]

    def svg(self) -> str:
        """The picture as an SVG."""
        calls = self.graph.calls
        makers = {call.output: _key(call) for call in calls}
        edges = [
            (makers[tensor], _key(call))
            for call in calls
            for tensor in dict.fromkeys(call.inputs)
            if tensor in makers
        ]
        legend = [
            (colour(number), f"{name} ({self._filters(number, name)})")
            for number, name in enumerate(self.names)
        ]
        legend += [
            (STAYS, "stays as it is"),
            (NOTHING, "no channels that are followed"),
        ]
        boxes = {_key(call): self._box(call) for call in calls}
        return layered.svg(boxes, edges, legend, f"{self.name}: a colour a width")

    def _filters(self, number: int, name: str) -> int:
        """How many filters a width has."""
        groups = self.graph.groups
        own = [groups[place] for place, width in self.widths.items() if width == number]
        return next(group.size for group in own if name in group.makers)

    def _box(self, call: Call) -> layered.Box:
        """The box of a call, with a part for every width that its output has."""
        channels, shape = (
            self.graph.channels[call.output],
            self.graph.shapes[call.output],
        )
        size = "x".join("?" if n is None else str(n) for n in shape[1:])
        kind = self.kinds.get(call.name, "")
        parts, told = [], []
        owners = np.where(
            channels == NONE, NONE, np.append(self.graph.owner, NONE)[channels]
        )
        for owner, count in _runs(owners):
            parts.append((self._colour(owner), count / len(owners)))
            told.append(self._about(owner, count))
        about = "\n".join([f"{call.name}: {kind}, {size}", *dict.fromkeys(told)])
        return layered.Box(
            (call.name, f"{kind} {size}"), about, tuple(parts) or ((NOTHING, 1.0),)
        )

    def _colour(self, owner: int) -> str:
        """The colour of the channels of a group; `NONE` is no group."""
        if owner == NONE:
            return NOTHING
        return colour(self.widths[owner]) if owner in self.widths else STAYS

    def _about(self, owner: int, count: int) -> str:
        """What is said of so many channels of a group."""
        if owner == NONE:
            return f"{count} channels that are not followed"
        if owner in self.widths:
            return f"{count} channels of {self.names[self.widths[owner]]}"
        return f"{count} channels that stay: {self.graph.groups[owner].frozen}"


def colour(number: int) -> str:
    """The colour of a width; neighbours differ much.

    >>> colour(0), colour(1)
    ('#f28585', '#7e9ce6')

    Args:
        number: Of the width, from 0.
    """
    light = (0.95, 0.9, 0.8)[number % 3]
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.45, light)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def _key(call: Call) -> str:
    """The name of a call's box: a layer may be called several times."""
    return f"{call.output[0]}/{call.output[1]}"


def _runs(owners: np.ndarray) -> list[tuple[int, int]]:
    """(owner, how many) of the runs of equal owners; few of long flattened tensors.

    >>> _runs(np.array([3, 3, 5]))
    [(3, 2), (5, 1)]
    >>> _runs(np.tile([3, 5], 40))
    [(3, 40), (5, 40)]
    """
    if not len(owners):
        return []
    starts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
    if len(starts) > 32:  # A concatenation that was flattened.
        values, counts = np.unique(owners, return_counts=True)
        return list(zip(values.tolist(), counts.tolist(), strict=True))
    counts = np.diff(np.append(starts, len(owners)))
    return list(zip(owners[starts].tolist(), counts.tolist(), strict=True))
