"""What tests of the commands share: small settings, what a refusal looks like."""

import contextlib
import fcntl
import importlib
import typing
from pathlib import Path

from places import ROOT

from ns_tf.run.folder import LOCK

FLAGFILES = sorted((ROOT / "flags").rglob("*.flags"))
SMOKE = (
    f"--flagfile={ROOT}/flags/smoke.flags",
    "--widths=8,8,8,8,8,8,8,8",
    "--filters_per_event=2",
    "--steps_per_event=1",
    "--pretrain_rate=0.05",
)
SHORT = ("--epochs=1", "--batch=700")
PLAIN = ("--architecture=vgg11", "--dataset=digits", *SHORT)


def configs_of(verb):
    """The config classes that the verb's main takes, in order."""
    hints = typing.get_type_hints(
        importlib.import_module(f"ns_tf.{verb}.__main__").main
    )
    return [kind for name, kind in hints.items() if name != "return"]


def contents(folder):
    """Everything below the folder: path -> bytes."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(p): p.read_bytes() for p in files if p.name != ".lock"}


@contextlib.contextmanager
def locked(folder):
    """Holds the lock of a run folder, as a process that writes to it does."""
    with open(Path(folder) / LOCK, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def refused(result, *told):
    """Checks that the command refused its input in one line that says these things."""
    code, _, err = result
    assert code == 2, err
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    assert "Traceback" not in err
    assert "--debug" not in err, "an error that nobody foresaw"
    for words in told:
        assert words in err
