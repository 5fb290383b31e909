"""NeuralScale for Keras: one search, then every layer's right width for any budget.

import ns_tf

search = ns_tf.search("vgg11", "cifar10", run_dir="runs/vgg11")
plan = search.plan(params=600_000)
model = plan.build()
"""

import importlib

__version__ = "0.1.0"

# Public names by the module that has them, as "module" or "module:name"; imported when
# they are first used, so that `import ns_tf` costs nothing.
_PUBLIC = {
    # What users need.
    "search": "api",
    "load": "api",
    "Search": "api",
    "Plan": "api",
    "explain": "api",
    "measured": "api",
    "Device": "devices.device",
    "Explanation": "api",
    "trained": "api",
    "Trained": "api",
    "Pruned": "api",
    "supernet": "api",
    "Supernet": "api",
    "epitomise": "condense.epitomes",
    "as_plain": "networks.layers.plain",
    "EpitomeConv1D": "networks.layers",
    "EpitomeConv2D": "networks.layers",
    "EpitomeDense": "networks.layers",
    "Outcome": "api",
    "Progress": "run.progress",
    "InputError": "base",
    "RunError": "base",
    "ScaledHyperModel": "tune.hypermodel",
    # Networks and data.
    "Architecture": "base",
    "from_model": "networks.from_model",
    "Dataset": "data.dataset",
    "dataset": "data.sources:load",
    "from_arrays": "data.arrays",
    "from_tf_data": "data.tf_data",
    # The paper's algorithms, and the values that they take and return.
    "analyse": "networks.structure",
    "prune_trace": "prune.iterative",
    "fit_law": "scaling.law",
    "power_law": "scaling.curves",
    "uniform_curve": "scaling.curves",
    "at_cost": "scaling.solve",
    "architecture_descent": "descend.descent",
    "Problem": "problem.problem",
    "Runtime": "engine.runtime",
    "Watch": "run.watch",
    "PruneConfig": "prune.config",
    "TrainConfig": "train.config",
    "PruneTrace": "base",
    "ScalingLaw": "base",
    "Curve": "base",
    "Cost": "base",
    "CostPolynomial": "networks.costs",
    "Scaling": "base",
    "DescentState": "base",
    "Measure": "budgets",
    # For those who write parts (docs/adding.md).
    "architecture": "networks.architectures",
    "blocks": "networks.blocks:",
    "budget": "budgets",
    "criterion": "prune.criteria",
    "gating": "prune.gatings",
    "NormGates": "prune.formulas",
    "KernelGates": "prune.formulas",
    "BankGates": "prune.formulas",
    "signal": "prune.signals",
    "allocation": "prune.allocations",
    "repair": "prune.repairs",
    "recipe": "train.recipes",
    "method": "plan.methods",
    "NotApplicable": "plan.methods",
    "source": "data.sources",
    "task": "problem.tasks",
    "Task": "problem.tasks",
    "Score": "problem.tasks",
    "file_format": "export.formats",
    "rule": "graph.rules",
    "Effect": "graph.rules",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ns_tf' has no attribute {name!r}")
    place, _, inner = _PUBLIC[name].partition(":")
    module = importlib.import_module(f"ns_tf.{place}")
    if _PUBLIC[name].endswith(":"):  # The module itself.
        return module
    return getattr(module, inner or name)


def __dir__():
    return sorted([*globals(), *_PUBLIC])
