"""Running a check so that it neither hangs nor breaks the examination."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from rmsserver.directory.ldap.answers import LdapFailure
from rmsserver.doctor.finding import Finding, failure
from rmsserver.errors import OperatorError, RmsError

CHECK_SECONDS = 8.0
"""For one check. The directory has limits of its own below that."""

_MOST_CHARACTERS = 500

Check = Callable[[], Iterable[Finding]]


def run_bounded(name: str, check: Check, seconds: float = CHECK_SECONDS) -> tuple[Finding, ...]:
    """What the check found, or one failure where it raised, or did not end in time. The thread of one that hangs is left
    behind; it does not keep the process alive.
    """
    found: list[tuple[Finding, ...]] = []

    def work() -> None:
        found.append(_attempt(name, check))

    thread = threading.Thread(target=work, name=f"doctor-{name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        return (
            failure(name, f"no answer within {seconds:g} seconds", "see what it waits for: network, directory, disk"),
        )
    return tuple(_one_line(finding) for finding in found[0])


def _attempt(name: str, check: Check) -> tuple[Finding, ...]:
    try:
        return tuple(check())
    except OperatorError as error:
        # Such a line says what is wrong, and at its end what to do.
        seen, _, remedy = str(error).rpartition(": ")
        return (failure(name, seen or remedy, remedy if seen else "see the operator guide"),)
    except (RmsError, LdapFailure) as error:
        seen = getattr(error, "detail", "") or str(error)
        return (failure(name, seen, "see the log of the server, and the operator guide"),)
    except Exception as error:  # noqa: BLE001 - one check must not end the examination, and its error may hold anything
        return (failure(name, f"the check itself failed ({type(error).__name__})", "report this as a defect"),)


def _one_line(finding: Finding) -> Finding:
    return Finding(finding.check, finding.verdict, _plain(finding.seen), _plain(finding.remedy))


def _plain(text: str) -> str:
    """On one line, printable: names come from a directory."""
    line = " ".join(text.split())
    return "".join(c for c in line if c.isprintable())[:_MOST_CHARACTERS]
