"""What does not fit into memory is refused before it is made."""

import pytest

from ns_tf.base import InputError
from ns_tf.run import memory
from ns_tf.run.memory import available, check_memory


def test_there_is_some_memory_and_no_more_than_a_machine_has():
    assert 2**20 < available() < 2**50


def test_what_fits_passes_and_the_rest_is_named():
    check_memory(2**20, "It")
    with pytest.raises(InputError, match=r"^It would take 1,152,921.* GB are free"):
        check_memory(2**50 * 1024, "It")


@pytest.mark.parametrize(
    "limit, used, free", [("700", "200", 500), ("700", "900", 0), ("max", "3", 2**63)]
)
def test_a_container_may_have_less(tmp_path, monkeypatch, limit, used, free):
    (tmp_path / "max").write_text(f"{limit}\n")
    (tmp_path / "now").write_text(f"{used}\n")
    group = (str(tmp_path / "max"), str(tmp_path / "now"))
    monkeypatch.setattr(memory, "_GROUPS", (group, ("none", "none")))
    monkeypatch.setattr(memory, "_of_machine", lambda: 2**63)
    assert available() == free


def test_elsewhere_than_on_linux_it_is_all_that_the_machine_has(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    assert memory._of_machine() > 2**20
