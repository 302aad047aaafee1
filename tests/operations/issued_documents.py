"""Every kind of document that a cluster issues, made by the operations that issue them, and read by another parser.

The hierarchy is the one that `rmsserver init` makes. What is looked at here is the text as it goes out: nothing of it is read
with the engine that wrote it.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, fromstring

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from rmsserver.operations.acquire_issuance_license import AcquireIssuanceLicenseRequest, acquire_issuance_license
from rmsserver.operations.acquire_license import AcquireLicenseItem, AcquireLicenseRequest, acquire_license
from rmsserver.operations.admin.create_cluster import ClusterDocuments, ClusterKeys, create_cluster
from rmsserver.operations.admin.templates import TemplateDefinition, create_template
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.enroll import CUSTOM, EnrollRequest, RevocationInformation, enroll
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest, get_client_licensor_cert
from rmsserver.operations.machine_certificate import MachineCertificateRequest, issue_machine_certificate
from rmsserver.operations.precertify import PrecertifyItem, PrecertifyRequest, precertify
from rmsserver.operations.revocation_list import own_revocation_point
from rmsserver.operations.sub_enroll import SubEnrollRequest, sub_enroll
from rmsserver.state import AuthenticationType, FederatedAccount, Licensor, RequestContext
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.rights import Right, TimeConditions
from rmsserver.xrml.template import LocalizedName
from rmsserver.xrml.values import TimeRange
from tests.cluster import DAY, INSTALLED, NOW, Cluster, Hierarchy, grantee, key, make_cluster
from tests.operations.enrollees import INFORMATION, encoded, sent_by

AUTHOR = "author@example.com"
READER = "reader@example.com"
GUEST = FederatedAccount("guest@example.net", ("guest@example.org", "visitor@example.net"))
EXTRANET = "https://rms.example.net/_wmcs"
SERVER_CHAIN = ("slc", "enrollment service", "enrollment ca", "ca")
MACHINE_CHAIN = ("spc issuer", "security processor ca", "intermediate ca", "ca")
ISSUING = tuple(dict.fromkeys((*SERVER_CHAIN, *MACHINE_CHAIN)))
KINDS = (
    *ISSUING,
    "enrolled slc",
    "sub-enrolled slc",
    "spc",
    "rac",
    "temporary rac",
    "federated rac",
    "pre-certified rac",
    "clc",
    "pl",
    "ul",
    "template",
)


@dataclass(frozen=True)
class Issued:
    """All kinds, in one mode. `cluster` issued them at NOW, its own hierarchy at INSTALLED."""

    cluster: Cluster
    keys: ClusterKeys
    account: PrivateKey
    """The key pair of the account that Certify took from the pool."""
    machine: PrivateKey
    texts: Mapping[str, str]

    def root(self, kind: str) -> Element:
        return fromstring(self.texts[kind])


def form(element: Element) -> str:
    """Tags, the names of their attributes and their order, without any text: `OBJECT@type(ID@type NAME)`."""
    attributes = "".join(f"@{name}" for name in element.attrib)
    inner = " ".join(form(child) for child in element)
    return f"{element.tag}{attributes}" + (f"({inner})" if inner else "")


def one(element: Element, path: str) -> Element:
    """The only element there."""
    [found] = element.findall(path)
    return found


def text(element: Element, path: str) -> str:
    """What the only element there holds."""
    return one(element, path).text or ""


def modulus(element: Element) -> int:
    """Of a PUBLICKEY, read by hand: little-endian (wire facts 2)."""
    value = text(element, "PARAMETER[@name='modulus']/VALUE")
    return int.from_bytes(base64.b64decode(value, validate=True), "little")


def body(document: str) -> bytes:
    """What is signed: the characters of BODY in UTF-16LE (wire facts 1)."""
    return document[document.index("<BODY") : document.index("</BODY>") + len("</BODY>")].encode("utf-16-le")


def verify(issued: Issued, kind: str, key: Element) -> None:
    """Digest and signature of the document by hand, with a PUBLICKEY. Raises AssertionError, InvalidSignature."""
    root, mode = issued.root(kind), issued.cluster.mode
    new, algorithm = (hashlib.sha1, hashes.SHA1()) if mode is CryptoMode.MODE_1 else (hashlib.sha256, hashes.SHA256())
    data = body(issued.texts[kind])
    assert base64.b64decode(text(root, "SIGNATURE/DIGEST/VALUE")) == new(data).digest()
    public = rsa.RSAPublicNumbers(65537, modulus(key)).public_key()
    value = one(root, "SIGNATURE/VALUE")
    assert value.get("size") == str(public.key_size)
    public.verify(base64.b64decode(value.text or ""), data, padding.PKCS1v15(), algorithm)


@functools.cache
def issued(mode: CryptoMode) -> Issued:
    """One document of each kind of KINDS."""
    cluster, keys, documents = _cluster(mode)
    state, ports = cluster.state, cluster.ports(ready_keys=8)
    caller = cluster.caller(AUTHOR)
    machine = key("issued machine", mode.rsa_bits)
    number = machine.public.modulus.to_bytes(mode.rsa_bits // 8)
    wanted = MachineCertificateRequest(number, bytes(range(mode.hash.digest_size)), "10.0.22631.0")
    machines = issue_machine_certificate(wanted, caller, state, ports, NOW).chain
    rac = certify(CertifyRequest(machines, persistent=True), caller, state, ports, NOW).chain
    temporary = certify(CertifyRequest(machines, persistent=False), caller, state, ports, NOW).chain
    guest = RequestContext(AuthenticationType.FEDERATION, GUEST)
    federated = certify(CertifyRequest(machines, persistent=True), guest, state, ports, NOW).chain
    [clc] = get_client_licensor_cert(GetClientLicensorCertRequest((rac,)), caller, state, ports, NOW).chains
    span = TimeRange(NOW - DAY, NOW + 90 * DAY)
    template = create_template(
        TemplateDefinition(
            (LocalizedName(1033, "Confidential", "For readers"),),
            (Right.of("VIEW", grantee(READER)), Right.of("PRINT", grantee(READER))),
            "mailto:rights@example.com",
            TimeConditions(span),
            revocation=own_revocation_point(state, DAY),
        ),
        state,
        system_randomness(),
        NOW,
    )
    unsigned = cluster.publish(None, [Right.of("VIEW", grantee(READER), TimeConditions(span, 30))])
    reader = certify(CertifyRequest(machines, persistent=True), cluster.caller(READER), state, ports, NOW).chain
    [pl] = acquire_issuance_license(AcquireIssuanceLicenseRequest((unsigned.text,)), caller, state, ports, NOW).chains
    [ul] = acquire_license(
        AcquireLicenseRequest((AcquireLicenseItem(reader, pl, ""),)), caller, state, ports, NOW
    ).answers
    assert isinstance(ul, tuple)
    custom = RevocationInformation(CUSTOM, (encoded(key("revocation authority", 2048)),))
    enrolled = enroll(EnrollRequest(sent_by(cluster), INFORMATION, custom), caller, state, ports, NOW)
    branch = sub_enroll(SubEnrollRequest(sent_by(cluster), INFORMATION), caller, state, ports, NOW)
    texts = {
        **dict(zip(SERVER_CHAIN, documents.licensor_chain, strict=True)),
        **dict(zip(MACHINE_CHAIN, documents.machine_chain, strict=True)),
        "enrolled slc": enrolled[0],
        "sub-enrolled slc": branch[0],
        "spc": machines[0],
        "rac": rac[0],
        "temporary rac": temporary[0],
        "federated rac": federated[0],
        "pre-certified rac": precertify(
            PrecertifyRequest((PrecertifyItem(READER, None),)), caller, state, ports, NOW
        ).certificate,
        "clc": clc[0],
        "pl": pl[0],
        "ul": ul[0],
        "template": template,
    }
    account = ports.user_keys.get(cluster.sid(AUTHOR), mode.rsa_bits)
    assert account is not None
    return Issued(cluster, keys, account, machine, texts)


def _cluster(mode: CryptoMode) -> tuple[Cluster, ClusterKeys, ClusterDocuments]:
    """The cluster of the other tests, but with a hierarchy as `rmsserver init` makes it."""
    plain = make_cluster(mode)
    names = iter(range(100))
    keys = ClusterKeys.make(mode, lambda bits: key(f"issued {next(names)}", bits))
    documents = create_cluster(
        keys,
        guid=system_randomness().guid,
        base_url=plain.state.base_url,
        name=plain.state.name,
        mode=mode,
        now=INSTALLED,
        server_version="6.3.0.0",
        sku="RMS 2.0",
    )
    server = _licensor(documents.licensor_chain, keys.licensor)
    machines = _licensor(documents.machine_chain, keys.machine_issuer)
    state = dataclasses.replace(
        plain.state,
        licensor=server,
        machine_issuer=machines,
        trusted_rac_issuers={keys.licensor.public.id: keys.licensor.public},
        trusted_machine_issuers={keys.machine_issuer.public.id: keys.machine_issuer.public},
        external_certification_url=f"{EXTRANET}/certification",
        external_licensing_url=f"{EXTRANET}/licensing",
        federation_enabled=True,
        enrollment_enabled=True,
        enrollment_service=_licensor(documents.licensor_chain[1:], keys.enrollment_service),
        sub_enrollment_enabled=True,
    )
    cluster = dataclasses.replace(
        plain, state=state, servers=Hierarchy(server, keys.root), machines=Hierarchy(machines, keys.root)
    )
    return cluster, keys, documents


def _licensor(chain: tuple[str, ...], private: PrivateKey) -> Licensor:
    return Licensor(IssuingCertificate.read(chain[0]), chain, private)
