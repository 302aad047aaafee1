"""People of a real Active Directory with the real client: sign-on by ticket, NTLM and password, and rights through groups."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gssapi", reason="gssapi is not installed (extra [ad])")

from tests.conformance import conforms
from tests.live.domain_server import LIFETIME_S, DomainServer, free_port
from tests.live.samba import Domain

pytestmark = pytest.mark.xdist_group("domain")

SECRET = "For all staff.\n"


@pytest.fixture(scope="module")
def server(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainServer]:
    made = DomainServer(domain, tmp_path_factory.mktemp("story"), free_port())
    made.create()
    with made.serving():
        yield made


@pytest.fixture(scope="module")
def tickets(server: DomainServer) -> dict[str, str]:
    """Environment with Alice's tickets."""
    return {"KRB5CCNAME": f"FILE:{server.tickets('alice')}"}


@pytest.fixture(scope="module")
def alice(server: DomainServer, tickets: dict[str, str]) -> dict[str, str]:
    """Alice has certified herself by Kerberos: she named no user and has no password."""
    done = server.client("alice", "bootstrap", "--url", server.url, password=None, **tickets)
    assert done.returncode == 0, done.stderr
    assert "Set up for alice@rms.test" in done.stdout
    return tickets


@pytest.fixture(scope="module")
def plan(server: DomainServer) -> Path:
    """A file that the author, signed on by NTLM, has protected for the outermost of five groups."""
    words = ("bootstrap", "--url", server.url, "--user", "RMSTEST\\author", "--auth", "ntlm")
    done = server.client("author", *words)
    assert done.returncode == 0, done.stderr
    (server.folder / "plan.txt").write_text(SECRET)
    done = server.client("author", "protect", "plan.txt", "--grant", "all-staff@rms.test=VIEW", "-o", "plan.ptxt")
    assert done.returncode == 0, done.stderr
    return server.folder / "plan.ptxt"


@pytest.mark.usefixtures("alice", "plan")
@conforms("MS-RMPR 3.1.4.3", "Any other sign-on is told by the name of its scheme.")
@conforms("MS-RMPR 3.1.4.3", "The account of a Kerberos sign-on is named DOMAIN and user.")
@conforms("MS-RMPR 3.1.4.3", "The account of an NTLM sign-on is named DOMAIN and user.")
@conforms("MS-RMPR 3.3.4.1", "A client that signs on by NTLM is certified.")
def test_the_audit_knows_how_they_signed_on(server: DomainServer) -> None:
    """Alice's certification by Kerberos, the author's by NTLM."""
    deadline, seen = time.monotonic() + 10, set[tuple[str, str]]()
    wanted = {("RMSTEST\\alice", "Kerberos"), ("RMSTEST\\author", "NTLM")}
    while not wanted <= seen and time.monotonic() < deadline:
        records = json.loads(server.run("audit", "--json", "--limit", "100"))
        seen = {(r["account"], r["authentication"]) for r in records if r["operation"] == "Certify"}
    assert wanted <= seen


def test_bob_by_password(server: DomainServer) -> None:
    """Basic on this machine, by e-mail address."""
    words = ("bootstrap", "--url", server.url, "--user", "bob@rms.test", "--auth", "basic")
    done = server.client("bob", *words)
    assert done.returncode == 0, done.stderr


def test_tickets_of_somebody_else_are_not_used(server: DomainServer, tickets: dict[str, str]) -> None:
    """Who names another account than the tickets' is told so, and nobody is certified."""
    words = ("bootstrap", "--url", server.url, "--user", "bob", "--auth", "kerberos")
    done = server.client("nobody", *words, **tickets)
    assert done.returncode != 0
    assert "The Kerberos tickets are of alice@RMS.TEST" in done.stderr


def test_without_tickets_the_client_says_what_to_do(server: DomainServer) -> None:
    """Neither tickets nor --user."""
    done = server.client("nobody", "bootstrap", "--url", server.url, password=None)
    assert done.returncode != 0
    assert "kinit" in done.stderr


def test_L6_nested_group_and_its_end(server: DomainServer, alice: dict[str, str], plan: Path) -> None:
    """Alice is in the fifth group under all-staff and opens the file; taken out of it, she is refused when the server's
    memory has run out; put back, she opens it again."""

    def opened() -> bool:
        done = server.client("alice", "open", plan.name, password=None, **alice)
        assert (done.returncode == 0) == (SECRET in done.stdout)
        if done.returncode != 0:
            assert "NoRights" in done.stderr
        return done.returncode == 0

    assert opened()
    with server.domain.without_member("ring-1", "alice"):
        time.sleep(LIFETIME_S + 0.5)
        assert not opened()
    time.sleep(LIFETIME_S + 0.5)
    assert opened()


def test_an_address_among_the_proxy_addresses_counts(server: DomainServer, alice: dict[str, str], plan: Path) -> None:
    """A file granted to alice's old address, which only `proxyAddresses` has, opens for her."""
    words = ("--grant", "alice@old.rms.test=VIEW", "-o", "alias.ptxt")
    done = server.client("author", "protect", plan.with_suffix(".txt").name, *words)
    assert done.returncode == 0, done.stderr
    assert server.client("alice", "open", "alias.ptxt", password=None, **alice).stdout == SECRET


def test_an_outsider_is_refused(server: DomainServer, plan: Path) -> None:
    """Carol is in none of the groups."""
    done = server.client("carol", "bootstrap", "--url", server.url, "--user", "RMSTEST\\carol")
    assert done.returncode == 0, done.stderr
    done = server.client("carol", "open", plan.name)
    assert done.returncode != 0
    assert SECRET not in done.stdout


def test_A4_the_client_binds_itself_to_tls(domain: Domain, tmp_path: Path) -> None:
    """Where extended protection is required the client signs on all the same, by Kerberos and by NTLM."""
    bound = DomainServer(domain, tmp_path, free_port(), tls=True)
    bound.create(channel_binding="required", basic="never")
    words = ("bootstrap", "--url", bound.url, "--ca", str(domain.certificate_authority))
    with bound.serving():
        tickets = f"FILE:{bound.tickets('alice')}"
        done = bound.client("alice", *words, password=None, KRB5CCNAME=tickets)
        assert done.returncode == 0, done.stderr + bound.log
        done = bound.client("bob", *words, "--user", "RMSTEST\\bob")
        assert done.returncode == 0, done.stderr + bound.log
