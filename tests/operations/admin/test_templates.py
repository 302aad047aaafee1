"""Making rights policy templates."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.templates import (
    TemplateDefinition,
    create_template,
    definition_of,
    edit_template,
    list_templates,
)
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.rights import ANYONE, ApplicationData, Right, TimeConditions
from rmsserver.xrml.template import LocalizedName, RightsTemplate
from rmsserver.xrml.values import TimeRange
from tests.cluster import DAY, NOW, Cluster, grantee, guid

ENGLISH = LocalizedName(1033, "Confidential", "For readers; no printing: at all")
GERMAN = LocalizedName(1031, "Vertraulich", "Nur für Leser")
RIGHTS = (Right.of("VIEW", grantee("reader@example.com")), Right.of("DOCEDIT", grantee("all@example.com")))
DEFINITION = TemplateDefinition((ENGLISH, GERMAN), RIGHTS, "mailto:rights@example.com")


def create(cluster: Cluster, definition: TemplateDefinition = DEFINITION) -> RightsTemplate:
    return RightsTemplate.read(create_template(definition, cluster.state, system_randomness(), NOW))


def changed(**changes: object) -> TemplateDefinition:
    return dataclasses.replace(DEFINITION, **changes)  # type: ignore[arg-type]


def test_template_is_signed_by_the_cluster(cluster: Cluster) -> None:
    """Under the SLC's key, with its OBJECT and key as ISSUER, without the server's levels."""
    template = create(cluster)
    template.verify(cluster.state.licensor.key.public)
    assert template.mode is cluster.mode
    assert template.issuer.inner_surface == cluster.state.licensor.certificate.principal.object_and_key_surface
    assert template.issued_time == NOW


def test_template_says_what_the_administrator_said(mode_2: Cluster) -> None:
    """Names in each language, rights with the owner's first, times, points and application data."""
    span = TimeRange(NOW, NOW + 30 * DAY)
    data = (ApplicationData("NOLICCACHE", "1"),)
    template = create(
        mode_2,
        changed(
            preconditions=TimeConditions(span=span), application_data=data, rights=(*RIGHTS, Right.of("PRINT", ANYONE))
        ),
    )
    assert template.names == (ENGLISH, GERMAN)
    assert [(r.name, r.grantee.email or r.grantee.id) for r in template.rights] == [
        ("OWNER", "Owner"),
        ("VIEW", "reader@example.com"),
        ("DOCEDIT", "all@example.com"),
        ("PRINT", "ANYONE"),
    ]
    assert template.preconditions.span == span
    assert template.application_data == data
    points = {p.type: p.address("URL") for p in template.distribution_points()}
    assert points == {
        "Publishing-URL": "http://rms.example.com/_wmcs/licensing",
        "Referral-Info": "mailto:rights@example.com",
    }


def test_every_template_has_its_own_guid(mode_2: Cluster) -> None:
    """Two of the same definition are two templates."""
    assert create(mode_2).guid != create(mode_2).guid


def test_editing_keeps_the_guid(mode_2: Cluster) -> None:
    """Documents that cite the template follow it; archived ones can be edited as well."""
    old = mode_2.template("Confidential")
    for where in ("published_templates", "archived_templates"):
        state = mode_2.with_state(**{where: {old.guid: old}}).state
        edited = RightsTemplate.read(edit_template(old.guid, DEFINITION, state, NOW))
        assert edited.guid == old.guid
        assert edited.hash_text != old.hash_text


def test_editing_an_unknown_template(mode_2: Cluster) -> None:
    """There must be one to edit."""
    with pytest.raises(OperatorError, match="template list"):
        edit_template(guid("nobody knows"), DEFINITION, mode_2.state, NOW)


def test_list_has_published_templates_first(mode_2: Cluster) -> None:
    """By name within each kind, with GUID and time."""
    templates = {name: mode_2.template(name) for name in ("beta", "Alpha", "Old")}
    state = mode_2.with_state(
        published_templates={templates[n].guid: templates[n] for n in ("beta", "Alpha")},
        archived_templates={templates["Old"].guid: templates["Old"]},
    ).state
    found = list_templates(state)
    assert [(s.name, s.archived) for s in found] == [("Alpha", False), ("beta", False), ("Old", True)]
    assert found[0].guid == templates["Alpha"].guid
    assert found[0].issued == NOW - 20 * DAY


@pytest.mark.parametrize(
    "changes",
    [
        {"names": ()},
        {"names": (LocalizedName(1033, " ", "no name"),)},
        {"names": (ENGLISH, LocalizedName(1033, "Again", ""))},
        {"names": (LocalizedName(0, "No language", ""),)},
        {"names": (LocalizedName(1033, "A:DESCRIPTION B", "C"),)},
        {"names": (LocalizedName(1033, "A", "B;LCID 1031:NAME X:DESCRIPTION Y"),)},
        {"names": (LocalizedName(1033, "A\x00", "B"),)},
        {"names": (LocalizedName(1033, "A\x9b2J", "B"),)},
        {"names": (LocalizedName(1033, "A\u202e", "B"),)},
        {"names": (LocalizedName(1033, "A\nB", "C"),)},
        {"names": (LocalizedName(1033, "A", "B\x9b2J"),)},
        {"rights": ()},
        {"rights": (Right.of("VIEW", grantee("nobody")),)},
        {"rights": (Right.of("<VIEW>", grantee("reader@example.com")),)},
        {"rights": (Right.of("", grantee("reader@example.com")),)},
        {"rights": (Right.of("VIEW", grantee("reader@example.com"), TimeConditions(days=0)),)},
        {"preconditions": TimeConditions(span=TimeRange(NOW, NOW))},
        {"preconditions": TimeConditions(days=1_000_000)},
        {"preconditions": TimeConditions(TimeRange(NOW, NOW + DAY), 3)},
        {"rights": (Right.of("VIEW", grantee("reader@example.com"), TimeConditions(TimeRange(NOW, NOW + DAY))),)},
        {"rights_request_url": "mailto:a\x01b"},
        {"rights_request_url": "mailto:nobody"},
        {"rights_request_url": "javascript:alert(1)"},
        {"rights_request_url": "file:///etc/passwd"},
        {"rights_request_url": "https://"},
        {"rights": (Right("NO TAG", grantee("reader@example.com"), as_element=True),)},
    ],
)
def test_what_cannot_be_a_template(mode_2: Cluster, changes: dict[str, object]) -> None:
    """One line for the operator, and nothing signed."""
    with pytest.raises(OperatorError) as caught:
        create(mode_2, changed(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "mailto:rights@example.com",
        "mailto:rights@example.com?subject=More",
        "rights@example.com",
        "HTTPS://rights.example/ask?me",
    ],
)
def test_where_rights_are_asked_for(mode_2: Cluster, address: str) -> None:
    """In each form that genuine templates have (wire facts 8); a description may have several lines."""
    name = LocalizedName(1033, "Staff", "One line.\nAnother.")
    template = create(mode_2, changed(rights_request_url=address, names=(name,)))
    assert definition_of(template).rights_request_url == address
    assert template.names == (name,)


def test_N4_markup_in_names_is_text(mode_2: Cluster) -> None:
    """N4: what looks like markup comes back as it was written."""
    name = LocalizedName(1033, 'A <b> & "c"', "]]> &amp;")
    assert create(mode_2, changed(names=(name,))).names == (name,)


def test_K4_expired_certificate_signs_no_template(mode_2: Cluster) -> None:
    """K4: the operator reads which clock and which range."""
    with pytest.raises(OperatorError, match="2300-01-01"):
        create_template(DEFINITION, mode_2.state, system_randomness(), dt.datetime(2300, 1, 1, tzinfo=dt.UTC))
