"""What every kind of formula says where a gating says nothing else."""

import numpy as np
import pytest

from ns_tf.prune.formulas import (
    BankGates,
    GeneratedGates,
    KernelGates,
    NormGates,
    ScheduledGates,
)

RAW = np.array([-0.3, 0.0, 0.005, 0.7])


def test_gates_of_a_bank_are_their_raw_values():
    bank = BankGates()
    for found in (bank.value(RAW, RAW, 0.5), bank.final(RAW), bank.score(RAW)):
        np.testing.assert_array_equal(found, RAW)
    assert bank.alive(RAW).tolist() == [False, False, True, True]
    assert bank.slot(RAW, 7).tolist() == [0, 0, 0, 0] and bank.pace(11) == 1


@pytest.mark.parametrize(
    "kind, alive",
    [
        (NormGates, [False, False, False, True]),
        (KernelGates, [False, False, False, True]),
        (GeneratedGates, [False, False, False, True]),
    ],
)
def test_what_is_above_its_threshold_is_alive(kind, alive):
    assert kind().alive(RAW).tolist() == alive


def test_prices_are_read_unless_widths_are_known_or_units_are_alike():
    kinds = (NormGates, KernelGates, BankGates, GeneratedGates, ScheduledGates)
    assert [kind.priced for kind in kinds] == [True, True, True, False, False]
