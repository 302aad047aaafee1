"""The frame that all documents share, against wrapping: XW1 to XW9, on every signed kind."""

from __future__ import annotations

import base64
import re

import pytest

from rmsserver.xrml.document import Document
from rmsserver.xrml.errors import SignatureError, WrongKindError, XrmlError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.rights import RightsData
from rmsserver.xrml.signature import sign
from tests.conformance import conforms
from tests.xrml.hierarchy import READERS, SIGNED_KINDS, Hierarchy, body_of, resign

every_kind = pytest.mark.parametrize("kind", SIGNED_KINDS)


def refused(kind: str, text: str) -> None:
    """Not read, or read and not verified."""

    def read_and_verify() -> None:
        READERS[kind](text).verify()

    with pytest.raises(XrmlError):
        read_and_verify()


def signature_of(text: str) -> str:
    return text[text.rindex("<SIGNATURE>") : text.rindex("</XrML>")]


@every_kind
def test_a_document_is_read_as_it_stands(hierarchy: Hierarchy, kind: str) -> None:
    """`read(t).text == t`, and it verifies."""
    document = READERS[kind](hierarchy.text(kind))
    assert document.text == hierarchy.text(kind)
    assert document.mode is hierarchy.mode
    document.verify()


@every_kind
def test_XW1_two_bodies_are_refused(hierarchy: Hierarchy, kind: str) -> None:
    """Whichever stands first, and wherever the second stands."""
    text = hierarchy.text(kind)
    body = body_of(text)
    for changed in (body, body.replace('type="', 'type="x', 1)):
        refused(kind, text.replace("<BODY", changed + "<BODY", 1))
        refused(kind, text.replace("<SIGNATURE>", changed + "<SIGNATURE>", 1))
        refused(kind, text.replace("</XrML>", changed + "</XrML>"))


@every_kind
def test_XW2_two_signatures_are_refused(hierarchy: Hierarchy, kind: str, attacker_key: PrivateKey) -> None:
    """A genuine one and a second; none is refused by the readers of signed kinds as well."""
    text = hierarchy.text(kind)
    second = sign(body_of(text), attacker_key, CryptoMode.MODE_1)
    refused(kind, text.replace("</XrML>", signature_of(text) + "</XrML>"))
    refused(kind, text.replace("<SIGNATURE>", second + "<SIGNATURE>", 1))
    refused(kind, text.replace("<BODY", signature_of(text) + "<BODY", 1))
    refused(kind, text.replace(signature_of(text), ""))


@every_kind
def test_XW3_a_nested_or_prefixed_body_is_refused(hierarchy: Hierarchy, kind: str) -> None:
    """A genuine document inside another, in BODY, in SIGNATURE, in an element of the attacker's, under a prefix."""
    text, body = hierarchy.text(kind), body_of(hierarchy.text(kind))
    signature = signature_of(text)
    refused(kind, text.replace("</BODY>", f"{body}</BODY>"))
    refused(kind, text.replace("</SIGNATURE>", f"{body}</SIGNATURE>"))
    refused(kind, text.replace('<PARAMETER name="codingtype">', f'<PARAMETER name="codingtype">{body}'))
    refused(kind, f'<XrML version="1.2" xmlns=""><BODY type="LICENSE">{text}</BODY>{signature}</XrML>')
    refused(kind, f'<XrML version="1.2" xmlns=""><Object>{body}</Object>{signature}</XrML>')
    refused(kind, text.replace("<BODY", "<x:BODY").replace("</BODY>", "</x:BODY>"))
    refused(kind, text.replace("<BODY", "<body").replace("</BODY>", "</body>"))
    refused(kind, text.replace("<BODY", "<\u0412ODY").replace("</BODY>", "</\u0412ODY>"))


@every_kind
def test_XW4_the_right_digest_over_a_changed_body_is_refused(hierarchy: Hierarchy, kind: str) -> None:
    """With the old signature a recomputed digest does not help."""
    text = hierarchy.text(kind)
    body = body_of(text)
    changed = body.replace("2026-11-22", "2026-11-21", 1)
    refused(kind, text.replace(body, changed))
    size = hierarchy.mode.hash.digest_size * 8
    digest = base64.b64encode(hierarchy.mode.digest(changed.encode("utf-16-le"))).decode()
    pattern = rf'(<VALUE encoding="base64" size="{size}">)[^<]*(</VALUE></DIGEST>)(?=(?:<ALGORITHM>|<VALUE))'
    head, tail = text.replace(body, changed).rsplit("<SIGNATURE>", 1)
    tail, replaced = re.subn(pattern, lambda m: m[1] + digest + m[2], tail)
    assert replaced == 1
    with pytest.raises(SignatureError, match="signature does not match"):
        READERS[kind](head + "<SIGNATURE>" + tail).verify()


@every_kind
def test_XW5_a_key_in_the_issuer_proves_only_itself(hierarchy: Hierarchy, kind: str, attacker_key: PrivateKey) -> None:
    """With the attacker's key in ISSUER it verifies with that key alone, and never with the genuine issuer's."""
    issuer = READERS[kind](hierarchy.text(kind)).issuer
    own = attacker_key.public
    element = issuer.element.one("PUBLICKEY").surface
    forged = element.replace(issuer.public_key.modulus_base64, own.modulus_base64)
    forged = forged.replace(f'size="{issuer.public_key.bits}"', f'size="{own.bits}"')
    document = READERS[kind](resign(hierarchy.text(kind), element, forged, attacker_key, CryptoMode.MODE_1))
    document.verify()
    assert document.issuer.public_key == own
    with pytest.raises(SignatureError):
        document.verify(issuer.public_key)


@every_kind
@pytest.mark.parametrize("noise", ["<!-- -->", "<?x y?>", "<![CDATA[]]>"])
def test_XW7_nothing_hides_inside_an_identity(hierarchy: Hierarchy, kind: str, noise: str) -> None:
    """Comment, processing instruction and CDATA are refused even where the signature covers them."""
    identity = READERS[kind](hierarchy.text(kind)).issuer.object.id
    refused(kind, hierarchy.respelled(kind, identity, identity[:4] + noise + identity[4:]))


@every_kind
@pytest.mark.parametrize(
    "recode",
    [
        lambda text: text.replace('"2', "&quot;2").replace(">Example", ">&#69;xample").replace("T17:00", "T17&#58;00"),
        lambda text: text.replace("><", ">\n<"),
        lambda text: text.replace('="', "='").replace('" ', "' ").replace('">', "'>"),
        lambda text: text.replace(" />", "/>").replace('">', '" >'),
        lambda text: text.encode("utf-16-le").decode("latin-1"),
        lambda text: "\ufeff" + text,
        lambda text: text + "\0",
        lambda text: '<?xml version="1.0"?>' + text,
    ],
    ids=["references", "line feeds", "quotes", "tags", "encoding", "byte-order mark", "NUL", "declaration"],
)
def test_XW8_re_encoded_text_is_not_the_document(hierarchy: Hierarchy, kind: str, recode: object) -> None:
    """The same meaning in other characters does not verify: the signature is over the text."""
    assert callable(recode)
    text = recode(hierarchy.text(kind))
    assert text != hierarchy.text(kind)
    refused(kind, text)


@pytest.mark.parametrize("kind", [*SIGNED_KINDS, "rights_data"])
def test_XW9_a_document_serves_its_own_kind_alone(hierarchy: Hierarchy, kind: str) -> None:
    """Every reader refuses every other kind; issuing certificates share a reader that tells their kinds apart."""
    family = {"ca": "issuing", "slc": "issuing", "spc_issuer": "issuing", "pl": "label", "server_pl": "label"}
    for other, read in READERS.items():
        if family.get(other, other) != family.get(kind, kind):
            with pytest.raises((WrongKindError, XrmlSyntaxError)):
                read(hierarchy.text(kind))


@every_kind
def test_XW9_a_body_of_another_type_is_another_kind(hierarchy: Hierarchy, kind: str) -> None:
    """The type of BODY and of DESCRIPTOR are signed and looked at."""
    body_type = READERS[kind](hierarchy.text(kind)).body_type
    for other in ("LICENSE", "Microsoft Rights Label", "Microsoft Official Rights Template", "license", ""):
        if other != body_type:
            refused(kind, hierarchy.respelled(kind, f'type="{body_type}"', f'type="{other}"'))


def _spoil_base64(value: str) -> list[str]:
    return [
        " " + value,
        value + "\n",
        value[:8] + " " + value[8:],
        value[:8] + "-" + value[9:],
        value[:8] + "=" + value[8:],
        value.rstrip("="),
        value + "=",
        value + "====",
        value[:8] + "é" + value[8:],
        value[:8] + "&#13;" + value[8:],
        "",
        value[:-4],
        value + "AAAA",
    ]


@every_kind
def test_XW10_base64_noise_in_a_public_key_is_refused(hierarchy: Hierarchy, kind: str) -> None:
    """Blanks, foreign characters, missing or surplus padding, other lengths: even where the signature covers them."""
    modulus = READERS[kind](hierarchy.text(kind)).issuer.public_key.modulus_base64
    for spoilt in _spoil_base64(modulus):
        refused(kind, hierarchy.respelled(kind, modulus, spoilt))


@every_kind
def test_XW10_base64_noise_in_the_signature_is_refused(hierarchy: Hierarchy, kind: str) -> None:
    """SIGNATURE is outside what is signed: its text has one spelling, so that no second text passes for the document."""
    text = hierarchy.text(kind)
    head, tail = text.rsplit("<SIGNATURE>", 1)
    values = re.findall(r'encoding="base64" size="[0-9]+">([^<]+)<', tail)
    assert len(values) == 2
    for value in values:
        for spoilt in _spoil_base64(value):
            refused(kind, head + "<SIGNATURE>" + tail.replace(value, spoilt))


@every_kind
def test_XW10_unused_bits_of_base64_are_zero(hierarchy: Hierarchy, kind: str) -> None:
    """`QQ==` and `QR==` decode alike; one of them is refused."""
    text = hierarchy.text(kind)
    at = text.rindex("=</VALUE></SIGNATURE>")
    last = text[at - 1] if text[at - 1] != "=" else text[at - 2]
    index = text.rindex(last, 0, at)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(last) ^ 1]
    with pytest.raises(XrmlSyntaxError, match="canonical"):
        READERS[kind](text[:index] + other + text[index + 1 :])


@every_kind
@conforms(
    "MS-RMPR 2.2.9.1.6", "The key's length stands in bits, and other lengths than those of RSA keys in use are refused."
)
def test_XW10_sizes_that_do_not_agree_are_refused(hierarchy: Hierarchy, kind: str) -> None:
    """PUBLICKEY, DIGEST and SIGNATURE: the size attribute is that of the data, in plain decimal."""
    text, mode = hierarchy.text(kind), hierarchy.mode
    bits = READERS[kind](text).issuer.public_key.bits
    for wrong in (bits - 8, bits * 2, 0, f"0{bits}", f"+{bits}", f" {bits}", f"{bits}.0", "9" * 5000):
        refused(kind, hierarchy.respelled(kind, f'size="{bits}"', f'size="{wrong}"'))
        head, tail = text.rsplit("<SIGNATURE>", 1)
        for size in (hierarchy.signer(kind).public.bits, mode.hash.digest_size * 8):
            refused(kind, head + "<SIGNATURE>" + tail.replace(f'size="{size}"', f'size="{wrong}"', 1))


@conforms("MS-RMPR 2.2.9.1.6", "The exponent is 65537, and other exponents are refused.")
@every_kind
@pytest.mark.parametrize("exponent", ["3", "1", "0", "65536", "065537", "-65537", " 65537", "65537.0", "6" * 5000, ""])
@conforms("MS-RMPR 2.2.9.4.2", "The exponent is 65537, and another one is refused.")
def test_C5_another_exponent_is_refused(hierarchy: Hierarchy, kind: str, exponent: str) -> None:
    """65537 to the letter."""
    refused(kind, hierarchy.respelled(kind, ">65537<", f">{exponent}<"))


@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        *((kind, tag) for kind in SIGNED_KINDS for tag in ("ISSUER", "ISSUEDTIME")),
        *((kind, "ISSUEDPRINCIPALS") for kind in SIGNED_KINDS if kind != "template"),
        *((kind, "DESCRIPTOR") for kind in SIGNED_KINDS if kind not in ("pl", "server_pl")),
        *((kind, "WORK") for kind in SIGNED_KINDS if kind not in ("rac", "spc")),
        ("rac", "VALIDITYTIME"),
    ],
)
def test_what_must_stand_once_does_not_stand_twice(hierarchy: Hierarchy, kind: str, tag: str) -> None:
    """Neither first nor last wins, though the signature is genuine."""
    found = re.search(rf"<{tag}>.*?</{tag}>", body_of(hierarchy.text(kind)))
    assert found is not None
    refused(kind, hierarchy.respelled(kind, found.group(), found.group() * 2))


@every_kind
@pytest.mark.parametrize("tag", ["PUBLICKEY", "OBJECT"])
def test_a_principal_has_one_key_and_one_object(hierarchy: Hierarchy, kind: str, tag: str) -> None:
    """Two in ISSUER are refused, identical ones as well."""
    issuer = READERS[kind](hierarchy.text(kind)).issuer
    once = issuer.element.one(tag).surface
    refused(kind, hierarchy.respelled(kind, issuer.inner_surface, issuer.inner_surface.replace(once, once * 2, 1)))


@pytest.mark.parametrize("kind", [kind for kind in SIGNED_KINDS if kind != "template"])
@conforms("MS-RMPR 2.2.9.1.11", "There is one principal, and documents with two are refused.")
def test_a_document_has_one_principal(hierarchy: Hierarchy, kind: str) -> None:
    """ISSUEDPRINCIPALS with two PRINCIPALs, or none, is refused. (Templates have none.)"""
    found = re.search(r"<ISSUEDPRINCIPALS>(.*?)</ISSUEDPRINCIPALS>", hierarchy.text(kind))
    assert found is not None
    refused(kind, hierarchy.respelled(kind, found.group(1), found.group(1) * 2))
    refused(kind, hierarchy.respelled(kind, found.group(1), ""))


@pytest.mark.parametrize(
    "root",
    [
        '<XrML version="1.3" xmlns="">',
        '<XrML xmlns="">',
        "<XrML>",
        '<XrML version="1.2" xmlns="" id="1">',
        '<XrML version="1.2" xmlns="http://www.xrml.org">',
        '<xrml version="1.2">',
    ],
)
def test_the_root_is_xrml_1_2(mode1: Hierarchy, root: str) -> None:
    """Another version, namespace, name or attribute is refused."""
    text = mode1.rac
    refused("rac", root + text[text.index("<BODY") : -len("</XrML>")] + ("</xrml>" if "xrml v" in root else "</XrML>"))


def test_root_attributes_stand_in_either_order(mode1: Hierarchy) -> None:
    """Both orders are genuine (wire facts 2); the root is not signed."""
    text = mode1.rac.replace('xmlns="" version="1.2"', 'version="1.2" xmlns=""')
    assert text != mode1.rac
    READERS["rac"](text).verify()


def test_an_unsigned_document_does_not_verify(mode1: Hierarchy) -> None:
    """Neither has it a mode."""
    data = RightsData.read(mode1.rights_data)
    with pytest.raises(SignatureError):
        data.verify()
    with pytest.raises(SignatureError):
        _ = data.mode


@pytest.mark.parametrize("moment", ["2026-13-01T00:00", "2026-11-22", "2026-11-22T17:00Z", "٢٠٢٦-11-22T17:00", ""])
def test_a_time_of_another_form_is_refused(mode1: Hierarchy, moment: str) -> None:
    """YYYY-MM-DDTHH:MM in plain digits."""
    refused("rac", mode1.respelled("rac", "<ISSUEDTIME>2026-11-22T17:00", f"<ISSUEDTIME>{moment}"))


def test_L4_a_genuine_signature_on_another_body_is_refused(mode1: Hierarchy) -> None:
    """Before and after the genuine one: nothing is remembered."""
    genuine = Document.read(mode1.pl)
    altered = mode1.pl.replace("author@example.com", "other_@example.com")
    for _ in range(2):
        with pytest.raises(SignatureError):
            Document.read(altered).verify()
        genuine.verify()
