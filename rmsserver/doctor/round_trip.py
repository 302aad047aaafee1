"""The whole way as one user: certify, get a licensor certificate, publish a document that grants VIEW, get a use licence.

Inside this process, through the very operations that requests go through, with the cluster's own keys and directory. Machine
and document are made for it, and everything that the operations would write goes to memory: nothing of it stays. Where the
user has a key pair already it is the one used, so that a key that cannot be unwrapped shows.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rmsserver.client.account import Account, Licensor, open_account, open_licensor
from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.errors import ClientError
from rmsserver.client.machine import Machine, hardware_digest
from rmsserver.client.publish import new_content_key
from rmsserver.client.trust import ClusterTrust
from rmsserver.doctor.finding import Finding, failure, ok
from rmsserver.errors import RmsError
from rmsserver.operations.acquire_license import AcquireLicenseItem, AcquireLicenseRequest, acquire_license
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest, get_client_licensor_cert
from rmsserver.operations.machine_certificate import MachineCertificateRequest, issue_machine_certificate
from rmsserver.ports import Directory, Ports, UnwrapError, UserKeys
from rmsserver.state import AuthenticationType, DomainAccount, RequestContext, ServerState
from rmsserver.stores.memory import MemoryUserKeys, memory_ports
from rmsserver.xrml.enabling_bits import ContentKey
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.license import write_publishing_license
from rmsserver.xrml.principal import level_xml, object_xml
from rmsserver.xrml.rights import Grantee, Right, owner_metadata_xml, referral_xml, write_rights_data
from rmsserver.xrml.use_license import UseLicense
from rmsserver.xrml.values import Guid

_NOBODY = "doctor@rmsserver.invalid"
"""Owner of the document, so that the reader's rights come from the grant alone. `.invalid` is nobody's ([RFC2606])."""
_VIEW = "VIEW"


class _BorrowedKeys:
    """The port `UserKeys`: reads what is stored, and keeps what is new to itself."""

    def __init__(self, stored: UserKeys) -> None:
        self._stored = stored
        self._new = MemoryUserKeys()

    def get(self, account: str, bits: int) -> PrivateKey | None:
        return self._stored.get(account, bits) or self._new.get(account, bits)

    def put_if_absent(self, account: str, key: PrivateKey) -> PrivateKey:
        return self._new.put_if_absent(account, key)


@dataclass(frozen=True)
class Traveller:
    """Who goes the way, and on what."""

    account: DomainAccount
    email: str
    state: ServerState
    directory: Directory
    stored_keys: UserKeys
    now: dt.datetime


def check_round_trip(traveller: Traveller, grantee: str) -> Iterator[Finding]:
    """A document granted to `grantee`: the user's own address, or that of a group she is in."""
    trip = _Trip.begin(traveller)
    step = "machine certificate"
    try:
        machine = trip.machine()
        step = "Certify"
        account = trip.certify(machine)
        step = "GetClientLicensorCert"
        licensor = trip.licensor(account)
        step = "publishing"
        content = new_content_key(ContentCipher.CBC4K)
        chain = trip.publish(account, licensor, content, grantee)
        step = "AcquireLicense"
        rights = trip.open(account, chain, content)
    except UnwrapError:
        who = traveller.account.name
        seen = f"the key pair that is stored for {who} cannot be opened"
        yield failure("round trip", seen, "restore the database that belongs to these certificates from a backup")
    except RmsError as error:
        detail = f": {error.detail}" if error.detail else ""
        yield failure(
            "round trip", f"{step} answers {error.short_name}{detail}", "see the operator guide: When something fails"
        )
    except (ClientError, XrmlError) as error:
        yield failure("round trip", f"a client refuses the answer of {step}: {error}", "see the certificates above")
    else:
        names = ", ".join(rights)
        yield ok("round trip", f"{traveller.account.name} certifies, and opens what is granted to {grantee}: {names}")


@dataclass(frozen=True)
class _Trip:
    traveller: Traveller
    ports: Ports
    trust: ClusterTrust

    @classmethod
    def begin(cls, traveller: Traveller) -> _Trip:
        ports = memory_ports(traveller.directory)
        kept = dataclasses.replace(ports, user_keys=_BorrowedKeys(traveller.stored_keys))
        return cls(traveller, kept, ClusterTrust.pin(traveller.state.licensor.chain))

    @property
    def _caller(self) -> RequestContext:
        return RequestContext(AuthenticationType.KERBEROS, self.traveller.account, application="rmsserver doctor")

    @property
    def _where(self) -> tuple[RequestContext, ServerState, Ports, dt.datetime]:
        return self._caller, self.traveller.state, self.ports, self.traveller.now

    def machine(self) -> Machine:
        mode = self.traveller.state.cryptographic_mode
        key = PrivateKey.generate(mode.rsa_bits)
        modulus = key.public.modulus.to_bytes(key.public.bits // 8)
        wanted = MachineCertificateRequest(modulus, hardware_digest(mode), "0.0.0.0")  # noqa: S104 - a version
        return Machine(key, issue_machine_certificate(wanted, *self._where).chain)

    def certify(self, machine: Machine) -> Account:
        result = certify(CertifyRequest(machine.chain, persistent=False), *self._where)
        return open_account(result.chain, machine, self.trust, self.traveller.now)

    def licensor(self, account: Account) -> Licensor:
        result = get_client_licensor_cert(GetClientLicensorCertRequest((account.chain,)), *self._where)
        return open_licensor(result.chains[0], account, self.trust)

    def publish(self, account: Account, licensor: Licensor, content: ContentKey, grantee: str) -> tuple[str, ...]:
        """Offline, as clients do: signed with the key of the CLC."""
        now, work_id, clc = self.traveller.now, Guid(uuid.uuid4()), licensor.clc
        referral = referral_xml(account.email, f"mailto:{account.email}")
        rights = [Right.of(_VIEW, Grantee("Unspecified", "", grantee))]
        rights_data = write_rights_data(
            work_id=work_id, owner_email=_NOBODY, rights=rights, issued=now, referral=referral
        )
        text = write_publishing_license(
            descriptor="",
            issuer_inner=clc.principal.object_and_key_surface + level_xml("SDK", "6.3.0.0"),
            server=clc.issuer,
            payload=content.payload,
            session_key=secrets.token_bytes(16),
            acquisition_points="".join(point.surface for point in clc.body.all("DISTRIBUTIONPOINT")),
            referral=referral,
            work=object_xml("", "MS-GUID", work_id.braced) + owner_metadata_xml(_NOBODY),
            encrypted_rights=content.encrypt_text(rights_data),
            issued=now,
            mode=clc.mode,
            signing_key=licensor.key,
        )
        return (text, *licensor.chain)

    def open(self, account: Account, chain: Sequence[str], content: ContentKey) -> tuple[str, ...]:
        """The rights of the use licence, which holds the document's key. Raises RmsError, ClientError, XrmlError."""
        item = AcquireLicenseItem((account.chain[0],), tuple(chain), None)
        answer = acquire_license(AcquireLicenseRequest((item,)), *self._where).answers[0]
        if isinstance(answer, RmsError):
            raise answer
        license_ = UseLicense.read(answer[0])
        self.trust.close(license_, answer[1:], "The use licence")
        if license_.open_content_key(account.key, secrets.token_bytes(16)).payload != content.payload:
            raise XrmlError("it holds another key than the document's")
        return tuple(right.name for right in license_.rights)
