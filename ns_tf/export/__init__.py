"""Files for other programs: `python -m ns_tf.export`."""
