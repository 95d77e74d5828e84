"""A server, and a lab that no proxy of this machine stands before."""

import pytest

from tests.fetching.server import Manners, serving


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def manners():
    return Manners()


@pytest.fixture
def address(manners):
    with serving(manners) as url:
        yield url
