"""Tuning by keras-tuner: `python -m ns_tf.tune`."""
