"""GetClientLicensorCert: an account gets the means to publish offline."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from rmsserver.errors import (
    ArgumentNull,
    ClusterDecommissioned,
    DrmacIsExcluded,
    InvalidPersonaCertSignature,
    InvalidPersonaCertTime,
    RmsError,
    UnauthorizedAccess,
    UnexpectedPersonaCert,
    UnspecifiedError,
    UnsupportedCryptographicSet,
    UntrustedPersonaCert,
)
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest, get_client_licensor_cert
from rmsserver.ports import IssuedLicensor, LicensorRegister, Ports, PortUnavailable
from rmsserver.state import RequestContext
from rmsserver.xrml import surface
from rmsserver.xrml.chain import close_server_chain, find_licensor
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.document import signed_document
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import KeyId
from rmsserver.xrml.values import Guid, TimeRange
from tests.cluster import ALWAYS, DAY, NOW, Author, Cluster, key, server_hierarchy
from tests.conformance import conforms
from tests.shared import genuine

AUTHOR = "author@example.com"
READER = "reader@example.com"
STAND_IN = bytes(16)
Item = tuple[str, ...] | None


def ask_all(
    cluster: Cluster,
    items: tuple[Item, ...] | None,
    *,
    ports: Ports | None = None,
    caller: RequestContext | None = None,
    now: dt.datetime = NOW,
) -> tuple[tuple[str, ...], ...]:
    request = GetClientLicensorCertRequest(items)
    caller = caller or cluster.caller(AUTHOR)
    return get_client_licensor_cert(request, caller, cluster.state, ports or cluster.ports(), now).chains


def ask(cluster: Cluster, chain: tuple[str, ...] | None = None, **arguments: object) -> tuple[str, ...]:
    chain = chain or cluster.account(AUTHOR).chain
    return ask_all(cluster, (chain,), **arguments)[0]  # type: ignore[arg-type]


def refused(cluster: Cluster, error: type[RmsError], chain: tuple[str, ...] | None = None, **arguments: object) -> None:
    with pytest.raises(RmsError) as caught:
        ask(cluster, chain, **arguments)
    assert type(caught.value) is error


def read(chain: tuple[str, ...]) -> ClientLicensorCertificate:
    return ClientLicensorCertificate.read(chain[0])


class FailingRegister:
    """The database is away."""

    def remember(self, licensor: IssuedLicensor) -> None:
        raise PortUnavailable("the database is away")

    def find(self, key_id: KeyId) -> IssuedLicensor | None:
        raise PortUnavailable("the database is away")


def found(register: LicensorRegister, certificate: ClientLicensorCertificate) -> IssuedLicensor:
    """What is remembered of the certificate's key; it must be there."""
    licensor = register.find(certificate.principal.public_key.id)
    assert licensor is not None
    return licensor


# --- what is issued ------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.5.4.2", "The server's SLC chain follows the CLC.")
@conforms("MS-RMPR 3.5.4.2", "The CLC is signed with the server's key, in its SIGNATURE.")
def test_answer_is_a_chain_up_to_the_root(cluster: Cluster) -> None:
    """CLC, SLC and the chain above."""
    chain = ask(cluster)
    assert chain[1:] == cluster.state.licensor.chain
    root = cluster.servers.root.public
    close_server_chain(read(chain), [IssuingCertificate.read(text) for text in chain[1:]], {root.id: root})


@conforms("MS-RMPR 3.5.4.2", "OBJECT of the CLC's principal is that of the RAC's, unchanged.")
@conforms("MS-RMPR 3.5.4.2", "RANGETIME of the CLC is VALIDITYTIME of the RAC.")
@conforms("MS-RMPR 3.5.4.2", "The private key is encrypted with the RAC's public key.")
def test_certificate_is_made_for_the_account(cluster: Cluster) -> None:
    """OBJECT and times are the RAC's, ISSUER is the server's principal; the account's key opens the signing key."""
    account = cluster.account(AUTHOR)
    clc = read(ask(cluster, account.chain))
    assert clc.principal.object.surface == account.rac.principal.object.surface
    assert clc.issuer.inner_surface == cluster.state.licensor.certificate.principal.inner_surface
    assert clc.issuance == account.rac.validity
    assert clc.issued_time == NOW
    assert clc.mode is cluster.mode
    assert clc.principal.public_key.bits == cluster.mode.rsa_bits
    assert clc.open_private_key(account.key, STAND_IN).public == clc.principal.public_key


def test_a_licence_signed_with_it_finds_its_licensor(cluster: Cluster) -> None:
    """What the author publishes with it closes on the certificate."""
    account = cluster.account(AUTHOR)
    chain = ask(cluster, account.chain)
    author = Author(account, read(chain).open_private_key(account.key, STAND_IN), chain)
    published = cluster.publish(author)
    licensor = find_licensor(published.license, published.chain)
    assert licensor is not None
    assert licensor.text == chain[0]


@conforms("MS-RMPR 3.5.4.2", "The internal point of the CLC has licensingUrl.")
@conforms("MS-RMPR 3.5.4.2", "The external point of the CLC has externalLicensingUrl, where there is one.")
def test_distribution_points(mode_2: Cluster) -> None:
    """licensingUrl, else baseUrl + /licensing; the extranet point only where it is configured (rulings 7)."""

    def points(cluster: Cluster) -> list[tuple[str, str | None]]:
        return [(p.type, p.address("URL")) for p in read(ask(cluster)).distribution_points()]

    assert points(mode_2) == [("License-Acquisition-URL", "http://rms.example.com/_wmcs/licensing")]
    inside, outside = "http://inside.example.com/_wmcs/licensing", "https://rms.example.net/_wmcs/licensing"
    assert points(mode_2.with_state(licensing_url=inside, external_licensing_url=outside)) == [
        ("License-Acquisition-URL", inside),
        ("Extranet-License-Acquisition-URL", outside),
    ]


def test_rac_without_validity(mode_2: Cluster) -> None:
    """Nothing to copy the range from: from a day ago, as long as a RAC."""
    body = mode_2.account(AUTHOR).rac.body.surface
    start, end = body.index("<VALIDITYTIME>"), body.index("</VALIDITYTIME>") + len("</VALIDITYTIME>")
    text = signed_document(body[:start] + body[end:], mode_2.state.licensor.key, mode_2.mode)
    assert read(ask(mode_2, (text,))).issuance == TimeRange(NOW - DAY, NOW + 365 * DAY)


def test_rac_of_a_trusted_user_domain(mode_2: Cluster, stranger: Cluster) -> None:
    """An account of an imported user domain publishes here; the certificate is the own server's."""
    trusted = {**mode_2.state.trusted_rac_issuers, **stranger.state.trusted_rac_issuers}
    account = stranger.account("guest@example.net")
    clc = read(ask(mode_2.with_state(trusted_rac_issuers=trusted), account.chain))
    assert clc.principal.object == account.rac.principal.object
    assert clc.issuer.public_key == mode_2.state.licensor.key.public


def test_leaf_alone_is_enough(mode_2: Cluster) -> None:
    """Callers send the leaf alone, too."""
    assert read(ask(mode_2, mode_2.account(AUTHOR).chain[:1]))


@conforms("MS-RMPR 3.5.4.2", "Each CLC has a key pair of its own.")
def test_every_certificate_has_a_new_key(mode_2: Cluster) -> None:
    """Rulings 30, and C7: keys come from the pool, each once."""
    ports = mode_2.ports(ready_keys=2)
    keys = [read(ask(mode_2, ports=ports)).principal.public_key for _ in range(2)]
    assert keys == [key(f"pool {n}", 2048).public for n in range(2)]


def test_batch_is_answered_in_order(mode_1: Cluster) -> None:
    """One chain for each item."""
    racs = [mode_1.account(email).chain for email in (AUTHOR, READER, AUTHOR)]
    chains = ask_all(mode_1, tuple(racs))
    assert [read(chain).principal.object.name for chain in chains] == [AUTHOR, READER, AUTHOR]
    assert len({read(chain).principal.public_key for chain in chains}) == 3


# --- what is remembered ------------------------------------------------------------------------------------------------


def test_public_half_is_remembered(mode_2: Cluster) -> None:
    """Key, GUID, account and range, for licences that come back alone (wire facts 5)."""
    ports = mode_2.ports()
    clc = read(ask(mode_2, ports=ports))
    assert clc.descriptor is not None
    assert found(ports.licensors, clc) == IssuedLicensor(
        key_id=clc.principal.public_key.id,
        clc_id=Guid.parse(clc.descriptor.id),
        account_type="Windows",
        account_id=mode_2.sid(AUTHOR),
        account_name=AUTHOR,
        valid_from=clc.issuance.start,
        valid_until=clc.issuance.end,
        issuer_key_id=mode_2.state.licensor.key.public.id,
    )


def test_K5_nothing_is_answered_that_was_not_remembered(mode_2: Cluster) -> None:
    """K5: the certificate goes out after the register has it, never before."""
    ports = dataclasses.replace(mode_2.ports(), licensors=FailingRegister())
    refused(mode_2, PortUnavailable, ports=ports)


def test_one_bad_item_makes_no_key(mode_2: Cluster) -> None:
    """All items are checked before the first key is taken."""
    ports = mode_2.ports(ready_keys=1)
    good = mode_2.account(AUTHOR).chain
    with pytest.raises(InvalidPersonaCertSignature):
        ask_all(mode_2, (good, (good[0].replace(AUTHOR, READER),)), ports=ports)
    assert ports.key_pool.take(2048) == key("pool 0", 2048)


def test_trail_names_account_and_certificate(mode_2: Cluster) -> None:
    """The audit learns for whom which certificate was made."""
    caller = mode_2.caller(AUTHOR)
    clc = read(ask(mode_2, caller=caller))
    assert clc.descriptor is not None
    assert caller.trail.facts["account"] == [AUTHOR]
    assert caller.trail.facts["client_licensor_certificate"] == [clc.descriptor.id]


# --- faults --------------------------------------------------------------------------------------------------------------


def test_decommissioned_cluster(mode_2: Cluster) -> None:
    """First of all checks (rulings 34)."""
    refused(mode_2.with_state(decommissioned=True), ClusterDecommissioned, ("no certificate",))


@conforms("MS-RMPR 3.5.4.2", "A request without a RAC chain is refused.")
@pytest.mark.parametrize("items", [None, (), (None,), ((),)])
def test_missing_certificates(mode_2: Cluster, items: tuple[Item, ...] | None) -> None:
    """PersonaCerts is required, in every item."""
    with pytest.raises(ArgumentNull):
        ask_all(mode_2, items)


def test_sizes_at_and_above_the_limit(mode_2: Cluster) -> None:
    """Bytes of a certificate, certificates of an item, items of a request."""
    chain = mode_2.account(AUTHOR).chain
    longest = max(len(text.encode()) for text in chain)
    ask(mode_2.with_state(certificate_limit_bytes=longest, certificate_limit_count=len(chain)), chain)
    refused(mode_2.with_state(certificate_limit_bytes=longest - 1), UnspecifiedError, chain)
    refused(mode_2.with_state(certificate_limit_count=len(chain) - 1), UnspecifiedError, chain)
    assert len(ask_all(mode_2.with_state(batch_limit=2), (chain, chain))) == 2
    with pytest.raises(UnspecifiedError):
        ask_all(mode_2.with_state(batch_limit=2), (chain, chain, chain))


def test_precertified_rac_is_refused(mode_2: Cluster) -> None:
    """Without FEDERATIONPRINCIPALS nobody could open the signing key (rulings 6)."""
    body = mode_2.account(AUTHOR).rac.body.surface
    start, end = body.index("<FEDERATIONPRINCIPALS>"), body.index("</BODY>")
    text = signed_document(body[:start] + body[end:], mode_2.state.licensor.key, mode_2.mode)
    refused(mode_2, UnexpectedPersonaCert, (text,))


@conforms("MS-RMPR 3.5.4.2", "Every signature of the RAC chain is verified, and the RAC's issuer must be trusted.")
def test_account_certificate_is_checked(mode_2: Cluster, mode_1: Cluster, stranger: Cluster) -> None:
    """Each fault of the shared checks comes through under its name."""
    account = mode_2.account(AUTHOR)
    refused(mode_2, InvalidPersonaCertSignature, (account.chain[0].replace(AUTHOR, READER),))
    refused(mode_2, UntrustedPersonaCert, stranger.account(AUTHOR).chain)
    refused(mode_2, InvalidPersonaCertTime, account.chain, now=NOW + 400 * DAY)
    both = {**mode_2.state.trusted_rac_issuers, **mode_1.state.trusted_rac_issuers}
    refused(mode_2.with_state(trusted_rac_issuers=both), UnsupportedCryptographicSet, mode_1.account(AUTHOR).chain)
    excluded = frozenset({account.rac.principal.public_key.id})
    refused(mode_2.with_state(excluded_racs=excluded), DrmacIsExcluded, account.chain)
    refused(mode_2, UnexpectedPersonaCert, mode_2.machine().chain)


def test_L5_own_racs_only(mode_2: Cluster) -> None:
    """L5: a certificate in the name of another only where nothing is restricted, or for a listed account."""
    outsider = "outsider@example.com"
    assert ask(mode_2, caller=mode_2.caller(outsider))
    restricted = mode_2.with_state(require_own_rac=True)
    assert ask(restricted)
    refused(restricted, UnauthorizedAccess, caller=mode_2.caller(outsider))
    refused(restricted, UnauthorizedAccess, caller=mode_2.caller(None))
    listed = mode_2.with_state(require_own_rac=True, rac_proxies=frozenset({mode_2.sid(outsider)}))
    assert ask(listed, caller=mode_2.caller(outsider))


def test_L9_forged_server_certificate(mode_2: Cluster) -> None:
    """L9: a RAC under an own SLC gets no certificate of this cluster."""
    forged = server_hierarchy(mode_2.mode, "forger").licensor
    refused(mode_2, UntrustedPersonaCert, mode_2.account(AUTHOR, licensor=forged).chain)


def test_L11_mode_1_rac_on_a_mode_2_cluster(mode_1: Cluster, mode_2: Cluster) -> None:
    """L11: also where this cluster's own former SLC issued it."""
    former = {**mode_2.state.trusted_rac_issuers, **mode_1.state.trusted_rac_issuers}
    cluster = mode_2.with_state(trusted_rac_issuers=former, former_licensors=(mode_1.state.licensor,))
    refused(cluster, UnsupportedCryptographicSet, mode_1.account(AUTHOR).chain)


@conforms("MS-RMPR 3.1.6.2", "Nothing is issued outside the range of the SLC.")
def test_K4_expired_server_certificate_issues_nothing(mode_2: Cluster) -> None:
    """K4: no key is taken and nothing is remembered."""
    licensor = server_hierarchy(mode_2.mode, issuance=TimeRange(ALWAYS.start, NOW)).licensor
    ports = mode_2.ports(ready_keys=1)
    refused(mode_2.with_state(licensor=licensor), UnspecifiedError, ports=ports)
    assert ports.key_pool.take(2048) == key("pool 0", 2048)


@conforms("MS-RMPR 3.5.4.2.3.4", "The CLC of the answer has the form of section 2.2.9.6.")
def test_certificate_has_the_shape_of_a_genuine_one(mode_1: Cluster) -> None:
    """Element for element the same as the CLC of [MS-RMPR] 4.5, apart from texts (no extranet point here)."""
    outside = "http://rms.example.net/_wmcs/licensing"

    def shape(text: str) -> list[tuple[str, tuple[str, ...]]]:
        return [(e.tag, tuple(e.attributes)) for e in surface.parse(text).walk()]

    assert shape(ask(mode_1.with_state(external_licensing_url=outside))[0]) == shape(genuine("mode1-clc"))
