"""The exchanges of `fixtures/exchanges`: one request and answer of every operation, byte for byte.

Keys and documents are the recorded ones of `fixtures/keys` and `fixtures/xrml`; clock, GUIDs and session keys are fixed.
The random padding of RSA encryption, which the engine leaves to `cryptography`, is replaced by a fixed one here, so that
whole answers, signatures included, can be compared. PKCS#1 v1.5 signatures are deterministic anyway.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.ports import Ports, Randomness
from rmsserver.state import Licensor, ServerState
from rmsserver.stores.memory import MemorySecrets, memory_ports
from rmsserver.xrml import license as publishing
from rmsserver.xrml import rights
from rmsserver.xrml.clc import acquisition_points_xml
from rmsserver.xrml.enabling_bits import RESERVED_CBC_4K, ContentKey
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from rmsserver.xrml.rights import Grantee, Right
from rmsserver.xrml.template import RightsTemplate
from tests.cluster import Cluster, Hierarchy
from tests.http_server import Response
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.xrml.hierarchy import AUTHOR, NOW, SESSION_KEY, guid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FOLDER = FIXTURES / "exchanges"
EMAILS = {AUTHOR: "S-1-5-21-1-2-3-1118", "reader@example.com": "S-1-5-21-1-2-3-1119"}
_DATE = re.compile(rb"(?im)^Date: [^\r]*\r\n")
_NAMES = tuple(calls.SERVICES)


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One recorded exchange; `name` is that of its two files without their endings."""

    name: str
    mode: CryptoMode

    @property
    def request(self) -> bytes:
        return (FOLDER / f"{self.name}.request").read_bytes()

    @property
    def answer(self) -> bytes:
        return (FOLDER / f"{self.name}.answer").read_bytes()

    def write(self, request: bytes, answer: bytes) -> None:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{self.name}.request").write_bytes(request)
        (FOLDER / f"{self.name}.answer").write_bytes(answer)


def key(mode: CryptoMode, role: str) -> PrivateKey:
    return PrivateKey.from_der((FIXTURES / "keys" / f"mode{mode.value}-{role}.der").read_bytes())


def document(mode: CryptoMode, kind: str) -> str:
    return (FIXTURES / "xrml" / f"mode{mode.value}-{kind}.xml").read_bytes().decode()


# --- the server --------------------------------------------------------------------------------------------------------


def cluster(mode: CryptoMode) -> Cluster:
    """The recorded cluster: its SLC, SPC issuer and template."""
    ca = document(mode, "ca")
    server = Licensor(IssuingCertificate.read(document(mode, "slc")), (document(mode, "slc"), ca), key(mode, "slc"))
    issuer = Licensor(
        IssuingCertificate.read(document(mode, "spc-issuer")),
        (document(mode, "spc-issuer"), ca),
        key(mode, "spc-issuer"),
    )
    template = RightsTemplate.read(document(mode, "template"))
    state = ServerState(
        licensor=server,
        base_url="http://rms.example.com/_wmcs",
        external_licensing_url="http://extranet.example.com/_wmcs/licensing",
        name="EXAMPLE",
        cryptographic_mode=mode,
        machine_issuer=issuer,
        trusted_rac_issuers={server.key.public.id: server.key.public},
        trusted_machine_issuers={issuer.key.public.id: issuer.key.public},
        published_templates={template.guid: template},
    )
    root = key(mode, "root")
    return Cluster(mode, Hierarchy(server, root), Hierarchy(issuer, root), state, EMAILS)


def ports(mode: CryptoMode, ready_key: PrivateKey) -> Ports:
    """Ports whose key pool hands out a recorded key, whose session keys are all the same and whose GUIDs are counted."""
    directory = MemoryDirectory("EXAMPLE", domain_sid="S-1-5-21-1-2-3")
    for email, sid in EMAILS.items():
        directory.add_user(email.partition("@")[0], email, sid=sid)
    guids = (guid(f"exchange {number}") for number in itertools.count())
    made = memory_ports(directory, ready_keys=[ready_key])
    fixed = Randomness(lambda count: hashlib.sha512(b"exchange").digest()[:count], lambda: next(guids))
    return dataclasses.replace(made, secrets=MemorySecrets(bytes(32)), random=fixed)


@contextlib.contextmanager
def serving(exchange: Exchange) -> Iterator[RealServer]:
    """A server that answers one exchange."""
    ready_key = key(exchange.mode, "account" if exchange.name.endswith("Certify") else "licensor")
    server = RealServer(cluster(exchange.mode), ports(exchange.mode, ready_key))
    server.now = NOW
    try:
        with fixed_padding():
            yield server
    finally:
        server.http.stop()


@contextlib.contextmanager
def fixed_padding() -> Iterator[None]:
    """RSA encryption without randomness, in this process, for as long as this lasts."""
    with patch.object(PublicKey, "encrypt", _encrypt):
        yield


def _encrypt(self: PublicKey, data: bytes, mode: CryptoMode) -> bytes:
    size = self.bits // 8
    padded = _pkcs1(data, size) if mode is CryptoMode.MODE_1 else _oaep(data, size)
    return pow(int.from_bytes(padded), 65537, self.modulus).to_bytes(size)


def _pkcs1(data: bytes, size: int) -> bytes:
    """[RFC8017] 7.2.1, with 0x55 as padding."""
    return b"\0\2" + b"\x55" * (size - 3 - len(data)) + b"\0" + data


def _oaep(data: bytes, size: int) -> bytes:
    """[RFC8017] 7.1.1 with SHA-1 and an empty label, with twenty times 0x55 as seed."""
    seed = b"\x55" * 20
    block = hashlib.sha1(b"").digest() + bytes(size - 2 * 20 - 2 - len(data)) + b"\1" + data
    masked = _xor(block, _mask(seed, len(block)))
    return b"\0" + _xor(seed, _mask(masked, 20)) + masked


def _mask(seed: bytes, size: int) -> bytes:
    blocks = (hashlib.sha1(seed + counter.to_bytes(4)).digest() for counter in range(size // 20 + 1))
    return b"".join(blocks)[:size]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def spoken(answer: Response) -> bytes:
    """An answer as it is recorded: status, headers in order without Date, body."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in answer.all_headers if name != "date")
    return f"{answer.status}\r\n{headers}\r\n".encode() + answer.body


# --- the requests ------------------------------------------------------------------------------------------------------


def unsigned_license(mode: CryptoMode) -> str:
    """What a client sends to be signed."""
    content = ContentKey.build(bytes(range(32)), RESERVED_CBC_4K)
    return publishing.write_publishing_license(
        descriptor="",
        issuer_inner="",
        server=cluster(mode).state.licensor.certificate.principal,
        payload=content.payload,
        session_key=SESSION_KEY,
        acquisition_points=acquisition_points_xml("http://rms.example.com/_wmcs/licensing", None),
        referral=rights.referral_xml(AUTHOR, f"mailto:{AUTHOR}"),
        work=f'<OBJECT><ID type="MS-GUID">{guid("work").braced}</ID></OBJECT>' + rights.owner_metadata_xml(AUTHOR),
        encrypted_rights=content.encrypt_text(
            rights.write_rights_data(
                work_id=guid("work"),
                owner_email=AUTHOR,
                rights=[Right.of("VIEW", Grantee("Unspecified", "", "reader@example.com"))],
                issued=NOW,
            )
        ),
        issued=NOW,
        mode=mode,
        signing_key=None,
    )


def parameters(operation: str, mode: CryptoMode) -> str:
    """What the recorded request of an operation asks."""
    rac = (document(mode, "rac"), document(mode, "slc"), document(mode, "ca"))
    license_ = (document(mode, "pl"), document(mode, "clc"))
    refused = (document(mode, "pl").replace("<ISSUEDTIME>2026", "<ISSUEDTIME>2025", 1),)
    services = ("LicensingService", "CertificationService", "CertificationInternalService", "ServerService")
    return {
        "Certify": calls.certify((document(mode, "spc"), document(mode, "spc-issuer"), document(mode, "ca"))),
        "AcquireLicense": calls.acquire_license((rac, license_), (rac, refused)),
        "AcquireIssuanceLicense": calls.acquire_issuance_license(unsigned_license(mode)),
        "GetClientLicensorCert": calls.get_client_licensor_cert(rac),
        "FindServiceLocationsForUser": calls.find_service_locations(*services),
        "FindServiceLocations": calls.find_service_locations(*services),
        "GetServerInfo": calls.get_server_info(
            "VersionInfo", "ServerFeatureInfo", "ServerLicensorCertificate", "ServiceLocations"
        ),
        "AcquireTemplates": calls.acquire_templates(guid("template").braced, guid("none").braced),
    }.get(operation, "")


def request(exchange: Exchange) -> bytes:
    """The request of a new recording."""
    operation = exchange.name.rpartition("-")[2]
    fault = "fault" in exchange.name
    version = "1.1.0.0" if operation == "AcquireLicense" else "1.0.0.0"
    return calls.call(
        operation,
        "" if fault else parameters(operation, exchange.mode),
        version="9.0.0.0" if fault else version,
        soap12="soap12" in exchange.name,
    )


EXCHANGES = (
    *(Exchange(f"mode{mode.value}-{name}", mode) for mode in CryptoMode for name in _NAMES),
    *(Exchange(f"mode2-soap12-{name}", CryptoMode.MODE_2) for name in ("Certify", "AcquireLicense")),
    Exchange("mode2-fault-AcquireLicense", CryptoMode.MODE_2),
    Exchange("mode2-fault-soap12-AcquireLicense", CryptoMode.MODE_2),
)
