"""The session cookie: a verified token's account for a while, under a key of this cluster ([MS-MWBF] 3.3.5.2.6, 5.1.7).

The cookie is all there is of a session: base64url of JSON, a full stop, base64url of its HMAC. It names the issuer's
fingerprint, so that it ends when the issuer is removed or trusted with other things. It lives as long as the token at most,
and at most `session_minutes`. Sign-out takes it from the client; a copy of it would live to its end.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
from collections.abc import Iterable

from rmsserver.auth.federation import TokenRefused
from rmsserver.auth.federation.issuer import FederationIssuer
from rmsserver.ports import Secrets
from rmsserver.state import FederatedAccount

NAME = "__Host-RmsFederation"
"""Browsers take a cookie of this prefix only over TLS, for the whole of exactly one host: no neighbour can plant it."""
VALUE_LIMIT = 3_500
"""Clients keep 4,096 octets of a cookie, name and attributes included."""
_ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Lax"
_PURPOSE = "federation session"
_VERSION = 1


def cookie_header(account: FederatedAccount, issuer: FederationIssuer, until: dt.datetime, secrets: Secrets) -> str:
    """The value of Set-Cookie. Raises TokenRefused where the account has more addresses than a cookie holds."""
    content = [_VERSION, issuer.fingerprint, int(until.timestamp()), account.email, *account.proxy_addresses]
    data = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    value = f"{_encoded(data)}.{_encoded(secrets.fingerprint(_PURPOSE, data))}"
    if len(value) > VALUE_LIMIT:
        raise TokenRefused("more proxy addresses than a session cookie holds")
    return f"{NAME}={value}{_ATTRIBUTES}"


def clearing_header() -> str:
    return f"{NAME}={_ATTRIBUTES}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


def read_session(
    cookies: str | None, issuers: Iterable[FederationIssuer], now: dt.datetime, secrets: Secrets
) -> FederatedAccount | None:
    """The account of a Cookie header; None where it has no session of ours that is still good, or two of them."""
    value = _value(cookies or "")
    data = _authentic(value, secrets) if value else None
    if data is None:
        return None
    # Ours to the letter: the HMAC has been checked.
    version, fingerprint, until, email, *others = json.loads(data)
    if version != _VERSION or now.timestamp() >= until:
        return None
    if fingerprint not in {issuer.fingerprint for issuer in issuers}:
        return None
    return FederatedAccount(email, tuple(others))


def _value(cookies: str) -> str | None:
    values = [part.strip().partition("=") for part in cookies.split(";")]
    found = [value for name, _, value in values if name == NAME]
    return found[0] if len(found) == 1 and len(found[0]) <= VALUE_LIMIT else None


def _authentic(value: str, secrets: Secrets) -> bytes | None:
    content, _, code = value.partition(".")
    data, given = _decoded(content), _decoded(code)
    if data is None or given is None:
        return None
    return data if hmac.compare_digest(given, secrets.fingerprint(_PURPOSE, data)) else None


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
