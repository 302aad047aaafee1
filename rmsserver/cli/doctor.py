"""`rmsserver doctor`: why sign-on or discovery fails, before a user finds out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from rmsserver.cli.opening import configuration, home_option, passphrase_of
from rmsserver.cli.program import example, json_option, one_line, print_json
from rmsserver.config import Config
from rmsserver.doctor.finding import Finding, Verdict, exit_code, failure
from rmsserver.errors import OperatorError
from rmsserver.home import Home

_MARKS = {Verdict.OK: "ok", Verdict.WARNING: "WARN", Verdict.FAILURE: "FAIL"}


@click.command()
@home_option
@click.option("--user", metavar="NAME", help="Look at this account too, and certify and open a document as it.")
@click.option("--group", metavar="MAIL", help="Look whether --user is in this group, and by which way.")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file with an authority that clients trust, where this system does not.",
)
@json_option
@example("rmsserver doctor --home ./cluster --user alice@example.com --group staff@example.com")
def doctor(home: Path, user: str | None, group: str | None, ca_file: Path | None, as_json: bool) -> None:
    """Look for what makes sign-on, discovery or licensing fail: one line each, what was seen and what to do.

    Home, database, certificates, the way to the cluster's URL; in a domain its controllers, clock, service connection
    point and the service's keys. With --user the whole way from Certify to a use licence, which leaves nothing behind.

    Exit code 0: all well; 1: warnings; 2: at least one failure, or the cluster cannot be opened.
    """
    if group is not None and user is None:
        raise OperatorError("--group needs --user: whether that user is in it is what is looked at")
    findings: list[Finding] = []
    for finding in _findings(home, user, group, ca_file):
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    if as_json:
        print_json({"exit_code": exit_code(findings), "findings": [_json(finding) for finding in findings]})
    sys.exit(exit_code(findings))


def _findings(home: Path, user: str | None, group: str | None, ca_file: Path | None) -> Iterator[Finding]:
    from rmsserver.doctor.examination import Examination, Wanted

    try:
        config = configuration(home)
    except OperatorError as error:
        yield failure("configuration", one_line(error), "correct rmsserver.toml")
        return
    yield from Examination(Home(config, _passphrase(config)), Wanted(user, group, ca_file)).run()


def _passphrase(config: Config) -> Callable[[], str]:
    """Asked for now, where a terminal must be: no time limit may run while somebody types. What is wrong with it is told by
    the check that needs it."""
    try:
        passphrase = passphrase_of(config)
    except OperatorError as error:
        text = str(error)

        def refuse() -> str:
            raise OperatorError(text)

        return refuse
    return lambda: passphrase


def _line(finding: Finding) -> str:
    remedy = f": {finding.remedy}" if finding.remedy else ""
    return f"{_MARKS[finding.verdict]:4} {finding.check:14} {finding.seen}{remedy}"


def _json(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "verdict": finding.verdict.value,
        "seen": finding.seen,
        "remedy": finding.remedy,
    }
