# SPDX-License-Identifier: MIT
"""What the tests of the agent share: the interpreters, and the helpers of tests/support."""

import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

pytest.register_assert_rewrite("looptop_client", "attaching")

import looptop_client  # noqa: E402 -- found by the line above


def short(path):
    """An interpreter's version, with its directory where another one has the same."""
    versions = [looptop_client.full_version(other) for other in looptop_client.PYTHONS]
    own = looptop_client.full_version(path)
    return own if versions.count(own) == 1 else own + path.replace("/", "_")


@pytest.fixture(params=looptop_client.PYTHONS, ids=short)
def python(request):
    """Each interpreter that has an agent."""
    return request.param
