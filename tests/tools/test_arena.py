"""The networks that `peak_ram` is compared on, and what is said without the peer."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import toolbox
from picked import picked

from ns_tf.base import Architecture
from ns_tf.budgets import exact_costs
from ns_tf.networks.structure import analyse

BENCH = toolbox.TOOLS / "bench"
SPEC = importlib.util.spec_from_file_location(
    "arena_networks", BENCH / "arena_networks.py"
)
networks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(networks)


@pytest.mark.parametrize(
    "name", picked(list(networks.HANDMADE)[::2], networks.HANDMADE)
)
def test_peak_ram_is_counted_on_every_handmade_network(name):
    builder, widths = networks.HANDMADE[name]
    structure = analyse(Architecture(name, widths, builder), (16, 16, 3), 5)
    costs = exact_costs(structure)
    at = np.array(widths)
    for budget in ("peak_ram", "peak_ram_float32"):
        alive = [int(instant(at)) for instant in costs[budget].near]
        assert max(alive) <= int(costs[budget](at)) < 2 * max(alive)


@pytest.mark.slow
def test_without_the_interpreter_the_table_says_so():
    if importlib.util.find_spec("tflite_micro"):
        pytest.skip("it is installed here")
    done = subprocess.run(
        [sys.executable, BENCH / "arena.py"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "not installed" in done.stdout
