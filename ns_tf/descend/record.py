"""The record of a search, and the run folder that holds it.

`descent.json` has everything but the traces: names, widths, cost polynomials, and a
law, a scaling and the time for every iteration. `trace_NN.csv` has the networks that
the law of iteration NN is fitted to, `history_NN.csv` those after every removal, and
`scores_NN.csv` what filters were worth then, and `filters_NN.csv` what all of them were
worth before the first removal.
"""

import dataclasses
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ns_tf.base import DescentState, InputError, Scaling, ScalingLaw, Widths
from ns_tf.budgets import exact_costs
from ns_tf.descend import traces
from ns_tf.networks.arena import ExactCost, cost_from_json
from ns_tf.parts import Parts, shape_from
from ns_tf.run import files
from ns_tf.run.folder import DESCENT
from ns_tf.scaling.bounds import Bounds, bounds_of
from ns_tf.scaling.config import Wishes

if TYPE_CHECKING:
    from ns_tf.networks.structure import Structure

VERSION = 1
USUAL = "classification"  # The task of a record that names none.


@dataclasses.dataclass(frozen=True)
class SearchRecord:
    """A search with its finished iterations: all that plans need.

    It holds costs as polynomials, so a plan needs neither the network nor Keras.
    """

    architecture: str
    dataset: str
    input_shape: tuple[int, ...] | Parts  # Of several inputs a shape each.
    classes: int
    names: tuple[str, ...]  # [layers]
    default_widths: Widths  # Of the architecture.
    seed_widths: Widths  # Of the network that the search started from.
    costs: Mapping[str, ExactCost]  # By exact budget.
    states: tuple[DescentState, ...]  # Of the finished iterations, from the first.
    # [layers]: all layers of each width; older records have none.
    makers: tuple[tuple[str, ...], ...] = ()
    wishes: Wishes = Wishes()  # Of the search; plans that have none take them.
    task: str = ""  # Of the search; of one without a name, classification.

    def bounds(self, wishes: Wishes | None = None) -> Bounds:
        """What a user wishes for the widths of plans.

        Args:
            wishes: Of the plan; those of the search if it has none. A layer that is
                kept keeps the filters that the search started from.

        Raises:
            InputError: a layer that the network does not have.
        """
        asked = wishes if wishes and wishes.asked else self.wishes
        layers = self.makers or tuple((name,) for name in self.names)
        return bounds_of(asked, layers, self.seed_widths)

    def state(self, iteration: int | None = None) -> DescentState:
        """The state of an iteration.

        Args:
            iteration: From 1; the last if None.

        Raises:
            InputError: the search has no such iteration, or none yet.
        """
        if not self.states:
            raise InputError("The search has no finished iteration yet; let it go on.")
        if iteration is None:
            return self.states[-1]
        if not 1 <= iteration <= len(self.states):
            raise InputError(
                f"The search has iterations 1 to {len(self.states)}; got --iteration="
                f"{iteration}."
            )
        return self.states[iteration - 1]


def new_search(
    structure: "Structure", dataset: str, seed_widths: Sequence[int]
) -> SearchRecord:
    """A record without iterations, which is enough for uniform scaling.

    Args:
        structure: Of the network that is searched.
        dataset: Name of the data set.
        seed_widths: Of the network that the search starts from [layers].
    """
    return SearchRecord(
        architecture=structure.architecture.name,
        dataset=dataset,
        input_shape=structure.input_shape,
        classes=structure.classes,
        names=structure.names,
        default_widths=structure.architecture.widths,
        seed_widths=tuple(seed_widths),
        costs=exact_costs(structure),
        states=(),
        makers=structure.layers,
    )


def write_search(folder: str | Path, search: SearchRecord) -> None:
    """Writes `descent.json`, and trace and history of the last state.

    Those of earlier states were written when they were the last. The traces come
    first, so that `descent.json` never names files that are not there.

    Args:
        folder: The run folder.
        search: The record.
    """
    folder = Path(folder)
    if search.states:
        state = search.states[-1]
        traces.write(folder, state)
    files.write_json(folder / DESCENT, _search_json(search))


def read_search(folder: str | Path) -> SearchRecord:
    """The record of the search in a run folder.

    Args:
        folder: The run folder.

    Raises:
        InputError: no search in the folder, or a damaged file.
    """
    folder = Path(folder)
    path = folder / DESCENT
    if not os.path.exists(path):  # False of a name that cannot be, too.
        raise InputError(
            f"{folder} holds no {DESCENT}. Search first: python -m ns_tf.descend "
            f"--run_dir={shlex.quote(str(folder))} ..., or give the --run_dir of a "
            "search."
        )
    data = files.read_json(path, what="search", version=VERSION)
    with files.readable(path, "search"):
        return _search_of(data, folder)


def _search_json(search: SearchRecord) -> dict[str, Any]:
    """A record as plain values for `descent.json`."""
    return {
        "version": VERSION,
        "architecture": search.architecture,
        "dataset": search.dataset,
        "input_shape": list(search.input_shape),
        "classes": search.classes,
        "names": list(search.names),
        "default_widths": list(search.default_widths),
        "seed_widths": list(search.seed_widths),
        "costs": {name: cost.to_json() for name, cost in search.costs.items()},
        "states": [_state_json(state) for state in search.states],
        **({"layers": [list(n) for n in search.makers]} if search.makers else {}),
        **(
            {"wishes": dataclasses.asdict(search.wishes)} if search.wishes.asked else {}
        ),
        **({"task": search.task} if search.task else {}),
    }


def _state_json(state: DescentState) -> dict[str, Any]:
    """A state as plain values; of trace and history only the numbers of rows."""
    law = state.law
    by_layer = {}
    if law.rows is not None:
        errors = [None if np.isnan(error) else error for error in law.error.tolist()]
        by_layer = {"rows": law.rows.tolist(), "error": errors}
    scores = state.trace.scores
    whole = state.trace.whole
    told = scores is not None and scores.criterion is not None
    return {
        "iteration": state.iteration,
        "widths": list(state.widths),
        "law": {
            "alpha": law.alpha.tolist(),
            "beta": law.beta.tolist(),
            "r2": law.r2.tolist(),
            "residual": law.residual.tolist(),
            "tau_range": list(law.tau_range),
            **by_layer,
        },
        "events": len(state.trace.history),
        "rows": len(state.trace.tau),
        **({"criterion": scores.criterion} if told else {}),
        **({"sets": whole.sets.tolist()} if whole is not None else {}),
        "scaling": dataclasses.asdict(state.scaling),
        "seconds": round(state.seconds, 3),
    }


def _search_of(data: Mapping[str, Any], folder: Path) -> SearchRecord:
    """The record of `descent.json`; any error in here is a damaged file's.

    Raises:
        ValueError, KeyError, TypeError: a value is missing or cannot be.
        InputError: a trace or a history is missing or damaged.
    """
    names = tuple(data["names"])
    for key in ("default_widths", "seed_widths"):
        _check_layers(key, data[key], names)
    if "params" not in data["costs"]:
        raise ValueError("it has no cost polynomial of the parameters")
    return SearchRecord(
        architecture=data["architecture"],
        dataset=data["dataset"],
        input_shape=shape_from(data["input_shape"]),
        classes=data["classes"],
        names=names,
        default_widths=tuple(data["default_widths"]),
        seed_widths=tuple(data["seed_widths"]),
        costs={n: cost_from_json(c) for n, c in data["costs"].items()},
        states=tuple(_state_of(state, folder, names) for state in data["states"]),
        makers=_makers_of(data.get("layers", ()), names),
        wishes=Wishes(**data.get("wishes", {})),
        task=str(data.get("task", "")),
    )


def _makers_of(
    layers: Sequence[Sequence[str]], names: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """The layers of every width; none in older files."""
    if layers:
        _check_layers("layers", layers, names)
        if not all(layers):
            raise ValueError("a width of no layer")
    return tuple(tuple(str(name) for name in one) for one in layers)


def _state_of(
    data: Mapping[str, Any], folder: Path, names: Sequence[str]
) -> DescentState:
    """A state of `descent.json`, with its trace and history."""
    law, scaling = data["law"], data["scaling"]
    arrays = {
        key: np.array(law[key], float) for key in ("alpha", "beta", "r2", "residual")
    }
    if "rows" in law:
        arrays["rows"] = np.array(law["rows"], int)
        arrays["error"] = np.array(law["error"], float)  # None becomes NaN.
    for widths in (data["widths"], scaling["widths"]):
        _check_layers("widths", widths, names)
    for key, values in arrays.items():
        _check_layers(key, values, names)
    alpha, beta = arrays["alpha"], arrays["beta"]
    if np.isnan(beta).any() or not (alpha >= 0).all():  # 0 by a steep beta.
        raise ValueError(f"a law of alpha {alpha.tolist()}, beta {beta.tolist()}")
    low, high = law["tau_range"]
    if not 0 < low <= high:
        raise ValueError(f"a tau_range from {low} to {high}")
    return DescentState(
        iteration=data["iteration"],
        widths=tuple(data["widths"]),
        law=ScalingLaw(**arrays, tau_range=tuple(law["tau_range"])),
        trace=traces.read(folder, data, names),
        scaling=Scaling(
            tuple(scaling["widths"]),
            scaling["tau"],
            scaling["costs"],
            scaling["targets"],
        ),
        seconds=data["seconds"],
    )


def _check_layers(key: str, values: Sequence, names: Sequence[str]) -> None:
    """Refuses other than one value a layer, and widths that are none.

    Raises:
        ValueError: naming the key.
    """
    if len(values) != len(names):
        raise ValueError(f"{key} has {len(values)} values for {len(names)} layers")
    if "widths" in key and not all(isinstance(w, int) and w > 0 for w in values):
        raise ValueError(f"{key} are no positive whole numbers: {values}")


def search_in(run_dir: str | Path) -> SearchRecord | None:
    """The record of the search in a folder; None for a folder without `descent.json`.

    Raises:
        InputError: the search is damaged.
    """
    if os.path.exists(Path(run_dir) / DESCENT):
        return read_search(run_dir)
    return None
