"""What `rmsserver tud` and `rmsserver tpd` do to a cluster: operations/admin on the stores of a `Home`.

Files change in one step, and running servers are told afterwards. A crash between the two leaves a change that servers
see at their next start, or with the next change.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.key_administration import sign_templates_again
from rmsserver.operations.admin.publishing_domain_file import (
    delayed,
    read_publishing_domain,
    write_publishing_domain,
)
from rmsserver.operations.admin.signed_exports import ManagementIdentity, make_management_identity
from rmsserver.operations.admin.trusted_publishing_domains import (
    CheckedDomain,
    Note,
    adoption_notes,
    check_adoption,
    check_domain,
    check_import,
    missing_templates,
)
from rmsserver.operations.admin.trusted_user_domains import (
    OfferedUserDomain,
    check_foreign,
    export_bare_chain,
    export_user_domain,
    read_user_domain,
)
from rmsserver.state import TrustedUserDomain
from rmsserver.stores.certificates import StoredPublishingDomain
from rmsserver.stores.memory import system_randomness
from rmsserver.stores.sql.trusted_user_domains import StoredUserDomain
from rmsserver.xrml.values import Guid

MIN_PASSWORD = 12


# --- trusted user domains ----------------------------------------------------------------------------------------------


def management_identity(home: Home, now: dt.datetime) -> ManagementIdentity:
    """The cluster's management certificate and key; made here where there is none yet."""
    found = home.certificates.management_identity()
    if found is not None:
        return ManagementIdentity(*found)
    made = make_management_identity(f"cluster {home.state.licensor.certificate.principal.object.id}", now)
    home.certificates.add_management_identity(made.certificate, made.key)
    return made


def export_tud(home: Home, now: dt.datetime, *, bare: bool) -> tuple[bytes, str]:
    """The file for other clusters, and the fingerprint that its importer asks for."""
    if bare:
        return export_bare_chain(home.state.licensor), home.state.licensor.key.public.id.hex()
    identity = management_identity(home, now)
    return export_user_domain(home.state, identity, now), identity.fingerprint


def import_tud(
    home: Home,
    data: bytes,
    conditions: Callable[[OfferedUserDomain], TrustedUserDomain],
    now: dt.datetime,
    *,
    replacing: Guid | None = None,
) -> StoredUserDomain:
    """Trust the cluster of a file, in the place of an earlier one where that is named.

    `conditions` is asked once the file is checked; it compares the fingerprint with what the operator knows and raises
    OperatorError where it is another.
    """
    offered = read_user_domain(data)
    check_foreign(offered, home.state)
    domain = conditions(offered)
    stored = StoredUserDomain(
        system_randomness().guid(), domain, offered.fingerprint if offered.signed else None, now, offered.chains
    )
    home.configuration.add_user_domain(stored, replacing=replacing)
    return stored


# --- trusted publishing domains ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ImportedDomain:
    stored: StoredPublishingDomain
    left_out: int
    """Templates of the file that cannot be used."""


def open_tpd(data: bytes, password: str, pause: Callable[[float], None]) -> CheckedDomain:
    """A file's content, checked. Wrong passwords are told after a pause. Raises OperatorError."""
    return check_domain(delayed(lambda: read_publishing_domain(data, password), pause))


def export_tpd(home: Home, password: str) -> bytes:
    """The own chain, key and templates in the product's format. Raises OperatorError."""
    check_password(password)
    state = home.state
    licensor = state.licensor
    templates = [
        template.text
        for template in (*state.published_templates.values(), *state.archived_templates.values())
        if template.issuer.public_key == licensor.key.public
    ]
    key_id = licensor.certificate.principal.object.guid.braced
    return write_publishing_domain(licensor.chain, templates, licensor.key, key_id, password)


def import_tpd(home: Home, domain: CheckedDomain, name: str | None, now: dt.datetime) -> ImportedDomain:
    """Serve the documents of another cluster beside the own ones. Raises OperatorError."""
    check_import(domain, home.state)
    stored = StoredPublishingDomain(
        system_randomness().guid(), name or domain.name, now, domain.licensor, domain.templates
    )
    home.certificates.add_publishing_domain(stored)
    home.configuration.touch()
    return ImportedDomain(stored, domain.left_out)


def remove_tpd(home: Home, domain: Guid) -> None:
    home.certificates.remove_publishing_domain(domain)
    home.configuration.touch()


def adoption_report(home: Home, domain: CheckedDomain, now: dt.datetime) -> tuple[Note, ...]:
    """What adopting the domain would not bring; nothing is changed. Raises OperatorError where it cannot be adopted."""
    check_adoption(domain, home.state, now)
    return adoption_notes(domain, home.state, now)


def adopt_tpd(home: Home, domain: CheckedDomain, now: dt.datetime) -> tuple[Note, ...]:
    """Make the domain's chain and key the cluster's own. Raises OperatorError; the notes say what is not brought."""
    before, notes = home.state, adoption_report(home, domain, now)
    if domain.licensor.key.public != before.licensor.key.public:
        home.certificates.install_licensor(domain.licensor.chain, domain.licensor.key)
        home.configuration.touch()
    for template in missing_templates(domain, before):
        home.configuration.put_template(template.text, now)
    sign_templates_again(home, now)
    return notes


def check_password(password: str) -> None:
    """For files that hold keys. Raises OperatorError."""
    if len(password) < MIN_PASSWORD:
        raise OperatorError(f"the password protects the cluster's private key: at least {MIN_PASSWORD} characters")
