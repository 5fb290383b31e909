"""Weights of examples, which multiply their losses: as given, by class, by output."""

import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.base import InputError
from ns_tf.data.inputs import as_float32
from ns_tf.data.labels import are_classes
from ns_tf.data.structure import array_of
from ns_tf.parts import Parts, each, parts
from ns_tf.registry import unknown

Weights = np.ndarray | Parts | None  # [n], for all outputs; Parts: for each; none.
# Class -> factor; of several outputs by the name of the output.
ClassWeight = Mapping[int, float] | Mapping[str, Mapping[int, float]]


def weights_in(
    what: str,
    given: Any,
    class_weight: ClassWeight | None,
    targets: np.ndarray | Parts,
    names: Sequence[str],
) -> Weights:
    """The weights of a split: those given times those of the classes.

    >>> targets, names = Parts((np.array([0, 1]), np.zeros(2))), ("kind", "box")
    >>> weights_in("mine", {"box": [2, 3]}, {"kind": {1: 5.0}}, targets, names)
    (array([1., 5.], dtype=float32), array([2., 3.], dtype=float32))

    Args:
        what: What they belong to, as messages begin.
        given: As `fit(sample_weight=)` takes it: `[n]` for all outputs; a dictionary by
            output, where one that it lacks has 1; or one for each output in order, None
            for 1. None of no weights.
        class_weight: Class -> factor, 1 for a class that it lacks; of several outputs
            a dictionary of such by output.
        targets: `[n, ...]`; `Parts` of several outputs.
        names: Of several outputs, if they came by name.

    Returns:
        float32 `[n]`; `Parts` of such where outputs have weights of their own; None if
        there are none.

    Raises:
        InputError: outputs that there are not, weights of another shape, negative or
            not finite; class weights of targets that are no classes.
    """
    own = _by_output(what, given, targets, names)
    if class_weight is None:
        return own
    factors = _of_classes(what, class_weight, targets, names)
    if own is None:
        return factors
    return each(lambda weights, factor: weights * factor, own, factors)


def alike(weights: Sequence[Weights], counts: Iterable[int]) -> list[Weights]:
    """Weights of splits in one form: those of 1 where another split has any.

    >>> alike([np.array([2.0]), None], [1, 3])[1].tolist()
    [1.0, 1.0, 1.0]

    Args:
        weights: By split.
        counts: Examples by split, in that order.
    """
    if all(one is None for one in weights):
        return list(weights)
    lengths = {len(one) for one in weights if isinstance(one, Parts)}

    def filled(one, count):
        one = np.ones(count, np.float32) if one is None else one
        if not lengths or isinstance(one, Parts):
            return one
        return Parts((one,) * max(lengths))

    return list(map(filled, weights, counts))


def check_weights(what: str, weights: np.ndarray, count: int) -> np.ndarray:
    """Weights of examples as float32 `[count]`.

    Args:
        what: What they belong to, as messages begin.
        weights: `[count]` or `[count, 1]`, finite, not negative.
        count: Number of examples.

    Raises:
        InputError: another shape, or a weight that is negative or not finite.
    """
    if weights.shape not in ((count,), (count, 1)) or weights.dtype.kind not in "biuf":
        raise InputError(
            f"{what}: {count} examples need weights [{count}]; got {weights.dtype} "
            f"{list(weights.shape)}."
        )
    weights = as_float32(weights.reshape(count))
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise InputError(f"{what}: weights are finite numbers from 0; some are not.")
    return weights


def weights_of_classes(
    what: str, labels: np.ndarray | Parts, class_weight: Mapping[int, float]
) -> np.ndarray:
    """The weight of each example by its class, `[n]`, as `fit(class_weight=)` takes it.

    >>> weights_of_classes("mine", np.array([2, 0, 2]), {2: 0.5}).tolist()
    [0.5, 1.0, 0.5]

    Args:
        what: What the labels belong to, as messages begin.
        labels: `[n]` class numbers.
        class_weight: By class; 1 for classes that it lacks.

    Raises:
        InputError: targets that are no class numbers, or keys that are none.
    """
    if isinstance(labels, Parts) or not are_classes(labels):
        got = ", ".join(f"{one.dtype} {list(one.shape)}" for one in parts(labels))
        raise InputError(
            f"{what}: class weights need one class number an example; got targets "
            f"{got}. Give weights of the examples; of several outputs a dictionary "
            "of class weights by output."
        )
    if not isinstance(class_weight, Mapping):
        raise InputError(
            f"{what}: class_weight is a dictionary, class -> factor; got "
            f"{type(class_weight).__name__}."
        )
    factors = _by_number(what, class_weight)
    return np.array([factors.get(int(label), 1.0) for label in labels])


def check_class_weight(
    what: str,
    class_weight: ClassWeight | None,
    targets: Sequence[np.ndarray | Parts],
    names: Sequence[str],
    classes: int,
) -> None:
    """Passes class weights of classes that there are.

    Args:
        what: The data set, as messages begin.
        class_weight: As `weights_in` has taken it.
        targets: Of every split.
        names: Of several outputs, if they came by name.
        classes: Of the first output; of others one more than the largest label.

    Raises:
        InputError: a class that there is not.
    """
    if class_weight is None:
        return
    factors = [class_weight]
    if any(isinstance(one, Mapping) for one in class_weight.values()):
        factors = _in_order(what, class_weight, len(parts(targets[0])), names)
    for place, own in enumerate(factors):
        largest = max(int(parts(one)[place].max()) for one in targets)
        count = largest + 1 if place else classes
        beyond = [one for one in _by_number(what, own or {}) if one >= count]
        if beyond:
            raise InputError(
                f"{what}: class_weight has class {beyond[0]}, and classes are 0 to "
                f"{count - 1}; leave it out."
            )


def _by_number(what: str, class_weight: Mapping[Any, float]) -> dict[int, float]:
    """The weights by whole numbers, of which keys in JSON are texts.

    >>> _by_number("mine", {"1": 5, 2: 0.5})
    {1: 5, 2: 0.5}

    Raises:
        InputError: a key that is no class, or one that is there twice.
    """
    found: dict[int, float] = {}
    for key, factor in class_weight.items():
        number = isinstance(key, numbers.Real) and float(key).is_integer()
        text = str(int(key)) if number else key
        sound = isinstance(text, str) and text.isdecimal()
        if not sound or int(text) in found:
            raise InputError(
                f"{what}: class_weight is by class, each a whole number from 0, once; "
                f"got {key!r}."
            )
        found[int(text)] = factor
    return found


def _by_output(
    what: str, given: Any, targets: np.ndarray | Parts, names: Sequence[str]
) -> Weights:
    """The weights that are given, checked."""
    if given is None:
        return None
    count, outputs = len(parts(targets)[0]), len(parts(targets))
    if isinstance(given, Mapping):
        given = _in_order(what, given, outputs, names)
    several = isinstance(given, (tuple, list)) and len(given) == outputs
    if not several or not all(one is None or array_of(one).ndim for one in given):
        return check_weights(what, array_of(given), count)
    found = Parts(
        check_weights(what, np.ones(count) if one is None else array_of(one), count)
        for one in given
    )
    return found if outputs > 1 else found[0]


def _of_classes(
    what: str,
    class_weight: ClassWeight,
    targets: np.ndarray | Parts,
    names: Sequence[str],
) -> np.ndarray | Parts:
    """The weights of the examples by their classes, checked."""

    def weights(labels, factors):
        """Of one output."""
        if factors is None:
            return np.ones(len(labels), np.float32)
        found = weights_of_classes(what, labels, factors)
        return check_weights(what, found, len(labels))

    if not isinstance(class_weight, Mapping) or not any(
        isinstance(one, Mapping) for one in class_weight.values()
    ):
        return weights(targets, class_weight)
    factors = _in_order(what, class_weight, len(parts(targets)), names)
    return each(weights, targets, Parts(factors) if len(factors) > 1 else factors[0])


def _in_order(
    what: str, given: Mapping[str, Any], outputs: int, names: Sequence[str]
) -> list[Any]:
    """What a dictionary has for each output; None where it has nothing.

    Raises:
        InputError: an output that there is not.
    """
    if outputs == 1 and len(given) == 1:
        return list(given.values())
    if not names:
        raise InputError(
            f"{what}: weights by name ({', '.join(map(str, given))}) need targets by "
            "name; give both in dictionaries, or both in tuples."
        )
    for name in given:
        if name not in names:
            raise unknown(f"output with weights in {what}", str(name), names)
    return [given.get(name) for name in names]
