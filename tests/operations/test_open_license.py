"""Opening publishing licences: one outcome for what does not open, budgets, witnesses."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable

import pytest

from rmsserver.errors import RmsError, UnspecifiedError
from rmsserver.state import AuditTrail
from rmsserver.stores.decryption_budget import TokenBucketBudget
from rmsserver.xrml.enabling_bits import ContentKey
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import ANYONE, Right, owner_metadata_xml
from rmsserver.xrml.use_license import OWNER_RIGHT
from tests.cluster import Author, Cluster, Published, grantee
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, OUTSIDER, READER, Desk, resigned
from tests.operations.malformed_bits import MALFORMED, Sealer, bits_xml, des_session

VIEW = [Right.of("VIEW", grantee(READER))]


@pytest.fixture
def desk(mode_2: Cluster) -> Desk:
    return Desk(mode_2)


def with_bits(desk: Desk, published: Published, author: Author, make: Callable[[Sealer], bytes]) -> Published:
    """The licence with other enabling bits, signed again."""
    sealer = Sealer(published, desk.cluster.state.licensor)
    element = bits_xml(make(sealer), desk.cluster.mode)
    return resigned(published, author, (published.license.enabling_bits.surface, element))


def shown(error: RmsError) -> tuple[object, ...]:
    """All of an error that reaches the wire."""
    return type(error), error.wire_name, error.text


# --- C1: one outcome ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MALFORMED)
def test_C1_malformed_enabling_bits_have_one_outcome(cluster: Cluster, kind: str) -> None:
    """The same fault alone and as the item of a batch; nothing is kept; the next request is served."""
    desk, author = Desk(cluster), cluster.author()
    good = cluster.publish(author, VIEW)
    bad = with_bits(desk, good, author, MALFORMED[kind])
    with pytest.raises(RmsError) as caught:
        desk.ask(bad)
    expected = (UnspecifiedError, UnspecifiedError.wire_name, UnspecifiedError.text)
    assert shown(caught.value) == expected
    first, second, third = desk.ask_batch([desk.item(bad.chain), desk.item(good.chain), desk.item(bad.chain)])
    for answer in (first, third):
        assert isinstance(answer, RmsError)
        assert shown(answer) == expected
    assert isinstance(second, tuple)
    assert desk.opened == 1
    assert desk.facts["item_error"] == [f"{n}: UnspecifiedErrorException" for n in (0, 2)]


def test_C1_des_session_key_has_no_name_of_its_own_in_licensing(desk: Desk) -> None:
    """Rulings 15 and threat L11: DES is refused, and here like everything else."""
    author = desk.cluster.author()
    bad = with_bits(desk, desk.cluster.publish(author, VIEW), author, des_session)
    with pytest.raises(RmsError) as caught:
        desk.ask(bad)
    assert shown(caught.value) == (UnspecifiedError, UnspecifiedError.wire_name, UnspecifiedError.text)


@pytest.mark.parametrize(
    "change",
    [('encoding="base64" size="2816"', 'encoding="base64" size="2808"'), ("sealed-key-v2", "sealed-key-v3")],
    ids=["size", "type"],
)
def test_C1_badly_written_enabling_bits_look_the_same(desk: Desk, change: tuple[str, str]) -> None:
    author = desk.cluster.author()
    bad = resigned(desk.cluster.publish(author, VIEW), author, change)
    with pytest.raises(RmsError) as caught:
        desk.ask(bad)
    assert shown(caught.value) == (UnspecifiedError, UnspecifiedError.wire_name, UnspecifiedError.text)


def test_L11_bits_of_the_other_mode_do_not_open(desk: Desk) -> None:
    """A mode 2 key is never used with the padding of mode 1."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)
    sealer = Sealer(published, desk.cluster.state.licensor)
    sealer.mode = CryptoMode.MODE_1
    bad = resigned(
        published, author, (published.license.enabling_bits.surface, bits_xml(sealer.whole(), CryptoMode.MODE_1))
    )
    with pytest.raises(UnspecifiedError):
        desk.ask(bad)


@pytest.mark.parametrize("kind", ["garbage", "another key", "not whole blocks", "no rights data", "partial"])
def test_rights_data_that_does_not_open_has_the_same_outcome(desk: Desk, kind: str) -> None:
    """L12: strictly parsed or refused, never partial rights."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)
    key = published.content_key
    data = key.decrypt_text(published.license.encrypted_rights)
    ciphertext = {
        "garbage": bytes(range(256)) * 4,
        "another key": ContentKey.build(bytes(16), 0xFFFF).encrypt_text(data),
        "not whole blocks": published.license.encrypted_rights[:-1],
        "no rights data": key.encrypt_text('<XrML version="1.2" xmlns=""><BODY type="x"></BODY></XrML>'),
        "partial": key.encrypt_text(data.replace("<ACCESS>", "<ACCESS></ACCESS><ACCESS>")),
    }[kind]
    bad = resigned(published, author, (_encoded(published.license.encrypted_rights), _encoded(ciphertext)))
    with pytest.raises(RmsError) as caught:
        desk.ask(bad)
    assert shown(caught.value) == (UnspecifiedError, UnspecifiedError.wire_name, UnspecifiedError.text)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_open_readings_are_accepted_and_counted(desk: Desk) -> None:
    """Wire facts 3: the hash over ISSUEDPRINCIPALS with its ENABLINGBITS, key sizes in bits."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)

    def in_bits(sealer: Sealer) -> bytes:
        header = (28).to_bytes(2, "little") + b"\xff\xff" + (128).to_bytes(2, "little") + (128).to_bytes(2, "little")
        return sealer.first(header + bytes(4) + bytes(range(16))) + sealer.second(sealer.body())

    desk.ask(with_bits(desk, published, author, in_bits))
    assert desk.facts["open_reading"] == ["key sizes in bits"]


# --- C4: the budget ----------------------------------------------------------------------------------------------------


def test_C4_budget_then_refusal_without_private_key_work(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many failures of one caller: the same fault, no private-key work, one alert; others go on."""
    author = desk.cluster.author()
    good = desk.cluster.publish(author, VIEW)
    other = desk.cluster.publish(author, VIEW, name="other")
    bad = with_bits(desk, good, author, MALFORMED["bad hash"])
    desk.ports = dataclasses.replace(desk.ports, budget=TokenBucketBudget(failures=3, clock=lambda: 0.0))
    decrypted: list[int] = []
    key_class = type(desk.cluster.state.licensor.key)
    original = key_class.decrypt

    def counting(self: object, data: bytes, mode: CryptoMode) -> bytes | None:
        decrypted.append(1)
        return original(self, data, mode)  # type: ignore[arg-type]

    monkeypatch.setattr(key_class, "decrypt", counting)
    desk.ask(good)
    alerts = []
    for _ in range(5):
        with pytest.raises(RmsError) as caught:
            desk.ask(bad)
        assert shown(caught.value) == (UnspecifiedError, UnspecifiedError.wire_name, UnspecifiedError.text)
        alerts.append(len(desk.alerts))
    assert len(decrypted) == 1 + 3
    assert alerts == [0, 0, 1, 1, 1]
    with pytest.raises(UnspecifiedError):
        desk.ask(other)
    desk.ask(good)
    desk.ask(other, AUTHOR)
    desk.ask(other, caller=desk.cluster.caller(OUTSIDER))


# --- L2, L13: witnesses ------------------------------------------------------------------------------------------------


def thief(desk: Desk) -> Author:
    return desk.cluster.author(desk.cluster.account(OUTSIDER))


def stolen_bits(desk: Desk, victim: Published, owner: str) -> Published:
    """The victim's enabling bits and rights data in a licence signed with the thief's own CLC."""
    mine = desk.cluster.publish(thief(desk), VIEW, content_key=victim.content_key)
    return resigned(
        mine,
        thief(desk),
        (mine.license.enabling_bits.surface, victim.license.enabling_bits.surface),
        (_encoded(mine.license.encrypted_rights), _encoded(victim.license.encrypted_rights)),
        (owner_metadata_xml(AUTHOR), owner_metadata_xml(owner)),
    )


def test_L2_block_seen_under_two_signers_is_an_alert_and_no_refusal(desk: Desk) -> None:
    """Whoever comes first, the victim is served; the second signer is an alert, each time."""
    victim = desk.cluster.publish(desk.cluster.author(), VIEW)
    desk.ask(stolen_bits(desk, victim, AUTHOR))
    assert not desk.alerts
    for _ in range(2):
        desk.ask(victim)
        assert any("enabling bits" in alert for alert in desk.alerts)


@conforms("MS-RMPR 3.4.4.1", "The owner gets OWNER, whatever the licence says.")
def test_L2_thief_does_not_become_owner(desk: Desk) -> None:
    """The rights data, which only who has the content key can write, names the victim: another owner is disputed."""
    victim = desk.cluster.publish(desk.cluster.author(), VIEW)
    stolen = stolen_bits(desk, victim, OUTSIDER)
    with pytest.raises(RmsError) as caught:
        desk.ask(stolen, OUTSIDER)
    assert caught.value.short_name == "NoRightsForRequestedPrincipalException"
    assert any("owner" in alert for alert in desk.alerts)
    assert [right.name for right in desk.ask(stolen).rights] == ["VIEW"]
    assert desk.ask(victim, AUTHOR).rights == (OWNER_RIGHT,)


def test_L13_content_key_under_another_signer(desk: Desk) -> None:
    """Re-publishing with rewritten rights: an alert; refused where the administrator switched it on."""
    victim = desk.cluster.publish(desk.cluster.author(), VIEW)
    rewritten = desk.cluster.publish(
        thief(desk), [Right.of("EDIT", ANYONE)], content_key=victim.content_key, owner=OUTSIDER
    )
    desk.ask(victim)
    assert not desk.alerts
    desk.ask(rewritten)
    assert any("content key" in alert for alert in desk.alerts)
    desk.configure(refuse_republished_keys=True)
    with pytest.raises(UnspecifiedError):
        desk.ask(rewritten)
    desk.ask(victim)


def test_L13_server_signed_licences_are_exempt(desk: Desk) -> None:
    victim = desk.cluster.publish(desk.cluster.author(), VIEW)
    desk.configure(refuse_republished_keys=True)
    desk.ask(victim)
    signed = desk.sign(desk.cluster.publish(None, VIEW, content_key=victim.content_key))
    desk.ask(signed)
    assert not desk.alerts


def test_same_signer_may_use_a_content_key_again(desk: Desk) -> None:
    author = desk.cluster.author()
    first = desk.cluster.publish(author, VIEW)
    desk.configure(refuse_republished_keys=True)
    desk.ask(first)
    desk.ask(desk.cluster.publish(author, VIEW, content_key=first.content_key, name="again"))
    assert not desk.alerts


def test_trail_has_neither_keys_nor_licence_text(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    desk.ask(published)
    trail = desk.caller.trail
    assert isinstance(trail, AuditTrail)
    text = repr(trail)
    assert "<" not in text.replace("<AuditTrail", "")
    assert _encoded(published.content_key.key) not in text
    assert published.content_key.key.hex() not in text
