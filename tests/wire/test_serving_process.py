"""Threats to a whole process: what it keeps, what it logs, whom it talks to, and how it bears a crowd and its end."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rmsserver.directory.nt_hash import nt_hash
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.use_license import UseLicense
from tests.client.served_cluster import PASSWORD
from tests.http_server import request
from tests.wire import calls
from tests.wire.serving_process import ServingProcess, certificates

PEOPLE = ("author", "reader", "third", "fourth", "fifth")
CERTIFY = "/_wmcs/certification/certification.asmx"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    process = ServingProcess(tmp_path_factory.mktemp("serving"))
    process.create(*PEOPLE)
    with process.serving():
        yield process


def story(server: ServingProcess, person: str) -> list[PrivateKey]:
    """One of everything; the private keys that came to the person."""
    machine = server.machine(person, person)
    racs, account = server.certify(person, machine)
    parameters = calls.get_client_licensor_cert(racs)
    clc = ClientLicensorCertificate.read(certificates(server.ask("GetClientLicensorCert", parameters, person))[0])
    text, content_key = server.unsigned_license(person)
    signed = certificates(server.ask("AcquireIssuanceLicense", calls.acquire_issuance_license(text), person))
    answer = server.ask("AcquireLicense", calls.acquire_license((racs, signed)), person)
    license_ = UseLicense.read(certificates(answer)[0])
    assert license_.open_content_key(account, secrets.token_bytes(16)) == content_key
    return [account, clc.open_private_key(account, secrets.token_bytes(16))]


# --- K1, N4: what lies on the disk -------------------------------------------------------------------------------------


def forms_of(key: PrivateKey) -> dict[str, bytes]:
    """Every shape in which a private key could lie around: its primes, in either byte order, and as text."""
    loaded = serialization.load_der_private_key(key.to_der(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    numbers = loaded.private_numbers()
    found: dict[str, bytes] = {}
    for name, number in (("p", numbers.p), ("q", numbers.q), ("d", numbers.d)):
        big = number.to_bytes((number.bit_length() + 7) // 8)
        found |= {name: big, f"{name} reversed": big[::-1], f"{name} hex": big.hex().encode()}
        found[f"{name} decimal"] = str(number).encode()
    der, blob = key.to_der(), key.to_capi_blob()
    found |= {"der": der[30:200], "der base64": base64.b64encode(der)[60:200], "capi": blob[200:400]}
    return found


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_K1_nothing_on_the_disk_is_worth_stealing(server: ServingProcess) -> None:
    """K1: after everything was asked, no private key, NT hash, password or passphrase is in home, database or log."""
    wanted = {"password": PASSWORD.encode(), "NT hash": nt_hash(PASSWORD), "hex": nt_hash(PASSWORD).hex().encode()}
    wanted["passphrase"] = (server.folder / "passphrase").read_bytes().strip()
    for key in story(server, "author"):
        wanted |= forms_of(key)
    time.sleep(1.5)  # the audit is written behind
    stored = {**files(server.home), server.folder / "log": server.log.encode()}
    assert any(b"AcquireLicense" in content for content in stored.values())
    assert [
        (path.name, what) for path, content in stored.items() for what, secret in wanted.items() if secret in content
    ] == []


def test_K1_files_are_their_owners_alone(server: ServingProcess) -> None:
    """K1: 0600 whatever holds keys or state, also SQLite's own files; 0700 its folders."""
    for path in server.home.rglob("*"):
        mode = path.stat().st_mode & 0o777
        assert mode & 0o077 == 0 or path.name == "rmsserver.toml", (path, oct(mode))


# --- X16: the log ------------------------------------------------------------------------------------------------------

_LONG = "CANARY7f3a" * 2000


def _certify(text: str) -> bytes:
    return calls.call("Certify", calls.certify((text,)))


BAD_REQUESTS: dict[str, Callable[[], bytes]] = {
    "not XML": lambda: request(CERTIFY, b"<" + _LONG.encode(), Authorization=calls.signed_on("author")),
    "DOCTYPE": lambda: request(
        CERTIFY, f"<!DOCTYPE a [{_LONG}]><a/>".encode(), Authorization=calls.signed_on("author")
    ),
    "a licence that is none": lambda: _certify(f"<XrML><BODY>{_LONG}</BODY></XrML>"),
    "an unknown operation": lambda: _certify("<a/>").replace(b"Certify", b"CANARY7f"),
    "a long path": lambda: request("/" + _LONG[:8000], b"", method="GET"),
    "a long User-Agent": lambda: _certify("<a/>").replace(calls.AGENT.encode(), _LONG.encode()),
    "a long header": lambda: request(CERTIFY, b"", Authorization="Basic " + _LONG),
    "a wrong password": lambda: request(CERTIFY, b"x", Authorization=calls.signed_on("author", _LONG[:1000])),
    "a long login": lambda: request(CERTIFY, b"x", Authorization=calls.signed_on(_LONG[:250], "x")),
    "control characters in a login": lambda: request(CERTIFY, b"x", Authorization=calls.signed_on("\x1b" * 200, "x")),
    "no HTTP": lambda: _LONG.encode() + b"\r\n\r\n",
    "bytes that are no UTF-8": lambda: request(CERTIFY, b"\xff\xfe\xff" * 999, Authorization=calls.signed_on("author")),
    "a chunk of no size": lambda: (
        f"POST {CERTIFY} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{_LONG}\r\n".encode()
    ),
    "a target in full": lambda: f"GET http://{_LONG}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "a path that is no ASCII": lambda: b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method that is no ASCII": lambda: b"\xff\xfe /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a header name that is no ASCII": lambda: b"GET /healthz HTTP/1.1\r\nHost: a\r\nX\xff\xfe: a\r\n\r\n",
}


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_X16_a_bad_request_costs_little_log(server: ServingProcess, kind: str) -> None:
    """X16: at most 4 kB in the log of a real process, nothing of the input, no trace; and the next is served."""
    before = len(server.log)
    with contextlib.suppress(ConnectionError):
        answer = server.send(BAD_REQUESTS[kind]())
        assert answer.status != 200
        assert b"CANARY" not in answer.body
    assert server.send(request("/healthz", method="GET")).status == 200
    time.sleep(0.1)
    logged = server.log[before:]
    assert len(logged) < 4000
    assert "CANARY7f3aCANARY7f3aCANARY7f3aCANARY7f3aCANARY7f3aCANARY7f3aCANARY7f3a" not in logged
    assert "Traceback" not in logged
    assert "\x1b" not in logged


# --- N1: whom it talks to ----------------------------------------------------------------------------------------------


def remote_ports_of(pid: int, listening: int) -> set[str]:
    """Remote ends of the TCP connections of a process and its children that did not come in at its own port."""
    processes = {pid}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        processes |= set(map(int, task.read_text().split()))
    inodes = set()
    for process in processes:
        for link in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and int(fields[1].rpartition(":")[2], 16) != listening:
                found.add(f"{table} {fields[2]}")
    return found


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs /proc")
def test_N1_nothing_in_a_request_makes_it_connect(server: ServingProcess) -> None:
    """N1, X10: no URL of a document, reply address or schema location is ever fetched, no name looked up."""
    assert server.process is not None
    seen: set[str] = set()
    with closing(socket.create_server(("127.0.0.1", 0))) as trap:
        trap.settimeout(0.5)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/"
        hostile = (
            f'<XrML xmlns="" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{url} {url}">'
            f'<BODY><DISTRIBUTIONPOINT><OBJECT><ADDRESS type="URL">{url}</ADDRESS></OBJECT></DISTRIBUTIONPOINT></BODY></XrML>'
        )
        reply = f'<a:ReplyTo xmlns:a="http://www.w3.org/2005/08/addressing"><a:Address>{url}</a:Address></a:ReplyTo>'
        include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{url}"/>'
        doctype = f'<!DOCTYPE a SYSTEM "{url}"><a/>'.encode()
        asked = [
            calls.call("Certify", calls.certify((hostile,))),
            calls.call("Certify", calls.certify((include,))),
            _with_length(
                calls.call("Certify", calls.certify((hostile,))).replace(
                    b"</soap:Header>", reply.encode() + b"</soap:Header>"
                )
            ),
            request(CERTIFY, doctype, Authorization=calls.signed_on("author")),
        ]
        for data in asked:
            assert server.send(data).status == 500
            seen |= remote_ports_of(server.process.pid, server.port)
        with pytest.raises(TimeoutError):
            trap.accept()
    assert seen == set()


def _with_length(data: bytes) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head) + b"\r\n\r\n" + body


# --- K5, C7: a crowd ---------------------------------------------------------------------------------------------------


def test_K5_C7_fifty_clients_at_once(server: ServingProcess) -> None:
    """K5, C7: nobody is refused, everybody has one key on all machines, and no two certificates share a licensor key."""
    people = PEOPLE * 10
    machines = {person: server.machine(person, person) for person in PEOPLE}

    def one(person: str) -> tuple[str, bytes, bytes]:
        racs, account = server.certify(person, machines[person])
        parameters = calls.get_client_licensor_cert(racs)
        clc = ClientLicensorCertificate.read(certificates(server.ask("GetClientLicensorCert", parameters, person))[0])
        text, content_key = server.unsigned_license(person)
        signed = certificates(server.ask("AcquireIssuanceLicense", calls.acquire_issuance_license(text), person))
        got = certificates(server.ask("AcquireLicense", calls.acquire_license((racs, signed)), person))
        assert UseLicense.read(got[0]).open_content_key(account, secrets.token_bytes(16)) == content_key
        return person, account.public.id, clc.principal.public_key.id

    with ThreadPoolExecutor(50) as crowd:
        done = list(crowd.map(one, people))
    for person in PEOPLE:
        assert len({account for who, account, _ in done if who == person}) == 1
    assert len({account for _, account, _ in done}) == len(PEOPLE)
    assert len({licensor for *_, licensor in done}) == len(people)
    with closing(sqlite3.connect(f"file:{server.home / 'state.db'}?mode=ro", uri=True)) as database:
        assert database.execute("SELECT count(*) FROM user_keys").fetchone() == (len(PEOPLE),)
    assert '"level": "error"' not in server.log


# --- X15: sockets that do nothing --------------------------------------------------------------------------------------


def test_X15_many_idle_sockets_and_slow_posts(server: ServingProcess) -> None:
    """X15: more sockets than there are places, some of them in the middle of a request; others are served."""
    crowd = []
    try:
        for number in range(900):
            with contextlib.suppress(OSError):
                wire = server.connect()
                crowd.append(wire)
                if number % 3 == 0:
                    wire.write(
                        b"POST /_wmcs/licensing/license.asmx HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n<"
                    )
        begun = time.monotonic()
        assert server.ask("GetLicensorCertificate", "").status == 200
        assert time.monotonic() - begun < 5
        assert server.process is not None
        assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) < 800
    finally:
        for wire in crowd:
            with contextlib.suppress(OSError):
                wire.__exit__()
    assert server.ask("GetLicensorCertificate", "").status == 200


# --- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_K5_an_end_under_load(tmp_path: Path, with_signal: signal.Signals) -> None:
    """K5: answers are whole or missing, never half; what was answered is there after the next start."""
    server = ServingProcess(tmp_path)
    server.create("author")
    answered: list[bytes] = []
    halves: list[Exception] = []
    stopped = threading.Event()

    def load(machine: tuple[PrivateKey, tuple[str, ...]]) -> None:
        while not stopped.is_set():
            try:
                answered.append(server.certify("author", machine)[1].public.id)
            except (ConnectionError, OSError):
                return
            except Exception as error:
                halves.append(error)
                return

    with server.serving():
        machine = server.machine("author", "author")
        threads = [threading.Thread(target=load, args=(machine,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while len(answered) < 5 and not halves and time.monotonic() < deadline:
            time.sleep(0.05)
        status = server.end(with_signal)
        stopped.set()
        for thread in threads:
            thread.join(30)
    assert halves == []
    assert answered
    assert status in (0, -with_signal)
    assert "Traceback" not in server.log
    with server.serving():
        answered.append(server.certify("author", machine)[1].public.id)
    assert len(set(answered)) == 1
