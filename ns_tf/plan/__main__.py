"""The widths for a budget, from the run folder of a search.

python -m ns_tf.plan --run_dir=runs/vgg11 --params=600000 --round_to=8
"""

import json

from ns_tf import cli
from ns_tf.cli import quiet_tensorflow
from ns_tf.descend.record import read_search
from ns_tf.plan.config import BudgetConfig, MethodConfig, OutputConfig
from ns_tf.plan.plan import make_plan, options
from ns_tf.run.config import RunConfig


def main(
    run: RunConfig,
    budget: BudgetConfig,
    curve: MethodConfig,
    output: OutputConfig,
) -> None:
    """Plans, and prints the plan.

    TensorFlow is loaded only for a budget whose costs the search did not record: a
    measured one. All other plans take a fraction of a second.

    Args:
        run: The run folder of the search.
        budget: Budgets, and how they are met.
        curve: The method and the iteration of the search.
        output: A table, JSON, or the widths as a list.

    Raises:
        InputError: no search, no such iteration, or a budget that cannot be met.
    """
    search = read_search(run.run_dir)
    builder = None
    if not budget.targets.keys() <= search.costs.keys():
        quiet_tensorflow()
        from ns_tf.networks import python_models

        builder = python_models.saved(search.architecture, run.run_dir)
    plan = make_plan(search, budget.targets, builder=builder, **options(budget, curve))
    if output.output == "json":
        print(json.dumps(plan.to_json(), indent=1))
    elif output.output == "widths":
        print(",".join(str(width) for width in plan.widths))
    else:
        print(plan)


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        BudgetConfig,
        MethodConfig,
        OutputConfig,
    )
