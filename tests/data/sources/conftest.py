"""No network."""

import socket

import pytest


@pytest.fixture
def offline(monkeypatch):
    """The network answers nobody."""

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
