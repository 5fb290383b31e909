"""A small command in a process of its own, for tests of exit codes and signals."""

import os
import subprocess
import sys
from pathlib import Path

from places import ROOT

DEMO = '''
"""Does what --mode says."""

import dataclasses, os, sys, time
from ns_tf import cli
from ns_tf.base import InputError, RunError
from ns_tf.run.option import option
from ns_tf.run.stop import interruptible


@dataclasses.dataclass(frozen=True)
class Config:
    """What to do."""

    mode: str = option("ok", "What to do.")
    seed: int = option(3, "Seed.")


def main(config):
    if config.mode == "input":
        raise InputError("Expected a.\\n  Got b.")
    if config.mode == "run":
        raise RunError("The loss is nan.")
    if config.mode == "bug":
        raise KeyError("a\\nb")
    if config.mode == "silent bug":
        raise AssertionError
    if config.mode == "full":
        print("x" * 100, file=open("/dev/full", "w"), flush=True)
    if config.mode == "missing":
        open("no/such/file")
    if config.mode == "status":
        return 7
    if config.mode == "much":
        for _ in range(100_000):
            print("x" * 100)
    if config.mode == "sleep":
        print("ready", flush=True)
        time.sleep(30)
    if config.mode in ("loop", "stuck", "last"):
        with interruptible() as stop:
            print("ready", flush=True)
            for _ in range(3000):
                time.sleep(0.01)
                if stop.requested and config.mode == "loop":
                    print("saved", flush=True)
                    stop.leave()
                if stop.requested and config.mode == "last":
                    break
                if stop.requested and config.mode == "stuck":
                    print("stuck", flush=True)
                    time.sleep(30)
    if config.mode == "tensorflow":
        print(cli.quiet_tensorflow().__name__, os.environ["TF_CPP_MIN_LOG_LEVEL"])
    heavy = [m for m in ("keras", "tqdm") if m in sys.modules]
    print(config.seed, *heavy)


if __name__ == "__main__":
    cli.run(main, Config)
'''
# Stands for the real one: says things on the C++ side of standard error.
TENSORFLOW = """
import os
os.write(2, b"E0000 cuInit\\n")
if os.environ.get("BROKEN"):
    raise ImportError("no libcudart")
class config:
    list_physical_devices = staticmethod(lambda: os.write(2, b"W0000 no GPU\\n"))
"""


def write(folder: Path) -> Path:
    """Writes the command, a stand-in for TensorFlow and flagfiles into a folder."""
    (folder / "demo.py").write_text(DEMO.strip())
    (folder / "tensorflow.py").write_text(TENSORFLOW)
    (folder / "good.flags").write_text("# A comment.\n--seed=11\n\n--mode=ok\n")
    (folder / "stray.flags").write_text("seed=11\n")
    (folder / "binary.flags").write_bytes(b"\xff\xfe\x00\x81")
    return folder


def start(folder: Path, *arguments: str, env=None, **settings) -> subprocess.Popen:
    """Starts the command; its environment has no TF_CPP_MIN_LOG_LEVEL of its own."""
    # One thread: NumPy starts faster.
    fixed = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    environment = {**os.environ, **fixed, **(env or {})}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings},
        cwd=folder,
        env=environment,
        text=True,
    )
