"""Certify: an account on a machine gets its rights account certificate."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading

import pytest

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.errors import (
    ADEntrySearchFailed,
    ArgumentNull,
    BlackBoxIsInvalid,
    ClusterDecommissioned,
    RmsError,
    UnauthorizedAccess,
    UnspecifiedError,
    UnsupportedCryptographicSet,
    VerifyEmailAddressFailed,
    VerifyMachineCertificateChainFailed,
)
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.ports import Ports, PortUnavailable
from rmsserver.state import AuthenticationType, FederatedAccount, RequestContext
from rmsserver.xrml import surface
from rmsserver.xrml.chain import close_server_chain
from rmsserver.xrml.document import range_xml, signed_document
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import PrivateKey, PublicKey
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.spc import SecurityProcessorCertificate
from rmsserver.xrml.values import Guid, TimeRange, Version
from tests.cluster import ALWAYS, DAY, MACHINE_NAMES, NOW, Cluster, key, known, machine_hierarchy, server_hierarchy
from tests.conformance import conforms
from tests.operations.weak_keys import WEAK_MODULI
from tests.shared import genuine

AUTHOR = "author@example.com"
STAND_IN = bytes(16)


def ask(
    cluster: Cluster,
    chain: tuple[str, ...] | None = None,
    *,
    persistent: bool = True,
    ports: Ports | None = None,
    caller: RequestContext | None = None,
    now: dt.datetime = NOW,
) -> tuple[str, ...]:
    request = CertifyRequest(chain or cluster.machine().chain, persistent)
    return certify(request, caller or cluster.caller(AUTHOR), cluster.state, ports or cluster.ports(), now).chain


def refused(cluster: Cluster, error: type[RmsError], chain: tuple[str, ...] | None = None, **arguments: object) -> None:
    with pytest.raises(RmsError) as caught:
        ask(cluster, chain, **arguments)  # type: ignore[arg-type]
    assert type(caught.value) is error


def read(chain: tuple[str, ...]) -> RightsAccountCertificate:
    return RightsAccountCertificate.read(chain[0])


class Recorder:
    """User keys that tell in which order they were used."""

    def __init__(self, inner: object, failing: bool = False) -> None:
        self.inner = inner
        self.failing = failing
        self.stored: list[PrivateKey] = []

    def get(self, account: str, bits: int) -> PrivateKey | None:
        return self.inner.get(account, bits)  # type: ignore[attr-defined, no-any-return]

    def put_if_absent(self, account: str, key: PrivateKey) -> PrivateKey:
        if self.failing:
            raise PortUnavailable("the disk is full")
        self.stored.append(self.inner.put_if_absent(account, key))  # type: ignore[attr-defined]
        return self.stored[-1]


# --- what is issued ------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.3.4.1", "The whole SLC chain follows the RAC.")
@conforms("MS-RMPR 3.3.4.1", "A valid request gets a RAC chain.")
@conforms("MS-RMPR 3.3.4.1", "The RAC is signed with the server's key.")
def test_answer_is_a_chain_up_to_the_root(cluster: Cluster) -> None:
    """RAC, SLC and the chain above, which close at the cluster's root."""
    chain = ask(cluster)
    assert chain[1:] == cluster.state.licensor.chain
    root = cluster.servers.root.public
    close_server_chain(read(chain), [IssuingCertificate.read(text) for text in chain[1:]], {root.id: root})


@conforms("MS-RMPR 3.3.4.1", "The ID of any other account is the SID of its sign-on.")
@conforms("MS-RMPR 3.3.4.1", "The address in any other RAC is the directory's for that account.")
@conforms("MS-RMPR 3.3.4.1", "Only federated RACs have aliases.")
@conforms("MS-RMPR 3.3.4.1", "The account's public key stands in ISSUEDPRINCIPALS.")
@conforms(
    "MS-RMPR 3.3.4.1", "The account's private key stands in FEDERATIONPRINCIPALS, and the machine's key opens it."
)
@conforms("MS-RMPR 3.1.4.1", "The e-mail address of the directory stands in the RAC.")
def test_rac_names_the_account_and_holds_its_key(cluster: Cluster) -> None:
    """SID and primary address stand in OBJECT without aliases; the machine opens the private key."""
    directory = MemoryDirectory("EXAMPLE")
    directory.add_user("author", AUTHOR, "alias@example.com", sid=cluster.sid(AUTHOR))
    machine = cluster.machine()
    rac = read(ask(cluster, machine.chain, ports=cluster.ports(directory)))
    assert rac.account == ("Windows", cluster.sid(AUTHOR))
    assert rac.email == AUTHOR
    assert rac.email_aliases == ()
    assert rac.principal.public_key.bits == cluster.mode.rsa_bits
    assert rac.mode is cluster.mode
    assert rac.open_private_key(machine.key, STAND_IN).public == rac.principal.public_key


@conforms("MS-RMPR 3.3.4.1", "The RAC's ISSUER is the principal of the SLC, to the letter.")
def test_rac_repeats_server_and_machine_to_the_letter(cluster: Cluster) -> None:
    """ISSUER is the inside of the SLC's PRINCIPAL; machine OBJECT and levels are those of the SPC."""
    machine = cluster.machine(repository="Prose about it 6.1.7600.16385")
    rac = read(ask(cluster, machine.chain))
    assert rac.issuer.inner_surface == cluster.state.licensor.certificate.principal.inner_surface
    assert rac.machine is not None
    assert rac.machine.object.surface == machine.spc.principal.object.surface
    assert list(rac.machine.levels) == ["Manufacturer", "Platform", "Repository"]
    assert rac.machine.levels == machine.spc.principal.levels


@pytest.mark.parametrize(
    ("persistent", "word", "lifetime"),
    [(True, "Persistent", dt.timedelta(days=365)), (False, "Temporary", dt.timedelta(minutes=15))],
)
@conforms("MS-RMPR 3.3.4.1", "A persistent RAC says Persistent in Group-Identity-Credential-Type.")
@conforms("MS-RMPR 3.3.4.1", "A temporary RAC says Temporary in Group-Identity-Credential-Type.")
def test_persistent_is_the_long_one(mode_2: Cluster, persistent: bool, word: str, lifetime: dt.timedelta) -> None:
    """Persistent true means 365 days, false 15 minutes; both begin a day before (rulings 10 and 11)."""
    rac = read(ask(mode_2, persistent=persistent))
    assert rac.principal.levels["Group-Identity-Credential-Type"] == word
    assert rac.issued_time == NOW
    assert rac.validity == TimeRange(NOW - DAY, NOW + lifetime)


@conforms("MS-RMPR 3.3.4.1", "A RAC lasts as long as racValidityTime says.")
@conforms("MS-RMPR 3.3.4.1", "A temporary RAC lasts as long as tempRacValidityTime says.")
@conforms("MS-RMPR 3.3.4.1", "A RAC is valid from certificateValidityTimeTolerance before its issue.")
def test_lifetimes_are_configuration(mode_2: Cluster) -> None:
    """racValidityTime, tempRacValidityTime and the tolerance of 3.1.1.1.1."""
    cluster = mode_2.with_state(
        rac_validity=3 * DAY, temporary_rac_validity=2 * DAY, validity_tolerance=dt.timedelta(minutes=15)
    )
    start = NOW - dt.timedelta(minutes=15)
    assert read(ask(cluster)).validity == TimeRange(start, NOW + 3 * DAY)
    assert read(ask(cluster, persistent=False)).validity == TimeRange(start, NOW + 2 * DAY)


@conforms("MS-RMPR 3.3.4.1", "The RAC has a DISTRIBUTIONPOINT of type Activation.")
@conforms("MS-RMPR 3.3.4.1", "Its address is the base URL and /certification.")
@conforms("MS-RMPR 3.3.4.1", "Where an external URL is configured, there is one of type Extranet-Activation.")
@conforms("MS-RMPR 3.3.4.1", "The address of that one is externalCertificationUrl.")
@conforms("MS-RMPR 2.2.9.5", "There is a point with the extranet URL where one is configured.")
def test_distribution_points(mode_2: Cluster) -> None:
    """baseUrl + /certification; the extranet point only where it is configured (rulings 7)."""
    points = read(ask(mode_2)).distribution_points()
    assert [(p.type, p.address("URL")) for p in points] == [
        ("Activation", "http://rms.example.com/_wmcs/certification")
    ]
    outside = "https://rms.example.net/_wmcs/certification"
    points = read(ask(mode_2.with_state(external_certification_url=outside))).distribution_points()
    assert [(p.type, p.address("URL")) for p in points][1:] == [("Extranet-Activation", outside)]


@conforms("MS-RMPR 3.3.4.1", "A valid request is answered with a new RAC.")
@conforms("MS-RMPR 2.2.9.5.1", "Each account certificate has a GUID of its own, in braces.")
def test_every_rac_has_its_own_guid(mode_2: Cluster) -> None:
    """The DESCRIPTOR's GUID is new each time, braced and in lower case."""
    found = [read(ask(mode_2)).descriptor for _ in range(2)]
    ids = [descriptor.id for descriptor in found if descriptor]
    assert len(set(ids)) == 2
    assert all(text == Guid.parse(text).braced for text in ids)


def test_mode_1_machine_with_a_long_key(mode_1: Cluster) -> None:
    """A mode 1 machine may have 2048 bits; the account's key has 1024 all the same."""
    machine = mode_1.machine("long", bits=2048)
    rac = read(ask(mode_1, machine.chain))
    assert rac.principal.public_key.bits == 1024
    assert rac.open_private_key(machine.key, STAND_IN).public == rac.principal.public_key


def test_trail_names_account_machine_and_certificate(mode_2: Cluster) -> None:
    """The audit learns who was certified, on which machine, with which security processor."""
    caller, machine = mode_2.caller(AUTHOR), mode_2.machine()
    rac = read(ask(mode_2, machine.chain, caller=caller))
    assert rac.descriptor is not None
    facts = caller.trail.facts
    assert facts["account"] == [AUTHOR]
    assert facts["machine"] == [machine.spc.principal.object.id]
    assert facts["account_certificate"] == [rac.descriptor.id]
    assert facts["security_processor"] == ["Example secure repository 6.3.0.0"]


# --- the key pair ----------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.3.4.1", "Each account has a key pair of its own.")
@conforms("MS-RMPR 3.3.4.1", "The RAC holds the key pair that is stored for the account.")
def test_one_key_pair_for_all_machines_of_an_account(cluster: Cluster) -> None:
    """Licences open on all of a user's machines; another user has another key."""
    ports = cluster.ports()
    one, two = (read(ask(cluster, cluster.machine(name).chain, ports=ports)) for name in ("laptop", "desktop"))
    other = read(ask(cluster, ports=ports, caller=cluster.caller("reader@example.com")))
    assert one.principal.public_key == two.principal.public_key
    assert other.principal.public_key != one.principal.public_key


@conforms("MS-RMPR 3.3.4.1", "Where no key pair is stored, a new one is taken that nobody else has.")
def test_C7_keys_come_from_the_pool(mode_2: Cluster) -> None:
    """C7: key pairs are taken from the pool, each once."""
    ports = mode_2.ports(ready_keys=2)
    racs = [read(ask(mode_2, ports=ports, caller=mode_2.caller(email))) for email in (AUTHOR, "reader@example.com")]
    assert [rac.principal.public_key for rac in racs] == [key(f"pool {n}", 2048).public for n in range(2)]


@conforms("MS-RMPR 3.3.4.1", "The RAC holds the key pair that is stored for the account.")
def test_K5_answer_holds_the_key_that_was_stored(mode_2: Cluster) -> None:
    """K5: where another caller stored a key first, that one is answered."""
    ports = mode_2.ports()
    first = key("first come", 2048)

    class Raced(Recorder):
        def get(self, account: str, bits: int) -> PrivateKey | None:
            return None  # it comes to be between the look and the storing

    ports.user_keys.put_if_absent(mode_2.sid(AUTHOR), first)
    raced = dataclasses.replace(ports, user_keys=Raced(ports.user_keys))
    assert read(ask(mode_2, ports=raced)).principal.public_key == first.public


@conforms("MS-RMPR 3.3.4.1", "A new key pair is stored before it is answered.")
def test_K5_nothing_is_answered_that_was_not_stored(mode_2: Cluster) -> None:
    """K5: where the key cannot be stored, there is a fault and no certificate."""
    ports = mode_2.ports()
    failing = dataclasses.replace(ports, user_keys=Recorder(ports.user_keys, failing=True))
    refused(mode_2, PortUnavailable, ports=failing)


def test_K5_two_first_certifications_at_once_agree(mode_1: Cluster) -> None:
    """K5: of callers at the same time none goes away with a key of its own."""
    ports, found = mode_1.ports(), []
    machine = mode_1.machine().chain

    def run() -> None:
        found.append(read(ask(mode_1, machine, ports=ports)).principal.public_key)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


# --- who asks --------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.3.4.1", "Who is not authenticated, or by federation while that is off, gets UnauthorizedAccess.")
def test_anonymous_caller_is_refused(mode_2: Cluster) -> None:
    """Where the endpoint is open to anonymous callers, Certify itself refuses (rulings 28)."""
    refused(mode_2, UnauthorizedAccess, caller=mode_2.caller(None))


@conforms("MS-RMPR 3.3.4.1", "Who is not authenticated, or by federation while that is off, gets UnauthorizedAccess.")
def test_federated_caller_is_refused_while_federation_is_off(mode_2: Cluster) -> None:
    """3.3.4.1: MWBF and federationEnabled false."""
    caller = RequestContext(AuthenticationType.FEDERATION, FederatedAccount("guest@example.net"))
    refused(mode_2, UnauthorizedAccess, caller=caller)


@conforms("MS-RMPR 3.3.4.1", "The ID of a federated account is a GUID.")
@conforms("MS-RMPR 3.3.4.1", "Each federated e-mail address has a GUID of its own, always the same.")
@conforms("MS-RMPR 3.3.4.1", "The proxy addresses of a federated sign-on are the aliases in its RAC.")
@conforms("MS-RMPR 3.3.4.1", "A federated caller gets a RAC of type Federation.")
@conforms("MS-RMPR 2.2.9.5.4", "The ID tells users apart.")
@conforms("MS-RMPR 2.2.9.5.4", "The ID of a federated account is a GUID, another for each address.")
def test_federated_account_gets_a_guid_of_its_address(mode_2: Cluster) -> None:
    """One GUID for each address, aliases in ADDRESS, the lifetime of federated RACs."""
    cluster, ports = mode_2.with_state(federation_enabled=True), mode_2.ports()

    def certified(email: str) -> RightsAccountCertificate:
        caller = RequestContext(AuthenticationType.FEDERATION, FederatedAccount(email, ("alias@example.net",)))
        return read(ask(cluster, caller=caller, ports=ports))

    one, again, other = map(certified, ("guest@example.net", "Guest@example.net", "else@example.net"))
    assert one.account[0] == "Federation"
    assert Guid.parse(one.account[1]).braced == one.account[1]
    assert one.account == again.account
    assert one.principal.public_key == again.principal.public_key
    assert one.account != other.account
    assert one.email_aliases == ("alias@example.net",)
    assert one.validity == TimeRange(NOW - DAY, NOW + DAY)


@conforms("MS-RMPR 3.3.4.1", "Each federated e-mail address has a GUID of its own, always the same.")
def test_federated_addresses_that_only_look_alike_are_apart(mode_2: Cluster) -> None:
    """Neither GUID nor key pair is shared with an address that differs in more than letter case."""
    cluster, ports = mode_2.with_state(federation_enabled=True), mode_2.ports(ready_keys=3)
    alike = ("kate.strasse@example.net", "\u212aate.strasse@example.net", "kate.stra\u00dfe@example.net")
    callers = [RequestContext(AuthenticationType.FEDERATION, FederatedAccount(email)) for email in alike]
    racs = [read(ask(cluster, caller=caller, ports=ports)) for caller in callers]
    assert len({rac.account for rac in racs}) == 3
    assert len({rac.principal.public_key for rac in racs}) == 3


@conforms("MS-RMPR 3.3.4.1", "A federated RAC lasts as long as federatedRacValidityTime says.")
@conforms("MS-RMPR 3.3.4.1", "The address in a federated RAC is that of the sign-on.")
def test_federated_rac_has_the_address_and_a_lifetime_of_its_own(mode_2: Cluster) -> None:
    """The address as it was claimed; the directory, which knows another account by it, is not asked."""
    cluster = mode_2.with_state(federation_enabled=True, federated_rac_validity=2 * DAY)
    caller = RequestContext(AuthenticationType.FEDERATION, FederatedAccount(AUTHOR.upper()))
    rac = read(ask(cluster, caller=caller))
    assert (rac.account[0], rac.email) == ("Federation", AUTHOR.upper())
    assert rac.validity == TimeRange(NOW - DAY, NOW + 2 * DAY)


@conforms("MS-RMPR 3.3.4.1", "A federated account's key pair is found by its e-mail address.")
@conforms("MS-RMPR 3.3.4.1", "Any other account's key pair is found by its SID.")
@conforms("MS-RMPR 3.3.4.1", "The RAC holds the key pair that is stored for the account.")
def test_what_a_key_pair_is_stored_under(mode_2: Cluster) -> None:
    """A pair that lies there already is the account's; so the same address by either sign-on has two."""
    cluster, ports = mode_2.with_state(federation_enabled=True), mode_2.ports()
    stored = {name: key(f"stored {name}", 2048) for name in (AUTHOR, cluster.sid(AUTHOR))}
    for name, pair in stored.items():
        ports.user_keys.put_if_absent(name, pair)
    federated = RequestContext(AuthenticationType.FEDERATION, FederatedAccount(AUTHOR))
    for name, caller in ((AUTHOR, federated), (cluster.sid(AUTHOR), cluster.caller(AUTHOR))):
        rac = read(ask(cluster, caller=caller, ports=ports))
        assert rac.principal.public_key == stored[name].public


def test_disabled_account_is_refused(mode_2: Cluster) -> None:
    """An account that was disabled after its connection was authenticated."""
    directory = mode_2.directory()
    directory.change_user(known(directory, AUTHOR).account.sid, enabled=False)
    refused(mode_2, UnauthorizedAccess, ports=mode_2.ports(directory))


@conforms("MS-RMPR 3.3.4.1", "An account without an address gets ADEntrySearchFailed.")
def test_account_without_entry_or_address_is_refused(mode_2: Cluster) -> None:
    """GetEmailAddressForAccount gives nothing: ADEntrySearchFailed."""
    directory = mode_2.directory()
    refused(mode_2, ADEntrySearchFailed, caller=mode_2.caller("nobody@example.com"))
    directory.change_user(known(directory, AUTHOR).account.sid, emails=())
    refused(mode_2, ADEntrySearchFailed, ports=mode_2.ports(directory))


@pytest.mark.parametrize("email", ["author", "a@b@c", "author@", "a(comment)@example.com", "a b@example.com"])
@conforms("MS-RMPR 3.3.4.1", "An address that has not the form of RFC 822 gets VerifyEmailAddressFailed.")
def test_malformed_address_is_refused(mode_2: Cluster, email: str) -> None:
    """An address that has not the form of RFC 822."""
    directory = mode_2.directory()
    directory.change_user(known(directory, AUTHOR).account.sid, emails=(email,))
    refused(mode_2, VerifyEmailAddressFailed, ports=mode_2.ports(directory))


@conforms("MS-RMPR 3.3.4.1", "The ID of any other account is the SID of its sign-on.")
@conforms("MS-RMPR 2.2.9.5.4", "The ID of an account of the directory is its SID.")
def test_account_found_by_its_history_keeps_the_sid_of_the_sign_on(mode_2: Cluster) -> None:
    """The userid MUST be the SID of authenticatedAccount, wherever the directory found the address."""
    directory = MemoryDirectory("EXAMPLE")
    directory.add_user("author", AUTHOR, sid="S-1-5-21-9-9-9-9", sid_history=(mode_2.sid(AUTHOR),))
    assert read(ask(mode_2, ports=mode_2.ports(directory))).account[1] == mode_2.sid(AUTHOR)


# --- the machine -----------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.3.4.1", "A decommissioned cluster answers ClusterDecommissioned.")
def test_decommissioned_cluster_certifies_nobody(mode_2: Cluster) -> None:
    """Before anything else, authentication included (rulings 34)."""
    cluster = mode_2.with_state(decommissioned=True)
    refused(cluster, ClusterDecommissioned)
    refused(cluster, ClusterDecommissioned, caller=mode_2.caller(None))


def test_a_licensing_only_cluster_certifies_nobody(mode_2: Cluster) -> None:
    """[MS-RMPRS] 3.3: it has authority to license alone."""
    refused(mode_2.with_state(root_url="https://root.example.com/_wmcs"), UnauthorizedAccess)


@pytest.mark.parametrize("chain", [None, ()])
@conforms("MS-RMPR 3.3.4.1", "A request without a signed SPC chain, or without the kind of RAC it wants, is refused.")
def test_missing_chain(mode_2: Cluster, chain: tuple[str, ...] | None) -> None:
    """MachineCertificateChain is required."""
    with pytest.raises(ArgumentNull):
        certify(CertifyRequest(chain, True), mode_2.caller(AUTHOR), mode_2.state, mode_2.ports(), NOW)


@conforms("MS-RMPR 3.3.4.1", "A request without a signed SPC chain, or without the kind of RAC it wants, is refused.")
def test_missing_type(mode_2: Cluster) -> None:
    """Persistent is required: no lifetime is guessed."""
    request = CertifyRequest(mode_2.machine().chain, None)
    with pytest.raises(ArgumentNull):
        certify(request, mode_2.caller(AUTHOR), mode_2.state, mode_2.ports(), NOW)


def test_sizes_at_and_above_the_limit(mode_2: Cluster) -> None:
    """A certificate at the limit is served, one byte more is refused; so is one certificate too many."""
    longest = max(len(text.encode()) for text in mode_2.machine().chain)
    ask(mode_2.with_state(certificate_limit_bytes=longest))
    refused(mode_2.with_state(certificate_limit_bytes=longest - 1), UnspecifiedError)
    ask(mode_2.with_state(certificate_limit_count=5))
    refused(mode_2.with_state(certificate_limit_count=4), UnspecifiedError)


@conforms(
    "MS-RMPR 3.3.4.1", "Every signature of the SPC chain, its first two issuers and its security processor are checked."
)
@conforms("MS-RMPR 3.3.4.1", "An SPC chain that does not hold gets VerifyMachineCertificateChainFailed.")
@conforms(
    "MS-RMPR 2.2.9.4",
    "A machine certificate is signed by its issuer, and one whose signature does not hold is refused.",
)
def test_changed_certificates_are_refused(cluster: Cluster) -> None:
    """The signature of each certificate in the chain is validated."""
    chain = cluster.machine().chain
    for position, text in enumerate(chain):
        changed = text.replace("<ISSUEDTIME>2026-", "<ISSUEDTIME>2025-", 1)
        assert changed != text
        refused(
            cluster,
            VerifyMachineCertificateChainFailed,
            (*chain[:position], changed, *chain[position + 1 :]),
        )


@pytest.mark.parametrize("text", ["", "<XrML", "<a/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_what_is_no_certificate_is_refused(mode_2: Cluster, text: str) -> None:
    """Unreadable leaves."""
    refused(mode_2, VerifyMachineCertificateChainFailed, (text, *mode_2.machine().chain[1:]))


@conforms("MS-RMPR 3.3.4.1", "A request without a signed SPC chain, or without the kind of RAC it wants, is refused.")
def test_unsigned_leaf_is_refused(mode_2: Cluster) -> None:
    """An SPC whose SIGNATURE was cut off."""
    leaf, *issuers = mode_2.machine().chain
    head, found, _ = leaf.partition("<SIGNATURE>")
    assert found
    refused(mode_2, VerifyMachineCertificateChainFailed, (head + "</XrML>", *issuers))


@conforms(
    "MS-RMPR 2.2.9.4", "A machine certificate has the DESCRIPTOR of one, and certificates of other kinds are refused."
)
def test_another_kind_of_leaf_is_refused(mode_2: Cluster) -> None:
    """A RAC or an SLC does not stand in for an SPC."""
    refused(mode_2, VerifyMachineCertificateChainFailed, mode_2.account().chain)
    refused(mode_2, VerifyMachineCertificateChainFailed, mode_2.state.licensor.chain)


def test_leaf_alone_is_refused(mode_2: Cluster) -> None:
    """A machine chain always comes whole."""
    refused(mode_2, VerifyMachineCertificateChainFailed, mode_2.machine().chain[:1])


@conforms("MS-RMPR 3.8.3.1", "An SPC chain is trusted where the key of its first or second issuer is.")
@conforms("MS-RMPR 3.3.4.1", "An SPC chain that does not hold gets VerifyMachineCertificateChainFailed.")
def test_untrusted_machine_issuer_is_refused(mode_2: Cluster) -> None:
    """A well-formed chain of another SPC issuer."""
    machine = mode_2.machine(hierarchy=machine_hierarchy(mode_2.mode, "other"))
    refused(mode_2, VerifyMachineCertificateChainFailed, machine.chain)


@conforms("MS-RMPR 3.8.3.1", "An SPC chain is trusted where the key of its first or second issuer is.")
@conforms(
    "MS-RMPR 3.3.4.1", "Every signature of the SPC chain, its first two issuers and its security processor are checked."
)
def test_second_issuer_may_be_the_trusted_one(mode_2: Cluster) -> None:
    """The first or second certificate that follows the SPC; not the third."""
    issuers = [IssuingCertificate.read(text) for text in mode_2.machine().chain[1:]]
    for position, accepted in ((0, True), (1, True), (2, False), (3, False)):
        trusted = issuers[position].principal.public_key
        cluster = mode_2.with_state(trusted_machine_issuers={trusted.id: trusted})
        if accepted:
            ask(cluster)
        else:
            refused(cluster, VerifyMachineCertificateChainFailed)


def test_whole_chain_may_close_at_a_listed_root(mode_2: Cluster) -> None:
    """Machines of a hierarchy whose root is listed, with the kinds and names of 2.2.9.3."""
    root = mode_2.machines.root.public
    cluster = mode_2.with_state(trusted_machine_issuers={}, machine_roots={root.id: root})
    ask(cluster)
    renamed = machine_hierarchy(mode_2.mode, names=[f"{name} 2" for name in MACHINE_NAMES])
    refused(cluster, VerifyMachineCertificateChainFailed, mode_2.machine(hierarchy=renamed).chain)


@conforms("MS-RMPR 3.3.4.1", "Type, name and security level in the ISSUER of an SPC mean nothing.")
@pytest.mark.parametrize("by_key", [True, False], ids=["first issuer", "listed root"])
def test_what_describes_the_issuer_is_ignored(mode_2: Cluster, by_key: bool) -> None:
    """[MS-RMPR] 2.2.9.4.2: type, name and cps may be anything or missing; GUID and key may not."""
    issuer, root = mode_2.machines.licensor, mode_2.machines.root.public
    cluster = mode_2 if by_key else mode_2.with_state(trusted_machine_issuers={}, machine_roots={root.id: root})
    spc = mode_2.machine().spc
    object_ = spc.issuer.object
    assert object_.name
    name, type_ = f"<NAME>{object_.name}</NAME>", f'<OBJECT type="{object_.type}">'
    cps = '<SECURITYLEVEL name="cps" value="anything" /><PUBLICKEY>'

    def chain(**replaced: str) -> tuple[str, ...]:
        inner = spc.issuer.inner_surface
        for old, new in zip((name, type_, "<PUBLICKEY>", object_.id), replaced.values(), strict=False):
            assert inner.count(old) == 1
            inner = inner.replace(old, new)
        body = spc.body.surface.replace(spc.issuer.inner_surface, inner)
        return (signed_document(body, issuer.key, mode_2.mode), *issuer.chain)

    ask(cluster, chain(name="<NAME>Another</NAME>", type_='<OBJECT type="Another">', cps=cps))
    ask(cluster, chain(name="", type_="<OBJECT>"))
    other = "{00000000-0000-4000-8000-000000000001}"
    refused(cluster, VerifyMachineCertificateChainFailed, chain(name=name, type_=type_, cps="<PUBLICKEY>", id=other))


def test_L8_genuine_certificates_appended_to_a_forged_chain(mode_2: Cluster) -> None:
    """L8: a self-made SPC over genuine certificates: every link is verified with the parent at its position."""
    genuine = mode_2.machines.licensor.chain
    forged = mode_2.machine("forged", hierarchy=machine_hierarchy(mode_2.mode, "forger"))
    for chain in (
        (forged.chain[0], *genuine),
        (*forged.chain[:2], *genuine),
        (*forged.chain[:2], *genuine[1:]),
        (*forged.chain, genuine[-1]),
        (*forged.chain, *genuine),
    ):
        refused(mode_2, VerifyMachineCertificateChainFailed, chain)


@conforms("MS-RMPR 3.3.4.1", "An SPC chain with keys or hashes of the other mode gets UnsupportedCryptographicSet.")
def test_L11_machine_of_the_other_mode_is_refused(mode_1: Cluster, mode_2: Cluster) -> None:
    """L11: a mode 1 SPC on a mode 2 cluster and the reverse, whether or not its issuer is trusted."""
    for own, other in ((mode_1, mode_2), (mode_2, mode_1)):
        chain = other.machine().chain
        refused(own, UnsupportedCryptographicSet, chain)
        trusted = own.with_state(trusted_machine_issuers=other.state.trusted_machine_issuers)
        refused(trusted, UnsupportedCryptographicSet, chain)


def test_L11_short_machine_key_on_a_mode_2_cluster(mode_2: Cluster) -> None:
    """L11: SHA-256 with 1024 bits is in neither mode."""
    refused(mode_2, UnsupportedCryptographicSet, mode_2.machine("short", bits=1024).chain)


@pytest.mark.parametrize("weakness", WEAK_MODULI)
def test_C8_weak_machine_keys_are_refused(mode_2: Cluster, weakness: str) -> None:
    """C8: nothing is sealed to a key that others can factor."""
    weak = PrivateKey(PublicKey(WEAK_MODULI[weakness], 2048), key("stands for the weak one", 2048)._key)
    machine = mode_2.machine(weakness, machine_key=weak)
    refused(mode_2, UnsupportedCryptographicSet, machine.chain)


@pytest.mark.parametrize("exponent", ["1", "3", "65536"])
@conforms("MS-RMPR 2.2.9.4.4", "The exponent of the machine's key is 65537, and another one is refused.")
def test_C8_other_exponents_are_refused(mode_2: Cluster, exponent: str) -> None:
    """C8: the exponent of every key is 65537."""
    machine, issuer = mode_2.machine(), mode_2.machines.licensor
    head, middle, tail = machine.spc.body.surface.rpartition(">65537<")
    text = signed_document(head + f">{exponent}<" + tail, issuer.key, mode_2.mode)
    assert middle
    refused(mode_2, VerifyMachineCertificateChainFailed, (text, *machine.chain[1:]))


@pytest.mark.parametrize(
    ("begins", "accepted"), [(dt.timedelta(), True), (-DAY, True), (dt.timedelta(minutes=1), False), (-2 * DAY, False)]
)
@conforms(
    "MS-RMPR 2.2.9.1.2",
    "Before the first and from the last minute of its VALIDITYTIME on, a certificate or licence is refused.",
)
def test_validity_of_machine_certificates_is_compared_with_now(
    mode_2: Cluster, begins: dt.timedelta, accepted: bool
) -> None:
    """VALIDITYTIME, of the SPC or its issuer: from its first minute on, no longer in its last."""
    validity = range_xml("VALIDITYTIME", TimeRange(NOW + begins, NOW + begins + 2 * DAY))
    machine, issuer = mode_2.machine(), mode_2.machines.licensor
    above = key("example machine authority", mode_2.mode.rsa_bits)
    spc = signed_document(_with_validity(machine.chain[0], validity), issuer.key, mode_2.mode)
    parent = signed_document(_with_validity(machine.chain[1], validity), above, mode_2.mode)
    for chain in ((spc, *machine.chain[1:]), (machine.chain[0], parent, *machine.chain[2:])):
        if accepted:
            ask(mode_2, chain)
        else:
            refused(mode_2, VerifyMachineCertificateChainFailed, chain)


def _with_validity(text: str, validity: str) -> str:
    """BODY of a certificate, with a VALIDITYTIME that it had not."""
    return text[text.index("<BODY") : text.index("<SIGNATURE>")].replace("</ISSUEDTIME>", f"</ISSUEDTIME>{validity}")


@conforms(
    "MS-RMPR 3.3.4.1", "Every signature of the SPC chain, its first two issuers and its security processor are checked."
)
@conforms("MS-RMPR 3.3.4.1", "A security processor below the minimum gets BlackBoxIsInvalid.")
def test_excluded_security_processor_is_refused(mode_2: Cluster) -> None:
    """spcExclusionPolicy compares the number at the end of the Repository level."""
    chain = mode_2.machine(repository="A repository 6.1.7600.16385").chain
    ask(mode_2.with_state(minimum_security_processor=Version.parse("6.1.7600.16385")), chain)
    newer = mode_2.with_state(minimum_security_processor=Version.parse("6.1.7600.16386"))
    refused(newer, BlackBoxIsInvalid, chain)


def test_security_processor_that_tells_no_version(mode_2: Cluster) -> None:
    """Served while no minimum is set, refused where there is one."""
    chain = mode_2.machine(repository="no version").chain
    ask(mode_2, chain)
    refused(mode_2.with_state(minimum_security_processor=Version(1)), BlackBoxIsInvalid, chain)


# --- the own certificate -----------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.1.6.2", "Nothing is issued outside the range of the SLC.")
def test_K4_expired_server_certificate_issues_nothing(mode_2: Cluster) -> None:
    """K4: outside the own SLC's ISSUE range, or before it was issued, there is a fault and no key is made."""
    ended = TimeRange(ALWAYS.start, NOW)
    licensor = server_hierarchy(mode_2.mode, "example", issuance=ended).licensor
    cluster, ports = mode_2.with_state(licensor=licensor), mode_2.ports()
    refused(cluster, UnspecifiedError, ports=ports)
    refused(mode_2, UnspecifiedError, ports=ports, now=dt.datetime(2026, 1, 3, tzinfo=dt.UTC))
    refused(mode_2, UnspecifiedError, ports=ports, now=dt.datetime(2300, 1, 1, tzinfo=dt.UTC))
    assert ports.user_keys.get(mode_2.sid(AUTHOR), 2048) is None
    ask(cluster, ports=ports, now=NOW - dt.timedelta(minutes=1))


def test_K4_validity_of_the_server_certificate_counts_as_well(mode_2: Cluster) -> None:
    """K4: an SLC with a VALIDITYTIME, as other servers may have one, issues nothing outside it."""
    own = mode_2.state.licensor
    validity = range_xml("VALIDITYTIME", TimeRange(NOW - DAY, NOW))
    text = signed_document(_with_validity(own.chain[0], validity), key("example service", 2048), mode_2.mode)
    licensor = dataclasses.replace(own, certificate=IssuingCertificate.read(text), chain=(text, *own.chain[1:]))
    cluster = mode_2.with_state(licensor=licensor)
    refused(cluster, UnspecifiedError)
    ask(cluster, now=NOW - dt.timedelta(minutes=1))


def test_K4_the_detail_names_clock_and_range(mode_2: Cluster) -> None:
    """K4: the line for the log says what the clock says, and from when until when may be issued."""
    with pytest.raises(UnspecifiedError) as caught:
        ask(mode_2, now=dt.datetime(2026, 1, 3, 8, 15, tzinfo=dt.UTC))
    assert "2026-01-03 08:15" in caught.value.detail
    assert "2026-01-05 09:30" in caught.value.detail
    assert "2258" in caught.value.detail
    assert "2026" not in caught.value.text


@conforms("MS-RMPR 2.2.9.1", "What is issued has the elements of genuine documents of its kind, in their order.")
def test_certificate_has_the_shape_of_a_genuine_one(mode_1: Cluster) -> None:
    """Element for element the same as the RAC of [MS-RMPR] 4.5, apart from texts."""

    def shape(text: str) -> list[tuple[str, tuple[str, ...]]]:
        return [(e.tag, tuple(e.attributes)) for e in surface.parse(text).walk()]

    assert shape(ask(mode_1)[0]) == shape(genuine("mode1-rac"))


def test_machine_certificate_of_a_genuine_client_fits(mode_1: Cluster) -> None:
    """A genuine SPC, had it our issuer: its machine gets a RAC that repeats its OBJECT and levels."""
    spc, issuer = SecurityProcessorCertificate.read(genuine("mode1-spc")), mode_1.machines.licensor
    body = spc.body.surface.replace(spc.issuer.inner_surface, issuer.certificate.issuer_inner_surface)
    body = body.replace("2010-06-11T20:46", "2026-02-01T00:00")
    rac = read(ask(mode_1, (signed_document(body, issuer.key, mode_1.mode), *issuer.chain)))
    assert rac.machine is not None
    assert rac.machine.object.surface == spc.principal.object.surface
    assert rac.machine.levels == {
        name: spc.principal.levels[name] for name in ("Manufacturer", "Platform", "Repository")
    }
