"""`python -m ns_tf.slim`."""

import pytest
from verbs import refused

QUICK = (
    *("--architecture=lenet5", "--dataset=digits", "--image_size=16"),
    *("--epochs=1", "--batch=256", "--rate=0.01", "--shares=0.25,1"),
)


@pytest.mark.parametrize(
    "arguments, told",
    {
        "": "--architecture is missing",
        "--architecture=lenet5": "--dataset is missing",
        "--architecture=lenet5 --dataset=digits --shares=0.5": "1 among them",
        "--architecture=lenet5 --dataset=digits --rule=sandwich": "--norms=shared",
        "--architecture=lenet --dataset=digits": "Did you mean 'lenet5'",
    }.items(),
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    command, tmp_path, arguments, told
):
    run_dir = f"--run_dir={tmp_path / 'run'}"
    refused(command("slim", run_dir, *arguments.split()), told)
    assert not list(tmp_path.iterdir())


def test_every_share_is_told_and_kept_as_a_training(command, tmp_path):
    run_dir = tmp_path / "run"
    code, out, _ = command("slim", f"--run_dir={run_dir}", *QUICK)
    assert code == 0
    assert "lenet5 on digits, switchable norms, rule all" in out
    assert [line.split()[0] for line in out.splitlines()[-4:-1]] == [
        "share",
        "0.25",
        "1",
    ]
    assert (run_dir / "train" / "share0.25" / "model.keras").exists()
    assert command("slim", f"--run_dir={run_dir}", *QUICK)[1] == out
