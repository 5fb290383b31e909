"""Ctrl-C at any moment of a command is one line and exit code 130."""

import signal
import subprocess
import sys
import time

import pytest
from places import ROOT

from ns_tf.run import signals

VERBS = sorted(path.parent.name for path in ROOT.glob("ns_tf/*/__main__.py"))
# Sends the signal from within, when a module of this name is about to be imported.
AT_IMPORT = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["x", *sys.argv[3:]]
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == WHEN:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
runpy.run_module(VERB, run_name="__main__", alter_sys=True)
"""


def stopped(verb, when):
    """What a command does whose import of a module is interrupted."""
    code = AT_IMPORT.replace("WHEN", repr(when)).replace("VERB", repr(f"ns_tf.{verb}"))
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)


def told(verb):
    return f"ns_tf.{verb}: stopped; run the same command again to continue\n"


@pytest.mark.parametrize("verb", VERBS)
def test_ctrl_c_while_a_command_is_imported_is_one_line(verb):
    done = stopped(verb, "absl.flags")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", told(verb))


def test_the_first_import_of_every_command_is_the_one_for_this():
    for verb in VERBS:
        text = (ROOT / "ns_tf" / verb / "__main__.py").read_text()
        first = next(line for line in text.split('"""')[2].splitlines() if line)
        assert first.startswith("from ns_tf.run import starting"), verb


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.4, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 3.5, 4.0])
def test_ctrl_c_in_the_first_seconds_is_one_line(delay, tmp_path):
    argv = [sys.executable, "-m", "ns_tf.descend", f"--run_dir={tmp_path}/run"]
    process = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.endswith(told("descend")) and "Traceback" not in err


def test_an_import_is_told_from_other_code():
    assert not signals.importing(sys._getframe())
    assert not signals.is_command()


def test_signals_that_are_turned_off_stay_off(monkeypatch):
    monkeypatch.setattr(
        signal, "getsignal", lambda n: signal.SIG_IGN if n == signal.SIGINT else None
    )
    assert signals.handled_signals() == []
