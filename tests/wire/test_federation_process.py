"""`rmsserver serve` with a partner in its configuration: a process of its own, its own TLS, its own database."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import urllib3
from cryptography.hazmat.primitives import serialization

from tests.auth.federation.partner import SIGN_IN_URL, Partner, certificate, form, pem, rsa_key
from tests.client.served_cluster import free_port
from tests.homes import BASE_URL, make_home

_COMMAND = [sys.executable, "-c", "from rmsserver.cli.rmsserver import main; main()"]
REALM = BASE_URL + "/certificationexternal/"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    key, port, partner = rsa_key(3), free_port(), Partner()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = {"server": pem(certificate(key)), "key": private, "partner": pem(partner.certificate)}
    for name, content in files.items():
        (tmp_path / f"{name}.pem").write_bytes(content)
    home = make_home(
        tmp_path / "home",
        f'listen_port = {port}\ntls_certificate = "{tmp_path}/server.pem"\ntls_key = "{tmp_path}/key.pem"\n'
        f'[[federation.issuers]]\nname = "{partner.name}"\nsign_in_url = "{SIGN_IN_URL}"\n'
        f'email_domains = ["partner.example"]\ncertificate_files = ["{tmp_path}/partner.pem"]\n',
    )
    subprocess.run([*_COMMAND, "config", "set", "federationEnabled", "true", "--home", str(home)], check=True)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*_COMMAND, "serve", "--home", str(home)], stdout=log, stderr=log)
    end = time.monotonic() + 30
    while b"Serving" not in (tmp_path / "log").read_bytes():
        assert time.monotonic() < end
        assert process.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.1)
    yield f"https://127.0.0.1:{port}/_wmcs/certificationexternal/"
    process.terminate()
    process.wait(15)


@pytest.mark.filterwarnings(f"ignore::{urllib3.__name__}.exceptions.InsecureRequestWarning")
def test_the_configured_partner(url: str) -> None:
    """Sent away, let in with a token, once."""
    token = Partner(now=dt.datetime.now(dt.UTC), audience=REALM).token()

    def post() -> requests.Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return requests.post(url, form(token), headers=headers, verify=False, allow_redirects=False, timeout=10)

    def get(cookie: str = "") -> int:
        page = url + "certification.asmx"
        return requests.get(
            page, headers={"Cookie": cookie}, verify=False, allow_redirects=False, timeout=10
        ).status_code

    assert get() == 302
    accepted = post()
    assert accepted.status_code == 302
    assert get(accepted.headers["Set-Cookie"].partition(";")[0]) == 200
    assert post().status_code == 500
