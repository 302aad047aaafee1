"""How the live tests bind to the domain."""

from __future__ import annotations

from rmsserver.directory.ldap.settings import LdapSettings, SimpleBind
from tests.live import people
from tests.live.samba import Domain

BIND = SimpleBind("svc-bind@rms.test", people.PASSWORD)


def settings(domain: Domain, *uris: str, **more: object) -> LdapSettings:
    """As an account without special rights; on the first controller with StartTLS, unless told otherwise."""
    given = {"bind": BIND, "ca_file": domain.certificate_authority} | more
    return LdapSettings(uris or (domain.controllers[0].uri(),), **given)  # type: ignore[arg-type]
