"""The service connection point from end to end: registered by command, found by clients; and other forests; and flush."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed (extra [ad])")
pytest.importorskip("gssapi", reason="gssapi is not installed (extra [ad])")


from rmsserver.directory.ldap.directory import LdapDirectory
from rmsserver.directory.ldap.settings import OtherForest
from rmsserver.errors import UnspecifiedError
from rmsserver.operations.find_service_locations import FindServiceLocationsRequest, find_service_locations_for_user
from rmsserver.state import AuthenticationType, DomainAccount, RequestContext
from rmsserver.stores.memory import memory_ports
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster
from tests.live import people
from tests.live.domain_server import DomainServer, free_port
from tests.live.ldap_settings import settings
from tests.live.samba import ADMINISTRATOR, Domain

pytestmark = pytest.mark.xdist_group("domain")

NOW = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def server(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainServer]:
    made = DomainServer(domain, tmp_path_factory.mktemp("discovery"), free_port(), tls=True)
    made.create()
    with made.serving():
        yield made


def administer(server: DomainServer, *words: str, user: str = ADMINISTRATOR) -> subprocess.CompletedProcess[str]:
    """`rmsserver` with a bind of its own, as an administrator gives it."""
    start = "from rmsserver.cli.rmsserver import main; main()"
    return subprocess.run(
        [sys.executable, "-c", start, *words, "--home", str(server.home), "--bind-user", f"{user}@rms.test"],
        env={**os.environ, "RMS_BIND_PASSWORD": people.PASSWORD},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def registered(server: DomainServer) -> Iterator[DomainServer]:
    done = administer(server, "scp", "register")
    assert done.returncode == 0, done.stderr
    yield server
    administer(server, "scp", "remove", "--force")


def test_register_show_remove(server: DomainServer) -> None:
    """By command: there is none, there is ours, it was ours, it is gone."""
    assert "The forest has none" in server.run("scp", "show")
    assert administer(server, "scp", "register").stdout == f"{server.url}/certification is registered.\n"
    assert "was registered already" in administer(server, "scp", "register").stdout
    (point,) = json.loads(server.run("scp", "show", "--json"))
    assert (point["url"], point["this_cluster"]) == (f"{server.url}/certification", True)
    assert f"{server.url}/certification: this cluster" in server.run("scp", "show")
    assert administer(server, "scp", "remove").stdout == "The service connection point is removed.\n"
    assert administer(server, "scp", "remove").stdout == "There was none.\n"


def test_missing_permission(server: DomainServer) -> None:
    """Exit code 2 and one line that says whose right it is."""
    done = administer(server, "scp", "register", user="alice")
    assert done.returncode == 2
    assert done.stderr.startswith("rmsserver: ")
    assert "Enterprise Admins" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_password(server: DomainServer) -> None:
    """Told in one line, without the password."""
    done = administer(server, "scp", "show", user="nosuch")
    assert done.returncode == 2
    assert "Invalid credentials" in done.stderr
    assert people.PASSWORD not in done.stderr


def test_a_client_finds_the_cluster_with_tickets(registered: DomainServer, domain: Domain) -> None:
    """Neither URL nor user nor password: tickets, and what the directory says."""
    words = ("--controller", domain.controllers[0].uri(), "--ca", str(domain.certificate_authority))
    tickets = f"FILE:{registered.tickets('alice')}"
    done = registered.client("alice", "bootstrap", *words, password=None, KRB5CCNAME=tickets)
    assert done.returncode == 0, done.stderr
    assert f"The directory names {registered.url}/certification." in done.stderr
    assert "Set up for alice@rms.test" in done.stdout
    plan = registered.folder / "plan.txt"
    plan.write_text("Found you.\n")
    protect = ("protect", "plan.txt", "--grant", "alice@rms.test=VIEW", "-o", "plan.ptxt")
    assert registered.client("alice", *protect, password=None, KRB5CCNAME=tickets).returncode == 0
    opened = registered.client("alice", "open", "plan.ptxt", password=None, KRB5CCNAME=tickets)
    assert opened.stdout == "Found you.\n"


def test_a_client_finds_the_cluster_with_a_password(registered: DomainServer, domain: Domain) -> None:
    """The same password for the directory, under TLS, and for the cluster."""
    words = ("--controller", domain.controllers[0].uri(tls=True), "--ca", str(domain.certificate_authority))
    done = registered.client("bob", "bootstrap", *words, "--user", "bob@rms.test")
    assert done.returncode == 0, done.stderr
    assert "Set up for bob@rms.test" in done.stdout


def test_no_password_goes_to_a_controller_nobody_vouches_for(registered: DomainServer, domain: Domain) -> None:
    """Without the authority that signed its certificate the client stops before the bind."""
    words = ("--controller", domain.controllers[0].uri(tls=True), "--user", "bob@rms.test")
    done = registered.client("stranger", "bootstrap", *words)
    assert done.returncode == 2
    assert "TLS failed" in done.stderr
    assert "--url" in done.stderr


def test_a_forest_without_a_cluster(server: DomainServer, domain: Domain) -> None:
    """Said in one line, with both ways on."""
    words = ("--controller", domain.controllers[0].uri(tls=True), "--ca", str(domain.certificate_authority))
    done = server.client("lost", "bootstrap", *words, "--user", "bob@rms.test")
    assert done.returncode == 2
    assert "names no RMS cluster" in done.stderr


def test_a_user_of_another_directory_is_sent_there(domain: Domain) -> None:
    """[MS-RMPR] 3.1.1.3.3: the configured places, for each type that was asked, none where there is none."""
    urls = {
        "LicensingService": "https://rms.partner.test/_wmcs/licensing",
        "CertificationService": "https://rms.partner.test/_wmcs/certification",
    }
    partner = OtherForest("partner.test", ("PARTNER", "partner.test"), urls)
    directory = LdapDirectory(settings(domain, other_forests=(partner,)))
    cluster = make_cluster(CryptoMode.MODE_2)
    wanted = FindServiceLocationsRequest(("CertificationService", "EnrollmentService", "LicensingService"))

    def ask(account: DomainAccount) -> list[str | None]:
        caller = RequestContext(AuthenticationType.KERBEROS, account)
        found = find_service_locations_for_user(wanted, caller, cluster.state, memory_ports(directory), NOW)
        return [location.url for location in found]

    theirs = ask(DomainAccount("PARTNER\\pat", "S-1-5-21-1-2-3-1104"))
    assert theirs == [urls["CertificationService"], None, urls["LicensingService"]]
    ours = ask(DomainAccount("RMSTEST\\alice", domain.sid("alice")))
    assert ours[0] == cluster.state.certification_url
    with pytest.raises(UnspecifiedError):
        ask(DomainAccount("STRANGER\\sam", "S-1-5-21-9-9-9-1104"))
    directory.close()


def test_flush_and_status_of_a_serving_process(server: DomainServer) -> None:
    """What a sign-on left in the caches is counted, aged, and forgotten on demand."""
    before = json.loads(server.run("directory", "flush", "--json"))
    assert before["kind"] == "ldap"
    words = (
        "bootstrap",
        "--url",
        server.url,
        "--user",
        "alice@rms.test",
        "--ca",
        str(server.domain.certificate_authority),
    )
    done = server.client("cached", *words)
    assert done.returncode == 0, done.stderr
    status = json.loads(server.run("directory", "status", "--json"))
    assert status["caches"]["accounts"]["entries"] > 0
    assert status["caches"]["accounts"]["oldest_seconds"] >= 0
    assert [one["available"] for one in status["controllers"]] == [True]
    assert "oldest" in server.run("directory", "status")
    assert "entries forgotten of alice@rms.test" in server.run("directory", "flush", "alice@rms.test")
    server.run("directory", "flush")
    assert json.loads(server.run("directory", "status", "--json"))["caches"]["accounts"]["entries"] == 0


def test_one_socket_of_its_owner(server: DomainServer) -> None:
    """The way in is the owner's alone."""
    assert Path(server.home / "control.sock").stat().st_mode & 0o777 == 0o600
