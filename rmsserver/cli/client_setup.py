"""`rmsclient bootstrap` and `rmsclient templates`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from rmsserver.cli.client_discovery import Domain, discover_url, discovery_options
from rmsserver.cli.client_session import (
    auth_option,
    connect,
    connection_options,
    now,
    open_store,
    password_option,
    read_password,
    user_or_ticket_holder,
)
from rmsserver.cli.program import example, json_option, print_json
from rmsserver.client import account
from rmsserver.client.bundle import ClientBundle
from rmsserver.client.machine import Machine, request_machine, sign_machine
from rmsserver.client.services import ClusterServices, base_url_of
from rmsserver.client.sign_on import Credentials, Method
from rmsserver.client.store import Settings
from rmsserver.client.transport import HttpConnection
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import format_time


@click.command()
@click.option(
    "--url",
    help="The server: https://rms.example.com or https://rms.example.com/_wmcs. Default: whom the domain's directory names.",
)
@click.option("--user", help="Your account: name, DOMAIN\\name or name@realm. Not needed with Kerberos tickets.")
@click.option(
    "--bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A client bundle from your administrator: this machine then signs its own certificate.",
)
@discovery_options
@connection_options
@auth_option
@password_option
@json_option
@example("rmsclient bootstrap --url https://rms.example.com --user author@example.com")
def bootstrap(
    url: str | None,
    user: str | None,
    bundle: Path | None,
    domain: str | None,
    controllers: tuple[str, ...],
    ca_file: Path | None,
    allow_http: bool,
    method: str,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Set this machine up for your account: certificates, keys, templates. Run it again to renew them.

    The server's root key is remembered now; whatever does not chain to it is refused later. Without a
    bundle it comes over this connection, so compare its fingerprint with your administrator's. Without --url
    the directory of your domain is asked where the server is; sign-on then goes to whom it names.
    """
    store, moment, auth = open_store(), now(), Method(method)
    if url is not None:
        HttpConnection(allow_http=allow_http).check_address(base_url_of(url))  # before the password is asked for
    store.prepare()
    secret = ClientBundle.unpack(bundle.read_bytes()) if bundle else None
    who = user_or_ticket_holder(user, auth)
    credentials = Credentials(who, lambda: read_password(password_file, who), auth)
    base_url = base_url_of(url or discover_url(Domain(domain, controllers), credentials, ca_file))
    connection = HttpConnection(credentials, ca_file=ca_file, allow_http=allow_http)
    services = ClusterServices.find(connection, base_url)

    def make_machine(mode: CryptoMode) -> Machine:
        # Where accounts are certified: a licensing-only cluster sends us to its root for both.
        certifying = base_url_of(services.locations.certification[0])
        return sign_machine(secret, mode, moment) if secret else request_machine(connection, certifying, mode)

    def settings_for(trust: ClusterTrust) -> Settings:
        ca = str(ca_file) if ca_file else None
        return Settings(base_url, who, services.locations, trust, ca, allow_http, auth)

    root = secret.root if secret else None
    profile = account.bootstrap(store, services, make_machine, settings_for, moment, root=root)
    _tell_profile(profile, str(store.folder), as_json)


def _tell_profile(profile: account.Profile, folder: str, as_json: bool) -> None:
    rac, trust = profile.account.rac, profile.settings.trust
    value = {
        "email": profile.account.email,
        "account": rac.account[1],
        "server": rac.issuer.object.name or rac.issuer.object.id,
        "mode": trust.mode.value,
        "valid_until": format_time(rac.validity.end) if rac.validity else None,
        "root_fingerprint": trust.root.id.hex(),
        "store": folder,
    }
    if as_json:
        print_json(value)
        return
    # A cluster without a name has a GUID, which tells a person nothing.
    server = rac.issuer.object.name or profile.settings.base_url
    click.echo(f"Set up for {value['email']} at {server}, valid until {value['valid_until']} UTC.")
    click.echo(f"Root key fingerprint: {value['root_fingerprint']}")
    click.echo(f"Keys and certificates: {folder} (private; not encrypted, so keep others out of it)")


@click.command()
@click.option("--offline", is_flag=True, help="Show what was fetched last, and ask nobody.")
@password_option
@json_option
@example("rmsclient templates")
def templates(offline: bool, password_file: Path | None, as_json: bool) -> None:
    """Fetch and list the rights policy templates of your organisation."""
    store = open_store()
    settings = store.settings
    if offline:
        found = account.stored_templates(store, settings.trust)
    else:
        found = dict(account.refresh_templates(store, connect(settings, password_file), settings.trust))
    if as_json:
        print_json([_template_json(template) for template in found.values()])
    else:
        _tell_templates(found.values())


def _template_json(template: RightsTemplate) -> dict[str, object]:
    names = [{"lcid": n.lcid, "name": n.name, "description": n.description} for n in template.names]
    return {"id": template.guid, "names": names, "issued": format_time(template.issued_time)}


def _tell_templates(found: Iterable[RightsTemplate]) -> None:
    named = [(template.guid, name) for template in found for name in template.names[:1]]
    lines = [f"{guid}  {name.name}" + (f": {name.description}" if name.description else "") for guid, name in named]
    click.echo("\n".join(lines) if lines else "The server has no templates.")
