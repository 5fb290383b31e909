"""A search's plan that short trainings choose, from Python."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ns_tf.engine.execution import Execution
from ns_tf.plan import refine as trainings
from ns_tf.plan.config import RefineConfig
from ns_tf.plan.family import Family
from ns_tf.plan.plan import with_device
from ns_tf.plan.width_plan import WidthPlan
from ns_tf.run.option import made
from ns_tf.run.watch import Watch
from ns_tf.scaling.config import Wishes

if TYPE_CHECKING:
    from ns_tf.api.searches import Search

# Options of a plan that are no budgets.
_HOW = {"iteration", "ratio", "measure", "round_to", "min_width", "max_width"}


def refined(
    search: "Search", options: Mapping[str, Any], data: Any, watch: Watch
) -> WidthPlan:
    """The plan that short trainings choose.

    Args:
        search: Whose candidates are trained; without a run folder nothing is kept.
        options: Budgets by name, how they are met, fields of `RefineConfig`.
        data: As of `ns_tf.search`; the search's own if None.
        watch: Shows progress, lets it stop.

    Raises:
        InputError: an option that cannot be, or data that are not there.
        RunError: no candidate could be trained.
    """
    rest = dict(options)
    fields = {field.name for field in dataclasses.fields(RefineConfig)}
    config = made(RefineConfig, {name: rest.pop(name) for name in fields & rest.keys()})
    trainings.check(config, rest.pop("method", None), rest.pop("price_exponent", None))
    Execution.of(config)  # Before TensorFlow starts.
    how = {name: rest.pop(name) for name in _HOW & rest.keys()}
    device = rest.pop("device", None)
    names = {field.name for field in dataclasses.fields(Wishes)}
    how["wishes"] = Wishes(**{name: rest.pop(name) for name in names & rest.keys()})
    how["measure"] = with_device(how.get("measure"), device, rest)
    family = Family.of(search.record, rest, builder=search.architecture, **how)
    found = search.problem_for(data)
    with contextlib.ExitStack() as stack:
        folder = search.run_dir or stack.enter_context(tempfile.TemporaryDirectory())
        return trainings.refined(family, *found, folder, config, watch)
