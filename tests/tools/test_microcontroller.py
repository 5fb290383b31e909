"""The example of a microcontroller: files within flash and RAM, answered in int8."""

import pytest
import toolbox
from places import ROOT
from verbs import SMOKE


@pytest.mark.slow
def test_files_are_within_the_flash_that_was_planned(tmp_path, capfd, monkeypatch):
    flags = tmp_path / "search.flags"
    text = (ROOT / "flags" / "smoke.flags").read_text()
    flags.write_text("\n".join([text, *SMOKE[1:]]))
    asked = {"peak_ram": 6000, "flash": 30_000, "epochs": 1}
    with toolbox.scripts("bench") as script:
        example = script("microcontroller")
        found, told = [], example.told
        monkeypatch.setattr(
            example, "told", lambda rows: found.extend(rows) or told(rows)
        )
        arguments = [f"--{name}={value}" for name, value in asked.items()]
        run = f"--run_dir={tmp_path / 'run'}"
        assert toolbox.status(example, run, f"--flags={flags}", *arguments) == 0
    printed = capfd.readouterr().out
    assert [row["method"] for row in found] == ["uniform", "neuralscale"]
    for row in found:
        assert 0.9 * asked["flash"] < row["bytes"] <= asked["flash"]
        assert row["costs"]["peak_ram"] <= asked["peak_ram"]
        assert row.get("arena", row["costs"]["peak_ram"]) == row["costs"]["peak_ram"]
        assert f"{100 * row['int8']:.2f}" in printed
