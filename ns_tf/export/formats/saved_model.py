"""SavedModel in the layout that TF Serving reads: NAME/VERSION/; see docs/serving.md.

Two signatures answer alike. `serving_default` takes images as pixels, `encoded` as the
bytes of JPEG or PNG files. A network of other inputs has `serving_default` alone. What
they answer is the task's (`Task.response`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ns_tf.export.formats import Source, file_format
from ns_tf.parts import Parts, each, parts

WARMUP = "tf_serving_warmup_requests"  # The file's name, given by TF Serving.
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"  # First bytes of such files.


@file_format(
    "saved_model",
    file="{name}/{version}",
    help="SavedModel for TF Serving: NAME/VERSION/, warm-up requests inside.",
    runtime="saved_model",
    packages=("tensorflow_serving",),
    several=True,
)
def saved_model(source: Source, path: Path) -> None:
    """Writes the folder of a version, warm-up requests inside.

    Args:
        source: The network, and what belongs to it. With `source.resize` images may
            have any size; without, another size than the network's is an error.
        path: The folder.
    """
    model = source.deployed()

    def answer(images):
        outputs = model(images, training=False)
        return source.task.response(outputs, source.class_names)

    def answer_raw(*inputs):
        if source.resize:
            return answer(_fitted(inputs[0], source))
        return answer(inputs if len(inputs) > 1 else inputs[0])

    def answer_encoded(encoded):
        spec = tf.TensorSpec(source.image_shape, tf.uint8)
        return answer(
            tf.map_fn(lambda e: _decode(e, source), encoded, fn_output_signature=spec)
        )

    def specified(shape, dtype, name):
        size = (None, None, *shape[2:]) if source.resize else shape
        return tf.TensorSpec([None, *size], dtype, name)

    names = Parts(tensor.name for tensor in model.inputs)
    name = names if len(names) > 1 else names[0]
    raw = parts(each(specified, source.image_shape, source.dtype, name))
    encoded = tf.TensorSpec([None], tf.string, "encoded")
    # Not keras.export.ExportArchive, which writes every weight twice.
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    signatures = {"serving_default": tf.function(answer_raw, input_signature=raw)}
    if source.takes_images:
        signatures["encoded"] = tf.function(answer_encoded, input_signature=[encoded])
    tf.saved_model.save(module, str(path), signatures=signatures)
    _write_warmup(source, path, names)


def _decode(encoded: tf.Tensor, source: Source) -> tf.Tensor:
    """One image of the network's size from JPEG or PNG bytes.

    Args:
        encoded: A string.
        source: Says the size, and whether images of other sizes are resized.

    Returns:
        uint8 `[h, w, c]`. At run time it is an error if the bytes are no JPEG or PNG,
        or the image has another size and is not resized.
    """
    height, width, channels = source.image_shape

    def starts(magic: bytes) -> tf.Tensor:
        return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)

    jpeg = starts(JPEG)
    check = tf.debugging.Assert(
        jpeg | starts(PNG), ["Expected the bytes of a JPEG or PNG image."]
    )
    with tf.control_dependencies([check]):
        # The default, faster decoding is off by a little in red and blue.
        image = tf.cond(
            jpeg,
            lambda: tf.io.decode_jpeg(
                encoded, channels=channels, dct_method="INTEGER_ACCURATE"
            ),
            lambda: tf.io.decode_png(encoded, channels=channels),
        )
    if source.resize:
        image = _fitted(image[None], source)[0]
    else:
        size = tf.shape(image)[:2]
        check = tf.debugging.Assert(
            tf.reduce_all(tf.equal(size, [height, width])),
            [
                f"Expected an image of {height}x{width} pixels (height x width); got",
                size,
            ],
        )
        with tf.control_dependencies([check]):
            # Changes nothing, for the sizes are equal. Where they are not, operations
            # that follow do not fail on the shape before the check does.
            image = tf.image.resize_with_crop_or_pad(image, height, width)
    image.set_shape(source.image_shape)
    return image


def _fitted(images: tf.Tensor, source: Source) -> tf.Tensor:
    """uint8 `[batch, h, w, c]`: images of any size, resized to the network's."""
    sized = tf.image.resize(images, source.image_shape[:2], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(sized), 0, 255), tf.uint8)


def _write_warmup(source: Source, path: Path, names: Sequence[str]) -> None:
    """Writes a request to each signature, which a server answers before it is ready.

    So the first requests of clients do not wait for what TensorFlow does once.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    raw = each(lambda examples: examples[:1], source.calibration)
    requests = [("serving_default", dict(zip(names, parts(raw), strict=True)))]
    if source.takes_images:
        encoded = np.array([tf.io.encode_png(raw[0]).numpy()])
        requests.append(("encoded", {"encoded": encoded}))
    folder = path / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / WARMUP)) as writer:
        for signature, inputs in requests:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = source.name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
