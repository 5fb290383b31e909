"""Runs an exported file on examples: python run.py RUNTIME FILE INPUTS OUT.npz

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
        inputs: `[n, ...]`, as `.npy`; several by name, as `.npz`.
        out: Where the answers go, as `.npz`: `answers` `[n, ...]`, and of several
            outputs `answers_NAME` or `answers_PLACE`; `ms` `[REPEATS]`, milliseconds
            of single examples.
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
    count, rows = examples(inputs)
    batches = [named(run(rows(i, BATCH))) for i in range(0, count, BATCH)]
    answers = {key: np.concatenate([b[key] for b in batches]) for key in batches[0]}
    times = []
    for i in range(WARMUP + REPEATS):
        one = rows(i % count, 1)
        start = time.perf_counter()
        run(one)
        times.append(1e3 * (time.perf_counter() - start))
    np.savez(out, **answers, ms=np.array(times[WARMUP:]))


def examples(path: str) -> tuple:
    """(how many examples a file has, a function: place, number -> that many of them).

    Args:
        path: `.npy` of one array, or `.npz` of several by name.
    """
    values = np.load(path, allow_pickle=False)
    if isinstance(values, np.ndarray):
        return len(values), lambda place, number: values[place : place + number]
    arrays = dict(values)
    count = len(next(iter(arrays.values())))
    return count, lambda place, number: {
        name: array[place : place + number] for name, array in arrays.items()
    }


def named(answers) -> dict:
    """Answers by the name that they have in the file that is written.

    Args:
        answers: An array, or a list or a dictionary of them.
    """
    if isinstance(answers, dict):
        return {f"answers_{name}": array for name, array in answers.items()}
    if isinstance(answers, (list, tuple)):
        return {f"answers_{place}": array for place, array in enumerate(answers)}
    return {"answers": answers}


if __name__ == "__main__":
    main(*sys.argv[1:])
