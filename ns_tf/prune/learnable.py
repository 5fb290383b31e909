"""Whether gates can learn on a network: refused before anything is computed."""

from ns_tf.base import InputError
from ns_tf.graph.gates import edges
from ns_tf.graph.substituted import check_substitutable
from ns_tf.prune import filters
from ns_tf.prune.formulas import (
    BankGates,
    GeneratedGates,
    KernelGates,
    NormGates,
    ScheduledGates,
)
from ns_tf.prune.gatings import Gating
from ns_tf.prune.method import WEIGHT
from ns_tf.prune.pruner import Pruner
from ns_tf.prune.signals.gamma import check as check_gammas
from ns_tf.prune.strength import AUTO


def check_learnable(gating: Gating, pruner: Pruner) -> None:
    """Refuses a network that gates cannot be put into, and rounds.

    Args:
        gating: The formulas.
        pruner: The network, its budgets.

    Raises:
        InputError: names the layer, or the option.
    """
    if pruner.rounds > 1:
        raise InputError(
            f"Gates that learn are trained once; got --rounds={pruner.rounds}."
            f" Leave it away, or take a criterion in place of {gating.name}."
        )
    if pruner.config.closed is not None:
        raise InputError(
            f"--closed is of rounds, and the gates of {gating.name} are trained once: "
            "leave --closed away, or take a criterion and --rounds=8."
        )
    formulas = gating.formulas
    banked = isinstance(formulas, BankGates)
    scheduled = isinstance(formulas, ScheduledGates)
    (_check_schedule if scheduled else _check_noise)(gating, pruner)
    if isinstance(formulas, NormGates):
        check_gammas(pruner.read())
    elif isinstance(formulas, KernelGates):
        filters.check(pruner.read())
    elif isinstance(formulas, GeneratedGates):
        _check_generated(gating, pruner)
    else:
        pruner.sites.check()
    outputs = len(pruner.model.outputs)
    if banked and formulas.taught and outputs > 1:
        raise InputError(
            f"{gating.name} learns the one output that a network had; "
            f"{pruner.model.name!r} has {outputs}. Use another method."
        )
    if banked:
        check_substitutable(pruner.model)


def _check_schedule(gating: Gating, pruner: Pruner) -> None:
    """Refuses a strength, as nothing is pulled on, and units that are no weights.

    Raises:
        InputError: names the gating.
    """
    if not pruner.noisy:
        raise InputError(
            f"{gating.name} has a schedule of single weights: register it "
            f"with levels=({WEIGHT!r},)."
        )
    if pruner.config.strength != AUTO:
        raise InputError(
            f"{gating.name} has a schedule and no pull: leave "
            f"--strength={pruner.config.strength} away."
        )


def _check_noise(gating: Gating, pruner: Pruner) -> None:
    """Refuses formulas that say nothing of noise, where gates are of weights.

    Raises:
        InputError: names the gating.
    """
    usual = BankGates.against_noise
    own = getattr(type(gating.formulas), "against_noise", usual)
    if pruner.noisy and own is usual:
        raise InputError(
            f"{gating.name} has no `against_noise`, which gates of single "
            f"weights need: write it, or take {WEIGHT!r} from its `levels`."
        )


def _check_generated(gating: Gating, pruner: Pruner) -> None:
    """Refuses what generators cannot be made for.

    Raises:
        InputError: an edge where none can be, an allocation that runs the network, or
            maps of any size.
    """
    pruner.sites.check_generated()
    if pruner.allocation.evaluates:
        raise InputError(
            f"{gating.name} asks before it learns how many channels stay in a layer; "
            f"{pruner.allocation.name} runs the network to find out. Give "
            "--allocation=uniform."
        )
    read = edges(pruner.graph).values()
    if any(None in pruner.graph.shapes[tensor][1:] for tensor in read):
        raise InputError(
            f"{gating.name} reads whole maps of the layers, of one size; "
            f"{pruner.model.name!r} takes inputs of any size. Give its keras.Input "
            "the size of the data, or use another method."
        )
