"""A cluster that another one enrolled by files renews by files; tests/live/test_renewed_enrollment.py does it over HTTP."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rmsserver.config import load_config
from rmsserver.enrolled_home import make_applicant, root_fingerprint
from rmsserver.enrolled_keys import check_can_upgrade, is_enrolled, renew_with_answer, renewal_request
from rmsserver.errors import OperatorError
from rmsserver.home import Home, NewCluster, create_home
from rmsserver.key_administration import roll_key_over
from rmsserver.offline_enrollment import answer_with, complete_cluster, request_certificate
from rmsserver.operations.admin.offline_enrollment import read_answer
from rmsserver.outbound.enrollment import request_file
from rmsserver.state import AuditTrail
from rmsserver.stores import file_set
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.values import Guid
from tests.cluster import key
from tests.homes import PASSPHRASE, make_home
from tests.operations.enrollees import GUID

NOW = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
"""After the clusters of these tests were made."""
AUTHORITY = key("revocation authority", 2048).public
NEW = NewCluster("http://new.example.com/_wmcs", None, CryptoMode.MODE_2, "NEW", "NEW")


def opened(home: Path) -> Home:
    return Home(load_config(home), lambda: PASSPHRASE)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return opened(make_home(tmp_path_factory.mktemp("root") / "home"))


@pytest.fixture(scope="module")
def original(root: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("enrolled") / "home"
    home.mkdir(mode=0o700)
    asked: list[bytes] = []
    request_certificate(load_config(home), NEW, (AUTHORITY,), PASSPHRASE, asked.append)
    answer = answer_with(root, asked[0], AuditTrail(), dt.datetime.now(dt.UTC))
    complete_cluster(load_config(home), answer, PASSPHRASE, lambda _fingerprint: None)
    return home


@pytest.fixture
def enrolled(original: Path, tmp_path: Path) -> Home:
    return opened(shutil.copytree(original, tmp_path / "home"))


def answered(root: Home, enrolled: Home) -> bytes:
    return answer_with(root, renewal_request(enrolled), AuditTrail(), NOW)


def files(home: Home) -> dict[str, bytes]:
    """All of the certificate store."""
    return dict(file_set.read(home.config.home / "certificates"))


def unchanged(enrolled: Home, change: Callable[[], object], words: str) -> None:
    """The change is refused with these words, and the certificates stay what they are."""
    before = files(enrolled)
    with pytest.raises(OperatorError, match=words):
        change()
    assert files(enrolled) == before


def test_who_is_enrolled(root: Home, enrolled: Home) -> None:
    """A cluster that cannot issue its own certificate."""
    assert is_enrolled(enrolled)
    assert not is_enrolled(root)
    check_can_upgrade(root)
    with pytest.raises(OperatorError, match="tpd export"):
        check_can_upgrade(enrolled)


def test_a_renewal(root: Home, enrolled: Home) -> None:
    """Same key, GUID, address and revocation authorities; nothing is a former certificate, nothing new is trusted."""
    before = enrolled.state
    after = renew_with_answer(enrolled, answered(root, enrolled), None, NOW)
    old, new = before.licensor.certificate, after.licensor.certificate
    assert old.text != new.text
    assert new.principal.object == old.principal.object
    assert new.principal.public_key == old.principal.public_key
    assert new.revocation_authorities == old.revocation_authorities == (AUTHORITY,)
    assert (after.former_licensors, after.trusted_rac_issuers) == ((), before.trusted_rac_issuers)


def test_another_root_key_is_compared(enrolled: Home, tmp_path: Path) -> None:
    """It takes the word of a person, whoever answers."""
    create_home(load_config(tmp_path / "stranger"), NEW, PASSPHRASE)
    answer = answered(opened(tmp_path / "stranger"), enrolled)
    found = root_fingerprint(read_answer(answer))
    unchanged(enrolled, lambda: renew_with_answer(enrolled, answer, None, NOW), f"{found}.*--root-fingerprint")
    unchanged(enrolled, lambda: renew_with_answer(enrolled, answer, "ab" * 32, NOW), "not the one expected")
    after = renew_with_answer(enrolled, answer, found.upper(), NOW)
    assert root_fingerprint(after.licensor.chain) == found


def test_what_is_no_answer_to_this_request(root: Home, enrolled: Home) -> None:
    """The certificate of another key; a damaged one; a clock that is wrong."""
    other = request_file(make_applicant("OTHER", NEW.base_url, key("other", 2048).public, Guid(GUID)))
    wrong = answer_with(root, other, AuditTrail(), NOW)
    unchanged(enrolled, lambda: renew_with_answer(enrolled, wrong, None, NOW), "another server")
    answer = answered(root, enrolled)
    damaged = answer.replace(b"RMS 2.0", b"RMS 2.1")
    unchanged(enrolled, lambda: renew_with_answer(enrolled, damaged, None, NOW), "do not hold")
    late = NOW + dt.timedelta(days=365 * 60)
    unchanged(enrolled, lambda: renew_with_answer(enrolled, answer, None, late), "compare the clocks")


def test_a_cluster_with_its_own_root(root: Home) -> None:
    """It asks nobody."""
    with pytest.raises(OperatorError, match="root of its own"):
        renewal_request(root)


def test_without_asking_there_is_no_new_key(enrolled: Home) -> None:
    """The store has nothing to sign it with."""
    unchanged(enrolled, lambda: roll_key_over(enrolled, NOW), "holds no key enrollment_service")


def test_K5_a_renewal_that_dies(root: Home, enrolled: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """K5: until the store changes in its one step, everything is as before; it is repeated with the same answer."""
    answer, before = answered(root, enrolled), files(enrolled)
    with monkeypatch.context() as patch:
        patch.setattr(file_set, "change", lambda *_words, **_more: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            renew_with_answer(enrolled, answer, None, NOW)
    assert files(enrolled) == before
    again = opened(enrolled.config.home)
    assert renew_with_answer(again, answer, None, NOW).licensor.chain == read_answer(answer)
