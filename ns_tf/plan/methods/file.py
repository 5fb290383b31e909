"""Widths or a law from a JSON file: published ones, or those of other programs."""

from collections.abc import Mapping, Sequence
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
    path = setting.entry.source
    if not path:
        raise InputError("The method file needs a path, as file:widths.json.")
    what = "file of widths"
    remedy = "It needs alpha and beta, or widths, for every layer."
    with files.readable(path, what, remedy):
        data = files.read_json(path, what=what, remedy=remedy)
        entry = _entry(data, setting.entry)
        layers = len(setting.plain.names)
        if "alpha" in entry:
            arrays = [_numbers(entry[key], layers) for key in ("alpha", "beta")]
            curve = power_law(ScalingLaw(*arrays))
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
            f"file@15:{entry.source}; got {entry.iteration}."
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
