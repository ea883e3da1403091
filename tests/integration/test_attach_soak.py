# SPDX-License-Identifier: MIT
"""Attaching again and again, being killed at it, and attaching while signals rain: the short form of `make soak`."""

import random

import pytest

import attach_soak
from looptop_client import python_with

REFUSAL = attach_soak.ptrace_refusal()
pytestmark = pytest.mark.skipif(REFUSAL is not None, reason=str(REFUSAL))


@pytest.fixture(params=["asyncio", "uvloop"])
def subject(request, python):
    """An interpreter, and what loop is to run in it."""
    if request.param == "uvloop":
        python, why = python_with(python, "uvloop")
        if python is None:
            pytest.skip(why)
    return python, request.param


def test_attach_and_detach_under_load(subject):
    # the first cycles still fill tables and heaps: what it finds is 50 KiB a cycle
    print(attach_soak.cycles(*subject, count=25, settle=5, tolerance_kib=1024))


def test_first_attach(subject):
    print(attach_soak.fresh(*subject, count=2))


def test_clients_are_killed(subject):
    seed = random.randrange(1 << 30)
    print(attach_soak.kills(*subject, count=15, seed=seed))


@pytest.mark.parametrize("kind", attach_soak.STORMS)
def test_attach_in_a_signal_storm(python, kind):
    print(attach_soak.storm(python, "asyncio", 10, kind))


def test_signals_that_come_before_a_stop(python):
    """Any stop, of a signal as well, is taken by the kernel for the one that was asked for."""
    print(attach_soak.storm(python, "asyncio", 20, "child", rate=20000))
