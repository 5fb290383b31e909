"""Kernels from epitomes: the default widths, stored in fewer parameters."""

from collections.abc import Mapping
from typing import Any

from ns_tf.base import InputError
from ns_tf.plan.methods import NotApplicable, Proposal, Setting, method
from ns_tf.plan.methods.pruned import check_default_widths, own_costs, smaller
from ns_tf.registry import unknown


@method(
    "epitome",
    help="The default widths with kernels that smaller arrays make, from scratch: "
    "epitome:learned, epitome:fixed, epitome:wrapped.",
    proposes=True,
    takes_choice=True,
)
def epitome(setting: Setting, targets: Mapping[str, float]) -> Proposal:
    """The network of the default widths with the largest epitomes that fit.

    Source: Zhou et al., Neural Epitome Search, ICLR 2020; Jin et al., WSNet, ICML 2018.

    Args:
        setting: Its entry says how kernels are sampled.
        targets: Budgets by name; all hold.

    Raises:
        NotApplicable: epitomes do not reduce a budget, or not as far; the budgets
            allow the default network or a larger one; or its widths are not allowed.
        InputError: the entry names no sampling.
    """
    from ns_tf.condense.epitomes import settings_within  # Late: it needs Keras.
    from ns_tf.graph.flat import flat
    from ns_tf.networks.layers.sampling import SAMPLINGS

    plain, sampling = setting.plain, setting.entry.source or ""
    if sampling not in SAMPLINGS:
        raise unknown("sampling of epitomes", sampling, SAMPLINGS)
    check_default_widths(setting)
    within = smaller(plain, targets)
    _check(sampling, within, own_costs(plain))
    model = setting.structure.architecture.build(
        plain.default_widths, input_shape=plain.input_shape, classes=plain.classes
    )
    whole = flat(model, blocks=True)
    try:
        settings = settings_within(whole, sampling=sampling, **within)
    except InputError as error:
        raise NotApplicable(str(error).rstrip(".")) from error
    if not settings:
        raise NotApplicable(
            "the default network is within this budget, so it would have no epitomes"
        )
    return Proposal(
        plain.architecture, plain.default_widths, epitomes=_plain_values(settings)
    )


def _check(
    sampling: str, targets: Mapping[str, float], own: Mapping[str, float]
) -> None:
    """Refuses budgets that epitomes do not reduce.

    Args:
        sampling: Of the epitomes.
        targets: Budgets by name.
        own: What the network of the default widths costs.

    Raises:
        NotApplicable: names the budget.
    """
    from ns_tf.condense.config import REDUCED
    from ns_tf.networks.layers.sampling import WRAPPED

    others = [name for name in targets if name not in REDUCED]
    if others:
        raise NotApplicable(
            f"epitomes reduce {', '.join(REDUCED)}, and not {', '.join(others)}"
        )
    if sampling != WRAPPED and targets.get("macs", own["macs"]) < own["macs"]:
        raise NotApplicable(
            f"with {sampling} sampling the whole kernel is computed, so multiply-adds "
            f"do not fall; epitome:{WRAPPED} saves them"
        )


def _plain_values(
    settings: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """The settings as JSON has them.

    >>> _plain_values({"a": {"sampling": "learned", "epitome": (3, 3, 4, 8)}})
    {'a': {'sampling': 'learned', 'epitome': [3, 3, 4, 8]}}
    """
    return {
        layer: {n: list(v) if isinstance(v, tuple) else v for n, v in one.items()}
        for layer, one in settings.items()
    }
