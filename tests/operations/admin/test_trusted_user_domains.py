"""Files of trusted user domains: ours, the product's, and what is not one."""

from __future__ import annotations

import datetime as dt

import pytest

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.signed_exports import ManagementIdentity, make_management_identity
from rmsserver.operations.admin.trusted_user_domains import (
    check_foreign,
    email_domains,
    export_bare_chain,
    export_user_domain,
    read_user_domain,
)
from tests.cluster import Cluster
from tests.operations.admin.old_cluster import old_licensor
from tests.shared import genuine

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def identity() -> ManagementIdentity:
    return make_management_identity("partner", NOW)


def test_signed_files(mode_2: Cluster, identity: ManagementIdentity) -> None:
    """Own and former chains, character for character, under the management certificate's fingerprint."""
    former = old_licensor()
    offered = read_user_domain(export_user_domain(mode_2.with_state(former_licensors=(former,)).state, identity, NOW))
    assert offered.signed
    assert offered.chains == (mode_2.state.licensor.chain, former.chain)
    assert (offered.name, offered.fingerprint) == ("EXAMPLE", identity.fingerprint)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_bare_chains(cluster: Cluster, encoding: str) -> None:
    """The product's file is nobody's: marked, and known by the key of its certificate."""
    data = export_bare_chain(cluster.state.licensor).decode().encode(encoding)
    offered = read_user_domain(data)
    assert not offered.signed
    assert offered.chains == (cluster.state.licensor.chain,)
    assert offered.fingerprint == cluster.state.licensor.key.public.id.hex()


def test_a_chain_of_real_structure() -> None:
    """Authorities that ended years ago stand above a certificate that still counts (wire facts 6)."""
    assert read_user_domain(export_bare_chain(old_licensor())).name == "OLD-RMS"


@pytest.mark.parametrize("mode", ["mode1", "mode2"])
def test_genuine_authorities(mode: str) -> None:
    """The genuine chain above SLCs closes, link by link."""
    texts = [genuine(f"{mode}-issuing-{name}") for name in ("enrollment-service", "enrollment-ca", "ca")]
    assert "Self Enrollment" in read_user_domain("".join(texts).encode()).name


def test_L9_files_that_do_not_hold(mode_2: Cluster) -> None:
    """L9: altered certificates, links that do not close, authorities in the place of a server, machine issuers, junk."""
    chain = mode_2.state.licensor.chain
    for wrong in (
        "".join(chain).replace("EXAMPLE", "EXAMPLF"),
        "".join((chain[0], *chain[2:])),
        "".join(chain[2:]),
        "".join(mode_2.machines.licensor.chain),
        mode_2.account().chain[0],
        "junk",
        "",
        '<!DOCTYPE a><a xmlns="urn:rmsserver:exchange:1"/>',
    ):
        with pytest.raises(OperatorError) as caught:
            read_user_domain(wrong.encode())
        assert "\n" not in str(caught.value)


def test_nobody_trusts_himself(mode_2: Cluster, stranger: Cluster) -> None:
    """The own chain, present or former, is refused: its users would be restricted."""
    offered = read_user_domain(export_bare_chain(mode_2.state.licensor))
    with pytest.raises(OperatorError, match="itself"):
        check_foreign(offered, mode_2.state)
    with pytest.raises(OperatorError, match="itself"):
        check_foreign(offered, stranger.with_state(former_licensors=(mode_2.state.licensor,)).state)
    check_foreign(offered, stranger.state)


def test_email_domains() -> None:
    """Written with or without @, in any letter case; nothing else than a domain."""
    assert email_domains(["Example.COM", "@partner.example"]) == {"example.com", "partner.example"}
    for wrong in ("", "a@b.example", "a b", "*.example.com ,", "a..b", "\u2028x y", "a/b c"):
        with pytest.raises(OperatorError):
            email_domains([wrong])
