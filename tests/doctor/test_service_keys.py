"""rmsserver.doctor.service_keys: a keytab against what a directory says. With a real one: tests/live/test_doctor.py"""

from __future__ import annotations

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed (extra [ad])")

from pathlib import Path

from rmsserver.doctor.finding import Verdict
from rmsserver.doctor.keytab import KeytabEntry
from rmsserver.doctor.service_keys import ServiceAccount, check_keytab_file, compare

NAME, REALM = "HTTP/rms.example.com", "EXAMPLE.COM"
AES256, AES128, RC4 = 18, 17, 23


def account(version: int = 2, bits: int = 0x18) -> ServiceAccount:
    return ServiceAccount("svc-rms", "CN=svc-rms,DC=example,DC=com", version, bits)


def keys(*types: int, version: int = 2, name: str = NAME, realm: str = REALM) -> list[KeytabEntry]:
    return [KeytabEntry(name, realm, version, number) for number in types]


@pytest.mark.parametrize(
    ("directory", "keytab", "verdict", "told"),
    [
        (account(), keys(AES256, AES128), Verdict.OK, "key version 2, aes256-cts, aes128-cts"),
        (account(), keys(AES256, version=1) + keys(AES256), Verdict.OK, "key version 2"),
        (account(), keys(AES256, name="http/RMS.example.com"), Verdict.OK, "key version 2"),
        (account(3), keys(AES256), Verdict.FAILURE, "the keytab has version 2"),
        (account(1), keys(AES256), Verdict.FAILURE, "svc-rms has version 1"),
        (account(), keys(AES256, name="HTTP/other"), Verdict.FAILURE, "has keys of HTTP/other@EXAMPLE.COM"),
        (account(), [], Verdict.FAILURE, "has keys of nothing"),
        (
            account(),
            keys(AES256, realm="OTHER.COM"),
            Verdict.FAILURE,
            "of realm OTHER.COM, the domain's is EXAMPLE.COM",
        ),
        (account(), keys(AES128, RC4), Verdict.FAILURE, "come in aes256-cts, the keytab has aes128-cts, rc4-hmac"),
        (account(), keys(AES256, version=1) + keys(RC4), Verdict.FAILURE, "the keytab has rc4-hmac"),
        (account(bits=0x4), keys(AES256), Verdict.FAILURE, "come in rc4-hmac"),
        (account(bits=0), keys(AES256, RC4), Verdict.OK, "rc4-hmac"),
        (account(bits=0), keys(AES256, AES128), Verdict.WARNING, "does not say that it knows AES"),
        (account(bits=0), keys(RC4), Verdict.WARNING, "only rc4-hmac"),
        (account(0), keys(AES256), Verdict.WARNING, "key version may not be read"),
    ],
)
def test_comparison(directory: ServiceAccount, keytab: list[KeytabEntry], verdict: Verdict, told: str) -> None:
    """Version, name, realm and types: each fault has a line of its own, and a remedy."""
    found = compare(NAME, REALM, directory, keytab)
    assert found.verdict is verdict
    assert told in found.seen
    assert bool(found.remedy) == (verdict is not Verdict.OK)


def test_a_keytab_that_others_read(tmp_path: Path) -> None:
    """It is as good as the password."""
    path = tmp_path / "service.keytab"
    path.write_bytes(b"\x05\x02")
    path.chmod(0o644)
    (found,) = check_keytab_file(path)
    assert found.verdict is Verdict.FAILURE
    assert found.remedy.startswith("chmod 600")
    path.chmod(0o600)
    (found,) = check_keytab_file(path)
    assert (found.verdict, found.seen) == (Verdict.FAILURE, f"{path} is empty")
