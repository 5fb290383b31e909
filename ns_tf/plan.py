"""The widths for a budget, from the run folder of a search.

python -m ns_tf.plan --run_dir=runs/vgg11 --params=600000 --round_to=8
"""

import json

from ns_tf import cli, configs, plans, runs


def main(
    run: configs.RunConfig,
    budget: configs.BudgetConfig,
    curve: configs.CurveConfig,
    output: configs.OutputConfig,
) -> None:
    """Plans, and prints the plan."""
    search = runs.read_search(run.run_dir)
    builder = None
    if not budget.targets.keys() <= search.costs.keys():
        cli.quiet_tensorflow()
        from ns_tf import python_inputs  # Only here: other plans need no Keras.

        builder = python_inputs.saved(search.architecture, run.run_dir)
    options = plans.options(budget, curve)
    made = plans.make_plan(search, budget.targets, builder=builder, **options)
    if output.output == "json":
        print(json.dumps(made.to_json(), indent=1))
    elif output.output == "widths":
        print(",".join(str(width) for width in made.widths))
    else:
        print(made)


if __name__ == "__main__":
    cli.run(
        main,
        configs.RunConfig,
        configs.BudgetConfig,
        configs.CurveConfig,
        configs.OutputConfig,
    )
