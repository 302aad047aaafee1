"""Trusted publishing domains: another cluster's chain, key and templates, imported beside the own ones or adopted.

Imported: this cluster opens that cluster's documents and evaluates its templates, and issues licences with its own key
(rulings 2, 3). Adopted: its chain and key become the own ones, which is how an existing cluster moves here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlsplit

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.foreign_chains import name_of, read_server_chain
from rmsserver.operations.admin.publishing_domain_file import PublishingDomain
from rmsserver.state import Licensor, ServerState, TrustedLicensingServer
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import split_documents
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.template import RightsTemplate

_WHAT = "the trusted publishing domain file"


@dataclass(frozen=True)
class CheckedDomain:
    """A file's content after all checks. `left_out` counts templates that cannot be used."""

    name: str
    licensor: Licensor
    templates: tuple[RightsTemplate, ...]
    left_out: int = 0

    @property
    def server(self) -> TrustedLicensingServer:
        return TrustedLicensingServer(self.licensor, {template.guid: template for template in self.templates})


@dataclass(frozen=True)
class Note:
    """Something that the file does not bring: what it means, and what to do about it."""

    what: str
    remedy: str


def check_domain(found: PublishingDomain) -> CheckedDomain:
    """The chain closes, the key is the SLC's, templates are signed by it. Raises OperatorError."""
    texts = tuple(_document(text) for text in found.chain)
    chain = read_server_chain(texts, _WHAT)
    slc = chain[0]
    if found.key.public != slc.principal.public_key:
        raise OperatorError(
            f"the private key in {_WHAT.removeprefix('the ')} is not that of its certificate: export it again"
        )
    templates = {t.guid: t for t in (_template(text, slc) for text in found.templates) if t is not None}
    return CheckedDomain(
        name_of(slc), Licensor(slc, texts, found.key), tuple(templates.values()), len(found.templates) - len(templates)
    )


def check_import(domain: CheckedDomain, state: ServerState) -> None:
    """The key is not one that is here already, and of a mode that can be served. Raises OperatorError."""
    key = domain.licensor.key.public
    if key in {own.key.public for own in (state.licensor, *state.former_licensors)}:
        raise OperatorError("this domain's key is one of this cluster's own: its documents open here already")
    if any(key == other.licensor.key.public for other in state.trusted_licensing_servers):
        raise OperatorError(
            "this domain is imported already: see `rmsserver tpd list`; remove it first to renew its templates"
        )
    _check_mode(domain, state, "import the domain")


def check_adoption(domain: CheckedDomain, state: ServerState, now: dt.datetime) -> None:
    """Raises OperatorError, also where the certificate may not issue now: the cluster could do nothing any more (K4)."""
    if domain.licensor.key.public == state.licensor.key.public and not missing_templates(domain, state):
        raise OperatorError("this cluster has this key already: there is nothing to adopt")
    if state.is_licensing_only:
        raise OperatorError("a licensing-only cluster has its certificate from its root cluster: adopt the file there")
    if domain.licensor.mode is CryptoMode.MODE_1 and state.cryptographic_mode is CryptoMode.MODE_2:
        raise OperatorError(
            "the domain is of cryptographic mode 1 and this cluster of mode 2, which cannot go back: make a cluster with "
            "`rmsserver init --crypto-mode 1`, adopt the file there, then run `rmsserver key upgrade-mode`"
        )
    # The machine issuer stays ours, in its mode: no machine could be set up any more.
    _check_mode(domain, state, "adopt it")
    slc = domain.licensor.certificate
    start, end = slc.issuance
    if not max(start, slc.issued_time) <= now < end:
        raise OperatorError(
            f"the domain's certificate issues from {max(start, slc.issued_time):%Y-%m-%d} until {end:%Y-%m-%d}, so this "
            "cluster could issue nothing with it: run `rmsserver tpd import`, and its documents open with our own key"
        )


def missing_templates(domain: CheckedDomain, state: ServerState) -> tuple[RightsTemplate, ...]:
    """Templates of the file that this cluster does not have, published or archived."""
    return tuple(template for template in domain.templates if state.template(template.guid) is None)


def adoption_notes(domain: CheckedDomain, state: ServerState, now: dt.datetime) -> tuple[Note, ...]:
    """What a taken over domain cannot bring, and what to do about each (wire facts 11)."""
    return (
        _user_keys(),
        *_host_names(domain, state),
        *_expired_authorities(domain, now),
        *_templates_left(domain, state),
        Note(
            "The clients' publishing certificates (CLCs) that the old cluster issued are not known here.",
            "Documents that come with their certificates are recognised by them. Keep serveUnknownLicensors on for the rest; "
            "the audit names each.",
        ),
        Note(
            "Accounts, groups, exclusions, super users, trusted user domains and other settings are not in the file.",
            "Connect this cluster to the same directory as the old one, so that SIDs and addresses stay; set the policies "
            "with `rmsserver config`, `rmsserver tud` and `rmsserver template`.",
        ),
        Note(
            "Machines that were set up with rmsclient before trust the certificate that this cluster had.",
            "Run `rmsclient bootstrap` on them again. Their documents open as before: the former key is kept.",
        ),
    )


def _user_keys() -> Note:
    return Note(
        "The key pairs in users' account certificates stay in the old cluster's database: each user gets a new one with the "
        "next certification, and use licences that were kept on a machine for work offline stop opening then.",
        "Tell users to open such documents once while online. Nothing is lost: new licences come from here.",
    )


def _host_names(domain: CheckedDomain, state: ServerState) -> tuple[Note, ...]:
    own = {_host(state.base_url), _host(state.licensing_url), _host(state.external_licensing_url)}
    old = {_host(address) for address in _addresses(domain)} - own - {""}
    if not old:
        return ()
    names = ", ".join(sorted(old))
    return (
        Note(
            f"Old documents and certificates name these hosts for ever: {names}. Clients ask there, not at {state.base_url}.",
            f"Let {names} resolve to this cluster, with a TLS certificate that has the names too; keep them for as long as "
            "anybody opens those documents.",
        ),
    )


def _expired_authorities(domain: CheckedDomain, now: dt.datetime) -> tuple[Note, ...]:
    above = [IssuingCertificate.read(text) for text in domain.licensor.chain[1:]]
    over = [certificate for certificate in above if certificate.issuance.end <= now]
    if not over:
        return ()
    names = "; ".join(f"{name_of(c)} (until {c.issuance.end:%Y-%m-%d})" for c in over)
    return (
        Note(
            f"Authorities above the certificate no longer issue: {names}.",
            "Leave them as they are. Clients compare their ranges with the time at which the next certificate was "
            "issued, not with today; `rmsserver key renew` and `rollover` are not for this chain.",
        ),
    )


def _templates_left(domain: CheckedDomain, state: ServerState) -> tuple[Note, ...]:
    notes = []
    if domain.left_out:
        notes.append(
            Note(
                f"{domain.left_out} templates of the file are not signed by its certificate, or cannot be read.",
                "Documents under them open by what they carry themselves. Make them anew with `rmsserver template`.",
            )
        )
    here = {template.guid: state.template(template.guid) for template in domain.templates}
    kept = [str(template.guid) for template in domain.templates if _is_another(template, here[template.guid])]
    if kept:
        notes.append(
            Note(
                f"These templates are here already and say something else; ours stay: {', '.join(kept)}.",
                "Compare them with the old cluster's, and change ours with `rmsserver template edit` where it was right.",
            )
        )
    return tuple(notes)


def _is_another(theirs: RightsTemplate, ours: RightsTemplate | None) -> bool:
    """Another text, but for who signed it when."""
    if ours is None:
        return False
    signed = ("ISSUER", "ISSUEDTIME")
    one, other = (
        [element.surface for element in template.body.children if element.tag not in signed]
        for template in (theirs, ours)
    )
    return one != other


def _check_mode(domain: CheckedDomain, state: ServerState, what: str) -> None:
    if domain.licensor.mode is CryptoMode.MODE_2 and state.cryptographic_mode is CryptoMode.MODE_1:
        raise OperatorError(
            "the domain is of cryptographic mode 2, whose documents a mode 1 cluster may not serve: run "
            f"`rmsserver key upgrade-mode` first, then {what}"
        )


def _document(text: str) -> str:
    """One document; a declaration before it is the serialiser's. Raises OperatorError."""
    try:
        documents = split_documents(text)
    except XrmlError:
        documents = []
    if len(documents) != 1:
        raise OperatorError(f"{_WHAT} holds something else than a certificate in its chain")
    return documents[0]


def _template(text: str, slc: IssuingCertificate) -> RightsTemplate | None:
    try:
        template = RightsTemplate.read(split_documents(text)[0])
        template.verify(slc.principal.public_key)
    except XrmlError:
        return None
    return template


def _addresses(domain: CheckedDomain) -> list[str]:
    """Every URL that the domain's certificate and templates name. They are shown, never connected to (threat N1)."""
    found = [domain.licensor.certificate.principal.object.address("URL") or ""]
    for template in domain.templates:
        found += [point.address("URL") or "" for point in template.distribution_points()]
    return found


def _host(url: str | None) -> str:
    """The host of a web address in small letters, with its port where that is not the scheme's; "" for everything else."""
    try:
        parts = urlsplit((url or "").strip())
        port = parts.port
    except ValueError:
        return ""
    host, scheme = (parts.hostname or "").lower(), parts.scheme.lower()
    if scheme not in ("http", "https") or not host.isprintable():
        return ""
    return host if port in (None, 443 if scheme == "https" else 80) else f"{host}:{port}"
