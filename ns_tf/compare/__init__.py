"""Methods x budgets x seeds: `python -m ns_tf.compare`."""
