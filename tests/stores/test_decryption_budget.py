"""rmsserver.stores.decryption_budget"""

from __future__ import annotations

from rmsserver.stores.decryption_budget import TokenBucketBudget


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_C4_budget() -> None:
    """C4: after so many failures nothing is allowed, with one alert; others are not touched."""
    budget = TokenBucketBudget(failures=3, window_seconds=30, clock=Clock())
    assert [budget.failed("attacker") for _ in range(5)] == [False, False, True, False, False]
    assert not budget.allows("attacker")
    assert budget.allows("author")


def test_C4_refill() -> None:
    """C4: one failure more is allowed after its share of the window; a whole window brings a new alert."""
    clock = Clock()
    budget = TokenBucketBudget(failures=3, window_seconds=30, clock=clock)
    assert [budget.failed("attacker") for _ in range(3)][-1]
    clock.now = 10
    assert budget.allows("attacker")
    assert not budget.failed("attacker")
    assert not budget.allows("attacker")
    clock.now = 40
    assert [budget.failed("attacker") for _ in range(3)] == [False, False, True]


def test_bounded() -> None:
    """At most so many accounts are remembered."""
    budget = TokenBucketBudget(failures=1, accounts=2, clock=Clock())
    for who in ("a", "b", "c"):
        budget.failed(who)
    assert [budget.allows(who) for who in ("a", "b", "c")] == [True, False, False]
