"""rmsserver.doctor against a real domain and a serving process: the good case, and each failure made on purpose."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("ldap", reason="python-ldap is not installed (extra [ad])")
pytest.importorskip("gssapi", reason="gssapi is not installed (extra [ad])")

from rmsserver.cli.doctor import doctor
from rmsserver.config import load_config, read_passphrase
from rmsserver.directory.ldap.settings import SimpleBind
from rmsserver.directory.service_connection_point import register, remove
from rmsserver.doctor.examination import Examination, Wanted
from rmsserver.doctor.finding import Finding, Verdict, exit_code
from rmsserver.home import Home
from tests.live import people
from tests.live.domain_server import DomainServer, free_port
from tests.live.ldap_settings import settings
from tests.live.samba import ADMINISTRATOR, Domain

pytestmark = pytest.mark.xdist_group("domain")

ADMIN = SimpleBind(f"{ADMINISTRATOR}@rms.test", people.PASSWORD)
DOCTOR_NAME = "HTTP/doctor.rms.test"


@pytest.fixture(scope="module")
def server(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainServer]:
    """Serving with TLS, and registered in the domain."""
    made = DomainServer(domain, tmp_path_factory.mktemp("doctor"), free_port(), tls=True)
    made.create()
    register(settings(domain, bind=ADMIN), made.url)
    with made.serving():
        yield made
    remove(settings(domain, bind=ADMIN))


@pytest.fixture
def examine(server: DomainServer, domain: Domain) -> Callable[..., dict[str, list[Finding]]]:
    """Run the doctor on the server's home, its configuration and clock changed as said; findings by check."""

    def run(
        *,
        user: str | None = None,
        group: str | None = None,
        ahead: dt.timedelta = dt.timedelta(),
        **changed: dict[str, object],
    ) -> dict[str, list[Finding]]:
        config = load_config(server.home)
        for table, values in changed.items():
            config = config.model_copy(update={table: getattr(config, table).model_copy(update=values)})
        passphrase = read_passphrase(config, str)
        wanted = Wanted(user, group, domain.certificate_authority)
        examination = Examination(Home(config, lambda: passphrase), wanted, lambda: dt.datetime.now(dt.UTC) + ahead)
        found: dict[str, list[Finding]] = {}
        for finding in examination.run():
            found.setdefault(finding.check, []).append(finding)
        return found

    return run


def command(server: DomainServer, domain: Domain, *words: str) -> Result:
    given = ["--home", str(server.home), "--ca", str(domain.certificate_authority), *words]
    return CliRunner().invoke(doctor, given)


def verdicts(found: dict[str, list[Finding]]) -> dict[str, set[Verdict]]:
    return {check: {finding.verdict for finding in findings} for check, findings in found.items()}


def test_all_is_well(server: DomainServer, domain: Domain) -> None:
    """Every check says ok, the exit code is 0, and each is one line."""
    result = command(server, domain, "--user", "alice", "--group", "all-staff@rms.test")
    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert {line[:4] for line in lines} == {"ok  "}
    assert [line[5:19].strip() for line in lines] == [
        *("home", "database", "certificates", "licensor", "name", "port", "tls", "sign-on", "configuration"),
        *("controller", "clock", "search", "scp", "keytab", "spn", "ticket", "ntlm", "user", "group"),
        "round trip",
    ]


def test_what_it_saw(server: DomainServer, domain: Domain) -> None:
    """Key version and types, what the server offers, the way through five groups, the rights in the end."""
    result = command(server, domain, "--user", "alice", "--group", "all-staff@rms.test", "--json")
    report = json.loads(result.output)
    seen = {finding["check"]: finding["seen"] for finding in report["findings"]}
    assert report["exit_code"] == 0
    assert seen["spn"] == "HTTP/localhost is on svc-rms, key version 1, aes256-cts, aes128-cts"
    assert "Negotiate" in seen["sign-on"]
    assert (
        seen["ticket"] == "a ticket for HTTP/localhost was got, and the keytab opens it, with the account's SID in it"
    )
    assert seen["ntlm"] == "winbind answers for RMSTEST"
    assert seen["group"].startswith("RMSTEST\\alice > ring-1@rms.test > ring-2@rms.test")
    assert seen["group"].endswith("> all-staff@rms.test")
    assert seen["round trip"].endswith("opens what is granted to all-staff@rms.test: VIEW")
    assert "a.author@rms.test" not in seen["user"]
    assert "alice@rms.test and 2 more" in seen["user"]


def test_no_secret_is_told(server: DomainServer, domain: Domain) -> None:
    """Neither password nor passphrase, nor a key."""
    output = command(server, domain, "--user", "alice", "--json").output
    assert people.PASSWORD not in output
    assert (server.home / "passphrase").read_text().strip() not in output
    assert "PRIVATE" not in output


def test_nothing_stays_behind(server: DomainServer, domain: Domain) -> None:
    """The round trip certifies a user who never came, and afterwards the cluster does not know her."""
    assert command(server, domain, "--user", "carol").exit_code == 0
    home = Home(load_config(server.home), str)
    with home.database.read() as connection:
        for table in ("user_keys", "issued_licensors", "content_key_witness"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0
    home.database.close()


def test_a_name_that_no_account_has(examine: Callable[..., dict[str, list[Finding]]]) -> None:
    """The configured principal name is nowhere in the directory."""
    found = examine(sign_on={"service_principals": ("HTTP/nosuch.rms.test",)})
    (spn,) = found["spn"]
    assert (spn.verdict, spn.seen) == (Verdict.FAILURE, "no account has HTTP/nosuch.rms.test")
    assert "setspn -S HTTP/nosuch.rms.test" in spn.remedy
    (ticket,) = found["ticket"]
    assert ticket.verdict is Verdict.FAILURE
    assert ticket.seen.startswith("no ticket for HTTP/nosuch.rms.test")


@pytest.fixture(scope="module")
def old_keytab(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an account whose password was changed after the export."""
    keytab = tmp_path_factory.mktemp("keytab") / "doctor.keytab"
    database, configuration = str(domain.controllers[0].database), str(domain.controllers[0].configuration)
    name = "svc-doctor"
    domain.run("samba-tool", "user", "create", name, people.PASSWORD, "-H", database)
    domain.run("samba-tool", "spn", "add", DOCTOR_NAME, name, "-H", database)
    domain.run(
        *("samba-tool", "domain", "exportkeytab", str(keytab), f"--principal={DOCTOR_NAME}"),
        f"--configfile={configuration}",
    )
    domain.run("samba-tool", "user", "setpassword", name, f"--newpassword={people.PASSWORD}.2", "-H", database)
    return keytab


def test_an_old_keytab(examine: Callable[..., dict[str, list[Finding]]], old_keytab: Path) -> None:
    """The directory has a newer key version than the keytab."""
    found = examine(sign_on={"service_principals": (DOCTOR_NAME,), "keytab": old_keytab})
    (spn,) = found["spn"]
    assert spn.verdict is Verdict.FAILURE
    assert f"of {DOCTOR_NAME}, svc-doctor has version" in spn.seen
    assert "the password was changed" in spn.remedy
    (ticket,) = found["ticket"]
    assert ticket.verdict is Verdict.FAILURE
    assert ticket.seen.startswith(f"the keytab does not open a ticket for {DOCTOR_NAME}")


def test_a_keytab_of_another_service(examine: Callable[..., dict[str, list[Finding]]], old_keytab: Path) -> None:
    """The name is in order, and the keytab has keys of another."""
    (spn,) = examine(sign_on={"keytab": old_keytab})["spn"]
    assert spn.verdict is Verdict.FAILURE
    assert spn.seen == f"HTTP/localhost is on svc-rms, and the keytab has keys of {DOCTOR_NAME}@RMS.TEST"


def test_no_winbind(examine: Callable[..., dict[str, list[Finding]]], tmp_path: Path) -> None:
    """A program that says nothing stands for a winbind that is not there."""
    silent = tmp_path / "ntlm_auth"
    silent.write_text("#!/bin/sh\nexec false\n")
    silent.chmod(0o755)
    (ntlm,) = examine(sign_on={"ntlm_auth": silent})["ntlm"]
    assert (ntlm.verdict, "net ads join" in ntlm.remedy) == (Verdict.FAILURE, True)


def test_a_stale_point(examine: Callable[..., dict[str, list[Finding]]], domain: Domain, server: DomainServer) -> None:
    """The forest sends its clients to a cluster that was here before."""
    register(settings(domain, bind=ADMIN), "https://old.rms.test/_wmcs", replace=True)
    try:
        (scp,) = examine()["scp"]
    finally:
        register(settings(domain, bind=ADMIN), server.url, replace=True)
    assert (scp.verdict, scp.seen) == (Verdict.FAILURE, "the forest names https://old.rms.test/_wmcs/certification")


def test_a_wrong_clock(examine: Callable[..., dict[str, list[Finding]]]) -> None:
    """Six minutes ahead are one too many for Kerberos; two minutes are worth a word."""
    (clock,) = examine(ahead=dt.timedelta(minutes=6))["clock"]
    assert clock.verdict is Verdict.FAILURE
    assert "ahead of the controller" in clock.seen
    (clock,) = examine(ahead=dt.timedelta(minutes=-2))["clock"]
    assert clock.verdict is Verdict.WARNING
    assert "behind the controller" in clock.seen


def test_a_wrong_bind_password(examine: Callable[..., dict[str, list[Finding]]], tmp_path: Path) -> None:
    """The controller does not let us in; what depends on it is left out, what does not is there."""
    wrong = tmp_path / "password"
    wrong.touch(mode=0o600)
    wrong.write_text("wrong\n")
    found = examine(user="alice", directory={"bind_password_file": wrong})
    assert verdicts(found)["controller"] == {Verdict.FAILURE}
    assert "Invalid credentials" in found["controller"][0].seen
    assert {"clock", "scp", "user", "round trip"}.isdisjoint(found)
    assert "port" in found


def test_a_stopped_controller(examine: Callable[..., dict[str, list[Finding]]], domain: Domain) -> None:
    """The only one down: a failure, in time. One of two down: a warning, and the other one answers for both."""
    first, second = domain.controllers
    with first.stopped():
        started = time.monotonic()
        alone = examine(user="alice")
        assert time.monotonic() - started < 20
        both = examine(user="alice", directory={"controllers": (first.uri(), second.uri())})
    assert verdicts(alone)["controller"] == {Verdict.FAILURE}
    assert exit_code(alone["controller"]) == 2
    assert verdicts(both)["controller"] == {Verdict.OK, Verdict.WARNING}
    assert verdicts(both)["round trip"] == {Verdict.OK}


def test_a_frozen_controller(examine: Callable[..., dict[str, list[Finding]]], domain: Domain) -> None:
    """One that accepts connections and says nothing does not hold the examination."""
    with domain.controllers[0].frozen():
        started = time.monotonic()
        found = examine(user="alice")
        assert time.monotonic() - started < 20
    assert verdicts(found)["controller"] == {Verdict.FAILURE}


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("frank", "has no e-mail address"),
        ("dave", "is disabled"),
        ("nosuch", "nobody, or more than one, called nosuch"),
    ],
)
def test_a_user_who_cannot(examine: Callable[..., dict[str, list[Finding]]], user: str, told: str) -> None:
    """Without address, disabled, unknown: told, and no round trip is tried."""
    found = examine(user=user)
    assert verdicts(found)["user"] == {Verdict.FAILURE}
    assert told in found["user"][0].seen
    assert "round trip" not in found


def test_a_user_outside_the_group(examine: Callable[..., dict[str, list[Finding]]]) -> None:
    """Bob is not in it; the round trip is by his own address then."""
    found = examine(user="bob", group="all-staff@rms.test")
    assert verdicts(found)["group"] == {Verdict.FAILURE}
    assert found["round trip"][0].seen.endswith("granted to bob@rms.test: VIEW")


@pytest.mark.parametrize(
    ("user", "group", "way"),
    [
        ("bob", "lecteurs@rms.test", "RMSTEST\\bob > team@rms.test > lecteurs@rms.test"),
        ("author", "loop@rms.test", "RMSTEST\\author > inner@rms.test > outer@rms.test > loop@rms.test"),
    ],
)
def test_ways_into_groups(examine: Callable[..., dict[str, list[Finding]]], user: str, group: str, way: str) -> None:
    """Through a distribution list and an alias; through groups that contain each other."""
    found = examine(user=user, group=group)
    assert (found["group"][0].verdict, found["group"][0].seen) == (Verdict.OK, way)


def test_a_server_that_is_down(server: DomainServer, domain: Domain) -> None:
    """Nobody listens: told as such, without what depends on it, and the exit code is 2."""
    down = dataclasses.replace(server, folder=server.folder / "down", port=free_port())
    down.folder.mkdir()
    down.create()
    result = command(down, domain)
    assert result.exit_code == 2
    assert f"localhost:{down.port} cannot be reached" in result.output
    assert "sign-on" not in {line[5:19].strip() for line in result.output.splitlines()}
