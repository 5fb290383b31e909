"""A network as it is deployed: raw inputs in, answers out; its LiteRT file."""

import itertools
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ns_tf.base import InputError, reason_of
from ns_tf.graph.calls import functional, input_names
from ns_tf.graph.ends import ends_in_sigmoid, ends_in_softmax
from ns_tf.graph.shapes import shape_of
from ns_tf.networks.layers.plain import as_plain
from ns_tf.parts import Parts, each, parts, plain

BYTE = 255  # The unit of pixels.


def softmax_of(model: keras.Model) -> keras.Layer | None:
    """The softmax that makes probabilities of logits; None if the model has one."""
    if ends_in_softmax(functional(model)):
        return None
    return keras.layers.Softmax(dtype="float32", name="probabilities")


def sigmoid_of(model: keras.Model) -> keras.Layer | None:
    """The sigmoid that makes probabilities of logits; None if the model has one."""
    if ends_in_sigmoid(functional(model)):
        return None
    return keras.layers.Activation("sigmoid", dtype="float32", name="probabilities")


def deployed(
    model: keras.Model,
    mean: np.ndarray | Parts,
    std: np.ndarray | Parts,
    *,
    answer: keras.Layer | None = None,
    unit: float | None | Parts = BYTE,
    dtype: str | Parts = "uint8",
    name: str = "deployed",
) -> keras.Model:
    """The model with its preprocessing and, if it gives logits, a softmax.

    x becomes (x / unit - mean) / std = x / (unit std) - mean / std. The unit of pixels
    from 0 to 255 is 255. Of a model with several inputs, what belongs to one input is
    `Parts` of all.

    Args:
        model: Takes normalised inputs `[batch, ..., channels]`.
        mean: [channels], of inputs in that unit.
        std: [channels], likewise.
        answer: The layer behind the model: a softmax, where it gives logits.
        unit: 255 of pixels, 1 of numbers; None of tokens, which stay what they are.
        dtype: Of what the result takes.
        name: Of the result.

    Returns:
        A model from inputs `[batch, ..., channels]`, pixels from 0 to 255, to the
        task's answer. It shares the model's weights, but for those of epitomes: it has
        the kernels that they make. Its input is called "image" if it
        takes pixels, else "inputs"; several have the names of the model's, with "_" for
        what signatures cannot have in a name, and a number where two would be the same.
        Its own name is the one that was given, with "_" for what TensorFlow cannot have
        in it.
    """
    names = _identifiers(input_names(model))
    several = len(names) > 1
    called = names if several else "image" if unit == BYTE else "inputs"
    taken = set(parts(called))
    if answer is not None:
        answer.name = _free(answer.name, taken)
    layers = each(
        lambda one: _free(f"normalise_{one}" if several else "normalise", taken), called
    )

    def raw_input(shape, dtype, called):
        return keras.Input(shape, dtype=dtype, name=called)

    raw = each(raw_input, shape_of(model), dtype, called)
    inner = _called(as_plain(model), taken)
    x = inner(plain(each(_normalised, raw, mean, std, unit, layers)))
    if answer is not None:
        x = answer(x)
    return keras.Model(list(raw) if several else raw, x, name=_scope(name))


def _called(model: keras.Model, taken: set[str]) -> keras.Model:
    """The model by a name that TensorFlow can have and that is not taken beside it."""
    name = _free(_scope(model.name), taken)
    if name == model.name:
        return model
    graph = functional(model)
    return keras.Model(graph.input, graph.output, name=name)


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken; it is taken then.

    >>> _free("image", {"image", "image_2"})
    'image_3'
    """
    tries = (name if place == 1 else f"{name}_{place}" for place in itertools.count(1))
    found = next(one for one in tries if one not in taken)
    taken.add(found)
    return found


def _scope(name: str) -> str:
    """A name as TensorFlow may have it in front of all others.

    >>> _scope("vgg11-0.5"), _scope("_mine+"), _scope("größe")
    ('vgg11-0.5', 'net_mine_', 'gr__e')
    """
    found = re.sub(r"[^\w.\\/>-]", "_", name, flags=re.ASCII)
    return found if re.match(r"[A-Za-z0-9.]", found) else f"net{found}"


def _identifiers(names: Sequence[str]) -> Parts:
    """Different names as signatures may have them; those that may already stay.

    >>> _identifiers(["a-b", "a_b", "a b"])
    ('a_b_2', 'a_b', 'a_b_3')
    """
    taken = {name for name in names if _identifier(name) == name}
    return Parts(
        name if name in taken else _free(_identifier(name), taken) for name in names
    )


def _identifier(name: str) -> str:
    """A name as signatures of SavedModel and LiteRT may have it.

    >>> _identifier("my-image")
    'my_image'
    """
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def _normalised(
    x: keras.KerasTensor,
    mean: np.ndarray,
    std: np.ndarray,
    unit: float | None,
    name: str,
) -> keras.KerasTensor:
    """(x / unit - mean) / std, by a layer of that name; x itself without a unit."""
    if unit is None:
        return x
    scale, offset = 1 / (unit * std), -mean / std
    return keras.layers.Rescaling(
        scale.tolist(), offset.tolist(), dtype="float32", name=name
    )(x)


def litert(
    model: keras.Model,
    adjust: Callable[[Any], None] = lambda converter: None,
    names: Sequence[str] = (),
) -> bytes:
    """The LiteRT file of a deployed model, in inference mode.

    It takes any number of examples; with recurrent layers one at a time, for their
    states have to have a size that is known.

    Args:
        model: Takes float32 or int32. The file holds its name and those of its layers.
        adjust: Sets options of the `tf.lite.TFLiteConverter`.
        names: Of several outputs, in their order.

    Returns:
        The bytes of the file. Its signature has the inputs by name where there are
        several, and so the outputs.

    Raises:
        InputError: the converter does not know an operation.
    """
    import tensorflow as tf  # Late: what builds networks needs none.

    several = len(model.inputs) > 1
    number = 1 if _recurrent(model) else None
    signature = [
        keras.InputSpec(
            shape=(number, *x.shape[1:]),
            dtype=x.dtype,
            name=x.name if several else None,
        )
        for x in model.inputs
    ]

    def answer(inputs):
        # `model.export` would leave `training` open, and layers would augment images.
        found = model(inputs, training=False)
        if not names:
            return found
        return dict(zip(names, keras.tree.flatten(found), strict=True))

    archive = keras.export.ExportArchive()
    archive.track(model)
    serve = (lambda *inputs: answer(list(inputs))) if several else answer
    archive.add_endpoint("serve", serve, signature)
    # By way of a SavedModel: a converted function of a Keras 3 model has no weights.
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        adjust(converter)
        try:
            return converter.convert()
        except Exception as error:  # A converter fails in many ways.
            raise InputError(
                f"LiteRT's converter refuses the network: {_refusal(error)}. Leave "
                "litert, litert_int8 and litert_bytes out."
            ) from error


def _recurrent(model: keras.Model) -> list[str]:
    """The names of the recurrent layers, those within others too."""
    layers = model._flatten_layers()
    return [one.name for one in layers if isinstance(one, keras.layers.RNN)]


def _refusal(error: Exception) -> str:
    """The converter's reason without its places in the graph.

    >>> _refusal(ValueError("<unknown>:0: error: loc(f[a]): 'tf.A' op is odd"))
    "'tf.A' op is odd"
    """
    found = re.search(r"'tf\.[^\n]*", str(error))
    return (found[0] if found else reason_of(error)).rstrip(". ")


def litert_int8(
    model: keras.Model,
    calibration: np.ndarray | Parts,
    *,
    byte_ends: bool = True,
    names: Sequence[str] = (),
) -> bytes:
    """The LiteRT file of a deployed model in int8, quantised after training.

    Args:
        model: Takes float32 or int32.
        calibration: Examples [examples, ...] as the model takes them; their activations
            set the ranges. Of several inputs `Parts`.
        byte_ends: Whether the file takes and gives uint8; else what the model does.
        names: Of several outputs, in their order.

    Returns:
        The bytes of the file.

    Raises:
        InputError: as of `litert`, or the network has recurrent layers.
    """
    import tensorflow as tf

    if recurrent := _recurrent(model):
        # The converter ends the process where it measures ranges within their loops.
        raise InputError(
            f"LiteRT's converter cannot quantise the recurrent layer {recurrent[0]!r}. "
            "Leave litert_int8 and flash out; litert takes it."
        )
    called = [tensor.name for tensor in model.inputs]

    def examples() -> Iterator[Any]:
        for rows in zip(*parts(calibration), strict=True):
            given = [
                row[None].astype(tensor.dtype)
                for row, tensor in zip(rows, model.inputs, strict=True)
            ]
            yield dict(zip(called, given, strict=True)) if given[1:] else given

    def quantise(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if byte_ends:
            converter.inference_input_type = tf.uint8
            converter.inference_output_type = tf.uint8

    return litert(model, quantise, names)
