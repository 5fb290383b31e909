"""Only regular files are read or replaced; nothing is waited for."""

import os
import socket

import pytest

from ns_tf.base import InputError
from ns_tf.run import files, paths


@pytest.fixture
def others(tmp_path, monkeypatch):
    """By kind: the path of something that is no regular file."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)  # Names of sockets are short.
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    (tmp_path / "link").symlink_to("fifo")
    found = {name: tmp_path / name for name in ("fifo", "folder", "socket", "link")}
    return {**found, "device": "/dev/zero"}


KINDS = ("fifo", "folder", "socket", "link", "device")


@pytest.mark.parametrize("kind", KINDS)
def test_other_things_are_not_opened(others, kind):
    with pytest.raises(InputError, match="is a .*Give a regular file"):
        paths.opened(others[kind])
    with pytest.raises(InputError, match=r"/(fifo|folder|socket|link|zero) "):
        files.read_json(others[kind], what="record")


@pytest.mark.parametrize("kind", KINDS)
def test_other_things_are_not_replaced(others, kind):
    for refuse in (paths.check_replaceable, lambda path: files.write_text(path, "")):
        with pytest.raises(InputError, match="cannot be written: it is a "):
            refuse(others[kind])
    assert os.path.exists(others[kind]) and not os.path.isfile(others[kind])


def test_files_and_what_links_lead_to_are_read_and_replaced(tmp_path):
    (tmp_path / "file").write_text("a")
    (tmp_path / "link").symlink_to("file")
    assert paths.read_bytes(tmp_path / "link") == b"a"
    files.write_text(tmp_path / "link", "b")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "b"
    files.write_text(tmp_path / "new", "c")
    paths.check_output(tmp_path / "new", "out")


@pytest.fixture
def piped():
    """A function: what is written into a pipe -> the path of its other end."""
    ends = []

    def path_of(content):
        read, write = os.pipe()
        ends.append(read)
        with open(write, "wb") as file:
            file.write(content)
        return f"/dev/fd/{read}"

    yield path_of
    for end in ends:
        os.close(end)


def test_a_pipe_of_the_shell_is_read_and_no_other(piped, others, tmp_path, monkeypatch):
    assert paths.read_given(piped(b"--seed=7\n")) == b"--seed=7\n"
    for kind in KINDS:
        with pytest.raises(InputError, match="Give a regular file"):
            paths.read_given(others[kind])
    (tmp_path / "file").write_text("a")
    with open(tmp_path / "file") as file:
        assert paths.read_given(f"/dev/fd/{file.fileno()}") == b"a"
    with pytest.raises(OSError, match="Bad file descriptor"):
        paths.read_given("/dev/fd/9876")
    with pytest.raises(OSError, match="No such file"):
        paths.read_given(f"/dev/fd/{10**20}")
    monkeypatch.setattr(paths, "_MOST_PIPED", 3)
    with pytest.raises(InputError, match="is a pipe of more than 3 bytes"):
        paths.read_given(piped(b"abcd"))


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        paths.read_bytes(tmp_path / "none")


@pytest.mark.parametrize(
    "place, told",
    [
        ("none/page.html", "there is no folder"),
        ("file/page.html", "Not a directory"),
        ("a" * 300, "File name too long"),
        ("folder", "it is a folder"),
    ],
)
def test_places_where_nothing_can_be_written_are_refused(tmp_path, place, told):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=told):
        paths.check_output(tmp_path / place, "out")
