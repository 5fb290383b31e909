"""NeuralScale for Keras: one search, then every layer's right width for any budget.

import ns_tf

search = ns_tf.search("vgg11", "cifar10", run_dir="runs/vgg11")
plan = search.plan(params=600_000)
model = plan.build()
"""

import importlib

__version__ = "0.1.0"

# Public names by the module that has them; imported when they are first used, so that
# `import ns_tf` costs nothing.
_PUBLIC = {
    "Architecture": "base",
    "Cost": "base",
    "Curve": "base",
    "DescentState": "base",
    "InputError": "base",
    "PruneTrace": "base",
    "RunError": "base",
    "Scaling": "base",
    "ScalingLaw": "base",
    "Progress": "run.progress",
    "Plan": "plan.plan",
    "Search": "api",
    "load": "api",
    "search": "api",
    "architecture": "networks.architectures",
    "budget": "budgets",
    "CostPolynomial": "networks.costs",
    "from_model": "networks.from_model",
    "architecture_descent": "descend.descent",
    "prune_trace": "prune.iterative",
    "fit_law": "scaling.law",
    "at_cost": "scaling.solve",
    "power_law": "scaling.curves",
    "uniform_curve": "scaling.curves",
    "analyse": "networks.structure",
    "from_arrays": "data.arrays",
    "from_tf_data": "data.tf_data",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ns_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ns_tf.{_PUBLIC[name]}"), name)


def __dir__():
    return sorted([*globals(), *_PUBLIC])
