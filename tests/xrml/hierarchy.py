"""A small hierarchy of documents of every kind, and the means to spell one otherwise and sign it again."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields

from rmsserver.xrml import clc, issuing, rac, rights, spc, template, use_license
from rmsserver.xrml import license as publishing
from rmsserver.xrml.document import Document
from rmsserver.xrml.enabling_bits import RESERVED_CBC_4K, ContentKey
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.rights import Grantee, Right, TimeConditions
from rmsserver.xrml.signature import SignatureStyle, sign
from rmsserver.xrml.use_license import UseRight
from rmsserver.xrml.values import Guid, TimeRange

NOW = dt.datetime(2026, 11, 22, 17, 0, tzinfo=dt.UTC)
YEAR = TimeRange(NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=365))
ISSUANCE = TimeRange(NOW - dt.timedelta(days=30), NOW + dt.timedelta(days=9999))
STAND_IN = bytes(range(16))
SESSION_KEY = bytes(range(16, 32))
AUTHOR = "author@example.com"
READER = "reader@example.com"


def guid(name: str) -> Guid:
    """The same GUID for the same name, always."""
    return Guid.parse(str(uuid.uuid5(uuid.NAMESPACE_DNS, name)))


@dataclass(frozen=True)
class Keys:
    """The private keys of one hierarchy; root and CA have 2048 bits in either mode, as the genuine ones."""

    root: PrivateKey
    ca: PrivateKey
    slc: PrivateKey
    spc_issuer: PrivateKey
    machine: PrivateKey
    account: PrivateKey
    licensor: PrivateKey

    @classmethod
    def generate(cls, mode: CryptoMode) -> Keys:
        return cls(
            **{f.name: PrivateKey.generate(2048 if f.name in ("root", "ca") else mode.rsa_bits) for f in fields(cls)}
        )


@dataclass(frozen=True)
class Hierarchy:
    """One document of each kind, as text, and what was sealed into the licences."""

    mode: CryptoMode
    keys: Keys
    content_key: ContentKey
    ca: str
    slc: str
    spc_issuer: str
    spc: str
    rac: str
    clc: str
    rights_data: str
    template: str
    pl: str
    server_pl: str
    ul: str

    @property
    def machine_chain(self) -> list[str]:
        return [self.spc, self.spc_issuer, self.ca]

    def text(self, kind: str) -> str:
        found = getattr(self, kind)
        assert isinstance(found, str)
        return found

    def signer(self, kind: str) -> PrivateKey:
        """The key that signs documents of that kind."""
        return {
            "ca": self.keys.root,
            "slc": self.keys.ca,
            "spc_issuer": self.keys.ca,
            "spc": self.keys.spc_issuer,
            "pl": self.keys.licensor,
        }.get(kind, self.keys.slc)

    def respelled(self, kind: str, old: str, new: str, *, count: int = 1) -> str:
        """The document with `old` in its BODY spelled `new`, genuinely signed again."""
        return resign(self.text(kind), old, new, self.signer(kind), self.mode, count=count)


READERS: dict[str, Callable[[str], Document]] = {
    "ca": IssuingCertificate.read,
    "slc": IssuingCertificate.read,
    "spc_issuer": IssuingCertificate.read,
    "spc": spc.SecurityProcessorCertificate.read,
    "rac": rac.RightsAccountCertificate.read,
    "clc": clc.ClientLicensorCertificate.read,
    "template": template.RightsTemplate.read,
    "pl": publishing.PublishingLicense.read,
    "server_pl": publishing.PublishingLicense.read,
    "ul": use_license.UseLicense.read,
}
"""The reader of every signed kind."""
SIGNED_KINDS = tuple(READERS)


def body_of(text: str) -> str:
    """The surface text of BODY, cut out by hand: the tests' own idea of it."""
    return text[text.index("<BODY") : text.rindex("</BODY>") + len("</BODY>")]


def resign(
    text: str,
    old: str,
    new: str,
    key: PrivateKey,
    mode: CryptoMode,
    *,
    count: int = 1,
    style: SignatureStyle = SignatureStyle.SERVER,
) -> str:
    """`text` with `old` replaced inside BODY and a genuine SIGNATURE over the result."""
    body = body_of(text)
    assert old in body, f"{old} does not stand in the document"
    changed = body.replace(old, new, count)
    return text[: text.index("<BODY")] + changed + sign(changed, key, mode, style) + "</XrML>"


def build(mode: CryptoMode, keys: Keys, content_key: ContentKey | None = None) -> Hierarchy:
    """Every document of a small cluster, issued at NOW; only the padding of sealed keys differs between two calls."""
    content = content_key or ContentKey.build(bytes(range(32)), RESERVED_CBC_4K)
    ca = issuing.write_issuing_certificate(
        kind=IssuingKind.AUTHORITY,
        certificate_id=guid("ca certificate"),
        issuer_inner=issuing.issuer_xml(issuing.authority_object_xml("Example Root"), keys.root.public),
        principal_object=issuing.authority_object_xml("Example CA"),
        principal_key=keys.ca.public,
        issued=NOW,
        issuance=ISSUANCE,
        signing_key=keys.root,
        mode=mode,
    )
    ca_read = IssuingCertificate.read(ca)
    slc = issuing.write_issuing_certificate(
        kind=IssuingKind.SERVER,
        certificate_id=guid("slc certificate"),
        issuer_inner=ca_read.issuer_inner_surface,
        principal_object=issuing.server_object_xml(guid("server"), "Example & Sons", "HTTP://rms.example.com/_wmcs"),
        principal_key=keys.slc.public,
        levels=(("Server-Version", "6.3.0.0"), ("Server-SKU", "RMS 2.0")),
        issued=NOW,
        issuance=ISSUANCE,
        signing_key=keys.ca,
        mode=mode,
    )
    slc_read = IssuingCertificate.read(slc)
    spc_issuer = issuing.write_issuing_certificate(
        kind=IssuingKind.PROCESSOR_ISSUER,
        certificate_id=guid("spc issuer certificate"),
        issuer_inner=ca_read.issuer_inner_surface,
        principal_object=issuing.processor_object_xml(guid("spc issuer"), "Example Activation"),
        principal_key=keys.spc_issuer.public,
        issued=NOW,
        issuance=ISSUANCE,
        signing_key=keys.ca,
        mode=mode,
    )
    machine = spc.write_security_processor_certificate(
        certificate_id=guid("spc"),
        machine_id=guid("machine"),
        machine_key=keys.machine.public,
        hardware_digest=bytes(mode.hash.digest_size),
        issuer_inner=IssuingCertificate.read(spc_issuer).issuer_inner_surface,
        platform="2.6.1.7600",
        manufacturer="Example",
        repository="Example secure repository 6.1.7600.16385",
        activation_url="file:///activate",
        issued=NOW,
        signing_key=keys.spc_issuer,
        mode=mode,
    )
    account = rac.write_rights_account_certificate(
        certificate_id=guid("rac"),
        issuer_inner=slc_read.issuer_inner_surface,
        account_object=rac.account_object_xml("Windows", "S-1-5-21-1-2-3-1118", AUTHOR),
        account_key=keys.account,
        persistent=True,
        validity=YEAR,
        certification_url="http://rms.example.com/_wmcs/certification",
        extranet_url=None,
        machine=spc.SecurityProcessorCertificate.read(machine),
        session_key=SESSION_KEY,
        issued=NOW,
        signing_key=keys.slc,
        mode=mode,
    )
    rac_read = rac.RightsAccountCertificate.read(account)
    licensor = clc.write_client_licensor_certificate(
        certificate_id=guid("clc"),
        issuer_inner=slc_read.issuer_inner_surface,
        account_object=rac_read.principal.object.surface,
        licensor_key=keys.licensor,
        account_key=keys.account.public,
        issuance=YEAR,
        internal_url="http://rms.example.com/_wmcs/licensing",
        external_url="http://extranet.example.com/_wmcs/licensing",
        session_key=SESSION_KEY,
        issued=NOW,
        signing_key=keys.slc,
        mode=mode,
    )
    clc_read = clc.ClientLicensorCertificate.read(licensor)
    referral = rights.referral_xml(AUTHOR, f"mailto:{AUTHOR}")
    rights_data = rights.write_rights_data(
        work_id=guid("work"),
        owner_email=AUTHOR,
        rights=[
            Right.of("OWNER", rights.THE_OWNER),
            Right.of("VIEW", Grantee("Unspecified", "", READER), TimeConditions(YEAR, 30)),
        ],
        issued=NOW,
        referral=referral,
    )
    rights_template = template.write_rights_template(
        template_id=guid("template"),
        names=[template.LocalizedName(1033, "Confidential", "Colleagues may read")],
        issuer_object_and_key=slc_read.principal.object_and_key_surface,
        licensing_url="http://rms.example.com/_wmcs/licensing",
        rights_request_url=f"mailto:{AUTHOR}",
        rights=[Right.of("VIEW", rights.ANYONE)],
        application_data=[rights.ApplicationData("NOLICCACHE", "1")],
        issued=NOW,
        signing_key=keys.slc,
        mode=mode,
    )

    def publishing_license(signed: bool) -> str:
        return publishing.write_publishing_license(
            descriptor="",
            issuer_inner=clc_read.principal.object_and_key_surface,
            server=clc_read.issuer,
            payload=content.payload,
            session_key=SESSION_KEY,
            acquisition_points=clc.acquisition_points_xml("http://rms.example.com/_wmcs/licensing", None),
            referral=referral,
            work=f'<OBJECT><ID type="MS-GUID">{guid("work").braced}</ID></OBJECT>' + rights.owner_metadata_xml(AUTHOR),
            encrypted_rights=content.encrypt_text(rights_data),
            issued=NOW,
            mode=mode,
            signing_key=keys.licensor if signed else None,
        )

    pl = publishing_license(signed=True)
    pl_read = publishing.PublishingLicense.read(pl)
    server_pl = publishing.sign_publishing_license(
        publishing.PublishingLicense.read(publishing_license(signed=False), signed=False),
        payload=content.payload,
        session_key=SESSION_KEY,
        slc_principal=slc_read.principal,
        internal_url="http://rms.example.com/_wmcs/licensing",
        external_url=None,
        issued=NOW,
        signing_key=keys.slc,
        mode=mode,
    )
    ul = use_license.write_use_license(
        license_id=guid("ul"),
        issuer_inner=slc_read.issuer_inner_surface,
        licensee=rac_read.principal,
        referral=pl_read.referral,
        work_object=pl_read.work_object,
        metadata=pl_read.metadata,
        revocation="",
        rights=[UseRight("VIEW", True, TimeConditions(YEAR)), UseRight("OBJMODEL", False, TimeConditions())],
        payload=content.payload,
        session_key=SESSION_KEY,
        policies=[rights.Policy("exclusion", "WINWORD.EXE", "1.0.0.0", "2.0.0.0")],
        application_data=[rights.ApplicationData("VIEWER", "1")],
        issued=NOW,
        signing_key=keys.slc,
        mode=mode,
    )
    return Hierarchy(
        mode, keys, content, ca, slc, spc_issuer, machine, account, licensor,
        rights_data, rights_template, pl, server_pl, ul,
    )  # fmt: skip
