"""SavedModel in the layout that TF Serving reads; see docs/serving.md."""

import numpy as np
import tensorflow as tf

from ns_tf.export.formats import file_format

WARMUP = "tf_serving_warmup_requests"
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"


@file_format(
    "saved_model",
    file="{name}/{version}",
    help="SavedModel for TF Serving: NAME/VERSION/, warm-up requests inside.",
    runtime="saved_model",
    packages=("tensorflow_serving",),
)
def saved_model(source, path):
    """Signatures: `serving_default` takes uint8 images, `encoded` JPEG or PNG bytes."""
    model = source.deployed()

    def answer(images):
        outputs = model(images, training=False)
        return source.task.response(outputs, source.class_names)

    def classify(image):
        return answer(_fitted(image, source) if source.resize else image)

    def classify_encoded(encoded):
        height, width, channels = source.image_shape
        spec = tf.TensorSpec([height, width, channels], tf.uint8)
        return answer(
            tf.map_fn(lambda e: _decode(e, source), encoded, fn_output_signature=spec)
        )

    size = [None, None] if source.resize else list(source.image_shape[:2])
    images = tf.TensorSpec([None, *size, source.image_shape[2]], tf.uint8, "image")
    encoded = tf.TensorSpec([None], tf.string, "encoded")
    # Not keras.export.ExportArchive: it keeps every weight twice.
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    signatures = {
        "serving_default": tf.function(classify, input_signature=[images]),
        "encoded": tf.function(classify_encoded, input_signature=[encoded]),
    }
    tf.saved_model.save(module, str(path), signatures=signatures)
    _write_warmup(source, path)


def _decode(encoded, source):
    """One image of the network's size from JPEG or PNG bytes."""
    height, width, channels = source.image_shape

    def starts(magic):
        return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)

    jpeg = starts(JPEG)
    check = tf.debugging.Assert(
        jpeg | starts(PNG), ["Expected the bytes of a JPEG or PNG image."]
    )
    with tf.control_dependencies([check]):
        # The default decoding lowers red and blue by a little.
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
        found = tf.shape(image)[:2]
        check = tf.debugging.Assert(
            tf.reduce_all(tf.equal(found, [height, width])),
            [
                f"Expected an image of {height}x{width} pixels (height x width); got",
                found,
            ],
        )
        with tf.control_dependencies([check]):
            # Changes nothing but where the check fails, and there only the check is to
            # be heard, not what would stumble over the shape first.
            image = tf.image.resize_with_crop_or_pad(image, height, width)
    image.set_shape(source.image_shape)
    return image


def _fitted(images, source):
    """Images uint8 of any size, resized to the network's."""
    sized = tf.image.resize(images, source.image_shape[:2], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(sized), 0, 255), tf.uint8)


def _write_warmup(source, path):
    """A request to each signature: the server answers them before it is ready."""
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    image = source.calibration[:1]
    encoded = np.array([tf.io.encode_png(image[0]).numpy()])
    folder = path / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / WARMUP)) as writer:
        for signature, name, value in (
            ("serving_default", "image", tf.make_tensor_proto(image)),
            ("encoded", "encoded", tf.make_tensor_proto(encoded)),
        ):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = source.name
            request.model_spec.signature_name = signature
            request.inputs[name].CopyFrom(value)
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
