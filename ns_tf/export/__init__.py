"""Files for other programs: `python -m ns_tf.export`.

`formats/` writes them, one file a format. `runtimes/` runs them again in a process of
its own, without ns_tf. `check.py` compares the answers with the Keras model's, and
`work.py` puts the files in place: all of them, or none.
"""
