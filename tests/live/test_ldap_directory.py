"""rmsserver.directory.ldap against a real Active Directory: the contract, and what is not in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed (extra [ad])")

from rmsserver.directory.ldap.directory import LdapDirectory
from rmsserver.directory.ldap.settings import LdapSettings, Nesting, SimpleBind
from tests.directory.contract import DirectoryContract, Populated
from tests.live import people
from tests.live.samba import Domain

pytestmark = pytest.mark.xdist_group("domain")

BIND = SimpleBind("svc-bind@rms.test", people.PASSWORD)


def settings(domain: Domain, *uris: str, **more: object) -> LdapSettings:
    given = {"bind": BIND, "ca_file": domain.certificate_authority} | more
    return LdapSettings(uris or (domain.controllers[0].uri(),), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def directory(domain: Domain) -> Iterator[LdapDirectory]:
    made = LdapDirectory(settings(domain))
    yield made
    made.close()


def group_sid(domain: Domain, name: str) -> str:
    output = domain.run("ldbsearch", "-H", str(domain.controllers[0].database), f"(sAMAccountName={name})", "objectSid")
    return next(line.split()[1] for line in output.splitlines() if line.startswith("objectSid:"))


@pytest.fixture(scope="module", params=["ldap", "catalogue", "walk"])
def populated(request: pytest.FixtureRequest, domain: Domain) -> Iterator[Populated]:
    first = domain.controllers[0]
    nesting = Nesting.WALK if request.param == "walk" else Nesting.AUTO
    uri = first.uri(tls=True, catalogue=True) if request.param == "catalogue" else first.uri()
    made = LdapDirectory(settings(domain, uri, nesting=nesting))
    groups = ("inner", "outer", "loop", "readers")
    inner, outer, loop, other = ((f"{name}@rms.test", group_sid(domain, name)) for name in groups)
    yield Populated(
        made,
        "author",
        ("author@rms.test", "writer@rms.test"),
        "bob",
        "dave",
        inner,
        outer,
        loop,
        other,
        domain=people.NETBIOS,
    )
    made.close()


class TestLdapDirectory(DirectoryContract):
    """The contract, over LDAP and over the global catalogue, with each way of resolving nested groups."""
