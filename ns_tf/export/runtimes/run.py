"""Runs an exported file on images: python run.py RUNTIME FILE IMAGES.npy OUT.npz

Imports nothing of ns_tf, so what it can run, others can.
"""

import importlib.util
import pathlib
import sys
import time

import numpy as np

BATCH = 100
REPEATS, WARMUP = 50, 10  # Of single images, for the latency.


def main(runtime: str, file: str, images: str, out: str) -> None:
    """Writes probabilities [n, classes] and milliseconds [REPEATS] of one image."""
    own = pathlib.Path(__file__).with_name(f"{runtime}.py")
    place = pathlib.Path(runtime) if runtime.endswith(".py") else own
    # Not by its name: libraries have modules of these names, and look for them here.
    del sys.path[0]
    spec = importlib.util.spec_from_file_location(f"runtime_{place.stem}", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run = module.load(file)
    pixels = np.load(images, allow_pickle=False)
    batches = range(0, len(pixels), BATCH)
    probabilities = np.concatenate([run(pixels[i : i + BATCH]) for i in batches])
    times = []
    for i in range(WARMUP + REPEATS):
        start = time.perf_counter()
        run(pixels[i % len(pixels)][None])
        times.append(1e3 * (time.perf_counter() - start))
    np.savez(out, probabilities=probabilities, ms=np.array(times[WARMUP:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
