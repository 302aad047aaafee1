"""`rmsserver`: run and administer a cluster."""

from __future__ import annotations

import click

from rmsserver import __version__
from rmsserver.cli.program import Program


@click.group(
    name="rmsserver",
    cls=Program,
    lazy={
        "init": "rmsserver.cli.cluster:init",
        "serve": "rmsserver.cli.serve:serve",
        "user": "rmsserver.cli.accounts:user",
        "group": "rmsserver.cli.accounts:group",
        "directory": "rmsserver.cli.directory:directory",
        "template": "rmsserver.cli.templates:template",
        "exclusion": "rmsserver.cli.exclusions:exclusion",
        "revocation": "rmsserver.cli.revocations:revocation",
        "enrollment": "rmsserver.cli.enrollment:enrollment",
        "endpoints": "rmsserver.cli.endpoints:endpoints",
        "scp": "rmsserver.cli.scp:scp",
        "doctor": "rmsserver.cli.doctor:doctor",
        "decommission": "rmsserver.cli.decommissioning:decommission",
        "config": "rmsserver.cli.configuration:config",
        "spc": "rmsserver.cli.machine_issuers:spc",
        "tud": "rmsserver.cli.user_domains:tud",
        "tpd": "rmsserver.cli.publishing_domains:tpd",
        "key": "rmsserver.cli.keys:key",
        "backup": "rmsserver.cli.backup:backup",
        "restore": "rmsserver.cli.backup:restore",
        "client-bundle": "rmsserver.cli.cluster:client_bundle",
        "client-settings": "rmsserver.cli.client_settings:client_settings",
        "audit": "rmsserver.cli.audit:audit",
        "xrml": "rmsserver.cli.documents:xrml",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="rmsserver")
def program() -> None:
    """A Rights Management Services server that speaks the on-premises AD RMS protocol.

    \b
    Example:
      rmsserver init --home ./cluster --base-url http://127.0.0.1:8080/_wmcs
      rmsserver serve --home ./cluster
    """


def main() -> None:
    program.run()
