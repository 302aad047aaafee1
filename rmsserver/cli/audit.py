"""`rmsserver audit`: what was asked of the cluster, and what it answered."""

from __future__ import annotations

from pathlib import Path

import click

from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import example, json_option, print_json
from rmsserver.ports import AuditRecord


@click.command()
@home_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many, newest first.")
@click.option("--alerts", is_flag=True, help="Only what an administrator should look at, however far back.")
@json_option
@example("rmsserver audit --home ./cluster --limit 50 --alerts")
def audit(home: Path, limit: int, alerts: bool, as_json: bool) -> None:
    """Show the newest requests, and commands that changed the cluster."""
    records = open_home(home).audit.read(limit=limit, alerts_only=alerts)
    if as_json:
        print_json([_json(record) for record in records])
    elif not records:
        click.echo("Nothing is recorded yet.")
    for record in [] if as_json else records:
        facts = " ".join(f"{key}={','.join(values)}" for key, values in record.trail.facts.items())
        click.echo(
            f"{record.time:%Y-%m-%d %H:%M:%S}  {record.operation:28} {record.outcome:34} {record.account or '-':24} {facts}"
        )
        for alert in record.trail.alerts:
            click.secho(f"    ! {alert}", fg="red")


def _json(record: AuditRecord) -> dict[str, object]:
    return {
        "time": record.time.isoformat(),
        "operation": record.operation,
        "outcome": record.outcome,
        "client_address": record.client_address,
        "authentication": record.authentication.value,
        "account": record.account,
        "application": record.application,
        "duration_ms": round(record.duration_ms, 3),
        "facts": record.trail.facts,
        "alerts": record.trail.alerts,
    }
