"""What would free a layer that stays as it is, by the reason why it stays."""

import re

_RULE = (
    "register a rule for it (@ns_tf.rule, docs/adding.md), or write it with layers "
    "that have one"
)
# (pattern of a reason, what to do); the first that fits counts.
_ADVICE: tuple[tuple[str, str | None], ...] = (
    (r"is the model's output", None),
    (r"spreads it over all channels", None),
    (r"keeps its states between two batches$", "set stateful=False"),
    (r"starts from states that", "start it from zeros, or two layers from states"),
    (r"starts from constants$", "start from zeros, or from what a layer puts out"),
    (r"by the root of their number$", "give dot_product_attention a scale"),
    (r"puts out its attention scores", "call it without return_attention_scores"),
    (r"at every step$", "reshape steps into the batch, and call the layer itself"),
    (
        r"has a constant for each channel",
        "use one number, or a layer with a weight for each channel",
    ),
    (r"is not trainable", "set trainable=True for the layer before it is searched"),
    (
        r"\bmixes channels",
        "use an activation that works within channels, as relu, gelu or silu",
    ),
    (
        r"^the .* cannot be followed",
        "give the activation by a name that Keras knows, as 'relu'",
    ),
    (
        r"^(Functional|Sequential|Model) ",
        "call the layers of that model in the outer one, as one functional model; "
        "within TimeDistributed, of fixed lengths, or each in one of its own",
    ),
    (r"^Lambda ", "write the Lambda by keras.ops, or replace it by Keras's layers"),
    (
        r"fixed number of rows for each example$",
        "keep examples in their places: give each operation another axis than theirs",
    ),
    (r"makes it of zeros$", None),
    (r"^(Conv|SeparableConv|Depthwise)", f"use groups=1 and channels_last, or {_RULE}"),
    (
        r"^(Reshape|Permute|Transpose) ",
        "keep channels on the last axis: pool or flatten in place of a reshape",
    ),
    (
        r"the epitome of",
        "prune the network before ns_tf.epitomise, or prune ns_tf.as_plain(model)",
    ),
    (
        r"joined with what cannot go",
        "put a 1x1 convolution before the addition, on the side that is free",
    ),
    (r"cannot be followed$", _RULE),
)


def advice_for(reason: str) -> str | None:
    """What would free a layer; None if nothing should.

    >>> advice_for("it is the model's output") is None
    True
    >>> advice_for("layer 'stem' is not trainable")
    'set trainable=True for the layer before it is searched'

    Args:
        reason: Why it stays, as `ns_tf.graph` says it.
    """
    for pattern, advice in _ADVICE:
        if re.search(pattern, reason):
            return advice
    return _RULE
