"""Trains one network: `python -m ns_tf.train`."""
