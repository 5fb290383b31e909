"""Widths or a law from a JSON file: published ones, or those of other programs."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ns_tf.base import InputError, ScalingLaw
from ns_tf.plan.methods import Entry, Proposal, Setting, method
from ns_tf.run import files
from ns_tf.scaling.curves import power_law, uniform_curve


@method(
    "file",
    help="Along a law, or widths times one number, from a JSON file.",
    proposes=True,
    takes_source=True,
)
def file(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """The network along the law, or in the proportions, that `file:PATH` holds.

    The JSON is `{"alpha": [...], "beta": [...]}` for a law, `{"widths": [...]}` for
    proportions (a list, or a dictionary by layer, as of `ns_tf.plan --output=json`), or
    several of these as `{"iterations": [{"iteration": 15, ...}, ...]}`,
    of which `file@15:PATH` names one.

    Args:
        setting: Its entry names the file.
        targets: Budgets by name; all hold.

    Raises:
        InputError: no path, no such file or iteration, numbers that are no law and no
            widths of this network, or budgets that cannot be met.
    """
    remedy = "It needs alpha and beta, or widths, for every layer."
    layers = len(setting.plain.names)
    with entry_in(setting, "file of widths", remedy) as entry:
        if "alpha" in entry:
            curve = power_law(law_of(entry, layers))
        else:
            widths = entry["widths"]
            if isinstance(widths, Mapping):  # By layer, as a plan's JSON has them.
                widths = [widths[name] for name in setting.plain.names]
            widths = _numbers(widths, layers)
            if (widths <= 0).any():
                raise ValueError("a width that is not positive")
            params = setting.plain.costs["params"](np.ceil(widths).astype(int))
            curve = uniform_curve(widths, tau=float(params))
    return setting.propose(curve, targets)


@contextlib.contextmanager
def entry_in(setting: Setting, what: str, remedy: str) -> Iterator[Mapping[str, Any]]:
    """What the file of a method's entry holds, or the iteration that is named.

    Args:
        setting: Its entry names the file.
        what: The file is, for errors: those of reading it, and of what follows.
        remedy: For errors.

    Raises:
        InputError: no path, no such file or iteration, or a damaged file.
    """
    path, name = setting.entry.source, setting.entry.name
    if not path:
        raise InputError(f"The method {name} needs a path, as {name}:numbers.json.")
    with files.readable(path, what, remedy):
        yield _entry(files.read_json(path, what=what, remedy=remedy), setting.entry)


def law_of(entry: Mapping[str, Any], layers: int) -> ScalingLaw:
    """The law of a file.

    Args:
        entry: With alpha and beta.
        layers: How many numbers each of them has.

    Raises:
        KeyError, ValueError: it has none.
    """
    return ScalingLaw(*(_numbers(entry[key], layers) for key in ("alpha", "beta")))


def _entry(data: Mapping[str, Any], entry: Entry) -> Mapping[str, Any]:
    """The law or the widths of the iteration that `--methods` names.

    >>> data = {"iterations": [{"iteration": 1, "widths": [3]}, {"iteration": 15}]}
    >>> _entry(data, Entry("file", 15, "law.json"))
    {'iteration': 15}

    Raises:
        InputError: there is no such iteration, or several and none is named.
    """
    laws = data.get("iterations", [data])
    if entry.iteration is not None:
        laws = [law for law in laws if law.get("iteration") == entry.iteration]
    if len(laws) != 1:
        known = [law.get("iteration") for law in data.get("iterations", [])]
        raise InputError(
            f"{entry.source} has the iterations {known}. Name one of them, as "
            f"{entry.name}@15:{entry.source}; got {entry.iteration}."
        )
    return laws[0]


def _numbers(values: Sequence[float], layers: int) -> np.ndarray:
    """The values as finite floats [layers].

    Raises:
        ValueError: there are more or fewer of them, or one is not finite.
    """
    array = np.array(values, float)
    if array.shape != (layers,) or not np.isfinite(array).all():
        raise ValueError(f"expected {layers} numbers; got {values}")
    return array
