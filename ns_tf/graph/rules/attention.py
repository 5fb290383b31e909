"""Attention: its heads and their sizes, and what its dense layers read and make.

Keras divides products of a query and a key by the root of their size. A layer that has
lost some of it divides by less; the query's weights take up the difference
(`Effect.scaled`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.graph.calls import Place
from ns_tf.graph.rules.effects import MAKE, Effect, Kernel, Walk, rule
from ns_tf.graph.weights import names

Axes = tuple[np.ndarray, ...]
_STREAMS = "query", "value", "key"


@rule("MultiHeadAttention")
def _attention(walk, layer, inputs, shapes):
    """Heads read three streams by vectors of two sizes; all of them make one."""
    read = _streams(walk, inputs)
    last = layer.output_dense.kernel.shape  # [heads, size, channels]
    if read is None or len(last) != 3:
        return None
    heads = _heads(walk, layer, last[0])
    keys = walk.make(f"{layer.name}/key_dim", layer.key_dim)
    values = walk.make(f"{layer.name}/value_dim", layer.value_dim)
    output = walk.make(layer.name, last[-1])
    made = {"query": keys, "key": keys, "value": values, "gate": values}
    return _effect(
        layer,
        {part: (read[part], heads, size) for part, size in made.items()},
        (heads, values, output),
        settings={
            "num_heads": heads,
            "key_dim": keys,
            "value_dim": values,
            "output_shape": (output,),
        },
        gates=(heads, values, keys),
        within={"heads": "value", "key_dim": "query", "value_dim": "value"},
    )


@rule("GroupedQueryAttention", "GroupQueryAttention")
def _grouped(walk, layer, inputs, shapes):
    """As an attention; heads of the query that share a key and a value are one.

    All vectors have one size, and all streams are as wide as the query.
    """
    read = _streams(walk, inputs)
    if read is None:
        return None
    shared = _heads(walk, layer, layer.num_key_value_heads)
    heads = np.repeat(shared, layer.num_repeats)
    size = walk.make(f"{layer.name}/head_dim", layer.head_dim)
    output = walk.make(layer.name, layer.feature_dim)
    for channels in (output, read["value"], read["key"]):
        walk.tie(read["query"], channels)
    own = {"query": heads, "gate": heads, "key": shared, "value": shared}
    return _effect(
        layer,
        {part: (read[part], some, size) for part, some in own.items()},
        (heads, size, output),
        settings={
            "num_key_value_heads": shared,
            "num_query_heads": heads,
            "head_dim": size,
        },
        gates=(heads, size),
        within={"heads": "value", "head_dim": "value"},
    )


def _heads(walk: Walk, layer: keras.layers.Layer, count: int) -> np.ndarray:
    """The heads of a layer, [count]; frozen where more than its output is used."""
    heads = walk.make(f"{layer.name}/heads", count)
    _, kwargs = walk.arguments()
    if kwargs.get("return_attention_scores"):
        walk.freeze(heads, f"{layer.name!r} puts out its attention scores")
    return heads


def _effect(
    layer: keras.layers.Layer,
    parts: Mapping[str, Axes],
    last: Axes,
    *,
    settings: Mapping[str, Any],
    gates: Sequence[np.ndarray],
    within: Mapping[str, str],
) -> Effect:
    """The effect of an attention.

    Args:
        layer: Built.
        parts: Name of a dense layer within -> the axes of its kernel: channels, heads,
            size of a head.
        last: The axes of the last dense layer's kernel: heads, size, channels.
        settings: Entries of the configuration that follow channels.
        gates: What each part of the row of gates is of.
        within: What is made within -> the dense layer whose kernel makes it.
    """
    called, axes = names(layer), {}
    for part, own in parts.items():
        dense = getattr(layer, f"_{part}_dense", None)  # Few have a gate.
        if dense is not None:
            axes |= _axes(dense, called, own, own[1:])
    axes |= _axes(layer._output_dense, called, last, last[2:])
    kernels = {
        f"{layer.name}/{name}": Kernel(
            called[id(getattr(layer, f"_{part}_dense").kernel)],
            reads=-3,
            makes=-2 if name == "heads" else -1,
        )
        for name, part in within.items()
    }
    return Effect(
        MAKE,
        last[-1],
        axes,
        settings=settings,
        kernel=Kernel(called[id(layer._output_dense.kernel)], reads=None),
        gates=np.concatenate(gates),
        within=kernels,
        scaled={
            called[id(weight)]: parts["query"][-1]
            for weight in layer._query_dense.weights
        },
    )


def _axes(
    dense: keras.layers.EinsumDense, called: Mapping[int, str], kernel: Axes, bias: Axes
) -> dict[str, Axes]:
    """The axes of a dense layer within, by the names of its weights."""
    axes = {called[id(dense.kernel)]: kernel}
    if dense.bias is not None:
        axes[called[id(dense.bias)]] = bias
    return axes


def streams(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, int] | None:
    """Which inputs of a call of an attention are its query, value and key.

    >>> streams([Place(0)], {"attention_mask": Place(1), "value": Place(2)})
    {'query': 0, 'value': 2, 'key': 2}

    Args:
        args: Of the call, tensors as their places among its inputs.
        kwargs: The same, by name. Keras orders tensors by these names.

    Returns:
        None if the query or the value is no tensor.
    """
    given = dict(zip(_STREAMS, args, strict=False)) | dict(kwargs)
    found = {n: given[n].number for n in _STREAMS if isinstance(given.get(n), Place)}
    if not {"query", "value"} <= set(found):
        return None
    return {**found, "key": found.get("key", found["value"])}


def _streams(walk, inputs) -> dict | None:
    """Channels that each dense layer reads. What a mask is made of stays."""
    args, kwargs = walk.arguments()
    places = streams(args, kwargs)
    if places is None or any(isinstance(value, Place) for value in args[3:]):
        return None
    for name in sorted(set(kwargs) - set(_STREAMS)):
        if isinstance(kwargs[name], Place):
            mask = inputs[kwargs[name].number]
            walk.freeze(mask, f"an attention reads it as {name}")
    read = {name: inputs[place] for name, place in places.items()}
    return {**read, "gate": read["query"]}
