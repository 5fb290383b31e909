"""One HTML page of a run folder: `python -m ns_tf.report`."""
