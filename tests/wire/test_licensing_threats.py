"""The rows of the threat table that concern licences and keys, each as an attacker meets them: over HTTP."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator

import pytest

from rmsserver.stores.decryption_budget import TokenBucketBudget
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rights import ANYONE, Right, RightsData
from rmsserver.xrml.use_license import UseLicense
from tests.cluster import Published, grantee, make_cluster
from tests.conformance import conforms
from tests.http_server import Response, request
from tests.operations.licensing import AUTHOR, OUTSIDER, READER, altered, resigned
from tests.operations.malformed_bits import bits_xml
from tests.operations.test_acquire_issuance_license import bits_of
from tests.operations.weak_keys import WEAK_MODULI
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.serving_process import certificates

VIEW = (Right.of("VIEW", grantee(READER)),)


@pytest.fixture
def server() -> Iterator[RealServer]:
    running = RealServer(make_cluster(CryptoMode.MODE_2))
    yield running
    running.http.stop()


def victims(server: RealServer) -> Published:
    """A licence that the author signed offline for the reader."""
    return server.cluster.publish(server.cluster.author(), VIEW)


def ask(server: RealServer, published: Published, email: str = READER, *, person: str = "") -> Response:
    """A use licence for the RAC of `email`, asked for by `person` (who is the same, unless told)."""
    racs = server.cluster.account(email).chain
    asking = person or email.partition("@")[0]
    return server.ask("AcquireLicense", calls.acquire_license((racs, published.chain)), person=asking)


def rights(answer: Response) -> list[str]:
    return [right.name for right in UseLicense.read(certificates(answer)[0]).rights]


def refused(answer: Response, name: str) -> bool:
    return answer.status == 500 and f"{name}Exception" in answer.body.decode() and b"<XrML" not in answer.body


def alerts(server: RealServer) -> list[str]:
    return [alert for record in server.audit for alert in record.trail.alerts]


def test_L1_a_victims_enabling_bits_are_not_signed(server: RealServer) -> None:
    """L1: the thief's unsigned licence with the victim's bits is refused, before and after hers was opened."""
    victim, mine = victims(server), server.cluster.publish(None, [Right.of("EDIT", ANYONE)], owner=OUTSIDER)
    stolen = altered(mine, (bits_of(mine), bits_of(victim)))
    for _ in range(2):
        answer = server.ask("AcquireIssuanceLicense", calls.acquire_issuance_license(stolen.text), person="outsider")
        assert refused(answer, "EnablingBitsHashDoesNotMatch")
        assert rights(ask(server, victim)) == ["VIEW"]


def test_L2_the_servers_own_answers_share_no_block(server: RealServer) -> None:
    """L2: sealed anew each time, whatever was sent."""
    unsigned = server.cluster.publish(None, VIEW)
    signed = [
        certificates(server.ask("AcquireIssuanceLicense", calls.acquire_issuance_license(unsigned.text)))[0]
        for _ in range(3)
    ]
    blocks = {bits_of(dataclasses.replace(unsigned, text=text)) for text in (unsigned.text, *signed)}
    assert len(blocks) == 4


def test_L3_signer_and_owner_are_in_the_audit(server: RealServer) -> None:
    """L3: a licence that names another as owner is served, and both names are recorded."""
    published = server.cluster.publish(server.cluster.author(), VIEW, owner="boss@example.com")
    assert rights(ask(server, published)) == ["VIEW"]
    facts = server.audit[-1].trail.facts
    assert facts["owner"] == ["boss@example.com"]
    assert AUTHOR in facts["signer"][0] or server.cluster.sid(AUTHOR) in facts["signer"][0]


@pytest.mark.parametrize("first", ["genuine", "altered"])
def test_L4_a_genuine_signature_on_an_altered_body(server: RealServer, first: str) -> None:
    """L4: refused in any order; nobody's cache is poisoned."""
    genuine = victims(server)
    wrong = altered(genuine, ("<ISSUEDTIME>2026", "<ISSUEDTIME>2025"))
    for published in (genuine, wrong, genuine, wrong) if first == "genuine" else (wrong, genuine, wrong, genuine):
        answer = ask(server, published)
        assert answer.status == 200 if published is genuine else refused(answer, "InvalidRightsLabelSignature")


def test_L5_the_rac_of_another(server: RealServer) -> None:
    """L5: allowed and recorded; with the restriction refused, but for those who were listed."""
    published = victims(server)
    assert ask(server, published, person="outsider").status == 200
    assert server.audit[-1].trail.facts["account_certificate_of_another"] == [READER]
    server.configure(require_own_rac=True)
    assert refused(ask(server, published, person="outsider"), "UnauthorizedAccess")
    server.configure(rac_proxies=frozenset({server.cluster.sid(OUTSIDER)}))
    assert ask(server, published, person="outsider").status == 200


def test_L6_grants_and_removals_are_seen(server: RealServer) -> None:
    """L6: a refusal is not remembered beyond the change that ends it, nor a grant."""
    published = server.cluster.publish(server.cluster.author(), [Right.of("VIEW", grantee("all@example.com"))])
    assert refused(ask(server, published, OUTSIDER), "NoRightsForRequestedPrincipal")
    server.directory.add_member("all@example.com", OUTSIDER)
    assert rights(ask(server, published, OUTSIDER)) == ["VIEW"]
    server.directory.remove_member("all@example.com", OUTSIDER)
    assert refused(ask(server, published, OUTSIDER), "NoRightsForRequestedPrincipal")


@conforms(
    "MS-RMPR 3.4.4.1",
    "The server's template of the GUID that rights data cites, published or archived, takes the place of its policy.",
)
def test_L7_the_servers_template_wins(server: RealServer) -> None:
    """L7: a template's GUID with wider rights inside gives what the server's template gives."""
    ours = server.cluster.template("Secret", VIEW)
    wide = server.cluster.template("Secret", [Right.of("EDIT", grantee(OUTSIDER)), *VIEW])
    server.configure(published_templates={ours.guid: ours})
    published = server.cluster.publish(server.cluster.author(), rights_data=wide.text)
    assert rights(ask(server, published)) == ["VIEW"]
    assert refused(ask(server, published, OUTSIDER), "NoRightsForRequestedPrincipal")


def test_L8_a_genuine_ca_above_a_self_made_machine(server: RealServer) -> None:
    """L8, XW6: the top of a genuine chain on a forged one closes nothing."""
    forged, genuine = make_cluster(CryptoMode.MODE_2, "stranger").machine().chain, server.cluster.machine().chain
    for cut in range(1, len(forged)):
        answer = server.ask("Certify", calls.certify((*forged[:cut], *genuine[cut:])))
        assert refused(answer, "VerifyMachineCertificateChainFailed")


def test_L9_forged_servers_and_licensors(server: RealServer) -> None:
    """L9, XW5, XW6: a RAC, and a CLC, of another hierarchy under our chain."""
    stranger = make_cluster(CryptoMode.MODE_2, "stranger")
    own = server.cluster.state.licensor.chain
    rac = stranger.account(READER).chain[0]
    assert server.ask("GetClientLicensorCert", calls.get_client_licensor_cert((rac, *own))).status == 500
    forged = server.cluster.author(licensor=stranger.state.licensor)
    published = server.cluster.publish(forged, VIEW)
    assert refused(ask(server, published), "InvalidRightsLabelSignature")
    assert refused(
        ask(server, dataclasses.replace(published, chain=(*published.chain, *own))), "InvalidRightsLabelSignature"
    )


def test_L11_documents_of_the_other_mode(server: RealServer) -> None:
    """L11: a mode 1 machine on a mode 2 cluster, a mode 2 licence on a mode 1 cluster."""
    old = make_cluster(CryptoMode.MODE_1)
    answer = server.ask("Certify", calls.certify(old.machine().chain))
    assert refused(answer, "UnsupportedCryptographicSet")
    other = RealServer(old)
    try:
        published = server.cluster.publish(server.cluster.author(), VIEW)
        racs = old.account(READER).chain
        answer = other.ask("AcquireLicense", calls.acquire_license((racs, published.chain[:1])))
        assert refused(answer, "RightsLabelNoMatchingIssuedPrincipal")
    finally:
        other.http.stop()


def test_L12_rearranged_rights_data(server: RealServer) -> None:
    """L12: neighbouring blocks swapped in an unsigned licence: a fault, or signed with every right still in it."""
    unsigned = server.cluster.publish(None, [Right.of(name, grantee(READER)) for name in ("VIEW", "EDIT")])
    start = unsigned.text.index('"Encrypted-Rights-Data">') + len('"Encrypted-Rights-Data">')
    old = unsigned.text[start : unsigned.text.index("</AUTHENTICATEDDATA>")]
    data = base64.b64decode(old)
    faults = 0
    for at in range(0, min(len(data) - 32, 40 * 16), 16):
        swapped = data[:at] + data[at + 16 : at + 32] + data[at : at + 16] + data[at + 32 :]
        text = altered(unsigned, (old, base64.b64encode(swapped).decode())).text
        answer = server.ask("AcquireIssuanceLicense", calls.acquire_issuance_license(text))
        faults += answer.status == 500
        if answer.status == 200:
            signed = PublishingLicense.read(certificates(answer)[0])
            read = RightsData.read(unsigned.content_key.decrypt_text(signed.encrypted_rights))
            assert len(read.rights) == 2
    assert faults > 20


def test_L13_a_content_key_under_another_signer(server: RealServer) -> None:
    """L13: an alert; a refusal where the administrator wants it; the first signer is served in any case."""
    victim = victims(server)
    thief = server.cluster.author(server.cluster.account(OUTSIDER), name="thief")
    again = server.cluster.publish(thief, [Right.of("EDIT", ANYONE)], content_key=victim.content_key, owner=OUTSIDER)
    assert ask(server, victim).status == 200
    assert ask(server, again).status == 200
    assert any("content key" in alert for alert in alerts(server))
    server.configure(refuse_republished_keys=True)
    assert refused(ask(server, again), "UnspecifiedError")
    assert ask(server, victim).status == 200


def test_C4_a_budget_of_failures() -> None:
    """C4: one account's failures end in refusal and alert, with the same answer; others go on."""
    cluster = make_cluster(CryptoMode.MODE_2)
    budget = TokenBucketBudget(failures=3, clock=lambda: 0.0)
    server = RealServer(cluster, dataclasses.replace(cluster.ports(), budget=budget))
    try:
        good = server.cluster.publish(server.cluster.author(), VIEW)
        bits = good.license.enabling_bits.surface
        bad = resigned(good, server.cluster.author(), (bits, bits_xml(bytes(400), CryptoMode.MODE_2)))
        answers = {ask(server, bad).body for _ in range(6)}
        assert len(answers) == 1
        assert any("too many licences" in alert for alert in alerts(server))
        assert ask(server, good).status == 500
        assert ask(server, good, person="boss").status == 200
    finally:
        server.http.stop()


@pytest.mark.parametrize("weakness", WEAK_MODULI)
def test_C8_a_weak_machine_key(server: RealServer, weakness: str) -> None:
    """C8: no certificate for a key that others can factor."""
    body = {
        "modulus": base64.b64encode(WEAK_MODULI[weakness].to_bytes(256)).decode(),
        "hardware_digest": base64.b64encode(bytes(32)).decode(),
        "platform": "10.0",
    }
    path, authorization = "/_rmsserver/machine-certificate", calls.signed_on("author")
    answer = server.http.send(
        request(path, json.dumps(body).encode(), content_type="application/json", Authorization=authorization)
    )
    assert answer.status == 422
    assert body["modulus"] not in answer.body.decode()
    assert b"XrML" not in answer.body


def test_XW8_a_re_encoded_document(server: RealServer) -> None:
    """XW8: what says the same in other characters is another document."""
    leaf, *above = server.cluster.account(READER).chain
    other = leaf.replace(">reader@example.com<", ">&#114;eader@example.com<")
    assert other != leaf
    answer = server.ask("GetClientLicensorCert", calls.get_client_licensor_cert((other, *above)))
    assert refused(answer, "InvalidPersonaCertSignature")


def test_XW9_a_document_of_another_kind(server: RealServer) -> None:
    """XW9: each in the place of each other, all well signed."""
    cluster = server.cluster
    documents = [
        cluster.machine().chain[0],
        cluster.author().chain[0],
        cluster.template("Secret", VIEW).text,
        cluster.state.licensor.chain[0],
        victims(server).text,
    ]
    for text in documents:
        for operation, parameters in (
            ("GetClientLicensorCert", calls.get_client_licensor_cert((text,))),
            ("AcquireLicense", calls.acquire_license(((text,), victims(server).chain))),
        ):
            assert server.ask(operation, parameters).status == 500
    rac = cluster.account(READER).chain
    for text in [*documents[:-1], rac[0]]:
        assert refused(
            server.ask("AcquireLicense", calls.acquire_license((rac, (text,)))), "InvalidRightsLabelSignature"
        )
    for text in (*documents[1:], rac[0]):
        answer = server.ask("Certify", calls.certify((text, *cluster.machine().chain[1:])))
        assert refused(answer, "VerifyMachineCertificateChainFailed")


def test_XW11_a_second_licence(server: RealServer) -> None:
    """XW11: of two different licences none is chosen; a copy of the same one does no harm."""
    one, other = victims(server), server.cluster.publish(server.cluster.author(), VIEW, name="other")
    racs = server.cluster.account(READER).chain

    def sent(*texts: str) -> Response:
        return server.ask("AcquireLicense", calls.acquire_license((racs, texts)))

    assert refused(sent(one.text, other.text, *one.chain[1:]), "InvalidRightsLabelSignature")
    assert sent(one.text, one.text, *one.chain[1:]).status == 200


def test_N5_answers_name_configured_addresses_alone(server: RealServer) -> None:
    """N5: the Host header, and headers of proxies, change no address in any answer."""
    asked = calls.call("FindServiceLocationsForUser", calls.find_service_locations("LicensingService"))
    evil = b"Host: evil.example.net\r\nX-Forwarded-Host: evil.example.net\r\nX-Forwarded-Proto: gopher"
    answer = server.http.send(asked.replace(b"Host: spoofed.example.org", evil, 1))
    assert answer.status == 200
    assert b"<URL>http://rms.example.com/_wmcs/licensing</URL>" in answer.body
    assert b"evil" not in answer.body
    certified = server.http.send(
        calls.call("Certify", calls.certify(server.cluster.machine().chain)).replace(
            b"Host: spoofed.example.org", evil, 1
        )
    )
    assert certified.status == 200
    assert b"evil" not in certified.body
