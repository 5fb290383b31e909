"""Settings together: the name of what is left, budgets with the ratio."""

import pytest

from ns_tf.base import InputError
from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.runtime import Runtime
from ns_tf.plan.config import BudgetConfig
from ns_tf.prune.config import CutConfig, FinetuneConfig
from ns_tf.prune.settings import Configs, asked


def configs(budget, **options):
    cut = CutConfig(**{n: v for n, v in options.items() if n != "recipe"})
    tuning = FinetuneConfig(recipe=options.get("recipe"))
    return Configs(cut, tuning, budget, RuntimeConfig(seed=3), Runtime())


def test_a_name_says_method_budgets_choices_and_seed():
    budget = BudgetConfig(macs=0.5, ratio=0.25)
    assert configs(budget).name == "taylor_fo_macs0.5_ratio0.25_seed3"
    other = configs(BudgetConfig(params=1e6), method="gamma", recipe="distil(mixup=0)")
    assert other.name == "gamma_params1000000_distil-mixup-0-_seed3"
    named = configs(budget, allocation="greedy(step=4)", rounds=3, closed="reopen").name
    assert named.endswith("_greedy-step-4-_rounds3_reopen_seed3")
    assert asked(budget) == {"macs": 0.5, "ratio": 0.25}


def test_long_names_are_short_and_differ():
    names = [
        configs(BudgetConfig(macs=0.5), repair="+".join(["statistics"] * n)).name
        for n in (11, 12)
    ]
    assert max(map(len, names)) <= 100 and names[0] != names[1]


@pytest.mark.parametrize("level, method", [("channel", "taylor_fo"), ("block", "sss")])
def test_a_device_file_without_a_budget_of_time_is_refused(level, method):
    budget = BudgetConfig(params=0.5, device="phone.json")
    idle = configs(budget, level=level, method=method)
    with pytest.raises(InputError, match="--device goes with --latency_ms"):
        idle.pruner(None)
