"""Revocation lists: fetching the one that a use licence depends on, and what it names ([XRML] 3.17, [MS-RMPR] 2.2.9.9.10).

Rules of this module:
1. A list is fetched from the cluster's own addresses alone, without sign-on. Its URL comes out of a document, and an author
   can put one into a publishing licence: a file must not be able to have this machine call anywhere (threat N1). A list that
   somebody else serves is named by the person, as a file.
2. It counts when the key that the use licence names has signed it, and when it is no older than REFRESH allows. There is none
   on the disk: who opens a file asks the cluster anyway.
3. Whatever it names of the licence, the publishing licence, the account, what stands above them, or the content is enough
   to be refused. What cannot be looked at is refused too.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from rmsserver.client.account import Account
from rmsserver.client.consume import CLOCK_TOLERANCE, Licenses, OpenedLicense
from rmsserver.client.errors import RefusedError
from rmsserver.client.transport import HttpConnection
from rmsserver.xrml.document import Document
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.principal import Principal
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.revocation import RevocationList, RevocationPoint, RevokedBy
from rmsserver.xrml.use_license import UseLicense
from rmsserver.xrml.values import fold

LIST_LIMIT_BYTES = 4 * 1024 * 1024
_PORTS = {"http": 80, "https": 443}


def check_not_revoked(
    opened: OpenedLicense, licenses: Licenses, account: Account, fetch: Callable[[str], bytes], now: dt.datetime
) -> OpenedLicense:
    """`opened`, known not to be revoked. `fetch` gives the file at a URL, or refuses; nothing is fetched where the licence
    depends on no list. Raises RefusedError and what `fetch` raises.
    """
    conditions = opened.license.body.one("WORK").find("CONDITIONLIST")
    if conditions is None:
        return opened
    try:
        point = RevocationPoint.read(conditions)
    except XrmlError:
        raise RefusedError("The licence depends on revocation lists in a way this client does not know.") from None
    list_ = read_list(fetch(point.url), point, now)
    documents = (opened.license.text, *licenses.issuance_chain, *account.chain)
    if not named_by(list_).isdisjoint(names_of(opened.license, documents)):
        raise RefusedError(
            "The revocation list names this file's licence, its content or its people: it has been revoked."
        )
    return dataclasses.replace(opened, not_revoked=True)


# --- the list -----------------------------------------------------------------------------------------------------------


def read_list(data: bytes, point: RevocationPoint, now: dt.datetime) -> RevocationList:
    """The list, signed by whom `point` says, and young enough. Raises RefusedError."""
    try:
        (text,) = split_documents(decode_documents(data))
        list_ = RevocationList.read(text)
        list_.verify(point.key)
        is_theirs = _plain(list_.issuer.object.id) == _plain(point.id)
    except (XrmlError, ValueError):
        raise RefusedError("The revocation list that the licence depends on is not signed by whom it says.") from None
    if not is_theirs:
        raise RefusedError("The revocation list is of somebody else than the licence says.")
    if not -CLOCK_TOLERANCE <= now - list_.issued_time <= point.interval + CLOCK_TOLERANCE:
        raise RefusedError(
            f"The revocation list is of {list_.issued_time:%Y-%m-%d %H:%M} UTC, and the licence wants a younger one."
        )
    return list_


def named_by(list_: RevocationList) -> set[tuple[RevokedBy, str]]:
    """What the list revokes."""
    return {
        (entry.by, entry.value if entry.by.by_key or entry.by is RevokedBy.LICENSE_HASH else _plain(entry.value))
        for entry in list_.revocations
    }


def names_of(license_: UseLicense, texts: Iterable[str]) -> set[tuple[RevokedBy, str]]:
    """What would revoke the licence: names of its content, and of it and the documents it stands on."""
    work = license_.body.one("WORK").find("OBJECT")
    found = set() if work is None else {(RevokedBy.CONTENT_ID, _plain(work.one("ID").leaf_text()))}
    for text in texts:
        try:
            found |= _names_of(Document.read(text))
        except XrmlError:
            continue  # what is no document has no name
    return found


def _names_of(document: Document) -> set[tuple[RevokedBy, str]]:
    found = {
        (RevokedBy.ISSUER_ID, _plain(document.issuer.object.id)),
        (RevokedBy.ISSUER_KEY, _key(document.issuer.public_key)),
    }
    if document.descriptor is not None:
        found.add((RevokedBy.LICENSE_ID, _plain(document.descriptor.id)))
    if document.signature is not None:
        found.add((RevokedBy.LICENSE_HASH, document.signature.digest_text))
    for principal in _principals(document):
        found.add((RevokedBy.PRINCIPAL_ID, _plain(principal.object.id)))
        if principal.key is not None:
            found.add((RevokedBy.PRINCIPAL_KEY, _key(principal.key)))
    return found


def _principals(document: Document) -> Sequence[Principal]:
    try:
        rac = RightsAccountCertificate.read(document.text)
    except XrmlError:
        return (document.principal,)
    return (rac.principal,) if rac.machine is None else (rac.principal, rac.machine)


def _plain(identity: str) -> str:
    """An ID as it is compared: GUIDs stand with and without braces."""
    return fold(identity.strip()).strip("{}")


def _key(key: PublicKey) -> str:
    return base64.b64encode(key.pkcs1_der).decode()


# --- fetching it --------------------------------------------------------------------------------------------------------


def fetch_from_cluster(connection: HttpConnection, addresses: Iterable[str]) -> Callable[[str], bytes]:
    """For `check_not_revoked`: fetches from the hosts of these addresses. `connection` has no credentials."""
    known = {_origin(address) for address in addresses} - {None}

    def fetch(url: str) -> bytes:
        if _origin(url) not in known:
            raise RefusedError(
                f"The file's revocation list is at {_host(url)}, which is not an address of your cluster; get it from "
                "somebody you trust, and name it with --revocation-list FILE."
            )
        return connection.get(url, limit_bytes=LIST_LIMIT_BYTES).body

    return fetch


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port as they are compared; None where the URL is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme.lower()]
    except (ValueError, KeyError):
        return None
    if parts.username is not None or not parts.hostname or not url.isprintable():
        return None
    return parts.scheme.lower(), parts.hostname.lower(), port


def _host(url: str) -> str:
    try:
        host = urlsplit(url).hostname or "an unknown place"
    except ValueError:
        host = "an unknown place"
    return "".join(c for c in host if c.isprintable())[:200]
