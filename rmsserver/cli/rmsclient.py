"""`rmsclient`: protect files, and open protected ones."""

from __future__ import annotations

import click

from rmsserver import __version__
from rmsserver.cli.program import Program


@click.group(
    name="rmsclient",
    cls=Program,
    lazy={
        "bootstrap": "rmsserver.cli.client_setup:bootstrap",
        "templates": "rmsserver.cli.client_setup:templates",
        "protect": "rmsserver.cli.client_files:protect",
        "open": "rmsserver.cli.client_files:open_",
        "info": "rmsserver.cli.client_files:info",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="rmsclient")
def program() -> None:
    """Protect files with Rights Management Services, and open protected ones.

    Keys and certificates of this person on this machine are in ~/.rmsclient, or where RMSCLIENT_HOME says.

    \b
    Example:
      rmsclient bootstrap --url https://rms.example.com --user author@example.com
      rmsclient protect report.txt --grant reader@example.com=VIEW,PRINT
      rmsclient open report.ptxt
    """


def main() -> None:
    program.run()
