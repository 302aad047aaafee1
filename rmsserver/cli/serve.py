"""`rmsserver serve`: the serving process."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click
import structlog

from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import example
from rmsserver.errors import OperatorError


@click.command()
@home_option
@click.option("--listen", metavar="ADDR:PORT", help="Where to listen; [::1]:8080 for IPv6.  [default: 127.0.0.1:8080]")
@click.option(
    "--tls-cert", type=click.Path(dir_okay=False, path_type=Path), help="PEM file with the certificate chain."
)
@click.option("--tls-key", type=click.Path(dir_okay=False, path_type=Path), help="PEM file with its private key.")
@example(
    "rmsserver serve --home ./cluster --listen 0.0.0.0:443 --tls-cert rms.pem --tls-key rms.key",
)
def serve(home: Path, listen: str | None, tls_cert: Path | None, tls_key: Path | None) -> None:
    """Serve a cluster until interrupted. Options beat rmsserver.toml and the environment."""
    address, port = _listen(listen)
    opened = open_home(home, listen_address=address, listen_port=port, tls_certificate=tls_cert, tls_key=tls_key)
    set_up_logging(opened.config.log_level)
    from twisted.internet import reactor  # late: importing it installs the reactor

    from rmsserver.endpoint_table import open_paths
    from rmsserver.server import RmsServer, build_ports

    server = RmsServer(build_ports(opened), reactor)
    listening = server.start()
    base = opened.configuration.read().values["baseUrl"]
    if opened.decommissioning.is_decommissioned():
        click.echo("DECOMMISSIONED: only content keys are handed out. The way back: rmsserver decommission undo.")
    click.echo(f"Serving {base} on {listening}. Stop with Ctrl-C.")
    anonymous = open_paths(opened.config)
    if anonymous:
        click.echo(f"Open to everybody, without signing on: {', '.join(anonymous)} ([endpoints] in rmsserver.toml).")
    sys.stdout.flush()
    any_reactor: Any = reactor
    any_reactor.run()


def _listen(text: str | None) -> tuple[str | None, int | None]:
    if text is None:
        return None, None
    address, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise OperatorError(f"--listen: {text[:60]!r} is not ADDR:PORT, for example 0.0.0.0:8080")
    return address.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - ":8080" asks for every address


def set_up_logging(level: str) -> None:
    """One line an event on standard error: for people on a terminal, JSON elsewhere."""
    numeric = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(numeric, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
