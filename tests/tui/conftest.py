# SPDX-License-Identifier: MIT
"""What the tests of the full-screen program share: a service to look at, and the interpreters."""

import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "support"), os.path.join(ROOT, "tests", "tui")]

pytest.register_assert_rewrite("looptop_client", "term")

import looptop_client  # noqa: E402 -- found by the lines above
import term  # noqa: E402

class Shop(looptop_client.Service):
    """Tasks order-0, order-1... that wait for ever, and a mule that swallows cancellations."""

    @classmethod
    def start(cls, python, orders=8, **environ):
        shop = cls(term.LOOPTOP, "shop.py", str(orders), options=("run", "--", python), **environ)
        shop.expect("ready")
        return shop

    def open(self, *options, cols=80, rows=24, **keywords):
        return term.Terminal([term.LOOPTOP, "top", *options, str(self.pid)], cols, rows,
                             environ={"XDG_RUNTIME_DIR": self.directory}, **keywords)


def short(path):
    versions = [looptop_client.full_version(other) for other in looptop_client.PYTHONS]
    own = looptop_client.full_version(path)
    return own if versions.count(own) == 1 else own + path.replace("/", "_")


@pytest.fixture(params=looptop_client.PYTHONS, ids=short)
def python(request):
    """Each interpreter that has an agent."""
    return request.param


@pytest.fixture
def shop():
    """A service of the test's own, which may be spoiled."""
    with Shop.start(looptop_client.PYTHONS[-1]) as service:
        yield service


@pytest.fixture(scope="module")
def quiet_shop():
    """One for all tests of a module that change nothing in it."""
    with Shop.start(looptop_client.PYTHONS[-1]) as service:
        yield service


@pytest.fixture
def start_shop():
    return Shop.start


@pytest.fixture(scope="module")
def small():
    """A process of tasks that never change."""
    with term.FakeAgent("--tasks", "60", "--still") as agent:
        yield agent


@pytest.fixture(scope="module")
def medium():
    """More of them than a screen and its window hold."""
    with term.FakeAgent("--tasks", "10000", "--still") as agent:
        yield agent
