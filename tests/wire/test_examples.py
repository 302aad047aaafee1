"""Every example of the specifications (chapter 4 of each), and what is done with it here.

`EXAMPLES` is the table; the tests below bear the number of the section they replay. Documents are replayed on a cluster as
old as they are (`then`): installed in January 2010, asked in the minute in which the use licence of 4.5.6 was issued. Nobody
has the private keys of the examples, so what is sealed to their server cannot be opened; licences for their people are made.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.outbound.http import HttpPeer
from rmsserver.outbound.peers import HttpPeers
from rmsserver.remoting.group_expansion import MembershipReturn
from rmsserver.soap.dime import DimeMessage, DimeRecord, Layout, TypeFormat
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.errors import SignatureError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode, PublicKey
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.rights import Right, RightsData
from rmsserver.xrml.spc import SecurityProcessorCertificate
from rmsserver.xrml.surface import parse
from rmsserver.xrml.template import RightsTemplate, write_rights_template
from rmsserver.xrml.use_license import UseLicense
from tests import cluster as clusters
from tests.cluster import DAY, Cluster, Published, grantee, make_cluster
from tests.http_server import Response, request
from tests.operations.licensing import OUTSIDER, READER, resigned
from tests.outbound.other_server import OtherServer
from tests.remoting.test_group_expansion import CALL, EXAMPLE_CALL, EXAMPLE_RETURN, RETURN
from tests.shared import genuine
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.test_applications import surfaces
from tests.wire.test_faults import VIEW, fault, mode_2
from tests.wire.test_faults_rmsi import ENDPOINTS as FOR_APPLICATIONS
from tests.xrml.test_genuine import skeleton

EXAMPLES = {
    "MS-RMPR 4.1": "a story: an author gets her certificates and publishes offline; told over HTTP",
    "MS-RMPR 4.2": "a story: a reader gets a use licence and opens it; told over HTTP",
    "MS-RMPR 4.3": (
        "DIME, replayed through Activate by its record structure: record 3 has 33 bits of length for 32, the message in "
        'record 1 has elements `<Binary = ""/>`, and its length is an estimate; flags, formats, names, lengths as printed'
    ),
    "MS-RMPR 4.4": "a story: a client synchronizes its templates; told over HTTP",
    "MS-RMPR 4.5.1": "SPC, signed: read, verified (tests/xrml/test_genuine.py), sent to Certify, machine part of a RAC",
    "MS-RMPR 4.5.2": "RAC, signed: sent to AcquireLicense and GetClientLicensorCert: untrusted, expired, served in its time",
    "MS-RMPR 4.5.3": "CLC, signed: sent above the publishing licence; ours for the same account has its skeleton",
    "MS-RMPR 4.5.4": "PL, signed: sent to AcquireLicense; it is sealed to its own server and to nobody else",
    "MS-RMPR 4.5.5": "rights data, unsigned as it should be: published, and evaluated for its owner and its reader",
    "MS-RMPR 4.5.6": "UL, signed: the licence that comes of 4.5.5 over HTTP says the same about the same person",
    "MS-RMPR 4.5.7": (
        "template, well-formed, but its SIGNATURE is none of the key in its ISSUER: refused as a template, and written again "
        "from what it says"
    ),
    "MS-RMPR 4.6": (
        "GetServerInfoResponse: not well-formed (a browser's tree, with dots for the certificates); compared element by "
        "element with the answer of a cluster configured so"
    ),
    "MS-RMSI 4.1": "a story: the content key from a decommissioned cluster; told over HTTP",
    "MS-RMSI 4.2": "a story: a mail server pre-certifies and licenses for a reader; told over HTTP",
    "MS-RMPRS 4.1": "a story: a reader by a group, at home and in another forest; told over HTTP",
    "MS-RMPRS 4.2": (
        "a story: where a user's services are; both questions are asked over HTTP. Between forests this server reads the "
        "other forest's directory instead of asking its server"
    ),
    "MS-RMPRS 4.3": "binary group expansion: octet for octet, both ways (also tests/remoting), and answered over HTTP",
}
"""Section -> what it is and what is done with it."""

THEN = dt.datetime(2010, 6, 11, 21, 44, tzinfo=dt.UTC)
"""ISSUEDTIME of 4.5.6."""
OWNER, USER = "owner@contoso.com", "user@contoso.com"
OWNER_SID, USER_SID = (f"S-1-5-21-3270430776-546919264-923996561-{number}" for number in (1118, 1119))
MAIL_SERVER = "boss"
REM = "/DrmRemote/DirectoryServices/DirectoryServices.rem"
ACTIVATION = "/certification/activation.asmx"
GROUPS = "/groupexpansion/groupexpansion.asmx"
TEMPLATE = (Path(__file__).parents[2] / "fixtures/specification/rights-policy-template.xml").read_text("utf-8")
OPEN = Rule(Demand.ANONYMOUS)


def fault_name(answer: Response) -> str:
    """The short name in a fault."""
    return fault(answer, False)[1].partition(":")[0].rpartition(".")[2]


def trusting(cluster: Cluster, *keys: PublicKey) -> dict[str, object]:
    """The cluster's own key and these as issuers of account certificates."""
    own = cluster.state.licensor.key.public
    return {"trusted_rac_issuers": {key.id: key for key in (own, *keys)}}


def contoso() -> PublicKey:
    """The key that signed 4.5.2, 4.5.3 and 4.5.6."""
    return RightsAccountCertificate.read(genuine("mode1-rac")).issuer.public_key


@pytest.fixture
def server() -> Iterator[RealServer]:
    """One of today, in mode 2; `boss` may call the services for applications."""
    rule = Rule(Demand.LISTED, frozenset({mode_2().sid("boss@example.com")}))
    running = RealServer(mode_2(), rules=dict.fromkeys(FOR_APPLICATIONS, rule))
    yield running
    running.http.stop()


@pytest.fixture
def then(monkeypatch: pytest.MonkeyPatch) -> Iterator[RealServer]:
    """One of 2010, in mode 1, which knows the two people of the examples."""
    monkeypatch.setattr(clusters, "INSTALLED", dt.datetime(2010, 1, 4, 9, 30, tzinfo=dt.UTC))
    made = make_cluster.__wrapped__(CryptoMode.MODE_1, "contoso")
    running = RealServer(dataclasses.replace(made, emails={**made.emails, OWNER: OWNER_SID, USER: USER_SID}))
    running.now = THEN
    yield running
    running.http.stop()


def published_then(server: RealServer) -> Published:
    """4.5.5, published by an author of this cluster three minutes earlier, with the work and the referral of 4.5.4."""
    cluster, example = server.cluster, PublishingLicense.read(genuine("mode1-pl"))
    author = cluster.author(cluster.account(OWNER, issued=THEN - DAY), issued=THEN - DAY)
    issued = THEN - dt.timedelta(minutes=3)
    ours = cluster.publish(author, rights_data=genuine("mode1-erd"), owner=OWNER, issued=issued)
    license_ = ours.license
    return resigned(
        ours,
        author,
        ("<ISSUEDPRINCIPALS>", f"{example.referral}<ISSUEDPRINCIPALS>"),
        (license_.work_object + license_.metadata, example.work_object + example.metadata),
    )


# --- [MS-RMPR] ----------------------------------------------------------------------------------------------------------


def test_MS_RMPR_4_1_publishing(server: RealServer) -> None:
    """Certify, FindServiceLocationsForUser, GetClientLicensorCert; what is signed with the CLC's key then is served."""
    cluster = server.cluster
    machine = cluster.machine("author's")
    chain = surfaces(server.ask("Certify", calls.certify(machine.chain)), "CertificateChain")
    rac = RightsAccountCertificate.read(chain[0])
    where = server.ask("FindServiceLocationsForUser", calls.find_service_locations("LicensingService"))
    assert f"<URL>{cluster.state.internal_licensing_url}</URL>".encode() in where.body
    answer = server.ask("GetClientLicensorCert", calls.get_client_licensor_cert(chain))
    clc = surfaces(answer, "CertificateChain")
    account = dataclasses.replace(
        cluster.account("author@example.com"),
        key=rac.open_private_key(machine.key, bytes(16)),
        chain=tuple(chain),
    )
    own = ClientLicensorCertificate.read(clc[0]).open_private_key(account.key, bytes(16))
    published = cluster.publish(clusters.Author(account, own, tuple(clc)), VIEW, issued=server.now)
    reader = cluster.account(READER)
    licence = server.ask("AcquireLicense", calls.acquire_license((reader.chain, published.chain)), person="reader")
    assert UseLicense.read(surfaces(licence, "CertificateChain")[0]).rights[0].name == "VIEW"


def test_MS_RMPR_4_2_accessing(server: RealServer) -> None:
    """Certify, then AcquireLicense with what the document has: the content key is sealed to the key in the RAC."""
    cluster = server.cluster
    published, machine = cluster.publish(cluster.author(), VIEW), cluster.machine("reader's")
    chain = surfaces(server.ask("Certify", calls.certify(machine.chain), person="reader"), "CertificateChain")
    answer = server.ask("AcquireLicense", calls.acquire_license((chain, published.chain)), person="reader")
    key = RightsAccountCertificate.read(chain[0]).open_private_key(machine.key, bytes(16))
    licence = UseLicense.read(surfaces(answer, "CertificateChain")[0])
    assert licence.open_content_key(key, bytes(16)) == published.content_key


PRINTED_HEADS = (
    ("100" + "0000000000000", "010" + "0000000101001", "00000000000000000001001010101100"),
    ("001" + "0000000010000", "001" + "0000000011000", "00000000000000011111111111111111"),
    ("010" + "0000000000000", "000" + "0000000000000", "000000000000000000110110011111111"),
)
"""The fixed-length headers of 4.3 as printed."""


def activation_records() -> tuple[DimeRecord, ...]:
    """The three records, with data of the lengths that 4.3 tells; the SOAP message mended where it is not XML."""
    soap, first, last = (int(length, 2) for _, _, length in PRINTED_HEADS)
    message = b"<Envelope><Body><ActivateResponse><Binary/></ActivateResponse></Body></Envelope>".ljust(soap)
    return (
        DimeRecord(TypeFormat.URI, b"http://schemas.xmlsoap.org/soap/envelope/", b"", message),
        DimeRecord(
            TypeFormat.MEDIA_TYPE, b"application/octet-stream", b"SecureRepository", bytes(first), is_chunk=True
        ),
        DimeRecord(TypeFormat.UNCHANGED, b"", b"", bytes(last)),
    )


def test_MS_RMPR_4_3_activation() -> None:
    """The heads are the printed ones bit for bit, the superfluous bit left out; the answer passes through as it is."""
    records = activation_records()
    assert [len(record.data) for record in records] == [4780, 131_071, 27_903]
    assert len(records[1].data) + len(records[2].data) == 158_974
    packed = DimeMessage(Layout.EARLY, records).pack()
    at = 0
    for record, (*fields, length) in zip(records, PRINTED_HEADS, strict=True):
        printed = int("".join(fields) + length[-32:], 2)
        assert packed[at : at + 8] == printed.to_bytes(8, "big")
        at += 8 + sum(len(part) + -len(part) % 4 for part in (record.id, record.type, record.data))
    with OtherServer(content_type="application/dime", body=packed).serving() as upstream:
        cluster = mode_2().with_state(activation_url=upstream.url)
        ports = dataclasses.replace(cluster.ports(), peers=HttpPeers(HttpPeer()))
        running = RealServer(cluster, ports, rules={ACTIVATION: OPEN})
        hardware = "<requestParams><ActivateParams><HidXml>x</HidXml></ActivateParams></requestParams>"
        answer = running.ask("Activate", hardware, person=None)
        running.http.stop()
    assert (answer.headers["content-type"], answer.body) == ("application/dime", packed)
    assert running.audit[-1].trail.facts["attachment"] == ["SecureRepository 158974 bytes"]


def test_MS_RMPR_4_4_templates(server: RealServer) -> None:
    """GUIDs and hashes of all; then those that the client has not, or in another version."""
    old, new, kept = (server.cluster.template(name) for name in ("Secret", "Internal", "Public"))
    server.configure(published_templates={template.guid: template for template in (old, new, kept)})
    first = server.ask("AcquireTemplateInformation").body.decode()
    told = _pairs(first)
    assert {guid.casefold() for guid, _ in told} == {str(t.guid.braced).casefold() for t in (old, new, kept)}
    missing = [old.guid.braced, new.guid.braced]
    second = server.ask("AcquireTemplates", calls.acquire_templates(*missing)).body.decode()
    texts = [_unescaped(text) for text in re.findall(r"<Template>(.*?)</Template>", second, re.DOTALL)]
    assert texts == [old.text, new.text]


def _pairs(text: str) -> list[tuple[str, str]]:
    """GUID and hash in whatever order the elements stand."""
    guids, hashes = (re.findall(rf"<{name}>(.*?)</{name}>", text, re.IGNORECASE) for name in ("guid", "hash"))
    return list(zip(guids, hashes, strict=True))


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def test_MS_RMPR_4_5_1_a_machine(then: RealServer) -> None:
    """The SPC's own issuer is not among the examples, so Certify refuses it, even where that issuer's key is trusted."""
    spc = SecurityProcessorCertificate.read(genuine("mode1-spc"))
    spc.verify()
    issuer = spc.issuer.public_key
    for keys in ({}, {issuer.id: issuer}):
        then.configure(trusted_machine_issuers=keys)
        assert (
            fault_name(then.ask("Certify", calls.certify((spc.text,))))
            == "VerifyMachineCertificateChainFailedException"
        )


def test_MS_RMPR_4_5_2_an_account(then: RealServer) -> None:
    """Of a cluster that is not trusted; of one that is, and in its time; expired one year later; changed."""
    text, own = genuine("mode1-rac"), published_then(then)
    asked = calls.acquire_license(((text,), own.chain))
    assert fault_name(then.ask("AcquireLicense", asked)) == "UntrustedPersonaCertException"
    then.configure(**trusting(then.cluster, contoso()))
    answer = then.ask("AcquireLicense", asked)
    rac = RightsAccountCertificate.read(text)
    licence = UseLicense.read(surfaces(answer, "CertificateChain")[0])
    assert licence.principal.object_and_key_surface == rac.principal.object_and_key_surface
    altered = text.replace("owner@contoso.com", "Owner@contoso.com")
    refused = then.ask("AcquireLicense", calls.acquire_license(((altered,), own.chain)))
    assert fault_name(refused) == "InvalidPersonaCertSignatureException"
    then.now = THEN + 366 * DAY
    assert fault_name(then.ask("AcquireLicense", asked)) == "InvalidPersonaCertTimeException"


def test_MS_RMPR_4_5_3_a_licensor(then: RealServer) -> None:
    """GetClientLicensorCert for the account of 4.5.2: the skeleton of 4.5.3, the same account, and no extranet point."""
    asked = calls.get_client_licensor_cert((genuine("mode1-rac"),))
    assert fault_name(then.ask("GetClientLicensorCert", asked)) == "UntrustedPersonaCertException"
    then.configure(
        **trusting(then.cluster, contoso()), external_licensing_url="https://rms.contoso.com/_wmcs/licensing"
    )
    ours = surfaces(then.ask("GetClientLicensorCert", asked), "CertificateChain")[0]
    assert skeleton(ours) == skeleton(genuine("mode1-clc"))
    example = ClientLicensorCertificate.read(genuine("mode1-clc"))
    assert ClientLicensorCertificate.read(ours).principal.object == example.principal.object


def test_MS_RMPR_4_5_4_a_publishing_licence(then: RealServer) -> None:
    """With 4.5.3: its licensor is of a server that is not ours. Alone: sealed to that server. Changed: tampered with."""
    then.configure(**trusting(then.cluster, contoso()))
    pl, rac = genuine("mode1-pl"), (genuine("mode1-rac"),)
    whole = then.ask("AcquireLicense", calls.acquire_license((rac, (pl, genuine("mode1-clc")))))
    assert fault_name(whole) == "InvalidRightsLabelSignatureException"
    alone = then.ask("AcquireLicense", calls.acquire_license((rac, (pl,))))
    assert fault_name(alone) == "RightsLabelNoMatchingIssuedPrincipalException"
    altered = pl.replace("<ISSUEDTIME>2010", "<ISSUEDTIME>2011")
    changed = then.ask("AcquireLicense", calls.acquire_license((rac, (altered,))))
    assert fault_name(changed) == "InvalidRightsLabelSignatureException"


def test_MS_RMPR_4_5_5_rights_data(then: RealServer) -> None:
    """Published, it gives its owner OWNER, which includes the rest; its reader VIEW until July 12; others nothing."""
    own = published_then(then)
    for email, names in ((OWNER, {"OWNER"}), (USER, {"VIEW"}), ("outsider@example.com", set())):
        account = then.cluster.account(email, issued=THEN - DAY)
        answer = then.ask("AcquireLicense", calls.acquire_license((account.chain, own.chain)))
        if not names:
            assert fault_name(answer) == "NoRightsForRequestedPrincipalException"
            continue
        licence = UseLicense.read(surfaces(answer, "CertificateChain")[0])
        assert {right.name for right in licence.rights} == names
        assert licence.open_content_key(account.key, bytes(16)) == own.content_key
    assert _granted(OWNER).count("OWNER") == 2
    assert _granted(USER) == ["VIEW"]
    then.now = dt.datetime(2010, 7, 12, 6, 59, tzinfo=dt.UTC)
    late = then.cluster.account(USER, issued=THEN - DAY)
    answer = then.ask("AcquireLicense", calls.acquire_license((late.chain, own.chain)))
    assert fault_name(answer) == "NoRightsForRequestedPrincipalException"


def _granted(email: str) -> list[str]:
    """Names of the rights that 4.5.5 grants somebody, as often as it does."""
    rights = RightsData.read(genuine("mode1-erd")).rights
    return [right.name for right in rights if right.grantee.email == email]


def test_MS_RMPR_4_5_6_a_use_licence(then: RealServer) -> None:
    """What 4.5.5 gives its reader over HTTP is 4.5.6 but for keys, GUID and issuer."""
    own, example = published_then(then), genuine("mode1-ul")
    account = then.cluster.account(USER, issued=THEN - DAY)
    answer = then.ask("AcquireLicense", calls.acquire_license((account.chain, own.chain)))
    ours = surfaces(answer, "CertificateChain")[0]
    assert skeleton(ours) == skeleton(example)
    assert ours[: ours.index("<ID ")] == example[: example.index("<ID ")]
    assert _part(ours, "ISSUEDTIME") == _part(example, "ISSUEDTIME")
    assert _between(ours, "</ISSUEDPRINCIPALS>", "<ENABLINGBITS") == _between(
        example, "</ISSUEDPRINCIPALS>", "<ENABLINGBITS"
    )
    assert _between(ours, "</ENABLINGBITS>", "<SIGNATURE>") == _between(example, "</ENABLINGBITS>", "<SIGNATURE>")
    assert f'<ID type="Windows">{USER_SID}</ID><NAME>{USER}</NAME>' in ours
    assert f'<ID type="Windows">{USER_SID}</ID><NAME>{USER}</NAME>' in example
    slc = then.cluster.state.licensor.certificate
    assert _part(ours, "ISSUER") == f"<ISSUER>{slc.issuer_inner_surface}</ISSUER>"


def _between(text: str, start: str, end: str) -> str:
    return text[text.index(start) : text.index(end)]


def _part(text: str, tag: str) -> str:
    return _between(text, f"<{tag}>", f"</{tag}>") + f"</{tag}>"


def test_MS_RMPR_4_5_7_a_template(server: RealServer) -> None:
    """As printed it is a template that nobody signed: refused in rights data. What it says, we write to the letter."""
    example = RightsTemplate.read(TEMPLATE)
    with pytest.raises(SignatureError):
        example.verify()
    assert example.issuer.public_key == contoso()
    unsigned = server.cluster.publish(None, rights_data=TEMPLATE)
    answer = server.ask("AcquireIssuanceLicense", calls.acquire_issuance_license(unsigned.text))
    assert fault_name(answer) == "InvalidOfficialRightsTemplateException"
    owner, *rights = example.rights
    assert owner.name == "OWNER"
    licensor = server.cluster.state.licensor
    ours = RightsTemplate.read(
        write_rights_template(
            template_id=example.guid,
            names=example.names,
            issuer_object_and_key=licensor.certificate.principal.object_and_key_surface,
            licensing_url="http://rms/_wmcs/licensing",
            rights_request_url=None,
            rights=rights,
            issued=example.issued_time,
            signing_key=licensor.key,
            mode=licensor.mode,
        )
    )
    server.configure(published_templates={ours.guid: ours})
    sent = server.ask("AcquireTemplates", calls.acquire_templates(ours.guid.braced)).body.decode()
    [text] = [_unescaped(found) for found in re.findall(r"<Template>(.*?)</Template>", sent, re.DOTALL)]
    RightsTemplate.read(text).verify()
    without_issuer = re.compile(r"<ISSUER>.*?</ISSUER>|<SIGNATURE>.*")
    # The printed NAME begins with a blank, which separates nothing.
    assert without_issuer.sub("", text) == without_issuer.sub("", TEMPLATE).replace("<NAME> LCID", "<NAME>LCID")


SERVER_INFO = """\
<Results xmlns="">
<ServerInfoRequest Type="VersionInfo" AdditionalInfo="">
<VersionInfo Version="6.0.0.0" />
</ServerInfoRequest>
<ServerInfoRequest Type="ServerFeatureInfo" AdditionalInfo="">
<ServerFeatureInfo>
<Feature Name="GroupExpansionWebService" Value="true" />
<Feature Name="ActiveDirectoryServicesRemoting" Value="false" />
<Feature Name="FederatedServicesEnabled" Value="0" />
</ServerFeatureInfo>
</ServerInfoRequest>
<ServerInfoRequest Type="ServerLicensorCertificate" AdditionalInfo="">
<ServerLicensorCertificateChain>
{chain}
</ServerLicensorCertificateChain>
</ServerInfoRequest>
<ServerInfoRequest Type="ServiceLocations" AdditionalInfo="">
<ServiceLocations>
<ServiceLocation Type="LicensingService" Url="{licensing}" />
<ServiceLocation Type="PublishingService" Url="" />
<ServiceLocation Type="CertificationService" Url="http://localhost/_wmcs/certification" />
<ServiceLocation Type="PrecertificationService" Url="" />
<ServiceLocation Type="ServerService" Url="" />
<ServiceLocation Type="GroupExpansionService" Url="http://localhost/_wmcs/GroupExpansion/GroupExpansion.asmx" />
</ServiceLocations>
</ServerInfoRequest>
</Results>"""
"""4.6 without the dashes of the tree, for a cluster at http://localhost/_wmcs. Its certification URL ends in a slash,
ours never does (wire facts 7); its LicensingService has no URL, ours always one (rulings 7)."""


def test_MS_RMPR_4_6_server_info(server: RealServer) -> None:
    """The four questions of the example, of a cluster configured as that one: its answer, character for character."""
    server.configure(base_url="http://localhost/_wmcs", server_version="6.0.0.0", group_expansion_enabled=True)
    kinds = ("VersionInfo", "ServerFeatureInfo", "ServerLicensorCertificate", "ServiceLocations")
    body = server.ask("GetServerInfo", calls.get_server_info(*kinds)).body.decode()
    chain = server.cluster.state.licensor.chain
    assert len(chain) == 4
    expected = SERVER_INFO.replace("\n", "").format(chain="".join(chain), licensing="http://localhost/_wmcs/licensing")
    assert f"<GetServerInfoResult>{expected}</GetServerInfoResult>" in body
    results = parse(expected).children
    for certificate in results[2].children[0].children:
        IssuingCertificate.read(certificate.surface)


# --- [MS-RMSI] ----------------------------------------------------------------------------------------------------------


def test_MS_RMSI_4_1_decommissioning(server: RealServer) -> None:
    """The content key for whoever sends the publishing licence, whatever it grants."""
    published = server.cluster.publish(server.cluster.author(), VIEW)
    server.configure(decommissioned=True)
    asked = calls.acquire_content_key(published.chain)
    answer = server.ask("AcquireContentKey", asked, person=MAIL_SERVER)
    assert base64.b64encode(published.content_key.key) in answer.body


def test_MS_RMSI_4_2_precertification(server: RealServer) -> None:
    """The mail server licenses in the reader's name; she opens it with the key that she is certified for later."""
    cluster = server.cluster
    published, machine = cluster.publish(cluster.author(), VIEW), cluster.machine("reader's")
    answer = server.ask("Precertify", calls.precertify(READER), person=MAIL_SERVER)
    certificate = surfaces(answer, "PrecertifyResponse")
    asked = calls.acquire_license((certificate, published.chain))
    licence = surfaces(server.ask("AcquireLicense", asked, person=MAIL_SERVER), "CertificateChain")[0]
    chain = surfaces(server.ask("Certify", calls.certify(machine.chain), person="reader"), "CertificateChain")
    key = RightsAccountCertificate.read(chain[0]).open_private_key(machine.key, bytes(16))
    assert UseLicense.read(licence).open_content_key(key, bytes(16)) == published.content_key


# --- [MS-RMPRS] ---------------------------------------------------------------------------------------------------------


def test_MS_RMPRS_4_1_a_member_of_a_group() -> None:
    """Granted to a group here and to one of another forest, whose server is asked over HTTP; to strangers not."""
    abroad = RealServer(mode_2().with_state(group_expansion_enabled=True), rules={GROUPS: OPEN})
    abroad.directory.add_group("partners@example.net", OUTSIDER)
    home = RealServer(
        mode_2().with_state(forests={"example.net": f"{abroad.http.url}/_wmcs{GROUPS}"}),
        dataclasses.replace(mode_2().ports(), peers=HttpPeers(HttpPeer())),
    )
    try:
        rights = [Right.of("VIEW", grantee(group)) for group in ("all@example.com", "partners@example.net")]
        published = home.cluster.publish(home.cluster.author(), rights)
        for email, is_member in ((READER, True), (OUTSIDER, True), ("boss@example.com", False)):
            asked = calls.acquire_license((home.cluster.account(email).chain, published.chain))
            answer = home.ask("AcquireLicense", asked, person=email.partition("@")[0])
            assert (b"NoRightsForRequestedPrincipal" not in answer.body) == is_member
        assert {record.operation for record in abroad.audit} == {"IsPrincipalMemberOf"}
    finally:
        home.http.stop()
        abroad.http.stop()


def test_MS_RMPRS_4_2_where_services_are(server: RealServer) -> None:
    """The client's question and the other server's have the same answer about an account that is at home here."""
    asked = calls.find_service_locations("CertificationService", "LicensingService")
    of_user = server.ask("FindServiceLocationsForUser", asked).body.decode()
    of_server = server.ask("FindServiceLocations", asked).body.decode()
    located = re.compile(r"<URL>(.*?)</URL><Type>(.*?)</Type>")
    assert located.findall(of_user) == located.findall(of_server)
    assert [kind for _, kind in located.findall(of_user)] == ["CertificationService", "LicensingService"]


def test_MS_RMPRS_4_3_binary_group_expansion() -> None:
    """The call's octets are answered with those of the return, but for the GUIDs of directory objects, which are optional."""
    assert (EXAMPLE_CALL.pack(), EXAMPLE_RETURN.pack()) == (CALL, RETURN)
    cluster = mode_2().with_state(binary_group_expansion_enabled=True)
    running = RealServer(cluster, rules={REM: OPEN})
    [sid, email] = (name.partition("=")[2] for name in EXAMPLE_RETURN.principal.identifiers)
    running.directory.add_user("user1", email, sid=sid.upper())
    running.directory.add_group("group2@contoso.com", email)
    answer = running.http.send(request(f"/_wmcs{REM}", CALL, content_type="application/octet-stream"))
    running.http.stop()
    told = dataclasses.replace(EXAMPLE_RETURN.principal, object_guid=None, container_guids=())
    assert answer.body == dataclasses.replace(EXAMPLE_RETURN, principal=told).pack()
    assert MembershipReturn.unpack(answer.body).is_member


# --- the table ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", EXAMPLES)
def test_every_example_has_a_test_of_its_number(section: str) -> None:
    """`MS-RMPR 4.5.1` has a test whose name begins so."""
    beginning = "test_" + re.sub(r"[-. ]", "_", section) + "_"
    assert [name for name in globals() if name.startswith(beginning) and not name[len(beginning)].isdigit()]


def test_no_test_without_its_line() -> None:
    """Whoever adds one says in the table what it does."""
    numbers = {match[1] for name in globals() if (match := re.match(r"test_(MS_RM[A-Z]+(?:_\d+)+)_", name))}
    assert numbers == {re.sub(r"[-. ]", "_", section) for section in EXAMPLES}
