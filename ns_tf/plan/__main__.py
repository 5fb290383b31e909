"""The widths for a budget, from the run folder of a search.

python -m ns_tf.plan --run_dir=runs/vgg11 --params=600000 --round_to=8
python -m ns_tf.plan --run_dir=runs/vgg11 --latency_ms=5 --device=device.json
python -m ns_tf.plan --run_dir=runs/vgg11 --macs=9880832 --refine=12

The first two take a fraction of a second. The third trains candidates for a few epochs
and plans the one that is best on validation images, uniform widths among them; it shows
its progress, and the same command goes on after a kill.
"""

from ns_tf.run import starting  # noqa: F401 - First: the rest takes its time.

# isort: split

import dataclasses
import json

from ns_tf import cli
from ns_tf.base import InputError
from ns_tf.cli import quiet_tensorflow
from ns_tf.descend.record import read_search
from ns_tf.devices.device import BUDGET, read_device
from ns_tf.plan.config import BudgetConfig, MethodConfig, OutputConfig, RefineConfig
from ns_tf.plan.plan import make_plan, options, solver_options
from ns_tf.plan.width_plan import WidthPlan
from ns_tf.problem.config import ProblemConfig
from ns_tf.run.config import RunConfig


def main(
    run: RunConfig,
    budget: BudgetConfig,
    curve: MethodConfig,
    output: OutputConfig,
    problem: ProblemConfig,
    refine: RefineConfig,
) -> None:
    """Plans, and prints the plan.

    TensorFlow is loaded only for a budget whose costs the search did not record: a
    measured one, and for short trainings. All other plans take a fraction of a second.

    Args:
        run: The run folder of the search.
        budget: Budgets, and how they are met.
        curve: The method and the iteration of the search.
        output: A table, JSON, or the widths as a list.
        problem: Where the data are, for short trainings.
        refine: Whether there are any, and how long.

    Raises:
        InputError: no search, no such iteration, a budget that cannot be met, or a flag
            that nothing here uses.
    """
    _check(budget, problem, refine)
    if refine.refine:
        plan = _refined(run, budget, curve, problem, refine)
    else:
        plan = _plan(run, budget, curve)
    if output.output == "json":
        print(json.dumps(plan.to_json(), indent=1))
    elif output.output == "widths":
        print(",".join(str(width) for width in plan.widths))
    else:
        print(plan)


def _check(budget: BudgetConfig, problem: ProblemConfig, refine: RefineConfig) -> None:
    """Refuses flags that this plan does not use.

    Comparisons have the same ones for several budgets, so their configs pass them.

    Raises:
        InputError: a device file without a budget of time, or data without trainings.
    """
    if budget.device and BUDGET not in budget.targets:
        raise InputError(f"--device goes with --{BUDGET}.")
    for field in dataclasses.fields(ProblemConfig):
        if not refine.refine and getattr(problem, field.name) != field.default:
            raise InputError(f"--{field.name} goes with --refine.")


def _plan(run: RunConfig, budget: BudgetConfig, curve: MethodConfig) -> WidthPlan:
    """The plan of a method."""
    search = read_search(run.run_dir)
    builder = None
    known = search.costs.keys() | ({BUDGET} if by_table_alone(budget) else set())
    if not budget.targets.keys() <= known:
        quiet_tensorflow()
        from ns_tf.measure import whole
        from ns_tf.networks import python_models

        if budget.device_here:
            whole.begin(read_device(budget.device))
        builder = python_models.saved(
            search.architecture, run.run_dir, search.input_shape
        )
    return make_plan(search, budget.targets, builder=builder, **options(budget, curve))


def by_table_alone(budget: BudgetConfig) -> bool:
    """Whether a device file says milliseconds, and nothing is measured."""
    return bool(budget.device) and not budget.device_here


def _refined(
    run: RunConfig,
    budget: BudgetConfig,
    curve: MethodConfig,
    problem: ProblemConfig,
    refine: RefineConfig,
) -> WidthPlan:
    """The plan that short trainings choose.

    Raises:
        InputError: a method beside `--refine`, or data that are not there.
    """
    quiet_tensorflow()
    from ns_tf.engine.execution import Execution
    from ns_tf.networks import python_models
    from ns_tf.plan import refine as trainings
    from ns_tf.plan.family import Family
    from ns_tf.problem.resolve import problem_of, resolve, settings_in

    trainings.check(refine, curve.method, curve.price_exponent)
    search = read_search(run.run_dir)
    Execution.of(refine)  # Before TensorFlow starts.
    builder = python_models.saved(search.architecture, run.run_dir, search.input_shape)
    settings = resolve(problem, settings_in(run.run_dir), place=run.run_dir)
    family = Family.of(
        search,
        budget.targets,
        iteration=curve.iteration,
        ratio=budget.ratio,
        builder=builder,
        **solver_options(budget),
    )
    found = problem_of(settings, builder), settings
    with cli.watching() as watch:
        return trainings.refined(family, *found, run.run_dir, refine, watch)


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        BudgetConfig,
        MethodConfig,
        OutputConfig,
        ProblemConfig,
        RefineConfig,
    )
