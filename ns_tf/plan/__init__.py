"""The widths for a budget: `python -m ns_tf.plan`."""
