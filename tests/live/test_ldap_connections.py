"""rmsserver.directory.ldap when controllers go, hang or lie, and how it signs on to them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed (extra [ad])")

from rmsserver.directory.ldap.directory import LdapDirectory
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, SimpleBind
from rmsserver.ports import PortUnavailable
from tests.live.authority import Authority
from tests.live.ldap_settings import settings
from tests.live.samba import Domain

pytestmark = pytest.mark.xdist_group("domain")

LIMIT_SECONDS = 5.0
AT_ONCE_SECONDS = 0.5


@contextlib.contextmanager
def directory_of(given: LdapSettings) -> Iterator[LdapDirectory]:
    made = LdapDirectory(given)
    try:
        yield made
    finally:
        made.close()


def finds_alice(directory: LdapDirectory) -> bool:
    """Ask the directory itself, not its cache."""
    directory.flush()
    return directory.by_login("alice") is not None


def refusal(directory: LdapDirectory) -> tuple[str, float]:
    """Why the directory cannot be asked, and after how many seconds it said so."""
    start = time.monotonic()
    with pytest.raises(PortUnavailable) as caught:
        finds_alice(directory)
    return caught.value.detail, time.monotonic() - start


def wait_until_it_finds_alice(directory: LdapDirectory) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(PortUnavailable):
            assert finds_alice(directory)
            return
        time.sleep(0.1)
    pytest.fail("it did not recover")


# --- controllers that go -----------------------------------------------------------------------------------------------


def test_K6_controller_stopped_and_started(domain: Domain) -> None:
    """K6: a controller that goes away makes requests fail at once, and serves again, without a restart, when it is back."""
    second = domain.controllers[1]
    with directory_of(settings(domain, second.uri(), retry_seconds=1)) as directory:
        assert finds_alice(directory)
        with second.stopped():
            for _ in range(3):
                _, seconds = refusal(directory)
                assert seconds < AT_ONCE_SECONDS
            assert not directory.statistics().controllers[0].available
        wait_until_it_finds_alice(directory)
        assert directory.statistics().controllers[0].available


def test_K6_controller_hangs(domain: Domain) -> None:
    """K6: one that accepts and never answers costs the first request five seconds at most, the next ones nothing."""
    second = domain.controllers[1]
    with directory_of(settings(domain, second.uri(), retry_seconds=1)) as directory:
        assert finds_alice(directory)
        with second.frozen():
            _, seconds = refusal(directory)
            assert seconds < LIMIT_SECONDS
            _, seconds = refusal(directory)
            assert seconds < AT_ONCE_SECONDS
        wait_until_it_finds_alice(directory)


def test_K6_nobody_waits_long_while_it_hangs(domain: Domain) -> None:
    """K6: fifty requests at once, many more than connections, are all answered in time."""
    second = domain.controllers[1]
    with directory_of(settings(domain, second.uri(), connections=4)) as directory, second.frozen():
        with ThreadPoolExecutor(50) as threads:
            waited = [seconds for _, seconds in threads.map(lambda _: refusal(directory), range(50))]
        assert max(waited) < LIMIT_SECONDS + AT_ONCE_SECONDS


def test_K6_silence_while_connecting(domain: Domain) -> None:
    """K6: a machine that accepts connections and says nothing, under TLS too, is given up in time, and the next one asked."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for uri in (f"ldaps://127.0.0.1:{port}", f"ldap://127.0.0.1:{port}"):
            with directory_of(settings(domain, uri)) as directory:
                _, seconds = refusal(directory)
                assert seconds < LIMIT_SECONDS
            with directory_of(settings(domain, uri, domain.controllers[0].uri())) as directory:
                assert finds_alice(directory)


def test_K6_silence_keeps_no_thread(domain: Domain) -> None:
    """K6: a silent machine that is tried again and again does not use up the threads for those who answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uris = (f"ldaps://127.0.0.1:{silent.getsockname()[1]}", domain.controllers[0].uri())
        given = settings(domain, *uris, connections=2, connect_seconds=0.3, request_seconds=5, retry_seconds=1)
        with directory_of(given) as directory:
            for _ in range(3):
                assert finds_alice(directory)
                time.sleep(1.1)


def test_cached_answers_while_nobody_is_there(domain: Domain) -> None:
    """What is cached is answered while no controller is there."""
    second = domain.controllers[1]
    with directory_of(settings(domain, second.uri(), retry_seconds=1)) as directory:
        alice = directory.by_login("alice")
        with second.stopped():
            assert directory.by_login("alice") == alice


def test_failover(domain: Domain) -> None:
    """With the first controller gone the second answers, at once; the first is preferred again when it is back."""
    first, second = domain.controllers
    given = settings(domain, second.uri(), first.uri(), retry_seconds=1)
    with directory_of(given) as directory:
        assert finds_alice(directory)
        with second.stopped():
            start = time.monotonic()
            assert all(finds_alice(directory) for _ in range(10))
            assert time.monotonic() - start < 2
            states = {state.uri: state.available for state in directory.statistics().controllers}
            assert states == {second.uri(): False, first.uri(): True}
        time.sleep(1.1)
        assert finds_alice(directory)
        assert directory.statistics().controllers[0].available


@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "ldaps"])
def test_failover_from_one_that_hangs(domain: Domain, *, tls: bool) -> None:
    """With the first one hanging the same request still gets its answer from the second."""
    first, second = domain.controllers
    with directory_of(settings(domain, second.uri(tls=tls), first.uri(tls=tls))) as directory:
        assert finds_alice(directory)
        with second.frozen():
            start = time.monotonic()
            assert finds_alice(directory)
            assert time.monotonic() - start < LIMIT_SECONDS
            start = time.monotonic()
            assert finds_alice(directory)
            assert time.monotonic() - start < AT_ONCE_SECONDS


def test_connection_cut_between_requests(domain: Domain) -> None:
    """A connection that a firewall dropped meanwhile is replaced without a failure."""
    with (
        Forwarder(domain.controllers[0].address, 636) as middle,
        directory_of(settings(domain, middle.uri, verify_certificate=False)) as directory,
    ):
        assert finds_alice(directory)
        middle.cut()
        assert finds_alice(directory)
        assert directory.statistics().controllers[0].failures == 0


# --- signing on --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "ldaps"])
@pytest.mark.parametrize("catalogue", [False, True], ids=["domain", "catalogue"])
def test_certificate_of_a_stranger(domain: Domain, tmp_path: Path, *, tls: bool, catalogue: bool) -> None:
    """A certificate that our CA did not issue is refused, before the password goes out; unless told not to check."""
    stranger = Authority(tmp_path / "stranger.pem", "Somebody else").certificate_file
    uri = domain.controllers[0].uri(tls=tls, catalogue=catalogue)
    with directory_of(settings(domain, uri, ca_file=stranger)) as directory:
        assert "is its certificate for this very name" in refusal(directory)[0]
    with directory_of(settings(domain, uri, ca_file=stranger, verify_certificate=False)) as directory:
        assert finds_alice(directory)
    with directory_of(settings(domain, uri)) as directory:
        assert finds_alice(directory)


def test_certificate_of_another_name(domain: Domain) -> None:
    """A genuine certificate at an address that does not stand in it is refused."""
    with Forwarder(domain.controllers[0].address, 636) as middle:
        with directory_of(settings(domain, middle.uri)) as directory:
            assert "is its certificate for this very name" in refusal(directory)[0]
        with directory_of(settings(domain, middle.uri, verify_certificate=False)) as directory:
            assert finds_alice(directory)


def test_wrong_password(domain: Domain) -> None:
    """A wrong password of ours makes the directory unavailable, and the reason says so without it."""
    with directory_of(settings(domain, bind=SimpleBind("svc-bind@rms.test", "not-this-one"))) as directory:
        reason, _ = refusal(directory)
        assert "redentials" in reason
        assert "not-this-one" not in reason


@pytest.mark.parametrize("how", ["signed", "starttls", "ldaps"])
def test_kerberos_with_a_keytab(domain: Domain, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """GSSAPI with the keys of a keytab, inside TLS or with Kerberos' own encryption."""
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", "")
    monkeypatch.setenv("KRB5CCNAME", "")
    given = settings(
        domain,
        domain.controllers[0 if how == "signed" else 1].uri(tls=how == "ldaps"),
        bind=KerberosBind(domain.bind_keytab),
        start_tls=True if how == "starttls" else None,
    )
    with directory_of(given) as directory:
        assert finds_alice(directory)


def test_kerberos_with_tickets(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    """GSSAPI with the tickets of a credential cache; without them, a reason and no waiting."""
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", "/nonexistent")
    monkeypatch.setenv("KRB5CCNAME", "")
    with directory_of(settings(domain, bind=KerberosBind(credential_cache="FILE:/nonexistent"))) as directory:
        _, seconds = refusal(directory)
        assert seconds < LIMIT_SECONDS
    domain.run("kinit", "-k", "-t", str(domain.bind_keytab), "svc-bind")
    cache = domain.environment["KRB5CCNAME"]
    with directory_of(settings(domain, bind=KerberosBind(credential_cache=cache))) as directory:
        assert finds_alice(directory)


class Forwarder:
    """Passes connections to 127.0.0.1 on to a controller, until it cuts them."""

    def __init__(self, address: str, port: int) -> None:
        self._target = (address, port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def uri(self) -> str:
        return f"ldaps://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Forwarder:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
