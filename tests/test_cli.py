"""What every command shares: help, one line for an error, an exit code."""

import functools
import signal
import subprocess
import sys

import demo as demo_command
import pytest
from places import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return demo_command.write(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def start(folder):
    """Starts the demo."""
    return functools.partial(demo_command.start, folder)


@pytest.fixture
def demo(start):
    """Runs the demo: exit code, standard output, standard error."""

    def demo(*arguments, **settings):
        process = start(*arguments, **settings)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return demo


def test_main_gets_its_config_from_flags_and_flagfiles_and_the_later_wins(demo):
    assert demo("--seed=5", "--flagfile=good.flags") == (0, "11\n", "")
    assert demo("--flagfile=good.flags", "--seed=5") == (0, "5\n", "")


def test_help_is_for_people_and_imports_nothing_heavy(demo):
    status, out, err = demo("--help", env={"PYTHONVERBOSE": "1"})
    assert status == 0
    assert not [
        line
        for line in err.splitlines()
        if line.startswith(("import 'tensorflow'", "import 'keras'", "import 'tqdm'"))
    ]
    assert out.startswith("Does what --mode says.\n\nUsage: python -m demo ")
    assert "What to do:\n  --mode=TEXT\n      What to do. (default: ok)\n" in out
    assert "--debug" in out.replace("[no]", "")
    assert "verbosity" not in out


def test_what_fails_while_a_command_is_taken_apart_is_not_printed():
    code = """
from ns_tf import cli

class Pool:
    def __del__(self):
        raise OSError("Bad file descriptor")

cli.run(lambda: setattr(cli, "pool", Pool()))
"""
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_helpfull_shows_flags_of_absl_too(demo):
    status, out, err = demo("--helpfull")
    assert (status, err) == (0, "")
    assert "--mode" in out
    assert "--verbosity" in out


@pytest.mark.parametrize(
    "argument, told",
    [
        ("--sede=3", "Unknown command line flag 'sede'. Did you mean: seed"),
        ("--seed=abc", "flag --seed=abc: expected a whole number. See --help."),
        ("--seed", "Missing value for flag --seed. See --help."),
        ("--flagfile=nix", "--flagfile=nix cannot be read: No such file or directory."),
        ("--flagfile=stray.flags", "Expected only flags, as --name=value; got"),
        ("--flagfile=binary.flags", "--flagfile=binary.flags is no text: "),
        ("stray", "Expected only flags, as --name=value; got 'stray'."),
    ],
)
def test_wrong_flags_are_one_line_and_exit_2(demo, argument, told):
    status, out, err = demo(argument)
    assert (status, out) == (2, "")
    assert err.startswith(f"demo: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "mode, status, told",
    [
        ("input", 2, "Expected a. Got b."),
        ("run", 1, "The loss is nan."),
        ("bug", 1, "KeyError: 'a\\nb'. Run again with --debug for the traceback."),
        ("silent bug", 1, "AssertionError. Run again with --debug for the traceback."),
        ("full", 1, "No space left on device. Run again with --debug for the trace"),
        ("missing", 1, "no/such/file: No such file or directory. Run again with"),
    ],
)
def test_errors_are_one_line_with_their_exit_code(demo, mode, status, told):
    got, out, err = demo(f"--mode={mode}")
    assert (got, out) == (status, "")
    assert err.startswith(f"demo: {told}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("mode, status", [("input", 2), ("bug", 1)])
def test_debug_shows_the_traceback_with_the_same_exit_code(demo, mode, status):
    got, _, err = demo(f"--mode={mode}", "--debug")
    assert got == status
    assert err.startswith("Traceback")


def test_what_main_returns_is_the_exit_code(demo):
    assert demo("--mode=status") == (7, "", "")


def test_a_full_disk_under_standard_output_is_one_line(demo):
    with open("/dev/full", "w") as full:
        status, _, err = demo(stdout=full)
    assert status == 1
    assert err.startswith("demo: No space left on device.")
    assert err.count("\n") == 1


def test_a_closed_pipe_ends_quietly(start):
    with start("--mode=much") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 128 + signal.SIGPIPE


def test_tensorflow_is_imported_without_a_word(demo):
    assert demo("--mode=tensorflow") == (0, "tensorflow 3\n3\n", "")


def test_what_tensorflow_said_is_shown_with_debug_and_when_it_fails(demo):
    _, _, err = demo("--mode=tensorflow", "--debug")
    assert err == "E0000 cuInit\nW0000 no GPU\n"
    status, _, err = demo("--mode=tensorflow", env={"BROKEN": "1"})
    assert status == 1
    assert err.startswith("E0000 cuInit\ndemo: ImportError: no libcudart")


# --- What the commands import.

SEARCH = ROOT / "docs" / "runs" / "vgg11_cifar10_short"
HEAVY = {"tensorflow", "keras", "jax", "torch", "matplotlib", "keras_tuner"}
LIGHT = {
    "import ns_tf": "import ns_tf",
    "plan --help": "sys.argv[1:] = ['--help']; plan()",
    "plan": f"sys.argv[1:] = ['--run_dir={SEARCH}', '--params=600000']; plan()",
}


@pytest.mark.parametrize("what", LIGHT)
def test_a_plan_and_its_help_load_neither_tensorflow_nor_keras(what):
    code = (
        "import runpy, sys\n"
        "def plan():\n"
        "    runpy.run_module('ns_tf.plan', run_name='__main__', alter_sys=True)\n"
        "try:\n"
        f"    {LIGHT[what]}\n"
        "finally:\n"
        "    print(*(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    imported = set(done.stderr.split())
    assert "ns_tf" in imported
    assert not HEAVY & imported
    assert bool(done.stdout) == (what != "import ns_tf")
