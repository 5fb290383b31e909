"""Random widths: a list of its own for every number, the same at every budget."""

import numpy as np
import pytest
from toys import network_of, setting_of

from ns_tf.base import InputError
from ns_tf.plan import methods


def proposed(text, budget=5e5, network="vgg11"):
    return (
        methods.get("random")
        .propose(setting_of(text, network), {"params": budget})
        .widths
    )


def factors(widths):
    """Logarithms of the widths over the default ones, their mean taken out."""
    logs = np.log(np.array(widths) / network_of("vgg11")[1].default_widths)
    return logs - logs.mean()


def test_a_list_is_the_same_whenever_it_is_asked_for_and_the_first_if_none_is_named():
    assert proposed("random@3") == proposed("random@3")
    assert proposed("random") == proposed("random@1")
    assert len({proposed(f"random@{number}") for number in (1, 2, 3, 5)}) == 4


def test_one_list_serves_all_budgets():
    np.testing.assert_allclose(
        factors(proposed("random@2", 4e6)), factors(proposed("random@2", 4e5)), atol=0.1
    )


def test_the_widths_lie_about_the_default_ones_with_the_stated_spread():
    """Eight layers of 97 lists at a large budget: a standard deviation of 0.7."""
    logs = [factors(proposed(f"random@{number}", 1e7)) for number in range(1, 98)]
    spread = np.std(logs) * np.sqrt(8 / 7)  # A mean was taken out of every eight.
    assert spread == pytest.approx(0.7, abs=0.06)
    assert np.abs(np.mean(logs, axis=0)).max() < 0.3


def test_a_source_is_refused():
    with pytest.raises(InputError, match="random reads nothing.*random@3.*runs/x"):
        proposed("random:runs/x")
