"""Runs an exported file on examples: python run.py RUNTIME FILE INPUTS.npy OUT.npz

Imports nothing of ns_tf, so what it can run, others can.
"""

import importlib.util
import pathlib
import sys
import time

import numpy as np

BATCH = 100  # Examples at once, for the answers.
REPEATS, WARMUP = 50, 10  # Runs on single examples: timed, and before that.


def main(runtime: str, file: str, inputs: str, out: str) -> None:
    """Runs a file on examples and writes what it answers.

    Args:
        runtime: What runs such files: the name of a module beside this one, or the path
            of a Python file (a format of one's own).
        file: The file.
        inputs: `[n, ...]`, as `.npy`.
        out: Where the answers go, as `.npz`: `answers` `[n, ...]`, `ms` `[REPEATS]`,
            milliseconds of single examples.
    """
    own = pathlib.Path(__file__).with_name(f"{runtime}.py")
    place = pathlib.Path(runtime) if runtime.endswith(".py") else own
    # Imported by its path, and this folder is taken off the search path: a library that
    # imports a module of the same name must not find the one here.
    del sys.path[0]
    spec = importlib.util.spec_from_file_location(f"runtime_{place.stem}", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run = module.load(file)
    values = np.load(inputs, allow_pickle=False)
    batches = range(0, len(values), BATCH)
    answers = np.concatenate([run(values[i : i + BATCH]) for i in batches])
    times = []
    for i in range(WARMUP + REPEATS):
        start = time.perf_counter()
        run(values[i % len(values)][None])
        times.append(1e3 * (time.perf_counter() - start))
    np.savez(out, answers=answers, ms=np.array(times[WARMUP:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
