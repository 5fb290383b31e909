"""What every run shares: options and flags, files and folders, progress, signals.

`option`, `flags`, `flagfile`, `checks` and `config` turn dataclasses into flags and
back; `files` and `folder` keep a run, `seal` proves its files, `paths`, `npz` and
`memory` look at what is read; `watch` holds what long work is watched by: `progress`,
`stop`, `checkpoint` and `tensorboard`. `signals` and `starting` are of commands.
"""
