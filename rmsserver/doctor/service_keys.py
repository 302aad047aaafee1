"""The service's keytab against the directory: whose names, which key version, which encryption types.

Kerberos encrypts a ticket for the account that has the service's principal name, with that account's newest key of the
strongest type both sides know. So the name must be on one account, and the keytab must have that key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmsserver.counting import counted
from rmsserver.directory.ldap.filters import equals
from rmsserver.doctor.domain import Domain
from rmsserver.doctor.finding import Finding, failure, ok, warning
from rmsserver.doctor.keytab import ENCRYPTION_TYPES, KeytabEntry, read_keytab

_BITS = {0x10: 18, 0x08: 17, 0x04: 23, 0x02: 3, 0x01: 1}
"""msDS-SupportedEncryptionTypes ([MS-KILE] 2.2.7) to encryption types, strongest first."""
_EXPORT = "export the keytab again (ktpass, msktutil, samba-tool domain exportkeytab)"


@dataclass(frozen=True)
class ServiceAccount:
    """The account that has a service principal name. `key_version` 0 where we may not read it."""

    login: str
    dn: str
    key_version: int
    encryption_bits: int

    @property
    def encryptions(self) -> tuple[int, ...]:
        """As its administrator set them, strongest first; empty where nothing is set."""
        return tuple(number for bit, number in _BITS.items() if self.encryption_bits & bit)


def check_keytab_file(path: Path) -> Iterator[Finding]:
    """It can be read, by us alone."""
    entries = read_keytab(path)
    if path.stat().st_mode & 0o077:
        yield failure("keytab", f"other users can read {path}", f"chmod 600 {path}: it is as good as the password")
    elif not entries:
        yield failure("keytab", f"{path} is empty", _EXPORT)
    else:
        yield ok("keytab", f"{path} has {counted(len(entries), 'key')}")


def check_service_name(name: str, keytab: Path, domain: Domain) -> Iterator[Finding]:
    """One service principal name (`HTTP/host`, no realm): its account, and the keytab's keys for it."""
    found = find_accounts(name, domain)
    if not found:
        yield failure("spn", f"no account has {name}", f"setspn -S {name} ACCOUNT, for the account of the keytab")
    elif len(found) > 1:
        whose = ", ".join(account.dn for account in found)
        yield failure("spn", f"{name} is on several accounts: {whose}", f"setspn -D {name} ACCOUNT on all but one")
    else:
        realm = domain.forest().own_domain.dns_name.upper()
        yield compare(name, realm, found[0], read_keytab(keytab))


def find_accounts(name: str, domain: Domain) -> list[ServiceAccount]:
    attributes = ("sAMAccountName", "msDS-KeyVersionNumber", "msDS-SupportedEncryptionTypes")
    return [
        ServiceAccount(
            row.text("sAMAccountName"),
            row.dn,
            row.number("msDS-KeyVersionNumber"),
            row.number("msDS-SupportedEncryptionTypes"),
        )
        for row in domain.search(equals("servicePrincipalName", name), *attributes)
    ]


def compare(name: str, realm: str, account: ServiceAccount, entries: Sequence[KeytabEntry]) -> Finding:
    """The keytab's keys for a name, against what the directory says of the account."""
    ours = [entry for entry in entries if entry.name.lower() == name.lower()]
    if not ours:
        names = ", ".join(dict.fromkeys(f"{entry.name}@{entry.realm}" for entry in entries)) or "nothing"
        return failure("spn", f"{name} is on {account.login}, and the keytab has keys of {names}", _EXPORT)
    in_realm = [entry for entry in ours if entry.realm == realm]
    if not in_realm:
        return failure("spn", f"the keytab's {name} is of realm {ours[0].realm}, the domain's is {realm}", _EXPORT)
    newest = max(entry.version for entry in in_realm)
    if account.key_version and account.key_version not in {entry.version for entry in in_realm}:
        return failure(
            "spn",
            f"the keytab has version {newest} of {name}, {account.login} has version {account.key_version}",
            f"the password was changed after the export: {_EXPORT}",
        )
    current = [entry for entry in in_realm if entry.version == (account.key_version or newest)]
    return _encryptions(name, account, current)


def _encryptions(name: str, account: ServiceAccount, current: Sequence[KeytabEntry]) -> Finding:
    have = {entry.encryption for entry in current}
    names = ", ".join(dict.fromkeys(entry.encryption_name for entry in current))
    wanted = [number for number in account.encryptions if number not in (1, 3)]
    if wanted and wanted[0] not in have:
        return failure(
            "spn",
            f"tickets for {name} come in {ENCRYPTION_TYPES[wanted[0]]}, the keytab has {names}",
            f"{_EXPORT}, with all types",
        )
    if not wanted and not have & {17, 18}:
        return warning("spn", f"the keytab has only {names} for {name}", "use AES: msDS-SupportedEncryptionTypes = 24")
    if not wanted and 23 not in have:
        return warning(
            "spn",
            f"{account.login} does not say that it knows AES, and the keytab has only {names}",
            "set its msDS-SupportedEncryptionTypes to 24, or controllers may send tickets in rc4-hmac",
        )
    if not account.key_version:
        return warning("spn", f"{name} is on {account.login}; its key version may not be read", "let us read it")
    return ok("spn", f"{name} is on {account.login}, key version {account.key_version}, {names}")
