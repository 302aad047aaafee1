"""Rights data: written, read, the same values; nothing partial."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from rmsserver.xrml.enabling_bits import RESERVED_CBC_4K, ContentKey
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.rights import (
    ApplicationData,
    Grantee,
    Policy,
    Right,
    RightsData,
    TimeConditions,
    policies_xml,
    referral_xml,
    write_rights_data,
)
from rmsserver.xrml.surface import parse, render
from rmsserver.xrml.values import TimeRange
from tests.xrml.hierarchy import AUTHOR, NOW, READER, YEAR, Hierarchy, guid

FIRST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
moments = st.integers(0, 9997 * 365 * 24 * 60).map(lambda minutes: FIRST + dt.timedelta(minutes=minutes))
stripped = st.text(max_size=20).map(str.strip)
conditions = st.builds(
    TimeConditions, st.none() | st.builds(TimeRange, moments, moments), st.none() | st.integers(0, 999_999)
)
grantees = st.builds(Grantee, st.sampled_from(["Windows", "Unspecified", "Internal", "Federation"]), stripped, stripped)
rights = st.builds(
    Right,
    st.sampled_from(["VIEW", "EDIT", "OWNER", "OBJMODEL", "DOCEDIT"]) | stripped.filter(bool),
    grantees,
    conditions,
    st.just(False),
) | st.builds(Right.of, st.sampled_from(["VIEW", "PRINT", "EDIT", "EXPORT", "EXTRACT", "SIGN"]), grantees, conditions)
policies = st.builds(
    Policy, st.sampled_from(["inclusion", "exclusion"]), st.text(max_size=9), st.just("1"), st.just("2")
)


@settings(max_examples=150)
@given(
    stripped,
    st.lists(rights, max_size=6),
    conditions,
    st.lists(policies, max_size=3),
    st.lists(st.tuples(stripped, stripped), max_size=2),
)
def test_what_is_written_reads_back(
    owner: str, granted: list[Right], when: TimeConditions, listed: list[Policy], data: list[tuple[str, str]]
) -> None:
    """Arbitrary Unicode in names, IDs, e-mail addresses and files; through the encryption as well."""
    application_data = [ApplicationData(*pair) for pair in data]
    try:
        text = write_rights_data(
            work_id=guid("work"),
            owner_email=owner,
            rights=granted,
            issued=NOW,
            preconditions=when,
            application_data=application_data,
            policies=listed,
        )
    except XrmlError:
        return
    assert render(parse(text)) == text
    key = ContentKey.build(bytes(16), RESERVED_CBC_4K)
    found = RightsData.read(key.decrypt_text(key.encrypt_text(text)))
    assert found.text == text
    assert found.rights == tuple(granted)
    assert found.owner == Grantee("Unspecified", "", owner)
    assert found.preconditions == when
    assert found.application_data == tuple(application_data)
    assert set(found.policies) == set(listed)
    assert not found.official


def test_rights_data_as_it_is_written(mode1: Hierarchy) -> None:
    """VIEW as an element, OWNER by name; range and interval as two TIME elements (wire facts 7 and 8)."""
    data = RightsData.read(mode1.rights_data)
    assert [(r.name, r.as_element) for r in data.rights] == [("OWNER", False), ("VIEW", True)]
    assert data.rights[1].grantee == Grantee("Unspecified", "", READER)
    assert data.rights[1].conditions == TimeConditions(YEAR, 30)
    assert '</RANGETIME></TIME><TIME><INTERVALTIME days="30" /></TIME>' in mode1.rights_data
    assert data.referral == referral_xml(AUTHOR, f"mailto:{AUTHOR}")
    for tag in ("ISSUER", "DESCRIPTOR", "SIGNATURE"):
        assert f"<{tag}>" not in mode1.rights_data


def test_no_condition_is_no_element() -> None:
    """No empty TIME, PRECONDITIONLIST or POLICYLIST."""
    assert not TimeConditions()
    assert TimeConditions().xml() == ""
    assert TimeConditions(None, 0)
    assert policies_xml([]) == ""


def test_policies_are_one_list_of_each_kind() -> None:
    """Exclusion, then inclusion; duplicates once."""
    one, other = Policy("inclusion", "a.exe", "1", "2"), Policy("exclusion", "b.exe", "1", "2")
    text = policies_xml([one, other, one])
    assert text.index('type="exclusion"') < text.index('type="inclusion"')
    assert text.count("<POLICY>") == 2
