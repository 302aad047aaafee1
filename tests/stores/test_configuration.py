"""rmsserver.stores.configuration, configuration_keys and sql.configuration"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from rmsserver.errors import OperatorError
from rmsserver.state import ApplicationExclusion, ServerState
from rmsserver.stores.configuration import StateHolder
from rmsserver.stores.configuration_keys import KEYS, configuration_key, default_text, show, show_stored
from rmsserver.stores.sql import tables
from rmsserver.stores.sql.configuration import SqlConfiguration
from rmsserver.stores.sql.database import Database
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.values import Version, VersionSpan
from tests.cluster import DAY, NOW, make_cluster
from tests.conformance import conforms
from tests.stores.test_certificate_changes import DOMAIN
from tests.stores.test_certificates import new_store

BASE_URL = "http://rms.example.com/_wmcs"


@pytest.fixture
def configuration(database: Database) -> SqlConfiguration:
    made = SqlConfiguration(database)
    made.set("baseUrl", BASE_URL + "/")
    return made


@pytest.fixture
def holder(tmp_path: Path, configuration: SqlConfiguration) -> StateHolder:
    return StateHolder(new_store(tmp_path / "home"), configuration)


DEFAULTS: dict[str, object] = {
    "configuration_refresh_interval": dt.timedelta(seconds=30),
    "application_exclusions": (),
    "os_exclusion": None,
    "minimum_security_processor": None,
    "excluded_racs": frozenset(),
    "creation_time_tolerance": dt.timedelta(days=15),
    "rac_validity": dt.timedelta(days=365),
    "temporary_rac_validity": dt.timedelta(minutes=15),
    "federated_rac_validity": dt.timedelta(days=1),
    "validity_tolerance": dt.timedelta(days=1),  # rulings 11
    "licensing_url": None,
    "external_certification_url": None,
    "external_licensing_url": None,
    "federation_enabled": False,
    "decommissioned": False,
    "no_rights_cache_enabled": True,
    "online_publishing_enabled": True,
    "trusted_licensing_servers": (),
    "super_user_enabled": False,
    "super_user_group": None,
    "published_templates": {},
    "archived_templates": {},
}
"""Of 3.1.3.3, by our names of the fields."""


@conforms("MS-RMPR 3.1.3.3", "What nobody has configured has the default of the specification.")
def test_defaults(holder: StateHolder, configuration: SqlConfiguration) -> None:
    """What nobody set has the defaults of 3.1.3.3; the range of Windows versions is there once it is switched on."""
    state = holder.current()
    assert {name: getattr(state, name) for name in DEFAULTS} == DEFAULTS
    assert set(state.trusted_rac_issuers) == {state.licensor.key.public.id}
    assert state.base_url == BASE_URL
    assert state.cryptographic_mode is CryptoMode.MODE_2
    configuration.set("osExclusionEnabled", "on")
    assert holder.refresh()
    assert holder.current().os_exclusion == VersionSpan("0", "2.1.5.2600")


@conforms("MS-RMPR 3.1.3.3", "Every change of the configuration moves its version.")
@conforms("MS-RMPR 3.1.6.1", "Each change adds one to the version of the configuration.")
def test_every_change_moves_the_version(configuration: SqlConfiguration) -> None:
    """Whatever is changed, by one."""
    guid = configuration.put_template(make_cluster(CryptoMode.MODE_2).template().text, NOW).guid
    changes: tuple[Callable[[], object], ...] = (
        lambda: configuration.set("racValidityTime", "30d"),
        lambda: configuration.reset("racValidityTime"),
        lambda: configuration.set_values({"name": "A", "sku": "B"}),
        lambda: configuration.change_list("blockedUsers", add=["a@example.com"]),
        lambda: configuration.put_template(make_cluster(CryptoMode.MODE_2).template().text, NOW),
        lambda: configuration.archive_template(guid, archived=True),
        lambda: configuration.remove_template(guid),
        configuration.touch,
    )
    for number, change in enumerate(changes, start=configuration.version() + 1):
        change()
        assert configuration.version() == number


def test_without_base_url(tmp_path: Path, database: Database) -> None:
    """A cluster without its URL does not start, and the line says how to set it."""
    with pytest.raises(OperatorError, match="config set baseUrl"):
        StateHolder(new_store(tmp_path / "home"), SqlConfiguration(database))


@conforms("MS-RMPR 3.1.3.3", "Every change of the configuration moves its version.")
@conforms("MS-RMPR 3.1.5", "Where the version has moved, the whole state is replaced.")
def test_the_state_after_a_change_is_that_of_a_process_that_starts_now(
    tmp_path: Path, configuration: SqlConfiguration
) -> None:
    """Values, lists, templates and certificates, whatever of them was changed."""
    store = new_store(tmp_path / "home")
    holder = StateHolder(store, configuration)
    configuration.set_values({"name": "A", "externalLicensingUrl": "https://out.example.com/_wmcs/licensing"})
    configuration.change_list("blockedUsers", add=["a@example.com"])
    configuration.put_template(make_cluster(CryptoMode.MODE_2).template().text, NOW)
    store.add_publishing_domain(DOMAIN)
    assert holder.refresh()
    now, of_another = holder.current(), StateHolder(store, configuration).current()
    for field in dataclasses.fields(ServerState):
        # Parsed documents are equal where their texts are.
        assert str(getattr(now, field.name)) == str(getattr(of_another, field.name)), field.name
    assert (now.name, len(now.published_templates)) == ("A", 1)
    assert [server.licensor.chain for server in now.trusted_licensing_servers] == [DOMAIN.licensor.chain]


@conforms("MS-RMPR 3.1.5", "Where the version has moved, the whole state is replaced.")
def test_refresh_only_when_the_version_moved(holder: StateHolder, configuration: SqlConfiguration) -> None:
    """3.1.5: the same state object as long as the version is the same, a whole new one after."""
    before = holder.current()
    assert not holder.refresh()
    assert holder.current() is before
    configuration.set("racValidityTime", "30d")
    assert holder.current() is before
    assert holder.refresh()
    assert holder.current().rac_validity == dt.timedelta(days=30)
    assert before.rac_validity == dt.timedelta(days=365)


def test_on_change(tmp_path: Path, configuration: SqlConfiguration) -> None:
    """Caches are told after the new state is in place."""
    told: list[ServerState] = []
    holder = StateHolder(new_store(tmp_path / "home"), configuration, on_change=told.append)
    configuration.touch()
    holder.refresh()
    assert told == [holder.current()]


def test_K6_a_failed_refresh_keeps_the_state(
    tmp_path: Path, holder: StateHolder, configuration: SqlConfiguration, database: Database
) -> None:
    """K6: with a damaged store or no database the old state stays, and the next refresh heals."""
    before = holder.current()
    configuration.touch()
    key = tmp_path / "home" / "certificates" / "licensor.key"
    whole = key.read_bytes()
    key.write_bytes(b"")
    assert not holder.refresh()
    assert holder.current() is before
    key.write_bytes(whole)
    database.close()
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    assert not holder.refresh()
    assert holder.current() is before
    (tmp_path / "away.db").rename(tmp_path / "state.db")
    assert holder.refresh()


@conforms("MS-RMPR 3.1.6.1", "Each change adds one to the version of the configuration.")
@conforms("MS-RMPR 3.1.6.1", "After one million the version goes on with 1.")
def test_versions_wrap(configuration: SqlConfiguration, database: Database) -> None:
    """3.1.6.1: after one million comes 1."""
    with database.write() as connection:
        row = tables.configuration.c.key == "configurationVersion"
        connection.execute(update(tables.configuration).where(row).values(value=999_999))
    configuration.touch()
    assert configuration.version() == 1_000_000
    configuration.touch()
    assert configuration.version() == 1


def test_reset(holder: StateHolder, configuration: SqlConfiguration) -> None:
    """A key goes back to its default; baseUrl has none."""
    configuration.set("superUserEnabled", "yes")
    configuration.reset("SUPERUSERENABLED")
    holder.refresh()
    assert not holder.current().super_user_enabled
    with pytest.raises(OperatorError, match="no default"):
        configuration.reset("baseUrl")


def test_every_kind_of_value(holder: StateHolder, configuration: SqlConfiguration) -> None:
    """What an operator writes arrives typed in the state."""
    for name, text in (
        ("licensingUrl", "https://other.example.com/_wmcs/licensing/"),
        ("spcExclusionPolicy", "6.1.7600"),
        ("racExclusionPolicy", "ab" * 32),
        ("applicationExclusionPolicy", "WINWORD.EXE=0-11.9.9.9, EXCEL.EXE=1-2"),
        ("osExclusionEnabled", "on"),
        ("superUserGroup", "super@example.com"),
        ("racProxies", "S-1-5-21-1-2-3-1104 S-1-5-18"),
        ("batchLimit", "7"),
        ("externalLicensingUrl", "none"),
    ):
        configuration.set(name, text)
    holder.refresh()
    state = holder.current()
    assert state.licensing_url == "https://other.example.com/_wmcs/licensing"
    assert state.minimum_security_processor == Version(6, 1, 7600)
    assert [bytes(key) for key in state.excluded_racs] == [b"\xab" * 32]
    assert state.application_exclusions == (
        ApplicationExclusion("WINWORD.EXE", VersionSpan("0", "11.9.9.9")),
        ApplicationExclusion("EXCEL.EXE", VersionSpan("1", "2")),
    )
    assert state.os_exclusion == VersionSpan("0", "2.1.5.2600")
    assert state.super_user_group == "super@example.com"
    assert state.rac_proxies == {"S-1-5-21-1-2-3-1104", "S-1-5-18"}
    assert state.batch_limit == 7
    assert state.external_licensing_url is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nonsense", "1"),
        ("configurationVersion", "1"),
        ("baseUrl", ""),
        ("baseUrl", "ftp://x/"),
        ("baseUrl", "http://"),
        ("baseUrl", "http://x/?a=b"),
        ("baseUrl", 'http://x/"><script>'),
        ("baseUrl", "http://x:99999/"),
        ("racValidityTime", "365"),
        ("racValidityTime", "-1d"),
        ("racValidityTime", "999999999d"),
        ("superUserEnabled", "maybe"),
        ("superUserGroup", "nobody"),
        ("spcExclusionPolicy", "a.b"),
        ("osExclusionPolicy", "2-1"),
        ("applicationExclusionPolicy", "a/b.exe=0-1"),
        ("racExclusionPolicy", "abc"),
        ("batchLimit", "0"),
        ("batchLimit", "٣"),
    ],
)
def test_unacceptable(configuration: SqlConfiguration, name: str, text: str) -> None:
    """A bad key or value is one line, and nothing is stored."""
    before = configuration.read()
    with pytest.raises(OperatorError) as caught:
        configuration.set(name, text)
    assert "\n" not in str(caught.value)
    assert configuration.read() == before


def test_every_key_has_a_field_and_a_default() -> None:
    """The table and ServerState agree."""
    for key in KEYS.values():
        assert key.field in ServerState.__dataclass_fields__
        assert default_text(key)
        assert key.description


def test_show() -> None:
    """Values are shown as they are written."""
    assert default_text(configuration_key("racvaliditytime")) == "365d"
    assert default_text(configuration_key("tempRacValidityTime")) == "15m"
    assert default_text(configuration_key("forests")) == "none"
    assert default_text(configuration_key("baseUrl")) == "(set at init)"
    assert show_stored(configuration_key("creationTimeTolerance"), 90) == "90s"
    assert show_stored(configuration_key("batchLimit"), 100) == "100"
    assert show(["a", "b"]) == "a,b"


def test_templates(holder: StateHolder, configuration: SqlConfiguration) -> None:
    """A template is distributed, archived and removed; a new version replaces the old one and keeps it in
    the history.
    """
    cluster = make_cluster(CryptoMode.MODE_2)
    first, second = (cluster.template(issued=NOW - days * DAY).text for days in (2, 1))
    assert first != second
    now = dt.datetime.now(dt.UTC)
    guid = configuration.put_template(first, now).guid
    holder.refresh()
    assert holder.current().published_templates[guid].text == first
    assert configuration.put_template(second, now).revision == 2
    configuration.archive_template(guid, archived=True)
    holder.refresh()
    assert holder.current().archived_templates[guid].text == second
    assert not holder.current().published_templates
    assert configuration.template_history(guid) == [first, second]
    configuration.remove_template(guid)
    holder.refresh()
    assert not holder.current().archived_templates
    assert configuration.template_history(guid) == []
    with pytest.raises(OperatorError, match="no template"):
        configuration.archive_template(guid, archived=False)


def test_several_templates_as_one_change(configuration: SqlConfiguration) -> None:
    """All of them or none; archived at once they are never distributed, not even for a moment."""
    cluster = make_cluster(CryptoMode.MODE_2)
    old, new = cluster.template("old").text, cluster.template("new").text
    configuration.put_template(old, NOW)
    before = configuration.read()
    with pytest.raises(XrmlError):
        configuration.put_templates([new, old, "<x/>"], NOW)
    assert configuration.read() == before
    stored = configuration.put_templates([new, old], NOW, archive=True)
    assert [(template.text, template.archived, template.revision) for template in stored] == [
        (new, True, 1),
        (old, True, 2),
    ]
    assert configuration.version() == before.version + 1
    assert set(configuration.read().templates) == set(stored)
    assert [template.archived for template in configuration.put_templates([new], NOW)] == [True]


def test_a_licensing_only_cluster_trusts_its_root_alone(holder: StateHolder, configuration: SqlConfiguration) -> None:
    """[MS-RMPRS] 1.3.3: account certificates are the root's; its own key signs none."""
    configuration.set("rootUrl", "https://root.example.com/_wmcs/")
    assert holder.refresh()
    state = holder.current()
    assert state.is_licensing_only
    assert state.certification_url == "https://root.example.com/_wmcs/certification"
    assert state.internal_licensing_url == BASE_URL + "/licensing"
    assert set(state.trusted_rac_issuers) == {state.licensor.certificate.issuer.public_key.id}


def test_the_enrollment_key_is_in_memory_only_while_it_is_used(
    holder: StateHolder, configuration: SqlConfiguration
) -> None:
    """Off by default."""
    assert holder.current().enrollment_service is None
    configuration.set("enrollmentEnabled", "true")
    assert holder.refresh()
    service = holder.current().enrollment_service
    assert service is not None
    assert service.chain == holder.current().licensor.chain[1:]
    configuration.set("enrollmentEnabled", "false")
    assert holder.refresh()
    assert holder.current().enrollment_service is None


def test_forests(holder: StateHolder, configuration: SqlConfiguration) -> None:
    """Mail domains in small letters, each with the URL that is asked (N1)."""
    urls = "https://a.example.net/_wmcs/groupexpansion/g.asmx", "http://127.0.0.1:8080/g.asmx"
    configuration.set("forests", f"Example.NET={urls[0]}, example.org={urls[1]}")
    assert holder.refresh()
    assert holder.current().forests == {"example.net": urls[0], "example.org": urls[1]}
    configuration.set("forests", "none")
    assert holder.refresh()
    assert holder.current().forests == {}
    for wrong in (
        "example.net",
        "https://a.example.net/x",
        "exa mple=https://a/",
        "example.net=ftp://a/",
        "-a=https://a/",
        "example.net=http://a.example.net/g.asmx",
    ):
        with pytest.raises(OperatorError, match="forests"):
            configuration.set("forests", wrong)
