"""Data sets as values, and the batches drawn from them.

`dataset` is the value; `sources` makes one from a name, `arrays`, `tf_data` and
`python_data` from Python objects; `batches` draws from it. `labels`, `holdout`,
`images` and `augment` are what those share.
"""
