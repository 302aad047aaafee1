"""The messages of [MS-MWBF] as a relying party sends and takes them, and the decision over a token that arrives.

A client without a session is sent to its issuer (302, wsignin1.0). It posts the token that it gets there to any path
`…external`, and gets the session cookie. A client that has its token otherwise (the active profile of [MS-RMPR] 3.1.4.1)
posts it without having been asked: no state is kept between question and answer.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from rmsserver.auth.federation import TokenRefused
from rmsserver.auth.federation.assertion import Assertion
from rmsserver.auth.federation.issuer import FederationIssuer
from rmsserver.auth.federation.seen_tokens import SeenTokens
from rmsserver.auth.federation.session import cookie_header, read_session
from rmsserver.auth.federation.token import verify_token
from rmsserver.operations.email_address import is_email_address
from rmsserver.ports import Secrets
from rmsserver.state import FederatedAccount

SIGN_IN = "wsignin1.0"
SIGN_OUT = "wsignout1.0"
CLEAN_UP = "wsignoutcleanup1.0"
NOT_SUPPORTED = frozenset({"wattr1.0", "wpseudo1.0"})
"""Attribute and pseudonym requests, which 2.2 wants answered with 403."""
FORM_LIMIT_BYTES = 256 * 1024
"""A token of 64 KiB whose every character is escaped, and what comes with it."""
TOKEN_LIFETIME_LIMIT = dt.timedelta(hours=24)
"""Beyond three times what the product issues (<90>). Bounds how long tokens are remembered."""
_HOME_REALM_LIMIT = 500


@dataclass(frozen=True)
class SignIn:
    """An accepted token. `cookie` is the value of Set-Cookie, `context` the `wctx` of the form."""

    account: FederatedAccount
    cookie: str
    context: str


@dataclass(frozen=True)
class FederatedSignOn:
    """What a relying party needs. `issuers`: at least one; the first is asked where a client does not name its own."""

    issuers: Sequence[FederationIssuer]
    seen: SeenTokens
    session: dt.timedelta = dt.timedelta(hours=1)
    clock_skew: dt.timedelta = dt.timedelta(minutes=5)

    def accept(self, form: bytes, realms: frozenset[str], now: dt.datetime, secrets: Secrets) -> SignIn:
        """Take a wsignin1.0 response. `realms`: what an issuer without a `realm` may call this cluster.

        Raises TokenRefused, PortUnavailable.
        """
        wresult, context = read_response(form)
        assertion, issuer = verify_token(wresult, self.issuers, now)
        audiences = realms if issuer.realm is None else {issuer.realm}
        if assertion.audience not in audiences:
            raise TokenRefused("the token is for another audience")
        self._check_times(assertion, now)
        account = _account(assertion, issuer)
        until = min(assertion.not_on_or_after, now + self.session)
        cookie = cookie_header(account, issuer, until, secrets)
        name = hashlib.sha256(f"{issuer.name}\0{assertion.id}".encode()).digest()
        if not self.seen.first_time(name, assertion.not_on_or_after + self.clock_skew, now):
            raise TokenRefused("the token was used before")
        return SignIn(account, cookie, context)

    def account(self, cookies: str | None, now: dt.datetime, secrets: Secrets) -> FederatedAccount | None:
        """Who a Cookie header signs on."""
        return read_session(cookies, self.issuers, now, secrets)

    def sign_in_url(self, query: str, realm: str, context: str, now: dt.datetime) -> str:
        """Where a client without a session goes: the wsignin1.0 request (2.2.3). `query`: that of the client's request.

        Its `whr` chooses among our issuers; one that is none of ours is passed on, as the issuer may be a hub (<74>).
        """
        home_realm = parameters(query).get("whr", "")[:_HOME_REALM_LIMIT]
        named = next((issuer for issuer in self.issuers if issuer.name == home_realm), None)
        issuer = named or self.issuers[0]
        given = {
            "wa": SIGN_IN,
            "wtrealm": issuer.realm or realm,
            "wctx": context,
            "wct": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        }
        if home_realm and named is None:
            given["whr"] = home_realm
        return _with_query(issuer.sign_in_url, given)

    def sign_out_url(self) -> str:
        """Where a client goes that signs out: the wsignout1.0 request (2.2.5)."""
        return _with_query(self.issuers[0].sign_in_url, {"wa": SIGN_OUT})

    def _check_times(self, assertion: Assertion, now: dt.datetime) -> None:
        skew = self.clock_skew
        if not assertion.not_before - skew <= now:
            raise TokenRefused("the token is not yet valid")
        if not now < assertion.not_on_or_after + skew:
            raise TokenRefused("the token has expired")
        if assertion.not_on_or_after - assertion.not_before > TOKEN_LIFETIME_LIMIT:
            raise TokenRefused("the token is valid for too long")
        if max(assertion.issued, assertion.authenticated) > now + skew:
            raise TokenRefused("the token is from the future")


def read_response(form: bytes) -> tuple[str, str]:
    """`wresult` and `wctx` of a posted form (2.2.4). Other parameters are passed over. Raises TokenRefused."""
    if len(form) > FORM_LIMIT_BYTES:
        raise TokenRefused("the form is too long")
    try:
        given = parse_qs(
            form.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=30
        )
    except ValueError:
        raise TokenRefused("not a form") from None
    if given.get("wa") != [SIGN_IN] or len(given.get("wresult", ())) != 1 or len(given.get("wctx", ())) > 1:
        raise TokenRefused("not a wsignin1.0 response with one wresult")
    return given["wresult"][0], given.get("wctx", [""])[0]


def parameters(query: str) -> dict[str, str]:
    """Parameters of a query string that stand in it once; none where it is not one."""
    try:
        given = parse_qs(query, keep_blank_values=True, max_num_fields=30)
    except ValueError:
        return {}
    return {name: values[0] for name, values in given.items() if len(values) == 1}


def _account(assertion: Assertion, issuer: FederationIssuer) -> FederatedAccount:
    """Only addresses of domains that the issuer was trusted with (5.1.6). Raises TokenRefused."""
    if not is_email_address(assertion.email) or not issuer.speaks_for(assertion.email):
        raise TokenRefused("the issuer may not speak for the e-mail address, or it is none")
    if not issuer.proxy_addresses:
        return FederatedAccount(assertion.email)
    addresses = (_smtp(value) for value in assertion.proxy_addresses)
    mine = (a for a in addresses if a and is_email_address(a) and issuer.speaks_for(a) and a != assertion.email)
    return FederatedAccount(assertion.email, tuple(dict.fromkeys(mine)))


def _smtp(value: str) -> str | None:
    """A value of the directory's proxyAddresses as an e-mail address: `smtp:` cut off, other kinds left out."""
    kind, colon, address = value.partition(":")
    if not colon:
        return value
    return address if kind.lower() == "smtp" else None


def _with_query(url: str, given: dict[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(given)}"
