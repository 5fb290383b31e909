"""Gates that learn which channels go: one file a gating, its formulas alone.

A gating trains the network for a few epochs while a pull on its gates says what
channels cost. It ends in a score a channel, and with weights. There are five kinds
(`ns_tf.prune.formulas`).

The gammas of batch norms are the gates, and SGD moves them with all weights::

    @gating("slimming", help="...")
    class Slimming(NormGates):
        def pull(self, gamma, price):
            return ops.sign(gamma)

Or the filters themselves are the gates (`KernelGates`): `size` says how large they are.

Or there is a gate for each unit beside the weights, which the gating moves itself::

    @gating("sss", help="...")
    class Sss(BankGates):
        def step(self, raw, slot, now):
            ...
            return raw, slot

Or a generator makes the gates of a layer of what the layer computes, and SGD trains it
(`ns_tf.graph.generated`)::

    @gating("autopruner", help="...", scope="layer", allocation="uniform")
    class Autopruner(GeneratedGates):
        def code(self, made, sharpness):
            return ops.sigmoid(sharpness * made)
        ...  # sharpness, sharpened, penalty, weight

Or single weights go by their size, as a schedule says (`ns_tf.prune.scheduled`)::

    @gating("gradual", help="...", levels=(WEIGHT,))
    class Gradual(ScheduledGates):
        def gone(self, ramp):
            return 1 - (1 - ramp) ** 3

The trainer (`ns_tf.prune.learning`) has the rest: strength, prices, rates, checkpoints.
Files here import neither Keras nor TensorFlow at their top, as `--help` reads them.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ns_tf.prune.formulas import (
    BankGates,
    GeneratedGates,
    KernelGates,
    NormGates,
    ScheduledGates,
)
from ns_tf.prune.method import Method
from ns_tf.registry import Registry

if TYPE_CHECKING:
    from ns_tf.prune.method import Scorer
    from ns_tf.prune.pruner import Pruner

GATINGS = Registry("gating", __name__)

Formulas = NormGates | KernelGates | BankGates | GeneratedGates | ScheduledGates


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gating(Method):
    """A registered gating."""

    help: str  # A sentence.
    formulas: Formulas
    epochs: int = 3  # In which gates learn.
    # Whether strength 1 is what the budgets need. If not, a strength is the paper's.
    units: bool = True

    def scorer(self, pruner: "Pruner") -> "Scorer":
        """What trains a network with these gates, and scores its channels."""
        from ns_tf.prune.by_gating import ByGating  # Imports TensorFlow.

        return ByGating(self, pruner)


def gating(name: str, *, help: str, **preset: Any) -> Callable[[type], type]:
    """Decorator: registers a class of formulas under `name`, as `--method` takes it.

    Args:
        name: Of the gating.
        help: A sentence that says how its gates learn.
        **preset: Further fields of `Gating`: epochs, units, repair, recipe, levels.

    Returns:
        A decorator of classes that derive from one of `Formulas` and are made without
        arguments. It returns them as they are.

    Raises:
        ValueError: the name is taken.
    """
    # Scores of gates have seen the price, so rankings do not divide by it again. A
    # share of every layer stays: in a short training gates may all but close one.
    usual = {
        "scope": "global",
        "allocation": "ranking",
        "weigh": 0.0,
        "least_share": 0.1,
    }

    def add(formulas):
        member = Gating(name=name, help=help, formulas=formulas(), **usual | preset)
        GATINGS.register(name)(member)
        return formulas

    return add


def get(name: str) -> Gating:
    """The gating of that name.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    return GATINGS.get(name)
