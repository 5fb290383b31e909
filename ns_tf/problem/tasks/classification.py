"""Classification of images: one class an image."""

from collections.abc import Callable

import keras
import tensorflow as tf

from ns_tf.data.batches import eval_batches
from ns_tf.graph.calls import functional
from ns_tf.graph.ends import ends_in_softmax


def loss_of(model: keras.Model) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Cross-entropy [batch] of labels [batch] and the model's outputs [batch, classes].

    The outputs are logits, or probabilities if they come from a softmax.
    """
    from_logits = not ends_in_softmax(functional(model))

    def loss(labels, outputs):
        return keras.losses.sparse_categorical_crossentropy(
            labels, tf.cast(outputs, keras.config.floatx()), from_logits=from_logits
        )

    return loss


def evaluator(model: keras.Model) -> Callable[..., tuple[float, float]]:
    """A function (dataset, split, batch size) -> (mean loss, accuracy) of the model."""
    loss_function = loss_of(model)

    @tf.function(autograph=False, reduce_retracing=True)
    def count(images, labels):
        outputs = model(images, training=False)
        hits = tf.equal(tf.argmax(outputs, -1, labels.dtype), labels)
        losses = loss_function(labels, outputs)
        return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(hits, tf.int32))

    def evaluate(dataset, split: str, batch_size: int) -> tuple[float, float]:
        loss, hits, size = 0.0, 0, 0
        for images, labels in eval_batches(dataset, split, batch_size):
            some_loss, some_hits = count(images, labels)
            loss, hits = loss + float(some_loss), hits + int(some_hits)
            size += len(labels)
        return loss / size, hits / size

    return evaluate
