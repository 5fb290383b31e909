"""The widths for a budget, from the run folder of a search.

python -m ns_tf.plan --run_dir=runs/vgg11 --params=600000 --round_to=8
"""

import json

from ns_tf import cli
from ns_tf.cli import quiet_tensorflow
from ns_tf.descend.record import read_search
from ns_tf.plan import plan
from ns_tf.plan.config import BudgetConfig, MethodConfig, OutputConfig
from ns_tf.plan.plan import make_plan
from ns_tf.run.config import RunConfig


def main(
    run: RunConfig,
    budget: BudgetConfig,
    curve: MethodConfig,
    output: OutputConfig,
) -> None:
    """Plans, and prints the plan."""
    search = read_search(run.run_dir)
    builder = None
    if not budget.targets.keys() <= search.costs.keys():
        quiet_tensorflow()
        from ns_tf.networks import (
            python_models,  # Only here: other plans need no Keras.
        )

        builder = python_models.saved(search.architecture, run.run_dir)
    options = plan.options(budget, curve)
    made = make_plan(search, budget.targets, builder=builder, **options)
    if output.output == "json":
        print(json.dumps(made.to_json(), indent=1))
    elif output.output == "widths":
        print(",".join(str(width) for width in made.widths))
    else:
        print(made)


if __name__ == "__main__":
    cli.run(
        main,
        RunConfig,
        BudgetConfig,
        MethodConfig,
        OutputConfig,
    )
