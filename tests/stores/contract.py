"""What every implementation of the stores' ports must do. Test modules subclass and supply the fixture
`port`.
"""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rmsserver.ports import (
    Audit,
    AuditRecord,
    ContentKeyWitness,
    IssuedLicensor,
    KeyPool,
    LicensorRegister,
    Secrets,
    UserKeys,
)
from rmsserver.state import AuditTrail, AuthenticationType
from rmsserver.xrml.keys import KeyId, PrivateKey
from rmsserver.xrml.values import Guid

SID = "S-1-5-21-1-2-3-1104"


@functools.cache
def key(number: int = 0, bits: int = 1024) -> PrivateKey:
    """The same key for the same number, all through a test run."""
    return PrivateKey.generate(bits)


class UserKeysContract:
    def test_unknown(self, port: UserKeys) -> None:
        """No key is None."""
        assert port.get(SID, 1024) is None

    def test_stored(self, port: UserKeys) -> None:
        """What was put is got, without letter case, and it is the private key."""
        assert port.put_if_absent(SID, key()).public == key().public
        found = port.get(SID.lower(), 1024)
        assert found is not None
        assert found.to_der() == key().to_der()

    def test_first_wins(self, port: UserKeys) -> None:
        """A second pair for the same account and length is not stored; the first comes back."""
        port.put_if_absent(SID, key(0))
        assert port.put_if_absent(SID, key(1)).public == key(0).public

    def test_lengths_and_accounts_are_apart(self, port: UserKeys) -> None:
        """An account has one pair for each mode; accounts share none."""
        port.put_if_absent(SID, key(0))
        assert port.get(SID, 2048) is None
        assert port.put_if_absent(SID, key(0, 2048)).public == key(0, 2048).public
        assert port.put_if_absent("reader@example.com", key(1)).public == key(1).public

    def test_addresses_that_only_look_alike_are_apart(self, port: UserKeys) -> None:
        """A Kelvin sign is no k, a sharp s no double s: whoever has such an address gets no key of another's."""
        port.put_if_absent("kate.strasse@example.com", key(0))
        for number, other in enumerate(("\u212aate.strasse@example.com", "kate.stra\u00dfe@example.com"), start=1):
            assert port.get(other, 1024) is None
            assert port.put_if_absent(other, key(number)).public == key(number).public
        assert port.put_if_absent("KATE.strasse@example.com", key(3)).public == key(0).public

    def test_K5_concurrent_callers_agree(self, port: UserKeys) -> None:
        """K5: many at once for one account are all answered the same pair."""
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda n: port.put_if_absent(SID, key(n % 4)).public.id, range(32)))
        assert len(set(answers)) == 1


class LicensorRegisterContract:
    licensor = IssuedLicensor(
        KeyId(b"k" * 32),
        Guid(str(uuid.UUID(int=1))),
        "Windows",
        SID,
        "author@example.com",
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2027, 1, 1, tzinfo=dt.UTC),
        KeyId(b"i" * 32),
    )

    def test_unknown(self, port: LicensorRegister) -> None:
        """A key nobody issued a CLC for is None."""
        assert port.find(KeyId(b"x" * 32)) is None

    def test_remembered(self, port: LicensorRegister) -> None:
        """Everything comes back, times as aware UTC."""
        port.remember(self.licensor)
        assert port.find(self.licensor.key_id) == self.licensor

    def test_times_of_other_zones(self, port: LicensorRegister) -> None:
        """A time given in another zone is the same moment afterwards."""
        zone = dt.timezone(dt.timedelta(hours=5))
        port.remember(replace(self.licensor, valid_from=self.licensor.valid_from.astimezone(zone)))
        assert port.find(self.licensor.key_id) == self.licensor

    def test_remembered_again(self, port: LicensorRegister) -> None:
        """The same key again replaces what was known."""
        port.remember(self.licensor)
        port.remember(replace(self.licensor, account_name="alias@example.com"))
        found = port.find(self.licensor.key_id)
        assert found is not None
        assert found.account_name == "alias@example.com"


class ContentKeyWitnessContract:
    def test_L13_first_signer(self, port: ContentKeyWitness) -> None:
        """L2, L13: the first signer of a fingerprint is told to everyone after, also to itself."""
        first, second = KeyId(b"1" * 32), KeyId(b"2" * 32)
        fingerprint = b"f" * 32
        assert port.first_signer(fingerprint, first) == first
        assert port.first_signer(fingerprint, second) == first
        assert port.first_signer(fingerprint, first) == first
        assert port.first_signer(b"g" * 32, second) == second

    def test_L1_asking_for_the_signer_records_nothing(self, port: ContentKeyWitness) -> None:
        """L1: who asks whether a fingerprint was seen does not make it seen."""
        fingerprint, signer = b"h" * 32, KeyId(b"1" * 32)
        assert port.signer_of(fingerprint) is None
        assert port.signer_of(fingerprint) is None
        assert port.first_signer(fingerprint, signer) == signer
        assert port.signer_of(fingerprint) == signer

    def test_bounded(self, port: ContentKeyWitness) -> None:
        """The port is made for 100 entries: the one seen longest ago is forgotten."""
        for n in range(101):
            port.first_signer(n.to_bytes(32), KeyId(b"1" * 32))
        assert port.first_signer((100).to_bytes(32), KeyId(b"2" * 32)) == KeyId(b"1" * 32)
        assert port.first_signer((0).to_bytes(32), KeyId(b"2" * 32)) == KeyId(b"2" * 32)


class SecretsContract:
    def test_fingerprint(self, port: Secrets) -> None:
        """Stable; different by purpose and data; 32 bytes."""
        found = port.fingerprint("content key", b"data")
        assert found == port.fingerprint("content key", b"data")
        assert len({found, port.fingerprint("other", b"data"), port.fingerprint("content key", b"date")}) == 3
        assert len(found) == 32


class KeyPoolContract:
    """The port is made with `key(0)` to `key(3)` ready."""

    def test_C7_each_key_once(self, port: KeyPool) -> None:
        """C7: many callers at once get keys that are all different, also when the pool runs out."""
        with ThreadPoolExecutor(8) as threads:
            taken = list(threads.map(lambda _: port.take(1024).public.id, range(12)))
        assert len(set(taken)) == 12
        assert {key(n).public.id for n in range(4)} <= set(taken)

    def test_lengths(self, port: KeyPool) -> None:
        """The length asked for is the length that comes, pooled or not."""
        assert port.take(1024).public.bits == 1024
        assert port.take(2048).public.bits == 2048


def record(operation: str = "AcquireLicense", *, time: dt.datetime | None = None) -> AuditRecord:
    trail = AuditTrail()
    trail.note("signer", "a")
    trail.alert("look")
    return AuditRecord(
        time or dt.datetime.now(dt.UTC),
        operation,
        "ok",
        "192.0.2.1",
        AuthenticationType.NTLM,
        "EXAMPLE\\author",
        "MSIPC",
        1.5,
        trail,
    )


class AuditContract:
    def test_never_blocks_or_fails(self, port: Audit) -> None:
        """Odd texts are taken like any other."""
        port.record(record("x" * 10_000))
        port.record(record("a\0b\ud800"))
