"""`rmsserver key`, `tud` and `tpd` on the files and database of a home, without HTTP."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from rmsserver.config import load_config
from rmsserver.errors import OperatorError
from rmsserver.home import Home, NewCluster, create_home
from rmsserver.key_administration import (
    change_passphrase,
    renew_key,
    roll_key_over,
    sign_templates_again,
    upgrade_cryptographic_mode,
)
from rmsserver.operations.admin.trusted_publishing_domains import check_domain
from rmsserver.operations.admin.trusted_user_domains import OfferedUserDomain
from rmsserver.state import TrustedUserDomain
from rmsserver.stores.configuration import StateHolder
from rmsserver.trust_administration import adopt_tpd, export_tpd, export_tud, import_tpd, import_tud, open_tpd
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster
from tests.operations.admin.old_cluster import old_file

NOW = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
"""After the clusters of these tests were made."""
PASSWORD = "password of the file"


def opened(home: Path, passphrase: str = "passphrase") -> Home:
    return Home(load_config(home), lambda: passphrase)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[CryptoMode, Path]:
    """A cluster in each mode, with a template of its own."""
    made = {}
    for mode in CryptoMode:
        home = tmp_path_factory.mktemp("original") / "home"
        new = NewCluster("http://rms.example.com/_wmcs", None, mode, f"MODE-{mode}", "EXAMPLE")
        state = create_home(load_config(home), new, "passphrase")
        template = make_cluster(mode).template(licensor=state.licensor)
        opened(home).configuration.put_template(template.text, NOW)
        made[mode] = home
    return made


@pytest.fixture(params=list(CryptoMode), ids=["mode1", "mode2"])
def home(request: pytest.FixtureRequest, originals: dict[CryptoMode, Path], tmp_path: Path) -> Home:
    return opened(shutil.copytree(originals[request.param], tmp_path / "home"))


@pytest.fixture
def mode_1(originals: dict[CryptoMode, Path], tmp_path: Path) -> Home:
    return opened(shutil.copytree(originals[CryptoMode.MODE_1], tmp_path / "mode1"))


# --- keys ----------------------------------------------------------------------------------------------------------------


def test_a_running_server_sees_a_renewal(home: Home) -> None:
    """The same key, another certificate, at the next refresh."""
    holder = StateHolder(home.certificates, home.configuration)
    before = holder.current()
    renew_key(opened(home.config.home), NOW)
    assert holder.refresh()
    after = holder.current()
    assert after.licensor.key.public == before.licensor.key.public
    assert after.licensor.chain[0] != before.licensor.chain[0]
    assert after.licensor.chain[1:] == before.licensor.chain[1:]
    assert after.former_licensors == ()


def test_a_rollover(home: Home) -> None:
    """The old key is a former licensor, its account certificates trusted, and templates carry the new signature."""
    before = home.state
    after = roll_key_over(home, NOW)
    assert [licensor.key.public for licensor in after.former_licensors] == [before.licensor.key.public]
    assert set(after.trusted_rac_issuers) == {before.licensor.key.public.id, after.licensor.key.public.id}
    assert after.cryptographic_mode is before.cryptographic_mode
    (template,) = after.published_templates.values()
    template.verify(after.licensor.key.public)
    assert set(after.published_templates) == set(before.published_templates)
    assert len(roll_key_over(opened(home.config.home), NOW).former_licensors) == 2


def test_K5_templates_after_a_crash(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """K5: a rollover that dies before the templates leaves them under the former key; `key templates` finishes it."""
    monkeypatch.setattr("rmsserver.key_administration.sign_templates_again", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        roll_key_over(home, NOW)
    monkeypatch.undo()
    again = opened(home.config.home)
    assert sign_templates_again(again, NOW) == 1
    assert sign_templates_again(again, NOW) == 0
    assert len(again.state.former_licensors) == 1


def test_from_mode_1_to_mode_2(mode_1: Home) -> None:
    """Server and machine chain in mode 2, the old key kept; the root that clients pinned is the same."""
    before = mode_1.state
    after = upgrade_cryptographic_mode(mode_1, NOW)
    assert after.cryptographic_mode is CryptoMode.MODE_2
    assert [licensor.mode for licensor in after.former_licensors] == [CryptoMode.MODE_1]
    assert after.machine_issuer is not None
    assert after.machine_issuer.mode is CryptoMode.MODE_2
    roots = [IssuingCertificate.read(state.licensor.chain[-1]).issuer.key for state in (before, after)]
    assert roots[0] == roots[1]
    renewed = renew_key(opened(mode_1.config.home), NOW)
    assert renewed.cryptographic_mode is CryptoMode.MODE_2
    with pytest.raises(OperatorError, match="already"):
        upgrade_cryptographic_mode(opened(mode_1.config.home), NOW)


def test_another_passphrase(home: Home) -> None:
    """The old one opens nothing any more; keys are the same."""
    before = home.state.licensor.key.to_der()
    assert "asks for it" in str(change_passphrase(home, "another passphrase"))
    assert opened(home.config.home, "another passphrase").state.licensor.key.to_der() == before
    with pytest.raises(OperatorError, match="passphrase is wrong"):
        _ = opened(home.config.home).certificates
    with pytest.raises(OperatorError, match="at least 8"):
        change_passphrase(home, "short")


def test_a_passphrase_from_a_file(home: Home) -> None:
    """The file has the new one as soon as the store wants it; until then it lies beside it."""
    path = home.config.home / "passphrase"
    path.write_text("passphrase\n")
    path.chmod(0o600)
    (home.config.home / "rmsserver.toml").write_text(f'passphrase_source = "file"\npassphrase_file = "{path}"\n')
    assert change_passphrase(opened(home.config.home), "another passphrase") is None
    assert path.read_text() == "another passphrase\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not path.with_name("passphrase.new").exists()


def test_a_passphrase_that_two_commands_change(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase of one that runs is not overwritten, and one that is refused leaves none behind."""
    path = home.config.home / "passphrase"
    path.write_text("passphrase\n")
    path.chmod(0o600)
    (home.config.home / "rmsserver.toml").write_text(f'passphrase_source = "file"\npassphrase_file = "{path}"\n')
    beside = path.with_name("passphrase.new")
    beside.write_text("that of another command")
    with pytest.raises(OperatorError, match="another command"):
        change_passphrase(opened(home.config.home), "another passphrase")
    assert beside.read_text() == "that of another command"
    beside.unlink()
    late = opened(home.config.home)

    def refused(*_arguments: object) -> None:
        raise OperatorError("replaced by another command meanwhile")

    monkeypatch.setattr(late.certificates, "change_passphrase", refused)
    with pytest.raises(OperatorError, match="meanwhile"):
        change_passphrase(late, "another passphrase")
    assert not beside.exists()
    assert path.read_text() == "passphrase\n"


# --- trust ---------------------------------------------------------------------------------------------------------------


def test_exports_between_clusters(home: Home, mode_1: Home) -> None:
    """What one exports the other imports; the management certificate is made once."""
    data, fingerprint = export_tud(home, NOW, bare=False)
    assert export_tud(opened(home.config.home), NOW, bare=False)[1] == fingerprint
    offers: list[OfferedUserDomain] = []

    def conditions(offered: OfferedUserDomain) -> TrustedUserDomain:
        offers.append(offered)
        return TrustedUserDomain(offered.name, frozenset({"partner.example"}))

    if home.state.name == "MODE-1":
        with pytest.raises(OperatorError, match="itself"):
            import_tud(mode_1, data, conditions, NOW)
        return
    stored = import_tud(mode_1, data, conditions, NOW)
    assert (stored.signed_by, offers[0].fingerprint) == (fingerprint, fingerprint)
    state = opened(mode_1.config.home).state
    assert [domain.name for domain in state.trusted_user_domains.values()] == ["MODE-2"]


def test_an_unsigned_file_is_marked(originals: dict[CryptoMode, Path], mode_1: Home) -> None:
    """A bare chain is trusted only as what it is."""
    data, fingerprint = export_tud(opened(originals[CryptoMode.MODE_2]), NOW, bare=True)
    stored = import_tud(mode_1, data, lambda offered: TrustedUserDomain(offered.fingerprint), NOW)
    assert stored.signed_by is None
    assert stored.domain.name == fingerprint


def test_a_domain_imported_and_adopted(mode_1: Home) -> None:
    """Imported it is a domain beside ours; adopted it is ours, and a domain no longer; ours is a former one."""
    before = mode_1.state
    domain = check_domain(old_file())
    import_tpd(mode_1, domain, None, NOW)
    imported = opened(mode_1.config.home)
    (server,) = imported.state.trusted_licensing_servers
    assert set(server.templates) == {template.guid for template in domain.templates}
    notes = adopt_tpd(opened(mode_1.config.home), domain, NOW)
    after = opened(mode_1.config.home).state
    assert notes
    assert after.trusted_licensing_servers == ()
    assert after.licensor.chain == domain.licensor.chain
    assert [licensor.key.public for licensor in after.former_licensors] == [before.licensor.key.public]
    assert len(after.published_templates) == 2
    for template in after.published_templates.values():
        template.verify(after.licensor.key.public)
    for command in (roll_key_over, upgrade_cryptographic_mode):
        with pytest.raises(OperatorError, match="--leave-adopted"):
            command(opened(mode_1.config.home), NOW)
    with pytest.raises(OperatorError, match="adopted"):
        renew_key(opened(mode_1.config.home), NOW)
    left = upgrade_cryptographic_mode(opened(mode_1.config.home), NOW, leave_adopted=True)
    assert [licensor.mode for licensor in left.former_licensors] == [CryptoMode.MODE_1] * 2


def test_our_own_export(home: Home) -> None:
    """What we export opens with its password to our chain, key and templates."""
    domain = open_tpd(export_tpd(home, PASSWORD), PASSWORD, lambda _seconds: None)
    assert domain.licensor.chain == home.state.licensor.chain
    assert domain.licensor.key.to_der() == home.state.licensor.key.to_der()
    assert [template.text for template in domain.templates] == [t.text for t in home.state.published_templates.values()]
    with pytest.raises(OperatorError, match="at least 12"):
        export_tpd(home, "short")
