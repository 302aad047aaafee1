"""The command line of scripts/bench."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import click

from benchmark import batches, directory, ldap_lookups, memory, profiling, report, rounds
from benchmark.cluster import BenchmarkError, Cluster


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", "count", type=click.IntRange(1, 99), default=5, show_default=True, help="Rounds to measure.")
@click.option("--quick", is_flag=True, help="Two small rounds: does it run at all?")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option(
    "--sign-on",
    type=click.Choice(["ntlm", "basic"]),
    default="ntlm",
    show_default=True,
    help="NTLM once for each connection, as Windows clients do; or Basic with every request.",
)
@click.option("--memory", "memory_", is_flag=True, help="Measure memory over 50,000 licences instead.")
@click.option("--licences", type=click.IntRange(min=200), default=memory.LICENCES, help="So many, for --memory.")
@click.option("--profile", type=click.Choice(profiling.WORKLOADS), help="Print where the time of an operation goes.")
@click.option("--directory", "directory_", is_flag=True, help="Compare a large directory with a small one instead.")
@click.option("--batch", is_flag=True, help="Measure requests of 1 to 100 items, and pre-licensing, instead.")
def main(
    count: int,
    quick: bool,
    as_json: bool,
    sign_on: str,
    memory_: bool,
    licences: int,
    profile: str | None,
    directory_: bool,
    batch: bool,
) -> None:
    """Measure a real server: a process on one core, the load on another, RSA signatures by openssl as the yardstick.

    What is measured and how: docs/performance.md.
    """
    begun = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"[{time.monotonic() - begun:6.1f} s] {line} ...", err=True)

    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise click.ClickException("two processor cores are needed (Linux): one for the server, one for the load")
    os.sched_setaffinity(0, {cores[0]})
    sizes = rounds.QUICK if quick else rounds.Sizes()
    try:
        with tempfile.TemporaryDirectory(prefix="rmsserver-bench-") as folder:
            if directory_:
                _directory(Path(folder), cores[1], say, 2 if quick else count, quick, as_json)
                return
            if batch:
                _batch(Path(folder), cores[1], say, 2 if quick else count, quick, as_json)
                return
            say("making a cluster")
            cluster = Cluster.create(Path(folder))
            with cluster.serving(cores[1]) as server:
                say("making keys")
                scene = rounds.Scene.set_up(cluster, server, cores[1], sizes, sign_on, say)
                gc.freeze()
                if memory_:
                    _memory(scene, say, licences, as_json)
                elif not profile:
                    _speed(scene, say, 2 if quick else count, as_json)
            if profile:
                profiling.profile(scene, profile)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None


def _speed(scene: rounds.Scene, say: rounds.Say, count: int, as_json: bool) -> None:
    done = []
    for number in range(1, count + 1):
        say(f"round {number} of {count}")
        done.append(rounds.measure(scene, number, say))
    click.echo(json.dumps(report.summary(done), indent=1) if as_json else report.table(done))


def _directory(folder: Path, core: int, say: rounds.Say, count: int, quick: bool, as_json: bool) -> None:
    done = directory.measure(folder, core, count, quick, say)
    ldap = ldap_lookups.measure(count, quick, say)
    if as_json:
        click.echo(json.dumps(report.directory_summary(done, ldap), indent=1))
    else:
        click.echo(report.directory_table(done, ldap, directory.SMALL, directory.large(quick)))


def _batch(folder: Path, core: int, say: rounds.Say, count: int, quick: bool, as_json: bool) -> None:
    done = batches.measure(folder, core, count, quick, say)
    click.echo(json.dumps(report.batch_summary(done), indent=1) if as_json else report.batch_table(done))


def _memory(scene: rounds.Scene, say: rounds.Say, licences: int, as_json: bool) -> None:
    samples = memory.measure(scene, say, licences)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(sample) for sample in samples]))
    else:
        click.echo(report.memory_table(samples))


if __name__ == "__main__":
    sys.exit(main(prog_name="scripts/bench"))
