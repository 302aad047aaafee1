"""When a serving process looks for changes of its configuration ([MS-RMPR] 3.1.5)."""

from __future__ import annotations

import datetime as dt

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from rmsserver.configuration_timer import ConfigurationTimer
from tests.conformance import conforms


class Desk:
    """A timer whose looks end when a test says so."""

    def __init__(self, seconds: float) -> None:
        self.clock = Clock()
        self.seconds = seconds
        self.looks: list[Deferred[None]] = []
        self.timer = ConfigurationTimer(self.clock, self._look, lambda: dt.timedelta(seconds=self.seconds))
        self.timer.start()

    def _look(self) -> Deferred[None]:
        self.looks.append(Deferred())
        return self.looks[-1]

    def after(self, seconds: float) -> int:
        self.clock.advance(seconds)
        return len(self.looks)


@conforms(
    "MS-RMPR 3.1.5", "A serving process looks again and again whether the version of the configuration has moved."
)
def test_again_and_again() -> None:
    """After each interval, and never two looks at once."""
    desk = Desk(30)
    assert [desk.after(29), desk.after(1), desk.after(1000)] == [0, 1, 1]
    desk.looks[0].callback(None)
    assert [desk.after(29), desk.after(1)] == [1, 2]


@conforms("MS-RMPR 3.1.5", "After each look the timer is set to the interval of the configuration then in force.")
def test_a_changed_interval_counts_from_the_next_look_on() -> None:
    """It is part of what a look may have changed."""
    desk = Desk(30)
    desk.after(30)
    desk.seconds = 5
    desk.looks[0].callback(None)
    assert [desk.after(4), desk.after(1)] == [1, 2]


def test_a_look_that_fails_is_not_the_last() -> None:
    """Whatever it failed of."""
    desk = Desk(30)
    desk.after(30)
    desk.looks[0].errback(ZeroDivisionError())
    assert desk.after(30) == 2


@pytest.mark.parametrize(("configured", "kept"), [(0, 1), (10 * 86_400, 86_400)])
def test_bounds(configured: float, kept: float) -> None:
    """At least a second, at most the day of 3.1.2."""
    desk = Desk(configured)
    assert [desk.after(kept - 0.5), desk.after(0.5)] == [0, 1]


def test_stopped() -> None:
    """While it waits, and while somebody looks."""
    waiting, looking = Desk(30), Desk(30)
    waiting.timer.stop()
    waiting.timer.stop()
    assert waiting.after(100) == 0
    looking.after(30)
    looking.timer.stop()
    looking.looks[0].callback(None)
    assert looking.after(100) == 1
