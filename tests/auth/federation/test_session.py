"""The session cookie."""

from __future__ import annotations

import base64
import json

import pytest

from rmsserver.auth.federation.session import NAME, clearing_header, cookie_header, read_session
from rmsserver.state import FederatedAccount
from rmsserver.stores.memory import MemorySecrets
from tests.auth.federation.partner import MINUTE, Partner
from tests.cluster import NOW

ISSUER = Partner().issuer()
ACCOUNT = FederatedAccount("jürgen@partner.example", ("j@partner.example",))
SECRETS = MemorySecrets()
COOKIE = cookie_header(ACCOUNT, ISSUER, NOW + MINUTE, SECRETS).partition(";")[0]


def test_attributes() -> None:
    """Of one host, over TLS, out of reach of scripts, and not sent with another site's posts."""
    header = cookie_header(ACCOUNT, ISSUER, NOW, SECRETS)
    assert header.startswith("__Host-")
    assert header.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert clearing_header().startswith(f"{NAME}=; Path=/; Secure")


def test_read() -> None:
    """Beside others' cookies."""
    assert read_session(f"a=b; {COOKIE}; c=d", [ISSUER], NOW, SECRETS) == ACCOUNT


def test_ended() -> None:
    assert read_session(COOKIE, [ISSUER], NOW + MINUTE, SECRETS) is None


def test_issuer_trusted_otherwise_now() -> None:
    """Removed, or trusted with other domains: its sessions end at once."""
    assert read_session(COOKIE, [], NOW, SECRETS) is None
    narrowed = Partner().issuer(email_domains=frozenset({"other.example"}))
    assert read_session(COOKIE, [narrowed], NOW, SECRETS) is None


def test_every_changed_character() -> None:
    """W6: nothing of it can be changed, nor the code left out."""
    name, _, value = COOKIE.partition("=")
    for index, character in enumerate(value):
        changed = value[:index] + ("A" if character != "A" else "B") + value[index + 1 :]
        assert read_session(f"{name}={changed}", [ISSUER], NOW, SECRETS) in (None, ACCOUNT)
        if read_session(f"{name}={changed}", [ISSUER], NOW, SECRETS):
            # Unused bits of the last character of base64.
            assert index in (value.index(".") - 1, len(value) - 1)


@pytest.mark.parametrize(
    "value", ["", ".", "a.b", "=.=", "é.é", COOKIE.partition("=")[2].partition(".")[0], "x" * 5000]
)
def test_noise(value: str) -> None:
    assert read_session(f"{NAME}={value}", [ISSUER], NOW, SECRETS) is None


def test_made_under_another_key() -> None:
    """Another cluster's, and one that somebody made for himself."""
    data = json.dumps([1, ISSUER.fingerprint, 2**33, "chief@partner.example"]).encode()
    forged = base64.urlsafe_b64encode(data).decode().rstrip("=") + "." + COOKIE.rpartition(".")[2]
    assert read_session(f"{NAME}={forged}", [ISSUER], NOW, SECRETS) is None


def test_two_at_once() -> None:
    """W6: a planted one beside the genuine: neither."""
    assert read_session(f"{COOKIE}; {COOKIE}", [ISSUER], NOW, SECRETS) is None
