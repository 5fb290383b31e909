"""How a trained network is pruned, in one text: `taylor_fo+uniform+distil`.

What goes may stand behind the method: `sss@block`, `gradual@weight`.
"""

import dataclasses

from ns_tf.base import InputError
from ns_tf.prune import allocations, repairs
from ns_tf.prune import method as methods
from ns_tf.prune.method import CHANNEL
from ns_tf.registry import parse_call, parts_of, unknown
from ns_tf.train import recipes

# By the field of `Choices`: the names that a text may add to a method.
_KINDS = {
    "allocation": allocations.ALLOCATIONS.names,
    "repair": lambda: [*repairs.REPAIRS.names(), repairs.NONE],
    "recipe": recipes.RECIPES.names,
}
# Of these several may be chosen, which are done in their order.
_SEVERAL = ("repair", "recipe")


@dataclasses.dataclass(frozen=True)
class Choices:
    """A method, and what is chosen in place of its own choices (None: its own).

    Attributes:
        level: What goes, of `ns_tf.prune.method.LEVELS`.
    """

    method: str
    allocation: str | None = None
    repair: str | None = None
    recipe: str | None = None
    level: str = CHANNEL

    @classmethod
    def parse(cls, text: str) -> "Choices":
        """The choices of METHOD[@LEVEL][+ALLOCATION][+REPAIR...][+RECIPE...].

        Choices stand in any order; the level is what goes, channels if there is none.

        >>> Choices.parse("thinet+distil").recipe
        'distil'
        >>> Choices.parse("taylor_fo+mean+uniform+statistics").repair
        'mean+statistics'
        >>> Choices.parse("curl_kl+distil+refine").recipe
        'distil+refine'
        >>> Choices.parse("sss@block").level
        'block'

        Args:
            text: The method comes first. A recipe may have an argument:
                `distil(temperature=4.0)`.

        Raises:
            InputError: a name that there is not, two of a kind that takes one, a level
                that the method does not have, or that of channels, which would give one
                row two names.
        """
        first, *others = parts_of(text)
        method, at, level = first.partition("@")
        level = level if at else CHANNEL
        methods.check_level(method, level)
        if at and level == CHANNEL:
            raise InputError(
                f"{text!r}: channels go where no level is named. Leave @{CHANNEL} away."
            )
        chosen: dict[str, str] = {}
        for part in others:
            kind = _kind_of(part)
            if kind in chosen and kind not in _SEVERAL:
                raise InputError(
                    f"{text!r} has two names of one kind ({kind}): {chosen[kind]} and "
                    f"{part}. Leave one out."
                )
            chosen[kind] = f"{chosen[kind]}+{part}" if kind in chosen else part
        repairs.parse(chosen.get("repair", repairs.NONE))
        recipes.parse(chosen.get("recipe", "plain"))
        return cls(method, **chosen, level=level)


def _kind_of(text: str) -> str:
    """Which of the three a name is: an allocation, a repair or a recipe.

    Raises:
        InputError: none or, where a program registered it, several.
    """
    name, _ = parse_call(text)
    known = {kind: names() for kind, names in _KINDS.items()}
    kinds = [kind for kind, names in known.items() if name in names]
    if not kinds:
        raise unknown("allocation, repair or recipe", name, sum(known.values(), []))
    if len(kinds) > 1:
        raise InputError(
            f"{name!r} is the name of an {' and of a '.join(kinds)}; register one of "
            "them under another name."
        )
    return kinds[0]
