"""rmsserver.directory.ldap.circuit"""

from __future__ import annotations

import pytest

from rmsserver.directory.ldap.circuit import Circuit
from tests.directory.ldap.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(longest_seconds=5, clock=clock)


def test_closed_at_first(circuit: Circuit) -> None:
    """Everybody may try what has not failed."""
    assert [circuit.allows() for _ in range(3)] == [True, True, True]
    assert circuit.retry_in_seconds == 0


def test_pauses_double_up_to_the_longest(circuit: Circuit, clock: Clock) -> None:
    """After each failure in a row it is left alone for twice as long."""
    pauses = []
    for _ in range(5):
        circuit.failed()
        pauses.append(circuit.retry_in_seconds)
        assert not circuit.allows()
        clock.now += pauses[-1]
    assert pauses == [1, 2, 4, 5, 5]


def test_one_tries_for_all(circuit: Circuit, clock: Clock) -> None:
    """When the pause is over one caller tries; the others wait for what comes of it."""
    circuit.failed()
    clock.now += 1
    assert [circuit.allows() for _ in range(3)] == [True, False, False]


def test_success_closes_it(circuit: Circuit, clock: Clock) -> None:
    """After a success everybody may try again, and the next pause is the shortest."""
    circuit.failed()
    circuit.failed()
    circuit.succeeded()
    assert circuit.allows()
    assert circuit.failures == 0
    circuit.failed()
    assert circuit.retry_in_seconds == 1


def test_a_trial_that_never_ends_is_replaced(circuit: Circuit, clock: Clock) -> None:
    """Where the one who tried does not come back, the next pause ends all the same."""
    circuit.failed()
    clock.now += 1
    assert circuit.allows()
    clock.now += 1
    assert circuit.allows()
