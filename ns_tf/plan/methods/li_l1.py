"""Li et al. (ICLR 2017): train, remove the filters of least L1 norm, fine-tune."""

from ns_tf.plan.methods import NotApplicable, method, proportional


def start(trained, structure, widths):
    """The trained network with the filters of largest L1 norm, `[layers]` of them."""
    from ns_tf.prune.trained import pruned  # Late: it needs Keras.

    return pruned(trained, structure, widths)


@method(
    "li_l1",
    help="Trained at the default widths, pruned by L1 norm to uniform ones, then "
    "fine-tuned.",
    proposes=True,
    start=start,
)
def li_l1(setting, targets):
    """The uniform widths, if they are no larger than the default ones."""
    default = setting.plain.default_widths
    proposal = setting.propose(proportional(setting.plain, default), targets)
    if any(w > d for w, d in zip(proposal.widths, default, strict=True)):
        raise NotApplicable(
            "pruning only makes networks smaller, this budget is larger"
        )
    return proposal
