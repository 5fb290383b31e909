"""Every level: units are counted alike, and all of them are the network."""

import numpy as np
import pytest
from trained import deep, digits, pruner

from ns_tf.base import InputError
from ns_tf.graph import weights
from ns_tf.prune import method
from ns_tf.prune.method import BLOCK, CHANNEL, LEVELS, WEIGHT
from ns_tf.prune.settings import PRUNERS

# By level: a method, and half of its budget.
OF = {
    CHANNEL: {"method": "random", "macs": 0.5},
    BLOCK: {"method": "sss", "macs": 0.5},
    WEIGHT: {"method": "random", "nonzero": 0.5},
}
MODEL = deep()


def of(level, **others):
    return pruner(MODEL, digits(), level=level, **{**OF[level], **others})


def test_every_level_has_a_pruner_and_a_method():
    assert tuple(PRUNERS) == LEVELS == tuple(OF)
    assert all(method.names(level) for level in LEVELS)


@pytest.mark.parametrize("level", LEVELS)
def test_units_are_counted_alike_and_all_of_them_are_the_network(level):
    made = of(level)
    made.check()
    every = np.ones(made.size, bool)
    assert made.prunable.count(every) == made.widths
    assert len(made.names) == len(made.widths)
    assert made.sites.free.shape == made.joined(every).shape == (made.size,)
    price = made.pressure(True).price(every)
    assert price.shape == (made.size,) and price.max() > 0
    assert made.channels_left(every).all() and made.dearer(made.widths) == 1
    (name,) = made.budgets.targets
    cost = made.budgets.costs[name]
    assert cost(np.array(made.widths)) == made.budgets.own[name]
    assert (
        cost(np.array(made.solve(np.arange(made.size)).widths))
        <= (made.budgets.targets[name])
    )
    same = weights.values(made.cut(every))
    for key, array in weights.values(made.model).items():
        np.testing.assert_array_equal(same[key], array)
    assert all(mask.all() for mask in made.masks(every).values())
    problem, widths = made.left(every)
    assert widths == problem.architecture.widths
    assert {k: v.shape for k, v in weights.values(made.fresh(every)).items()} == {
        k: v.shape for k, v in same.items()
    }


@pytest.mark.parametrize(
    "level, name", [(BLOCK, "sss"), (BLOCK, "autopruner"), (WEIGHT, "magnitude")]
)
def test_what_is_of_channels_is_refused_where_something_else_goes(level, name):
    """What is not asked for is not refused, whatever a method has for channels."""
    of(level, method=name).check()
    told = ({"weigh": 1.0}, {"closed": "reopen"}, {"search": "runs/a"})
    for options in ({"repair": "scale"}, {"allocation": "greedy"}, *told):
        with pytest.raises(InputError, match="is of channels, and --level="):
            of(level, method=name, **options).check()
