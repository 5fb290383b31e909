"""Widths or a law from a file: those of other people, and published ones."""

import numpy as np

from ns_tf.base import InputError, ScalingLaw
from ns_tf.plan.methods import method
from ns_tf.run import files
from ns_tf.scaling.curves import power_law, uniform_curve


@method(
    "file",
    help="Along a law, or widths times one number, from a JSON file.",
    proposes=True,
    takes_source=True,
)
def file(setting, targets):
    """The curve that `file:PATH` holds.

    JSON: {"alpha": [...], "beta": [...]} or {"widths": [...]}, or several of these in
    {"iterations": [{"iteration": 15, ...}, ...]}, told apart as `file@15:PATH`.
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
            widths = _numbers(entry["widths"], layers)
            if (widths <= 0).any():
                raise ValueError("a width that is not positive")
            cost = setting.plain.costs["params"](np.ceil(widths).astype(int))
            curve = uniform_curve(widths, tau=float(cost))
    return setting.propose(curve, targets)


def _entry(data, asked) -> dict:
    found = data.get("iterations", [data])
    if asked.iteration is not None:
        found = [one for one in found if one.get("iteration") == asked.iteration]
    if len(found) != 1:
        known = [one.get("iteration") for one in data.get("iterations", [])]
        raise InputError(
            f"{asked.source} has the iterations {known}, one of which is to be named, "
            f"as file@15:{asked.source}; got {asked.iteration}."
        )
    return found[0]


def _numbers(values, layers: int) -> np.ndarray:
    array = np.array(values, float)
    if array.shape != (layers,) or not np.isfinite(array).all():
        raise ValueError(f"expected {layers} numbers; got {values}")
    return array
