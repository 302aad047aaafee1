"""What a use licence takes from the template that applied, and what is recorded of it."""

from __future__ import annotations

import dataclasses
import datetime as dt

from rmsserver.operations.admin.templates import TemplateDefinition, create_template, edit_template
from rmsserver.operations.revocation_list import own_revocation_point
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.revocation import RevocationPoint
from rmsserver.xrml.rights import ApplicationData, Right
from rmsserver.xrml.template import LocalizedName, RightsTemplate
from tests.cluster import NOW, Cluster, grantee
from tests.operations.licensing import READER, Desk, resigned


def definition(cluster: Cluster) -> TemplateDefinition:
    return TemplateDefinition(
        names=(LocalizedName(1033, "Staff", ""),),
        rights=(Right.of("VIEW", grantee(READER)),),
        application_data=(ApplicationData("Classification", "Secret"),),
        revocation=own_revocation_point(cluster.state, dt.timedelta(days=1, hours=2)),
    )


def test_the_version_that_applied_is_recorded(mode_2: Cluster) -> None:
    """GUID:version of the server's current one, whichever the document carries; the GUID alone of an unknown one."""
    desk = Desk(mode_2)
    first = RightsTemplate.read(create_template(definition(mode_2), mode_2.state, system_randomness(), NOW))
    document = mode_2.publish(mode_2.author(), rights_data=first.text)
    desk.configure(published_templates={first.guid: first}, template_revisions={first.guid: 1})
    desk.ask(document)
    assert desk.facts["template"] == [f"{first.guid}:1"]
    again = dataclasses.replace(definition(mode_2), rights=(Right.of("PRINT", grantee(READER)),))
    second = RightsTemplate.read(edit_template(first.guid, again, desk.cluster.state, NOW))
    desk.configure(published_templates={first.guid: second}, template_revisions={first.guid: 2})
    assert [right.name for right in desk.ask(document).rights] == ["PRINT"]
    assert desk.facts["template"] == [f"{first.guid}:2"]
    desk.configure(published_templates={}, template_revisions={})
    desk.ask(document)
    assert desk.facts["template"] == [first.guid]


def test_revocation_point_and_application_data_stand_in_the_use_licence(cluster: Cluster) -> None:
    """REFRESH as the template has it; a document without a template has none."""
    desk = Desk(cluster)
    template = RightsTemplate.read(create_template(definition(cluster), cluster.state, system_randomness(), NOW))
    license_ = desk.ask(cluster.publish(cluster.author(), rights_data=template.text))
    conditions = license_.body.one("WORK").one("CONDITIONLIST")
    assert RevocationPoint.read(conditions) == definition(cluster).revocation
    assert conditions.surface == template.revocation
    assert license_.application_data == (ApplicationData("Classification", "Secret"),)
    assert desk.ask(cluster.publish(cluster.author())).body.one("WORK").find("CONDITIONLIST") is None


def test_the_revocation_point_of_a_publishing_licence_goes_before_a_templates(mode_2: Cluster) -> None:
    """The author's own, in the clear part; signed, so that nobody takes it out."""
    desk, author = Desk(mode_2), mode_2.author()
    template = RightsTemplate.read(create_template(definition(mode_2), mode_2.state, system_randomness(), NOW))
    own = own_revocation_point(mode_2.state, dt.timedelta(days=9))
    document = resigned(
        mode_2.publish(author, rights_data=template.text), author, ("<METADATA>", own.xml() + "<METADATA>")
    )
    conditions = desk.ask(document).body.one("WORK").one("CONDITIONLIST")
    assert RevocationPoint.read(conditions) == own


def test_licences_signed_online_record_their_template(mode_2: Cluster) -> None:
    """GUID:version where the client had the current one, else the GUID alone; so deleting it is refused from then on."""
    desk = Desk(mode_2)
    first = RightsTemplate.read(create_template(definition(mode_2), mode_2.state, system_randomness(), NOW))
    desk.configure(published_templates={first.guid: first}, template_revisions={first.guid: 4})
    desk.sign(mode_2.publish(None, rights_data=first.text))
    assert desk.facts["template"] == [f"{first.guid}:4"]
    again = dataclasses.replace(definition(mode_2), rights=(Right.of("PRINT", grantee(READER)),))
    second = RightsTemplate.read(edit_template(first.guid, again, desk.cluster.state, NOW))
    desk.configure(published_templates={first.guid: second}, template_revisions={first.guid: 5})
    desk.sign(mode_2.publish(None, rights_data=first.text))
    assert desk.facts["template"] == [first.guid]
    desk.sign(mode_2.publish(None))
    assert "template" not in desk.facts
