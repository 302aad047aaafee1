"""Trusted user domains at rest: one row for each, with the chains of the clusters that it trusts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from rmsserver.errors import OperatorError
from rmsserver.state import TrustedUserDomain
from rmsserver.stores.sql.tables import trusted_user_domains as table
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.values import Guid


@dataclass(frozen=True)
class StoredUserDomain:
    """A row. `signed_by` is the SHA-256 of the certificate that signed the file, None where nobody had."""

    id: Guid
    domain: TrustedUserDomain
    signed_by: str | None
    imported: dt.datetime
    chains: tuple[tuple[str, ...], ...]

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The SLC keys. Raises OperatorError where a certificate cannot be read."""
        try:
            return tuple(IssuingCertificate.read(chain[0]).principal.public_key for chain in self.chains)
        except (XrmlError, IndexError):
            raise OperatorError(
                f"the trusted user domain {self.id} cannot be read: run `rmsserver tud remove {self.id}`"
            ) from None


def read_user_domains(connection: Connection) -> tuple[StoredUserDomain, ...]:
    """All of them, oldest first."""
    return tuple(
        StoredUserDomain(
            Guid(row.id),
            TrustedUserDomain(
                row.name,
                None if row.all_email_domains else frozenset(row.email_domains),
                row.sids_trusted,
                row.federated_trusted,
            ),
            row.signed_by,
            row.imported,
            tuple(tuple(chain) for chain in row.chains),
        )
        for row in connection.execute(select(table).order_by(table.c.imported, table.c.id))
    )


def add_user_domain(connection: Connection, added: StoredUserDomain) -> None:
    """Raises OperatorError where one of its keys belongs to another trusted user domain already."""
    for other in read_user_domains(connection):
        if _ids(other.keys) & _ids(added.keys):
            raise OperatorError(
                f"this cluster is trusted already as {other.domain.name}: "
                f"add --replace {other.id} to take this file in its place"
            )
    domain = added.domain
    row = {
        "id": str(added.id),
        "name": domain.name,
        "all_email_domains": domain.email_domains is None,
        "email_domains": sorted(domain.email_domains or ()),
        "sids_trusted": domain.sids_trusted,
        "federated_trusted": domain.federated_trusted,
        "signed_by": added.signed_by,
        "imported": added.imported,
        "chains": [list(chain) for chain in added.chains],
    }
    connection.execute(insert(table), row)


def delete_user_domain(connection: Connection, domain: Guid) -> None:
    """Raises OperatorError where there is none."""
    if connection.execute(delete(table).where(table.c.id == str(domain))).rowcount != 1:
        raise OperatorError(f"there is no trusted user domain {domain}: see `rmsserver tud list`")


def _ids(keys: Iterable[PublicKey]) -> set[bytes]:
    return {bytes(key.id) for key in keys}
