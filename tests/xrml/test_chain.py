"""Closing chains: every link at its position, trust by exact keys, ranges against ISSUEDTIME (wire facts 5 and 6)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import pytest

from rmsserver.xrml import issuing
from rmsserver.xrml.chain import (
    CLC_TOLERANCE,
    body_type_of,
    check_machine_modes,
    check_mode,
    close_machine_chain,
    close_server_chain,
    find_licensor,
    issues_machine_certificates,
    read_machine_chain,
    select_publishing_license,
)
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.document import RIGHTS_LABEL
from rmsserver.xrml.errors import (
    ChainError,
    SignatureError,
    UnsupportedCryptographyError,
    ValidityError,
    WrongKindError,
    XrmlError,
)
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode, KeyId, PrivateKey, PublicKey
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.use_license import UseLicense
from rmsserver.xrml.values import format_time
from tests.conformance import conforms
from tests.shared import genuine
from tests.xrml.hierarchy import AUTHOR, ISSUANCE, NOW, YEAR, Hierarchy, guid, resign


def anchors(*keys: PrivateKey) -> dict[KeyId, PublicKey]:
    return {key.public.id: key.public for key in keys}


NONE: Mapping[KeyId, PublicKey] = {}


def close(texts: Sequence[str], trusted: Mapping[KeyId, PublicKey], roots: Mapping[KeyId, PublicKey] = NONE) -> None:
    close_machine_chain(read_machine_chain(texts), trusted, roots)


# --- machine chains ----------------------------------------------------------------------------------------------------


def test_a_machine_chain_closes_at_a_listed_issuer(hierarchy: Hierarchy) -> None:
    """The key of the first or the second issuer is listed."""
    keys = hierarchy.keys
    close(hierarchy.machine_chain, anchors(keys.spc_issuer))
    close(hierarchy.machine_chain, anchors(keys.ca))
    check_machine_modes(read_machine_chain(hierarchy.machine_chain), hierarchy.mode)


def test_a_machine_chain_that_reaches_nothing_listed_is_refused(hierarchy: Hierarchy) -> None:
    """The root is not listed as issuer, and kinds and names are not those of 2.2.9.3."""
    keys = hierarchy.keys
    for trusted, roots in (
        (NONE, NONE),
        (anchors(keys.root), NONE),
        (NONE, anchors(keys.root)),
        (anchors(keys.slc), NONE),
    ):
        with pytest.raises(ChainError):
            close(hierarchy.machine_chain, trusted, roots)


def test_L8_a_genuine_issuer_behind_a_chain_of_ones_own_is_refused(hierarchy: Hierarchy) -> None:
    """Genuine certificates appended, in front, in another order, or twice: each link is verified at its position."""
    own = _own_machine_chain(hierarchy)
    spc, spc_issuer, ca = hierarchy.machine_chain
    trusted = anchors(hierarchy.keys.spc_issuer, hierarchy.keys.ca)
    for chain in (
        [own[0], spc_issuer, ca],
        [own[0], own[1], ca],
        [own[0], own[1], spc_issuer, ca],
        [own[0], ca, spc_issuer],
        [spc, ca],
        [spc, ca, spc_issuer],
        [spc, spc_issuer, spc_issuer, ca],
        [spc, hierarchy.slc, ca],
    ):
        with pytest.raises(ChainError):
            close(chain, trusted)
    with pytest.raises(ChainError):
        close(own, trusted)


def _own_machine_chain(hierarchy: Hierarchy) -> list[str]:
    """The same names under other keys."""
    mine = PrivateKey.generate(hierarchy.mode.rsa_bits)
    root = PrivateKey.generate(2048)
    issuer = resign(
        _with_key(hierarchy.spc_issuer, hierarchy.keys.ca.public, root.public, hierarchy.mode, root),
        hierarchy.keys.spc_issuer.public.modulus_base64,
        mine.public.modulus_base64,
        root,
        hierarchy.mode,
    )
    leaf = _with_key(hierarchy.spc, hierarchy.keys.spc_issuer.public, mine.public, hierarchy.mode, mine)
    return [leaf, issuer]


def _with_key(text: str, old: PublicKey, new: PublicKey, mode: CryptoMode, key: PrivateKey) -> str:
    return resign(text, old.modulus_base64, new.modulus_base64, key, mode)


def test_a_forged_link_is_refused(hierarchy: Hierarchy, attacker_key: PrivateKey) -> None:
    """Right names and keys, but not signed by them."""
    spc, spc_issuer, ca = hierarchy.machine_chain
    trusted = anchors(hierarchy.keys.spc_issuer, hierarchy.keys.ca)
    for at in range(3):
        chain = [spc, spc_issuer, ca]
        chain[at] = resign(chain[at], "2026", "2026", attacker_key, CryptoMode.MODE_1)
        with pytest.raises(SignatureError):
            close(chain, trusted)


def test_a_chain_has_a_leaf_and_one_to_eight_issuers(mode1: Hierarchy) -> None:
    spc, spc_issuer, ca = mode1.machine_chain
    for chain in ([], [spc], [spc, spc_issuer, *[ca] * 8]):
        with pytest.raises(ChainError):
            read_machine_chain(chain)
    with pytest.raises(WrongKindError):
        read_machine_chain([spc_issuer, ca])
    with pytest.raises(WrongKindError):
        read_machine_chain([spc, spc])


def test_the_kinds_and_names_of_2_2_9_3_close_at_a_root(mode1: Hierarchy) -> None:
    """Both for new and for version 1 clients, in production and pre-production."""
    for brand in ("Production", "ISV"):
        close(_production_like(mode1, brand), NONE, anchors(mode1.keys.root))
        close(_version_1_like(mode1, brand), NONE, anchors(mode1.keys.root))


def test_what_issues_machine_certificates(mode1: Hierarchy) -> None:
    """The two next above a machine, and version 1's one by its name; not the Enrollment Service, nor a CA."""

    def issuing_of(texts: Sequence[str]) -> list[bool]:
        return [issues_machine_certificates(IssuingCertificate.read(text)) for text in texts[1:]]

    assert issuing_of(_production_like(mode1, "Production")) == [True, True, False, False]
    assert issuing_of(_version_1_like(mode1, "ISV")) == [True, False, False]
    server = _version_1_like(mode1, "Production", service="Microsoft DRM Server Self Enrollment Service")
    assert issuing_of(server) == [False, False, False]


def test_L9_the_enrollment_service_is_no_processor_authority(mode1: Hierarchy) -> None:
    """Its kinds are those of a version 1 machine chain, and every self-enrolled server has its key: names decide."""
    chain = _version_1_like(mode1, "Production", service="Microsoft DRM Server Self Enrollment Service")
    with pytest.raises(ChainError):
        close(chain, NONE, anchors(mode1.keys.root))
    chain = _version_1_like(mode1, "Production", authority="Microsoft DRM Production Server Enrollment CA")
    with pytest.raises(ChainError):
        close(chain, NONE, anchors(mode1.keys.root))


def _certificate(
    mode1: Hierarchy, kind: IssuingKind, inner: str, object_: str, key: PrivateKey, signer: PrivateKey
) -> IssuingCertificate:
    return IssuingCertificate.read(
        issuing.write_issuing_certificate(
            kind=kind,
            certificate_id=guid(object_),
            issuer_inner=inner,
            principal_object=object_,
            principal_key=key.public,
            issued=NOW,
            issuance=ISSUANCE,
            signing_key=signer,
            mode=mode1.mode,
        )
    )


def _authorities(mode1: Hierarchy, brand: str, authority: str) -> tuple[IssuingCertificate, IssuingCertificate]:
    """CA and intermediate CA, with the keys of CA and SLC."""
    keys = mode1.keys
    root = issuing.issuer_xml(issuing.authority_object_xml(f"Microsoft DRM {brand} Root"), keys.root.public)
    top = issuing.authority_object_xml(f"Microsoft DRM {brand} CA")
    ca = _certificate(mode1, IssuingKind.AUTHORITY, root, top, keys.ca, keys.root)
    name = authority or f"Microsoft DRM {brand} Machine Activation Server CA"
    object_ = issuing.authority_object_xml(name)
    return ca, _certificate(mode1, IssuingKind.AUTHORITY, ca.issuer_inner_surface, object_, keys.slc, keys.ca)


def _leaf(mode1: Hierarchy, issuer: IssuingCertificate) -> str:
    """The machine's certificate, issued by `issuer` with the SPC issuer's key."""
    genuine_inner = IssuingCertificate.read(mode1.spc_issuer).issuer_inner_surface
    return resign(mode1.spc, genuine_inner, issuer.issuer_inner_surface, mode1.keys.spc_issuer, mode1.mode)


def _version_1_like(mode1: Hierarchy, brand: str, *, service: str = "", authority: str = "") -> list[str]:
    ca, intermediate = _authorities(mode1, brand, authority)
    keys, name = mode1.keys, service or "Microsoft DRM Machine Activation Service"
    object_ = issuing.server_object_xml(guid("service"), name, None)
    inner = intermediate.issuer_inner_surface
    issuer = _certificate(mode1, IssuingKind.SERVER, inner, object_, keys.spc_issuer, keys.slc)
    return [_leaf(mode1, issuer), issuer.text, intermediate.text, ca.text]


def _production_like(mode1: Hierarchy, brand: str) -> list[str]:
    ca, intermediate = _authorities(mode1, brand, "")
    keys = mode1.keys
    authority = issuing.processor_object_xml(
        guid("processor ca"),
        f"Microsoft DRM {brand} Machine Activation Desktop Security Processor CA",
        type_=issuing.PROCESSOR_AUTHORITY,
    )
    inner = intermediate.issuer_inner_surface
    middle = _certificate(mode1, IssuingKind.PROCESSOR_AUTHORITY, inner, authority, keys.account, keys.slc)
    object_ = issuing.processor_object_xml(
        guid("issuer"), f"Microsoft DRM {brand} Desktop Security Processor Activation Certificate"
    )
    inner = middle.issuer_inner_surface
    issuer = _certificate(mode1, IssuingKind.PROCESSOR_ISSUER, inner, object_, keys.spc_issuer, keys.account)
    return [_leaf(mode1, issuer), issuer.text, middle.text, intermediate.text, ca.text]


def test_L11_a_mode_1_machine_is_not_one_of_mode_2(hierarchies: dict[CryptoMode, Hierarchy]) -> None:
    """Neither the other way round."""
    for mode, other in ((CryptoMode.MODE_1, CryptoMode.MODE_2), (CryptoMode.MODE_2, CryptoMode.MODE_1)):
        with pytest.raises(UnsupportedCryptographyError):
            check_machine_modes(read_machine_chain(hierarchies[mode].machine_chain), other)
        with pytest.raises(UnsupportedCryptographyError):
            check_mode(RightsAccountCertificate.read(hierarchies[mode].rac), other)


def test_L11_a_short_key_under_a_long_hash_is_of_no_mode(mode1: Hierarchy) -> None:
    """1024 bits signed with SHA-256."""
    text = resign(mode1.rac, "2026", "2026", mode1.keys.slc, CryptoMode.MODE_2)
    for mode in CryptoMode:
        with pytest.raises(UnsupportedCryptographyError):
            check_mode(RightsAccountCertificate.read(text), mode)


def test_C8_a_weak_machine_key_is_refused(mode1: Hierarchy) -> None:
    """It is genuinely certified, and yet not used."""
    weak = PublicKey((3 << 1022) // 997 * 997 | 1, 1024)
    weak = PublicKey(weak.modulus - weak.modulus % 997 + (0 if (weak.modulus - weak.modulus % 997) % 2 else 997), 1024)
    spc = mode1.respelled("spc", mode1.keys.machine.public.modulus_base64, weak.modulus_base64)
    chain = read_machine_chain([spc, mode1.spc_issuer, mode1.ca])
    close_machine_chain(chain, anchors(mode1.keys.ca), NONE)
    with pytest.raises(UnsupportedCryptographyError):
        check_machine_modes(chain, CryptoMode.MODE_1)


# --- ranges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        (ISSUANCE.start, True),
        (ISSUANCE.start - dt.timedelta(minutes=1), False),
        (ISSUANCE.end - dt.timedelta(minutes=1), True),
        (ISSUANCE.end, False),
    ],
)
@conforms("MS-RMPR 2.2.9.3", "A certificate that was issued outside its issuer's range is refused, and none is issued.")
def test_a_range_is_compared_with_the_time_of_issue(mode1: Hierarchy, moment: dt.datetime, inside: bool) -> None:
    """Never with now: the clock does not come into it (wire facts 6)."""
    child = RightsAccountCertificate.read(
        mode1.respelled("rac", f"<ISSUEDTIME>{format_time(NOW)}", f"<ISSUEDTIME>{format_time(moment)}")
    )
    slc = IssuingCertificate.read(mode1.slc)
    if inside:
        slc.issued(child)
    else:
        with pytest.raises(ValidityError):
            slc.issued(child)
        slc.issued(child, tolerance=dt.timedelta(days=1))


# --- server chains -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rac", "clc", "ul"])
def test_a_server_chain_closes_at_the_pinned_root(hierarchy: Hierarchy, kind: str) -> None:
    """For a client; the SLC itself may be the leaf."""
    read = {"rac": RightsAccountCertificate.read, "clc": ClientLicensorCertificate.read, "ul": UseLicense.read}[kind]
    slc, ca = IssuingCertificate.read(hierarchy.slc), IssuingCertificate.read(hierarchy.ca)
    leaf = read(hierarchy.text(kind))
    close_server_chain(leaf, [slc, ca], anchors(hierarchy.keys.root))
    close_server_chain(slc, [ca], anchors(hierarchy.keys.root))
    pinned = anchors(hierarchy.keys.root)
    for issuers, roots in (([slc, ca], NONE), ([slc], pinned), ([ca, slc], pinned), ([], NONE), ([slc] * 9, NONE)):
        with pytest.raises(ChainError):
            close_server_chain(leaf, issuers, roots)


def test_L9_a_processor_issuer_does_not_pass_for_a_server(mode1: Hierarchy) -> None:
    """It stands under the same root, and a client bundle carries its key."""
    issuer, ca = IssuingCertificate.read(mode1.spc_issuer), IssuingCertificate.read(mode1.ca)
    slc_inner = IssuingCertificate.read(mode1.slc).issuer_inner_surface
    forged = UseLicense.read(
        resign(mode1.ul, slc_inner, issuer.issuer_inner_surface, mode1.keys.spc_issuer, mode1.mode)
    )
    issuer.issued(forged)
    with pytest.raises(ChainError, match="not that of a server"):
        close_server_chain(forged, [issuer, ca], anchors(mode1.keys.root))


def test_L9_an_authority_does_not_issue_licences(mode1: Hierarchy) -> None:
    """Between a licence and an authority stands a server."""
    ca = IssuingCertificate.read(mode1.ca)
    slc_inner = IssuingCertificate.read(mode1.slc).issuer_inner_surface
    forged = UseLicense.read(resign(mode1.ul, slc_inner, ca.issuer_inner_surface, mode1.keys.ca, mode1.mode))
    ca.issued(forged)
    with pytest.raises(ChainError):
        close_server_chain(forged, [ca], anchors(mode1.keys.root))


# --- publishing licences ------------------------------------------------------------------------------------------------


def test_the_leaf_is_the_only_publishing_licence(mode1: Hierarchy) -> None:
    """Anywhere among what is sent; an owner licence with its chain behind it, and exact duplicates, do not matter."""
    trailing = [mode1.ul, mode1.clc, mode1.slc, mode1.ca]
    for texts in (
        [mode1.pl],
        [mode1.pl, mode1.clc],
        [mode1.clc, mode1.pl],
        [mode1.pl, mode1.clc, *trailing],
        [mode1.pl, mode1.clc, *trailing, mode1.pl],
        [mode1.pl, "rubbish", "<a/>", mode1.rights_data],
    ):
        assert select_publishing_license(texts) == mode1.pl


def test_XW11_none_or_two_different_leaves_are_refused(mode1: Hierarchy) -> None:
    """Also two that mean the same in other characters, or one that is broken; and too many documents."""
    again = mode1.pl.replace('version="1.2" xmlns=""', 'xmlns="" version="1.2"')
    assert again != mode1.pl
    broken = mode1.pl.replace("<ISSUER>", "<ISSUER><ISSUER>")
    two = ([mode1.pl, mode1.server_pl], [mode1.pl, again], [mode1.pl, broken])
    for texts in ([], [mode1.clc], ["x"], *two, [mode1.pl] * 101):
        with pytest.raises(ChainError):
            select_publishing_license(texts)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<BODY type="Microsoft Rights Label" version="3.0">', "<BODY version='3.0' type='Microsoft Rights Label'>"),
        ('<BODY type="Microsoft Rights Label"', '<BODY type="Microsoft&#32;Rights Label"'),
        ('<BODY type="Microsoft Rights Label"', '<BODY type="Microsoft\nRights Label"'),
        ('<BODY type="Microsoft Rights Label"', "<BODY\ttype = \"Microsoft Rights Label\" x='>'"),
        ('<XrML version="1.2" xmlns="">', "<XrML  version='1.2'\n>"),
    ],
)
def test_XW11_another_spelling_does_not_hide_a_leaf(mode1: Hierarchy, old: str, new: str) -> None:
    """The quick look at BODY and the strict reader agree on what a publishing licence is."""
    assert old in mode1.pl
    respelled = mode1.pl.replace(old, new)
    assert body_type_of(respelled) == RIGHTS_LABEL
    with pytest.raises(ChainError):
        select_publishing_license([mode1.pl, respelled])


def test_the_licensor_is_found_among_what_is_sent(hierarchy: Hierarchy) -> None:
    """By key and OBJECT; duplicates, other documents and the trailing owner licence do not matter."""
    pl = PublishingLicense.read(hierarchy.pl)
    texts = [hierarchy.pl, "x", hierarchy.clc, hierarchy.ul, hierarchy.clc, hierarchy.slc, hierarchy.ca]
    found = find_licensor(pl, texts)
    assert found is not None
    assert found.text == hierarchy.clc
    assert find_licensor(pl, [hierarchy.pl, hierarchy.slc]) is None
    assert find_licensor(PublishingLicense.read(hierarchy.server_pl), texts) is None


def test_a_licensor_of_another_account_is_refused(mode1: Hierarchy) -> None:
    """The key alone does not make it: OBJECT is compared as well. One that differs in its name alone is none."""
    other = mode1.respelled("clc", "S-1-5-21-1-2-3-1118", "S-1-5-21-1-2-3-500", count=9)
    with pytest.raises(ChainError):
        find_licensor(PublishingLicense.read(mode1.pl), [other])
    renamed = mode1.respelled("clc", f"<NAME>{AUTHOR}</NAME>", "<NAME>another@example.com</NAME>", count=9)
    assert find_licensor(PublishingLicense.read(mode1.pl), [renamed]) is None


def test_L9_a_forged_licensor_is_refused(mode1: Hierarchy, attacker_key: PrivateKey) -> None:
    """Not signed by the server it names."""
    forged = resign(mode1.clc, "2026", "2026", attacker_key, CryptoMode.MODE_1)
    with pytest.raises(SignatureError):
        find_licensor(PublishingLicense.read(mode1.pl), [mode1.pl, forged])


def test_XW10_two_licensors_of_one_licence_are_refused(mode1: Hierarchy) -> None:
    """Both genuine, in either order."""
    second = mode1.respelled("clc", "2026-11-22", "2026-11-21")
    pl = PublishingLicense.read(mode1.pl)
    for texts in ([mode1.clc, second], [second, mode1.clc]):
        with pytest.raises(ChainError):
            find_licensor(pl, texts)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        (YEAR.start - CLC_TOLERANCE, True),
        (YEAR.start - CLC_TOLERANCE - dt.timedelta(minutes=1), False),
        (YEAR.end + CLC_TOLERANCE - dt.timedelta(minutes=1), True),
        (YEAR.end + CLC_TOLERANCE, False),
    ],
)
def test_a_licence_is_issued_in_its_licensors_range(mode1: Hierarchy, moment: dt.datetime, inside: bool) -> None:
    """With a day of tolerance at both ends (wire facts 5)."""
    text = mode1.respelled("pl", f"<ISSUEDTIME>{format_time(NOW)}", f"<ISSUEDTIME>{format_time(moment)}")
    pl = PublishingLicense.read(text)
    if inside:
        assert find_licensor(pl, [mode1.clc]) is not None
    else:
        with pytest.raises(ValidityError):
            find_licensor(pl, [mode1.clc])


def test_the_genuine_licence_finds_its_genuine_licensor() -> None:
    """MS-RMPR 4.5.3 and 4.5.4."""
    found = find_licensor(PublishingLicense.read(genuine("mode1-pl")), [genuine("mode1-pl"), genuine("mode1-clc")])
    assert found is not None
    assert found.text == genuine("mode1-clc")


@pytest.mark.parametrize("mode", ["mode1", "mode2"])
def test_L8_genuine_issuing_certificates_alone_close_no_machine_chain(mode: str, mode1: Hierarchy) -> None:
    """A self-made SPC in front of the genuine Enrollment Service, whose root is trusted."""
    names = [f"{mode}-issuing-{part}" for part in ("enrollment-service", "enrollment-ca", "ca")]
    issuers = [genuine(name) for name in names]
    root = IssuingCertificate.read(issuers[-1]).issuer.public_key
    with pytest.raises(XrmlError):
        close([mode1.spc, *issuers], NONE, {root.id: root})
