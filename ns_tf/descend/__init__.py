"""Architecture descent: `python -m ns_tf.descend`."""
