"""What a network that was made smaller is trained with: one file a recipe.

A recipe says which loss an example has, from which weights training starts, and how
images are mixed. The file of one with a loss of its own holds the formula::

    @recipe("distil", help="...", teacher=True, mixup=1.0)
    def distil(logits, labels, teacher_logits, *, temperature=2.0, share=0.7):
        ...
        return losses  # [batch]

A name may have arguments: `distil(temperature=4.0)`, `distil(mixup=0.0)`. Several are
done one after another: `distil+refine`.
"""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import keras

from ns_tf.base import InputError
from ns_tf.graph.calls import functional
from ns_tf.graph.ends import ends_in_softmax
from ns_tf.registry import Registry, parse_call, parts_of
from ns_tf.run.checks import check_whole

RECIPES = Registry("recipe", __name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A registered recipe."""

    name: str
    help: str  # A sentence.
    # (logits, labels, teacher's logits) -> losses [batch]; None for the task's loss.
    formula: Callable | None
    teacher: bool = False  # Whether a larger trained network teaches.
    mixup: float = 0.0  # Images are mixed by Beta(mixup, mixup) if above 0.
    # Rate at which a table of the teacher's logits, a row an image, learns too; there
    # are six images of each then (`ns_tf.train.label_table`). No table if None.
    table_rate: float | None = None
    fresh: bool = False  # Whether training starts from fresh weights.
    rate: float = 0.01  # Learning rate at the start, unless another is given.
    # Behind another recipe: the rate (its own if None), and a share of the epochs.
    next_rate: float | None = None
    next_share: float = 1.0
    epochs: int | None = None  # In place of those that are asked for.
    # Whether a network of a share s of the multiply-adds has 1 / s times the epochs.
    equal_cost: bool = False
    # Options of the formula that are shares, from 0 to 1, and those that are above 0.
    shares: tuple[str, ...] = ()
    above_zero: tuple[str, ...] = ()


def recipe(name: str, *, help: str, **preset: Any) -> Callable[[Callable], Callable]:
    """Decorator: registers a recipe under `name`, as `--recipe` takes it.

    Args:
        name: Of the recipe.
        help: A sentence that says how it trains.
        **preset: Further fields of `Recipe`.

    Returns:
        A decorator of functions (logits, labels, teacher_logits) -> losses [batch], of
        `keras.ops`, with options that have defaults. It returns them as they are. A
        function of no argument stands for the task's own loss.

    Raises:
        ValueError: the name is taken.
    """

    def add(function):
        formula = function if inspect.signature(function).parameters else None
        member = Recipe(name, help, formula, **preset)
        RECIPES.register(name)((member, function))
        return function

    return add


def parse(text: str) -> tuple[Recipe, ...]:
    """The recipes that "one+other" names, in the order in which they are done.

    Each goes on from the network of the best epoch of the one before.

    >>> [(one.name, one.rate) for one in parse("distil+refine")]
    [('distil', 0.01), ('refine', 0.001)]

    Args:
        text: Names with "+" between them, each as of `get`.

    Raises:
        InputError: there is no such recipe, or one that begins with fresh weights comes
            after another.
    """
    first, *others = parts_of(text)
    behind = [get(other, behind=True) for other in others]
    for one in behind:
        if one.fresh:
            raise InputError(
                f"{text!r}: {one.name} begins with fresh weights, so what is trained "
                f"before it is lost. Put {one.name} first, or leave it out."
            )
    return get(first), *behind


def get(text: str, *, behind: bool = False) -> Recipe:
    """The recipe that a text names, its options set.

    >>> get("distil(mixup=0.0)").mixup, get("plain").formula is None
    (0.0, True)

    Args:
        text: A name, or a name with arguments: options of the formula, or `rate`,
            `epochs` and `mixup`; `table_rate` of a recipe with a table, whose rows are
            of images that are not mixed.
        behind: Whether it follows another recipe.

    Raises:
        InputError: there is no such recipe, or it has no such option.
    """
    name, options = parse_call(text)
    member, function = RECIPES.get(name)
    if behind and member.next_rate is not None:
        member = dataclasses.replace(member, rate=member.next_rate)
    own = "mixup" if member.table_rate is None else "table_rate"
    settable = (own, "rate", "epochs")
    fields = {n: options.pop(n) for n in settable if n in options}
    known = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    ]
    for option in options:
        if option not in known:
            names = ", ".join([*known, *settable])
            raise InputError(f"The recipe {name} has no {option!r}; it has {names}.")
    for option, value in {**fields, **options}.items():
        _check(member, option, value)
    if "epochs" in fields:
        check_whole(f"epochs of the recipe {name}", fields["epochs"], at_least=1)
    formula = functools.partial(function, **options) if options else member.formula
    return dataclasses.replace(member, formula=formula, **fields)


def _check(member: Recipe, option: str, value: Any) -> None:
    """Refuses the value of an option that is no number, or out of its range.

    Raises:
        InputError: names the option.
    """
    positive = option in ("rate", *member.above_zero)
    most = 1.0 if option in member.shares else math.inf
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and 0 <= value <= most and math.isfinite(value)) or (
        positive and value == 0
    ):
        least = "above 0" if positive else "from 0"
        upper = f" to {most:g}" if most < math.inf else ""
        raise InputError(
            f"{option} of the recipe {member.name} is a number {least}{upper}; got "
            f"{value!r}."
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Objective:
    """What a training minimises in place of the task's loss.

    Args:
        recipe: With a formula.
        classes: Number of classes.
        teacher: Gives the logits that are learned from; None if nobody does.
    """

    recipe: Recipe
    classes: int
    teacher: keras.Model | None = None

    def taught(self) -> Callable:
        """Outputs of the teacher -> its logits."""
        return logits_of(self.teacher)

    def loss(self, model: keras.Model) -> Callable:
        """(labels [batch] or [batch, classes], outputs, teacher's) -> losses [batch].

        Args:
            model: That is trained; it and the teacher may end in a softmax.
        """
        own = logits_of(model)
        if self.teacher is None or self.recipe.table_rate is not None:
            others = _as_they_are  # Nothing, or rows of a table, which are logits.
        else:
            others = self.taught()

        def loss(labels, outputs, taught=None):
            if len(labels.shape) == 1:
                labels = keras.ops.one_hot(labels, self.classes)
            logits = own(outputs)
            labels = keras.ops.cast(labels, logits.dtype)
            return self.recipe.formula(logits, labels, others(taught))

        return loss


def _as_they_are(logits: Any) -> Any:
    """What is logits already, or None."""
    return logits


def logits_of(model: keras.Model) -> Callable:
    """Outputs of a model -> logits in Keras's floatx, up to a constant an image.

    Args:
        model: That may end in a softmax.
    """
    ends = ends_in_softmax(functional(model))

    def logits(outputs):
        outputs = keras.ops.cast(outputs, keras.config.floatx())
        return keras.ops.log(keras.ops.maximum(outputs, 1e-30)) if ends else outputs

    return logits
