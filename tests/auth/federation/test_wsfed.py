"""The decision over a token that arrives, and the messages of [MS-MWBF]."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pytest

from rmsserver.auth.federation import TokenRefused
from rmsserver.auth.federation.seen_tokens import MemorySeenTokens
from rmsserver.auth.federation.wsfed import FORM_LIMIT_BYTES, FederatedSignOn, SignIn, read_response
from rmsserver.state import FederatedAccount
from rmsserver.stores.memory import MemorySecrets
from tests.auth.federation.partner import CLAIMS, EMAIL, MINUTE, NAME, REALM, SIGN_IN_URL, Partner, form, rsa_key
from tests.cluster import NOW
from tests.conformance import conforms

SECRETS = MemorySecrets()
DIRECTORY = "https://rms.example.com/_wmcs/licensingexternal/"
PARTNER = Partner()


def sign_on(**changes: object) -> FederatedSignOn:
    return FederatedSignOn((PARTNER.issuer(**changes),), MemorySeenTokens())


def accept(partner: Partner, service: FederatedSignOn | None = None, now: dt.datetime = NOW) -> SignIn:
    return (service or sign_on()).accept(form(partner.token(), "here"), frozenset({DIRECTORY}), now, SECRETS)


def refused(reason: str, partner: Partner, service: FederatedSignOn | None = None, now: dt.datetime = NOW) -> None:
    with pytest.raises(TokenRefused, match=reason):
        accept(partner, service, now)


def test_a_token_becomes_a_session() -> None:
    """The cookie signs on as the account of the token, on this service and until the token ends."""
    service = sign_on()
    accepted = accept(PARTNER, service)
    assert (accepted.account, accepted.context) == (FederatedAccount(EMAIL), "here")
    cookie = accepted.cookie.partition(";")[0]
    assert service.account(cookie, NOW + 59 * MINUTE, SECRETS) == accepted.account
    assert service.account(cookie, NOW + 60 * MINUTE, SECRETS) is None


def test_a_session_ends_before_a_long_token() -> None:
    """`session` bounds it."""
    service = sign_on()
    cookie = accept(PARTNER.with_(lifetime=8 * 60 * MINUTE), service).cookie.partition(";")[0]
    assert service.account(cookie, NOW + 59 * MINUTE, SECRETS) is not None
    assert service.account(cookie, NOW + 60 * MINUTE, SECRETS) is None


def test_replay() -> None:
    """A token counts once, also in another form and shortly before its end."""
    service = sign_on()
    accept(PARTNER, service)
    refused("used before", PARTNER, service)
    refused("used before", PARTNER, service, NOW + 64 * MINUTE)
    refused("has expired", PARTNER, service, NOW + 65 * MINUTE)
    accept(PARTNER.with_(id="_another"), service)


def test_a_refused_token_is_not_used_up() -> None:
    """What was refused may come again when its time has come."""
    service = sign_on()
    later = PARTNER.with_(not_before=6 * MINUTE)
    refused("not yet valid", later, service)
    assert accept(later, service, NOW + 2 * MINUTE).account.email == EMAIL


def test_two_issuers_may_choose_one_id() -> None:
    """AssertionIDs are an issuer's own."""
    other = Partner(key=rsa_key(1), name="urn:federation:other")
    service = FederatedSignOn((PARTNER.issuer(), other.issuer()), MemorySeenTokens())
    accept(PARTNER, service)
    accept(other, service)


def test_audience() -> None:
    """The configured realm and nothing else; without one, the URL of a directory."""
    refused("another audience", PARTNER.with_(audience="urn:rms:other"))
    refused("another audience", PARTNER.with_(audience=DIRECTORY))
    assert accept(PARTNER.with_(audience=DIRECTORY), sign_on(realm=None)).account.email == EMAIL
    refused("another audience", PARTNER, sign_on(realm=None))


@pytest.mark.parametrize(
    ("partner", "reason"),
    [
        (PARTNER.with_(not_before=6 * MINUTE), "not yet valid"),
        (PARTNER.with_(not_before=-66 * MINUTE), "expired"),
        (PARTNER.with_(not_before=-65 * MINUTE), "expired"),
        (PARTNER.with_(lifetime=dt.timedelta(hours=25)), "valid for too long"),
        (PARTNER.with_(now=NOW + 6 * MINUTE, not_before=-6 * MINUTE), "from the future"),
    ],
)
def test_times(partner: Partner, reason: str) -> None:
    """NotBefore, NotOnOrAfter and IssueInstant, with five minutes for clocks that differ."""
    refused(reason, partner)


def test_clocks_may_differ() -> None:
    """Within the tolerance on either side."""
    accept(PARTNER.with_(not_before=5 * MINUTE))
    accept(PARTNER.with_(not_before=-64 * MINUTE))


@pytest.mark.parametrize(
    "email",
    ["guest@other.example", "guest@sub.partner.example", "guest", "a@b@partner.example", "guest@PARTNER.EXAMPLE\u212a"],
)
def test_only_addresses_that_the_issuer_may_speak_for(email: str) -> None:
    """[MS-MWBF] 5.1.6: an issuer cannot say that its user is one of ours."""
    refused("may not speak", PARTNER.with_(email=email))


def test_any_domain_where_the_operator_says_so() -> None:
    service = sign_on(email_domains=frozenset({"*"}))
    assert accept(PARTNER.with_(email="x@other.example"), service).account.email == "x@other.example"


@conforms("MS-RMPR 3.1.4.3", "The account of a federated sign-on has the claims EmailAddress and ProxyAddresses.")
def test_proxy_addresses() -> None:
    """None by default; where they count, only e-mail addresses of the issuer's domains."""
    values = ("smtp:g@partner.example", "SMTP:" + EMAIL, "sip:s@partner.example", "smtp:boss@ours.example", "plain@x")
    partner = PARTNER.with_(claims=((CLAIMS, "ProxyAddresses", (*values, "h@partner.example")),))
    assert accept(partner).account == FederatedAccount(EMAIL)
    account = accept(partner, sign_on(proxy_addresses=True)).account
    assert account == FederatedAccount(EMAIL, ("g@partner.example", "h@partner.example"))


def test_more_addresses_than_a_cookie_holds() -> None:
    """Refused as a whole, not cut short."""
    many = tuple(f"smtp:somebody.with.a.long.name.{number}@partner.example" for number in range(60))
    partner = PARTNER.with_(claims=((CLAIMS, "ProxyAddresses", many),))
    refused("more proxy addresses", partner, sign_on(proxy_addresses=True))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"wa=wsignin1.0",
        b"wa=wsignin1.0&wresult=a&wresult=b",
        b"wa=wsignin1.0&wa=wsignin1.0&wresult=a",
        b"wa=wsignin1.0&wresultptr=https%3a%2f%2fevil.example%2f",
        b"wa=wsignout1.0&wresult=a",
        b"wa=wsignin1.0&wresult=%ff",
        b"wa=wsignin1.0&wresult=\xff",
        b"wa=wsignin1.0&wresult=a&wctx=1&wctx=2",
        b"wa=wsignin1.0&wresult=a" + b"&x=1" * 40,
        b"wa=wsignin1.0&wresult=" + b"a" * FORM_LIMIT_BYTES,
    ],
    ids=range(11),
)
def test_forms_that_are_no_response(body: bytes) -> None:
    """2.2.4: one wa, one wresult; a pointer to a token is never followed (N1)."""
    with pytest.raises(TokenRefused):
        read_response(body)


def test_sign_in_request() -> None:
    """2.2.3: wa, wtrealm, wct, wctx; a query that the address has is kept."""
    url = urlsplit(sign_on().sign_in_url("", DIRECTORY, "/_wmcs/x", NOW))
    assert f"{url.scheme}://{url.netloc}{url.path}" == SIGN_IN_URL
    assert parse_qs(url.query) == {
        "wa": ["wsignin1.0"],
        "wtrealm": [REALM],
        "wctx": ["/_wmcs/x"],
        "wct": ["2026-06-01T12:00:00Z"],
    }
    with_query = sign_on(sign_in_url=SIGN_IN_URL + "?tenant=7", realm=None)
    assert parse_qs(urlsplit(with_query.sign_in_url("", DIRECTORY, "x", NOW)).query)["tenant"] == ["7"]
    assert parse_qs(urlsplit(with_query.sign_in_url("", DIRECTORY, "x", NOW)).query)["wtrealm"] == [DIRECTORY]


def test_home_realm() -> None:
    """`whr` chooses among the issuers; a name that is none of theirs goes on to the first (<74>)."""
    other = Partner(key=rsa_key(1), name="urn:federation:other").issuer(sign_in_url="https://other.example/")
    service = FederatedSignOn((PARTNER.issuer(), other), MemorySeenTokens())
    assert service.sign_in_url("whr=urn%3Afederation%3Aother", DIRECTORY, "x", NOW).startswith(
        "https://other.example/?"
    )
    assert service.sign_in_url(f"whr={NAME}", DIRECTORY, "x", NOW).startswith(SIGN_IN_URL)
    onward = urlsplit(service.sign_in_url("whr=urn:far%26wa=x", DIRECTORY, "x", NOW))
    assert parse_qs(onward.query)["whr"] == ["urn:far&wa=x"]
    assert parse_qs(onward.query)["wa"] == ["wsignin1.0"]
