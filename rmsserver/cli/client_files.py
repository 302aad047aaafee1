"""`rmsclient protect`, `rmsclient open` and `rmsclient info`."""

from __future__ import annotations

import codecs
import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click

from rmsserver.cli.client_session import (
    connect,
    file_argument,
    force_option,
    list_source,
    now,
    open_store,
    output_option,
    password_option,
    progress_bar,
)
from rmsserver.cli.end_dates import EndDate
from rmsserver.cli.program import example, json_option, print_json
from rmsserver.cli.right_names import hint_at_rights
from rmsserver.cli.template_names import ambiguous, named_templates
from rmsserver.client import account, publish
from rmsserver.client.account import Profile
from rmsserver.client.ciphers import BATCH_BYTES, ContentCipher, DecryptedContent
from rmsserver.client.consume import Licenses, OpenedLicense, Use, open_licenses
from rmsserver.client.errors import ClientError, RefusedError, SetupError
from rmsserver.client.inspect import FileReport, inspect_file
from rmsserver.client.output import atomic_output
from rmsserver.client.pfile import PFile, PFileVersion, read_pfile
from rmsserver.client.revocation import check_not_revoked
from rmsserver.client.store import Store
from rmsserver.xrml.enabling_bits import ContentKey

_CIPHERS = {
    "cbc4k": ContentCipher.CBC4K,
    "cbc4k-nopadding": ContentCipher.CBC4K_NO_PADDING,
    "cbc512-nopadding": ContentCipher.CBC512_NO_PADDING,
    "ecb": ContentCipher.ECB,
}


@click.command()
@file_argument
@click.option("--grant", "grants", multiple=True, metavar="WHO=RIGHTS", help="For example reader@example.com=VIEW.")
@click.option("--template", metavar="NAME|ID", help="Use a template of your organisation: see rmsclient templates.")
@click.option("--until", type=EndDate(), help="End of all grants, UTC.")
@click.option("--online", is_flag=True, help="Have the server sign the licence instead of this machine.")
@click.option(
    "--format", "version", type=click.Choice([str(v) for v in PFileVersion]), default="2.1", show_default=True
)
@click.option("--cipher", type=click.Choice(list(_CIPHERS)), default="cbc4k", show_default=True)
@click.option("--key-bits", type=click.Choice(["128", "256"]), default="256", show_default=True)
@output_option
@force_option
@password_option
@json_option
@example("rmsclient protect report.txt --grant reader@example.com=VIEW,PRINT --grant all@example.com=VIEW")
def protect(
    file: Path,
    grants: tuple[str, ...],
    template: str | None,
    until: dt.datetime | None,
    online: bool,
    version: str,
    cipher: str,
    key_bits: str,
    output: Path | None,
    force: bool,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Write a protected copy of FILE, by default beside it: report.txt becomes report.ptxt,
    report.docx becomes report.docx.pfile. FILE itself stays as it is.

    Rights: VIEW, EDIT, PRINT, EXTRACT (copy), EXPORT (save unprotected), OWNER (everything), or any name an
    application knows. You keep every right.
    """
    if bool(grants) == bool(template):
        raise click.UsageError("Say who may do what with --grant, or name a --template; not both.")
    if template and until:
        raise click.UsageError("A template says itself when rights end; leave --until out.")
    store, moment = open_store(), now()
    profile = account.load_profile(store, moment)
    if template:
        policy = _template_policy(store, profile, template)
    else:
        parsed = [publish.Grant.parse(grant) for grant in grants]
        policy = publish.policy_of_grants(profile.account.email, parsed, moment, until)
    target = output or publish.protected_name(file)
    wrapping = publish.Wrapping(PFileVersion.parse(version), _CIPHERS[cipher], int(key_bits))
    sign = _publisher(profile, policy, online, password_file, moment)
    with progress_bar("Protecting", file.stat().st_size) as progress:
        size = publish.protect_file(file, target, wrapping, sign, overwrite=force, progress=progress)
    if as_json:
        print_json({"file": str(target), "bytes": size, "owner": profile.account.email, "work": policy.work_id})
    else:
        click.echo(f"{target}: protected.")
    hint_at_rights(name for grant in grants for name in publish.Grant.parse(grant).rights)


def _template_policy(store: Store, profile: Profile, wanted: str) -> publish.UsagePolicy:
    stored = account.stored_templates(store, profile.settings.trust)
    guids = named_templates(wanted, stored.values())
    if len(guids) > 1:
        raise ClientError(f"{ambiguous(wanted, guids)}.")
    found = stored.get(guids[0]) if guids else None
    if found is None:
        raise SetupError("There is no such template here; run rmsclient templates to fetch and list them.")
    return publish.policy_of_template(found)


def _publisher(
    profile: Profile,
    policy: publish.UsagePolicy,
    online: bool,
    password_file: Path | None,
    moment: dt.datetime,
) -> Callable[[ContentKey], tuple[str, ...]]:
    if not online:
        licensor = profile.licensor
        if licensor is None:
            raise SetupError("This account has no licensor certificate; publish with --online.")
        return lambda content: publish.publish_offline(policy, content, profile.account, licensor, moment)
    services, settings = connect(profile.settings, password_file), profile.settings
    url = settings.locations.licensing[0]
    return lambda content: publish.publish_online(
        policy, content, profile.account.email, services, settings.trust, url, moment
    )


@click.command("open")
@file_argument
@output_option
@force_option
@password_option
@click.option(
    "--revocation-list",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The signed list that the licence depends on, where another host than your cluster serves it.",
)
@json_option
@example("rmsclient open report.ptxt\nrmsclient open report.ptxt -o report.txt")
def open_(
    file: Path,
    output: Path | None,
    force: bool,
    password_file: Path | None,
    revocation_list: Path | None,
    as_json: bool,
) -> None:
    """Show a protected file, or with -o save an unprotected copy, as far as you were granted that.

    To see it needs VIEW; to save a copy needs EXPORT or OWNER. Without -o the content goes to standard
    output.
    """
    moment = now()
    profile = account.load_profile(open_store(), moment)
    with file.open("rb") as stream:
        pfile = read_pfile(stream)
        licenses = Licenses.read(pfile.license_text)
        opened = open_licenses(
            licenses,
            profile.account,
            profile.settings.trust,
            lambda: connect(profile.settings, password_file),
        )
        lists = list_source(profile.settings, revocation_list)
        opened = check_not_revoked(opened, licenses, profile.account, lists, moment)
        opened.require(Use.SAVE_UNPROTECTED if output else Use.SEE, moment)
        content = pfile.open_content(stream, opened.cipher, opened.content_key.key)
        if output:
            _save(content, output, force)
        elif not as_json:
            _show(content, sys.stdout.buffer, terminal=sys.stdout.isatty())
    _tell_opened(opened, pfile, content.length, output, as_json, moment)


def _save(content: DecryptedContent, output: Path, force: bool) -> None:
    with (
        atomic_output(output, overwrite=force) as target,
        progress_bar("Opening", content.length) as progress,
    ):
        while piece := content.read(BATCH_BYTES):
            target.write(piece)
            progress(len(piece))


def _show(content: DecryptedContent, target: BinaryIO, *, terminal: bool) -> None:
    """Copy to standard output. A terminal gets text only, without what could command it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while piece := content.read(BATCH_BYTES):
        if not terminal:
            target.write(piece)
        elif b"\0" in piece:
            raise RefusedError("The content is not text; save it with -o OUT where you have EXPORT.")
        else:
            target.write(_harmless(decoder.decode(piece)))
    target.write(_harmless(decoder.decode(b"", final=True)))
    target.flush()


def _harmless(text: str) -> bytes:
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text).encode()


def _tell_opened(
    opened: OpenedLicense, pfile: PFile, length: int, output: Path | None, as_json: bool, moment: dt.datetime
) -> None:
    if as_json:
        print_json(
            {
                "rights": list(opened.allowed(moment)),
                "offline": opened.offline,
                "bytes": length,
                "extension": pfile.extension,
                "saved": str(output) if output else None,
            }
        )
    elif output:
        click.echo(f"{output}: saved without protection.")


@click.command()
@file_argument
@json_option
@example("rmsclient info report.ptxt")
def info(file: Path, as_json: bool) -> None:
    """Tell about a protected file: who issued its licence, its chain, and who would be asked to open it.

    Needs no connection; says more where this client is set up. Rights stand encrypted to the server, so
    they are shown only in your own files.
    """
    store = open_store()
    profile = account.load_profile(store, now()) if store.is_set_up else None
    with file.open("rb") as stream:
        pfile = read_pfile(stream)
    if profile is None:
        report = inspect_file(pfile)
    else:
        settings = profile.settings
        report = inspect_file(pfile, settings.trust, profile.account, settings.locations.licensing)
    if as_json:
        print_json(report.to_json())
    else:
        _tell_report(file, report)


def _tell_report(file: Path, report: FileReport) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    facts = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _facts(file, report):
        # Text, not markup: what stands in a file must not be taken for formatting.
        facts.add_row(f"{name}:" if name else "", Text(_plain(value)))
    console.print(facts)
    chain = Table("document", "issuer", "signature", "link", "trust", title="Licence and chain", title_justify="left")
    for v in report.chain:
        chain.add_row(*(Text(_plain(cell)) for cell in (v.kind, v.issuer, v.signature, v.link, v.trust)))
    console.print(chain)


def _facts(file: Path, report: FileReport) -> list[tuple[str, str]]:
    size = "unknown" if report.original_bytes is None else f"{report.original_bytes:,} bytes"
    rights = (
        ["encrypted to the server"]
        if report.rights is None
        else [f"{g.who}: {', '.join(g.rights)}" + (f" until {g.until}" if g.until else "") for g in report.rights]
    )
    urls = [f"{name}: {url}" for name, url in report.licensing_urls.items()]
    rows = [
        ("file", f"{file.name} ({report.format}, extension {report.extension or 'none'}, {size})"),
        ("licence", f"published {report.published} by {report.issuer}, {report.issued} UTC"),
        *([("valid until", f"{report.valid_until} UTC")] if report.valid_until else []),
        ("owner", report.owner or "not named"),
        *([("policy", "; ".join(report.policy_names))] if report.policy_names else []),
        ("server", report.server),
        *(("", url) for url in urls),
    ]
    rows += [("rights" if n == 0 else "", line) for n, line in enumerate(rights)]
    rows += [("to open" if n == 0 else "", line) for n, line in enumerate(report.requests)]
    return rows


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)[:500]
