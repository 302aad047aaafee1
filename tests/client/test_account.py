"""Accounts: opening and checking what the cluster issued, and setting up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from rmsserver.client import account as accounts
from rmsserver.client.account import (
    load_profile,
    open_account,
    open_licensor,
    refresh_templates,
    stored_templates,
)
from rmsserver.client.errors import ServiceFaultError, SetupError, TrustError
from rmsserver.client.machine import Machine
from rmsserver.client.services import ServiceLocations
from rmsserver.client.store import Settings, Store
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.values import TimeRange
from tests.client.peer import CLUSTER, TRUST, MemoryServices, account, fill_store, licensor, machine
from tests.cluster import DAY, NOW, make_cluster

OTHER = make_cluster(CryptoMode.MODE_2, "other")


def test_the_accounts_key_opens_with_the_machines() -> None:
    """RAC opened with the machine key, CLC with the account's."""
    author = account("author@example.com")
    assert author.email == "author@example.com"
    assert author.key.public == author.rac.principal.public_key
    signer = licensor(author)
    assert signer.key.public == signer.clc.principal.public_key


def test_an_account_of_another_machine_is_refused() -> None:
    """A RAC that was copied from another machine."""
    chain = MemoryServices().certify(machine("first").chain)
    with pytest.raises(TrustError, match="another machine"):
        open_account(chain, machine("second"), TRUST, NOW)


def test_an_account_of_another_cluster_is_refused() -> None:
    """A RAC that another cluster issued."""
    foreign = OTHER.account("author@example.com", machine=CLUSTER.machine())
    with pytest.raises(TrustError, match="another server"):
        open_account(foreign.chain, machine(), TRUST, NOW)


@pytest.mark.parametrize("shift", [-400 * DAY, 400 * DAY])
def test_an_account_out_of_its_time_says_what_to_do(shift: dt.timedelta) -> None:
    """An expired RAC, and one of the future."""
    chain = CLUSTER.account("author@example.com", machine=CLUSTER.machine()).chain
    with pytest.raises(SetupError, match="bootstrap"):
        open_account(chain, machine(), TRUST, NOW + shift)


@pytest.mark.parametrize("chain", [(), ("<a/>",), ("x",)])
def test_what_is_no_certificate_is_refused(chain: tuple[str, ...]) -> None:
    """Answers that are something else."""
    with pytest.raises(TrustError):
        open_account(chain, machine(), TRUST, NOW)
    with pytest.raises(TrustError):
        open_licensor(chain, account("author@example.com"), TRUST)


def test_a_licensor_of_somebody_else_is_refused() -> None:
    """A CLC issued to another account."""
    other = licensor(account("reader@example.com"))
    with pytest.raises(TrustError, match="another account"):
        open_licensor(other.chain, account("author@example.com"), TRUST)


def _bootstrap(store: Store, services: MemoryServices) -> accounts.Profile:
    def make_machine(_mode: CryptoMode) -> Machine:
        services.calls.append("machine")
        return machine("laptop", services.cluster)

    def settings_for(trust: ClusterTrust) -> Settings:
        return Settings("https://rms.example.com/_wmcs", "author", ServiceLocations(("a",), ("b",)), trust)

    return accounts.bootstrap(store, services, make_machine, settings_for, NOW)


def test_bootstrap_sets_everything_up(tmp_path: Path) -> None:
    """Machine, RAC, CLC, templates and trust are stored, and load again."""
    store, services = Store(tmp_path / "store"), MemoryServices(templates=[CLUSTER.template()])
    profile = _bootstrap(store, services)
    assert profile.settings.trust == TRUST
    loaded = load_profile(store, NOW)
    assert loaded.account.email == "author@example.com"
    assert loaded.licensor is not None
    assert list(stored_templates(store, TRUST)) == [CLUSTER.template().guid]


def test_bootstrap_again_keeps_the_machine(tmp_path: Path) -> None:
    """Renewing certifies again with the same machine; another cluster gets a new one."""
    store, services = Store(tmp_path / "store"), MemoryServices()
    _bootstrap(store, services)
    _bootstrap(store, services)
    assert services.calls.count("machine") == 1
    assert services.calls.count("Certify") == 2
    other = MemoryServices(cluster=OTHER, servers=OTHER.servers)
    _bootstrap(store, other)
    assert other.calls.count("machine") == 1


@dataclass
class _RefusingOnce(MemoryServices):
    """Refuses to certify once, for the reason `name`."""

    name: str = ""

    def certify(self, machine_chain: Sequence[str]) -> tuple[str, ...]:
        if self.name:
            name, self.name = self.name, ""
            raise ServiceFaultError(name, "refused")
        return super().certify(machine_chain)


def test_a_machine_that_the_cluster_does_not_know_gets_a_new_certificate(tmp_path: Path) -> None:
    """As after a takeover, which brings the cluster's key but not the issuer of its machines; no other refusal does that."""
    store = Store(tmp_path / "store")
    _bootstrap(store, MemoryServices())
    other_reason = _RefusingOnce(name="UnspecifiedErrorException")
    with pytest.raises(ServiceFaultError):
        _bootstrap(store, other_reason)
    unknown = _RefusingOnce(name="VerifyMachineCertificateChainFailedException")
    _bootstrap(store, unknown)
    assert (other_reason.calls.count("machine"), unknown.calls.count("machine")) == (0, 1)


def test_a_failed_bootstrap_leaves_the_old_setup(tmp_path: Path) -> None:
    """Certificates that do not verify are not stored."""
    store = Store(tmp_path / "store")
    _bootstrap(store, MemoryServices())
    before = {p: p.read_bytes() for p in store.folder.rglob("*.*")}
    expired = MemoryServices(validity=TimeRange(NOW - 9 * DAY, NOW - DAY))
    with pytest.raises(SetupError):
        _bootstrap(store, expired)
    assert {p: p.read_bytes() for p in store.folder.rglob("*.*")} == before


def test_templates_follow_the_server(tmp_path: Path) -> None:
    """New ones are fetched, unchanged ones are not, removed ones go (3.8.4.2)."""
    store = Store(tmp_path / "store")
    one, two, changed = (
        CLUSTER.template("One"),
        CLUSTER.template("Two"),
        CLUSTER.template("One", issued=NOW - DAY),
    )
    services = MemoryServices(templates=[one])
    refresh_templates(store, services, TRUST)
    services.templates = [one, two]
    refresh_templates(store, services, TRUST)
    services.templates = [changed]
    found = refresh_templates(store, services, TRUST)
    assert [call for call in services.calls if call.startswith("AcquireTemplates")] == ["AcquireTemplates 1"] * 3
    assert [t.text for t in found.values()] == [changed.text]
    assert list(store.templates()) == [one.guid]


def test_L7_a_template_somebody_else_signed_is_refused(tmp_path: Path) -> None:
    """A template of another server is not stored; a stored one that was altered is not used."""
    store = Store(tmp_path / "store")
    with pytest.raises(TrustError, match="template"):
        refresh_templates(store, MemoryServices(templates=[OTHER.template()]), TRUST)
    genuine = CLUSTER.template()
    store.replace_templates({genuine.guid: genuine.text.replace("VIEW", "EDIT")})
    assert stored_templates(store, TRUST) == {}


def test_a_profile_without_licensor_loads(tmp_path: Path) -> None:
    """An account without a CLC is whole: it publishes online."""
    fill_store(tmp_path / "store", "author@example.com")
    (tmp_path / "store" / "clc.xrml").unlink()
    assert load_profile(Store(tmp_path / "store"), NOW).licensor is None
