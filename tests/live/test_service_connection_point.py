"""rmsserver.directory.service_connection_point against a real Active Directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed (extra [ad])")

from rmsserver.directory.ldap.settings import LdapSettings, SimpleBind
from rmsserver.directory.service_connection_point import Registration, discover, find, register, remove
from rmsserver.errors import OperatorError
from tests.conformance import conforms
from tests.live import people
from tests.live.ldap_settings import settings
from tests.live.samba import ADMINISTRATOR, Domain

pytestmark = pytest.mark.xdist_group("domain")

BASE_URL = "https://rms.rms.test/_wmcs"
URL = "https://rms.rms.test/_wmcs/certification"
DN = "CN=SCP,CN=RightsManagementServices,CN=Services,CN=Configuration,DC=rms,DC=test"


@pytest.fixture
def administrator(domain: Domain) -> Iterator[LdapSettings]:
    """May write to the configuration; the point is gone afterwards."""
    made = settings(domain, bind=SimpleBind(f"{ADMINISTRATOR}@rms.test", people.PASSWORD))
    yield made
    remove(made)


@conforms("MS-RMPR 3.8.3.2.1", "The point that the cluster registers names its certification service.")
@conforms("MS-RMPR 3.1.1.2.3", "The service connection point that is registered says where this cluster is.")
@conforms("MS-RMPR 3.1.4.4", "The service connection point is read over LDAP version 3.")
@conforms("MS-RMPR 3.1.4.4", "Its serviceBindingInformation is the URL of the certification service.")
def test_register_and_discover(administrator: LdapSettings, domain: Domain) -> None:
    """What an administrator registers, in the form of 3.1.4.4.1.1, any account discovers."""
    assert register(administrator, BASE_URL) is Registration.CREATED
    assert discover(settings(domain)) == URL
    assert [point.dn for point in find(settings(domain))] == [DN]
    stored = domain.run("ldbsearch", "-H", str(domain.controllers[0].database), "-b", DN, "-s", "base", "*")
    lines = set(stored.splitlines())
    assert {"objectClass: serviceConnectionPoint", "keywords: MSRMRootCluster", "keywords: 1.0"} <= lines
    assert f"serviceBindingInformation: {URL}" in lines
    assert any(line.startswith("objectCategory: CN=Service-Connection-Point,") for line in lines)


def test_register_again(administrator: LdapSettings) -> None:
    """Registering the same place again, however it is spelled, changes nothing."""
    register(administrator, BASE_URL)
    assert register(administrator, "HTTPS://RMS.rms.test:443/_WMCS/") is Registration.UNCHANGED


@conforms("MS-RMPR 3.1.1.2.3", "The service connection point that is registered says where this cluster is.")
def test_stale_point(administrator: LdapSettings) -> None:
    """Another cluster's point is found out, kept, and overwritten only on demand."""
    register(administrator, "http://old.rms.test/_wmcs")
    (point,) = find(administrator)
    assert point.names("http://old.rms.test/_wmcs")
    assert not point.names(BASE_URL)
    with pytest.raises(OperatorError, match=r"names another cluster, http://old\.rms\.test"):
        register(administrator, BASE_URL)
    with pytest.raises(OperatorError, match="names another cluster"):
        remove(administrator, BASE_URL)
    assert register(administrator, BASE_URL, replace=True) is Registration.REPLACED
    assert discover(administrator) == URL


@conforms("MS-RMPR 3.1.4.4", "It is found by its class and both keywords.")
@pytest.mark.parametrize("keyword", ["MSRMRootCluster", "1.0", "2.0"])
def test_other_points_do_not_count(administrator: LdapSettings, domain: Domain, keyword: str) -> None:
    """A service connection point that has not both keywords is some other service's."""
    register(administrator, BASE_URL)
    domain.change(DN, keywords=keyword)
    assert find(administrator) == ()
    register(administrator, BASE_URL)
    assert discover(administrator) == URL


def test_remove(administrator: LdapSettings) -> None:
    """Removed, it is gone; where there is none, nothing happens."""
    register(administrator, BASE_URL)
    assert remove(administrator, BASE_URL)
    assert not remove(administrator, BASE_URL)
    assert find(administrator) == ()
    with pytest.raises(OperatorError, match="names no RMS cluster"):
        discover(administrator)


def test_missing_permission(administrator: LdapSettings, domain: Domain) -> None:
    """An account without the right is told in one line which right, for creating, changing and removing alike."""
    ordinary = settings(domain)

    def told(attempt: Callable[[], object]) -> None:
        with pytest.raises(OperatorError, match="Enterprise Admins") as caught:
            attempt()
        assert "\n" not in str(caught.value)

    told(lambda: register(ordinary, BASE_URL))
    register(administrator, "https://old.rms.test/_wmcs")
    told(lambda: register(ordinary, BASE_URL, replace=True))
    told(lambda: remove(ordinary))
    assert discover(ordinary) == "https://old.rms.test/_wmcs/certification"


def test_through_the_catalogue(domain: Domain) -> None:
    """Settings that name the global catalogue write to the same controller's own directory."""
    bind = SimpleBind(f"{ADMINISTRATOR}@rms.test", people.PASSWORD)
    catalogue = settings(domain, domain.controllers[0].uri(tls=True, catalogue=True), bind=bind)
    assert register(catalogue, BASE_URL) is Registration.CREATED
    assert discover(catalogue) == URL
    assert remove(catalogue)


def test_no_controller(domain: Domain) -> None:
    """Without a controller it says so."""
    with pytest.raises(OperatorError, match="no domain controller can be used"):
        discover(settings(domain, "ldaps://127.0.0.1:1"))


def test_no_url(administrator: LdapSettings) -> None:
    """What is no base URL is not registered."""
    for wrong in ("rms.rms.test", "ftp://rms.rms.test", "https:///_wmcs"):
        with pytest.raises(OperatorError, match="no base URL"):
            register(administrator, wrong)
