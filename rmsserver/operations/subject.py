"""Whom an account certificate is for, and the account's one key pair ([MS-RMPR] 3.1.1.3.4, [MS-RMSI] 3.3.4.1).

Certify, Precertify and AcquirePreLicense take the key pair from here, so that what is licensed for an account before it
was ever certified opens with the certificate that it gets later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rmsserver.operations.email_address import is_email_address
from rmsserver.operations.rights_evaluation import WINDOWS
from rmsserver.ports import Directory, DirectoryAccount, Ports
from rmsserver.state import ServerState
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.rac import account_object_xml

_SID = re.compile(r"S-1(?:-[0-9]{1,10}){1,15}", re.IGNORECASE)


@dataclass(frozen=True)
class Subject:
    """`key_name` is what the key pair is stored under, the rest stands in OBJECT."""

    key_name: str
    id_type: str
    id: str
    email: str
    aliases: tuple[str, ...] = ()

    @classmethod
    def of(cls, account: DirectoryAccount) -> Subject | None:
        """An account of our directory under its present SID; None where it has no address that may stand in a RAC."""
        email, sid = account.primary_email, account.account.sid
        return None if email is None or not is_email_address(email) else cls(sid, WINDOWS, sid, email)

    @property
    def object_xml(self) -> str:
        return account_object_xml(self.id_type, self.id, self.email, self.aliases)


def is_sid(text: str) -> bool:
    """Is this a security identifier in string form ([MS-DTYP] 2.4.2.1)?"""
    return _SID.fullmatch(text) is not None


def find_account(identity: str, directory: Directory) -> DirectoryAccount | None:
    """The account with this e-mail address or SID; None where there is none, or it is neither. Raises PortUnavailable."""
    if is_sid(identity):
        return directory.by_sid(identity)
    return directory.by_email(identity) if is_email_address(identity) else None


def key_pair(subject: Subject, state: ServerState, ports: Ports) -> PrivateKey:
    """The account's one key pair in the cluster's mode, made where there is none; its licences open on all its machines.

    What is answered is what the store returned, durably stored: of two callers at once both get the first one's.
    """
    bits = state.cryptographic_mode.rsa_bits
    stored = ports.user_keys.get(subject.key_name, bits)
    return stored or ports.user_keys.put_if_absent(subject.key_name, ports.key_pool.take(bits))
