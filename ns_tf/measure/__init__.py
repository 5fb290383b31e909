"""Latency tables of a device: `python -m ns_tf.measure`."""
