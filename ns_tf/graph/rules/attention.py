"""Attention: what its dense layers read and make."""

from ns_tf.graph.calls import Place
from ns_tf.graph.rules.effects import MAKE, Effect, Kernel, rule
from ns_tf.graph.weights import names


@rule("MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention")
def _attention(walk, layer, inputs, shapes):
    """Reads three streams and makes one; heads and their sizes stay.

    The kernels of query, key and value are [channels, heads, size], that of the output
    is [heads, size, channels].
    """
    read = _streams(walk, inputs)
    output_kernel = layer._output_dense.kernel
    if read is None or len(output_kernel.shape) != 3:
        return None
    output = walk.make(layer.name, output_kernel.shape[-1])
    called = names(layer)
    axes = {}
    for part, channels in read.items():
        dense = getattr(layer, f"_{part}_dense", None)
        if dense is not None:
            axes[called[id(dense.kernel)]] = (channels, None, None)
    name = called[id(output_kernel)]
    axes[name] = (None, None, output)
    if layer._output_dense.bias is not None:
        axes[called[id(layer._output_dense.bias)]] = (output,)
    settings = {"output_shape": (output,)}
    if "output_shape" not in layer.get_config():  # All are as wide as the query.
        for channels in (output, read["value"], read["key"]):
            walk.tie(read["query"], channels)
        settings = {}
    kernel = Kernel(name, reads=None)
    return Effect(MAKE, output, axes, settings=settings, kernel=kernel)


def _streams(walk, inputs) -> dict | None:
    """Channels that each dense layer reads; None if a mask is computed by the model."""
    args, kwargs = walk.arguments()
    given = dict(zip(("query", "value", "key"), args, strict=False)) | kwargs
    if any(isinstance(value, Place) for value in args[3:]):
        return None
    tensors = {n: v.number for n, v in given.items() if isinstance(v, Place)}
    if not {"query", "value"} <= set(tensors) <= {"query", "value", "key"}:
        return None
    query, value = inputs[tensors["query"]], inputs[tensors["value"]]
    key = inputs[tensors["key"]] if "key" in tensors else value
    return {"query": query, "value": value, "key": key, "gate": query}
