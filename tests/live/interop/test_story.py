"""The whole story, by every stack and in both versions of SOAP: from finding the service to reading what somebody else
protected. Requests are built, sent and read by proxies that the stack made from our descriptions.

What a stack received is believed only where it verifies, to the letter: signatures are over text.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from rmsserver.client import account, publish
from rmsserver.client.account import Profile, stored_templates
from rmsserver.client.consume import Licenses, Use, open_licenses
from rmsserver.client.machine import Machine, request_machine
from rmsserver.client.pfile import read_pfile
from rmsserver.client.services import ServiceLocations
from rmsserver.client.sign_on import Credentials, Method
from rmsserver.client.store import Settings, Store
from rmsserver.client.transport import HttpConnection
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.enabling_bits import ContentKey
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.use_license import UseLicense
from tests.client.served_cluster import PASSWORD
from tests.live.interop.conversation import Conversation, ForeignFault
from tests.live.interop.foreign_services import ForeignServices
from tests.live.interop.stacks import STACKS, Soap, Stack
from tests.wire.serving_process import ServingProcess

# One worker has the cluster and all stacks.
pytestmark = pytest.mark.xdist_group("interop")

SECRET = "The plan: meet at noon. ä & <b>\n".encode() * 400
TEMPLATE = "Mitarbeiter & Gäste <intern>"
PRE_LICENSING = """
[endpoints."licensing/license.asmx#AcquirePreLicense"]
access = "listed"
accounts = ["exchange@example.com"]
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    """`rmsserver serve` with its embedded directory, a template for the reader, and a mail server's account."""
    made = ServingProcess(tmp_path_factory.mktemp("interop"))
    made.create("author", "reader", "outsider", "exchange")
    made.command("template", "add", "--name", TEMPLATE, "--grant", "reader@example.com=VIEW")
    with (made.home / "rmsserver.toml").open("a") as file:
        file.write(PRE_LICENSING)
    with made.serving():
        yield made


@dataclass
class Person:
    """Somebody with a client program, and with our client's store for the keys."""

    profile: Profile
    store: Store
    services: ForeignServices

    def protect(self, source: Path, policy: publish.UsagePolicy, *, online: bool = False) -> Path:
        target = source.with_suffix(".ptxt")
        publish.protect_file(source, target, publish.Wrapping(), self._publisher(policy, online), overwrite=True)
        assert SECRET not in target.read_bytes()
        return target

    def _publisher(self, policy: publish.UsagePolicy, online: bool) -> Callable[[ContentKey], tuple[str, ...]]:
        mine, moment = self.profile, now()
        if online:
            trust, url = mine.settings.trust, mine.settings.locations.licensing[0]
            return lambda content: publish.publish_online(
                policy, content, mine.account.email, self.services, trust, url, moment
            )
        licensor = mine.licensor
        assert licensor is not None
        return lambda content: publish.publish_offline(policy, content, mine.account, licensor, moment)

    def read(self, file: Path) -> bytes:
        with file.open("rb") as stream:
            pfile = read_pfile(stream)
            licenses = Licenses.read(pfile.license_text)
            mine = self.profile
            opened = open_licenses(licenses, mine.account, mine.settings.trust, lambda: self.services)
            opened.require(Use.SEE, now())
            return pfile.open_content(stream, opened.cipher, opened.content_key.key).read()

    def opens(self, chain: tuple[str, ...]) -> ContentKey:
        """The content key in a use licence that verifies."""
        license_ = UseLicense.read(chain[0])
        self.profile.settings.trust.close(license_, chain[1:], "The use licence")
        return license_.open_content_key(self.profile.account.key, secrets.token_bytes(16))


class Company:
    """People who all use the same stack; each is set up when first asked for."""

    def __init__(
        self, cluster: ServingProcess, folder: Path, command: list[str], closing: contextlib.ExitStack
    ) -> None:
        self.base_url = f"http://127.0.0.1:{cluster.port}/_wmcs"
        self._folder = folder
        self._command = command
        self._closing = closing
        self._services: dict[str, ForeignServices] = {}
        self._people: dict[str, Person] = {}

    def services(self, login: str) -> ForeignServices:
        """A program signed on as `login`, without certificates."""
        if login not in self._services:
            conversation = self._closing.enter_context(Conversation.begin(self._command, login, PASSWORD))
            self._services[login] = ForeignServices(conversation)
        return self._services[login]

    def person(self, login: str) -> Person:
        """Certified and with a licensor certificate, all through the stack; templates too."""
        if login not in self._people:
            store, services = Store(self._folder / login), self.services(login)
            store.prepare()
            profile = account.bootstrap(store, services, self._machine(login), partial(self._settings, login), now())
            self._people[login] = Person(profile, store, services)
        return self._people[login]

    def _machine(self, login: str) -> Callable[[CryptoMode], Machine]:
        # Machine certificates come from an endpoint of our own, which is not SOAP.
        connection = HttpConnection(Credentials(login, PASSWORD, Method.BASIC))
        return lambda mode: request_machine(connection, self.base_url, mode)

    def _settings(self, login: str, trust: ClusterTrust) -> Settings:
        return Settings(self.base_url, login, ServiceLocations.below(self.base_url), trust)


@pytest.fixture(scope="module", params=STACKS, ids=str)
def stack(request: pytest.FixtureRequest) -> Stack:
    found = request.param
    assert isinstance(found, Stack)
    found.require()
    return found


@pytest.fixture(scope="module")
def company(stack: Stack, cluster: ServingProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp(str(stack))
    command = stack.command(folder, f"http://127.0.0.1:{cluster.port}/_wmcs")
    with contextlib.ExitStack() as closing:
        yield Company(cluster, folder, command, closing)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.txt"
    path.write_bytes(SECRET)
    return path


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def readable(person: Person, *readers: str) -> publish.UsagePolicy:
    """A policy of the author's own: those may view."""
    grants = [publish.Grant.parse(f"{reader}@example.com=VIEW") for reader in readers]
    return publish.policy_of_grants(person.profile.account.email, grants, now(), None)


def licenses_of(file: Path) -> Licenses:
    with file.open("rb") as stream:
        return Licenses.read(read_pfile(stream).license_text)


# --- finding the service ----------------------------------------------------------------------------------------------


def test_the_server_says_what_it_is(company: Company) -> None:
    """GetServerInfo, without a version header: XML of no schema, in which the server's certificate is as it was signed."""
    author = company.person("author")
    information = author.services.get_server_info("VersionInfo", "ServerLicensorCertificate")
    assert information.startswith('<Results xmlns=""><ServerInfoRequest Type="VersionInfo"')
    chain = author.services.get_licensor_certificate()
    assert ClusterTrust.pin(chain, author.profile.settings.trust.root) == author.profile.settings.trust
    assert chain[0].partition("<BODY")[2] in information


def test_the_server_says_where_its_services_are(company: Company) -> None:
    """FindServiceLocationsForUser: an enumeration of the description goes and comes; no URL where there is no service."""
    found = company.services("reader").find_service_locations_for_user("LicensingService", "GroupExpansionService")
    assert found == {"LicensingService": f"{company.base_url}/licensing", "GroupExpansionService": ""}


def test_a_version_that_nobody_speaks_is_a_fault(company: Company, stack: Stack) -> None:
    """VersionData goes out; a fault comes in as the stack's own exception, with code and name; else the server's version."""
    services = company.services("reader")
    with pytest.raises(ForeignFault) as caught:
        services.template_information("9.0.0.0")
    assert caught.value.code.endswith("Server" if stack.soap is Soap.V11 else "Receiver")
    assert caught.value.text.startswith("Microsoft.DigitalRightsManagement.Core.UnsupportedDataVersionException")
    assert services.template_information("1.1.0.0").one("version") == "1.2.0.0"


# --- one protects, another reads, a third is refused --------------------------------------------------------------------


@pytest.mark.parametrize("online", [False, True], ids=["offline", "online"])
def test_what_the_author_protects_the_reader_reads(company: Company, plan: Path, online: bool) -> None:
    """Certify, GetClientLicensorCert, publishing either way, AcquireLicense: every document verifies, content is equal."""
    author, reader = company.person("author"), company.person("reader")
    file = author.protect(plan, readable(author, "reader"), online=online)
    assert reader.read(file) == SECRET


def test_an_outsider_is_refused_with_the_fault(company: Company, stack: Stack, plan: Path) -> None:
    """At version 1.0 one item is refused with a fault, which the stack raises with its name."""
    author, outsider = company.person("author"), company.person("outsider")
    file = author.protect(plan, readable(author, "reader"))
    with pytest.raises(ForeignFault) as caught:
        outsider.read(file)
    assert caught.value.code.endswith("Server" if stack.soap is Soap.V11 else "Receiver")
    assert "NoRightsForRequestedPrincipalException" in caught.value.text


def test_a_template_is_fetched_and_obeyed(company: Company, plan: Path) -> None:
    """AcquireTemplateInformation and AcquireTemplates: escaped text whose signature holds, umlauts and ampersand included.

    Published online, so that its name goes through both ways of writing XML: the stack's, and the server's.
    """
    author = company.person("author")
    (template,) = stored_templates(author.store, author.profile.settings.trust).values()
    assert template.names[0].name == TEMPLATE
    file = author.protect(plan, publish.policy_of_template(template), online=True)
    assert escape(TEMPLATE) in licenses_of(file).publishing.text
    assert company.person("reader").read(file) == SECRET
    with pytest.raises(ForeignFault, match="NoRightsForRequestedPrincipalException"):
        company.person("outsider").read(file)


# --- many at once -------------------------------------------------------------------------------------------------------


def test_a_batch_has_an_answer_for_each(company: Company, tmp_path: Path) -> None:
    """At version 1.1 the item that is refused holds an element of no namespace, in its place between use licences."""
    author, reader = company.person("author"), company.person("reader")
    chains = []
    for readers in (["reader"], ["outsider"], ["outsider", "reader"]):
        path = tmp_path / f"{'-'.join(readers)}.txt"
        path.write_bytes(SECRET)
        chains.append(licenses_of(author.protect(path, readable(author, *readers))).issuance_chain)
    first, refused, third = reader.services.acquire_licenses(reader.profile.account.chain, *chains, version="1.1.0.0")
    assert reader.opens(first) != reader.opens(third)
    (exception,) = refused
    assert exception.startswith('<AcquireLicenseException xmlns=""><ExceptionString>')
    assert "NoRightsForRequestedPrincipalException" in exception
    assert "<batchindex>1</batchindex>" in exception


def test_a_mail_server_gets_licenses_ahead(company: Company, plan: Path) -> None:
    """AcquirePreLicense for identities: a licence that the reader's key opens, and an exception in the outsider's place."""
    author, reader = company.person("author"), company.person("reader")
    file = author.protect(plan, readable(author, "reader"))
    licenses, chain = company.services("exchange").acquire_pre_license(
        ["reader@example.com", "outsider@example.com"], licenses_of(file).issuance_chain
    )
    license_, refused = licenses
    assert reader.opens((license_, *chain)).key
    assert refused.startswith('<AcquirePreLicenseException xmlns="">')
    assert "NoRightsForRequestedPrincipalException" in refused


def test_who_is_not_listed_cannot_get_licenses_ahead(company: Company, plan: Path) -> None:
    """The operation that the author's account may not call is a fault like any other."""
    author = company.person("author")
    file = author.protect(plan, readable(author, "reader"))
    with pytest.raises(ForeignFault, match="UnauthorizedAccessException"):
        author.services.acquire_pre_license(["reader@example.com"], licenses_of(file).issuance_chain)
