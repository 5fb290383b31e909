"""Li et al.: uniform widths that are known before, and nothing grows."""

import numpy as np
import pytest
from papers import registered
from toys import setting_of

from ns_tf.plan import methods
from ns_tf.plan.methods import NotApplicable
from ns_tf.plan.methods.li_l1 import PRUNING
from ns_tf.prune.choices import Choices


@pytest.mark.parametrize("network", registered())
def test_li_l1_offers_nothing_larger_than_the_default(network):
    setting = setting_of("li_l1", network)
    full = float(setting.plain.costs["params"](np.array(setting.plain.default_widths)))
    with pytest.raises(NotApplicable, match="smaller"):
        methods.get("li_l1").propose(setting, {"params": 2 * full})
    proposal = methods.get("li_l1").propose(setting, {"params": full})
    assert proposal.widths == setting.plain.default_widths


def test_li_l1_has_the_widths_of_uniform_scaling():
    for budget in (3e5, 1e6):
        l1, uniform = (
            methods.get(name).propose(setting_of(name), {"params": budget})
            for name in ("li_l1", "uniform")
        )
        assert (l1.widths, l1.costs) == (uniform.widths, uniform.costs)
        assert l1.pruning == PRUNING and uniform.pruning is None


def test_li_l1_is_magnitude_without_a_repair():
    choices = Choices("magnitude", "uniform", "none", "plain")
    assert Choices.parse(PRUNING) == choices
