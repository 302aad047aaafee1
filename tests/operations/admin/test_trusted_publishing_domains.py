"""What is checked of a trusted publishing domain, what is served with it, and what adopting cannot bring."""

from __future__ import annotations

import dataclasses

import pytest

from rmsserver.errors import NoRightsForRequestedPrincipal, OperatorError
from rmsserver.operations.admin.publishing_domain_file import PublishingDomain
from rmsserver.operations.admin.server_keys import reissue_template
from rmsserver.operations.admin.trusted_publishing_domains import (
    CheckedDomain,
    adoption_notes,
    check_adoption,
    check_domain,
    check_import,
    missing_templates,
)
from rmsserver.state import ServerState
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.template import RightsTemplate
from tests.cluster import NOW, Cluster, key
from tests.operations.admin.old_cluster import HOST, old_file, old_licensor, old_template
from tests.operations.licensing import Desk


def adopted(cluster: Cluster, domain: PublishingDomain) -> ServerState:
    """The state after `tpd adopt`."""
    licensor = check_domain(domain).licensor
    issuers = {licensor.key.public.id: licensor.key.public, **cluster.state.trusted_rac_issuers}
    return cluster.with_state(
        licensor=licensor, former_licensors=(cluster.state.licensor,), trusted_rac_issuers=issuers
    ).state


# --- checks --------------------------------------------------------------------------------------------------------------


def test_a_file_of_real_structure() -> None:
    """Expired authorities do not matter; templates signed by the domain's key come along."""
    found = check_domain(old_file())
    assert found.name == "OLD-RMS"
    assert found.licensor.chain == old_licensor().chain
    assert [template.guid for template in found.templates] == [old_template(old_licensor()).guid]
    assert found.left_out == 0


def test_declarations_around_documents() -> None:
    """A serialiser's declaration before a certificate is no part of it."""
    domain = old_file()
    wrapped = tuple(f'<?xml version="1.0"?>\r\n{text}\r\n' for text in domain.chain)
    assert check_domain(dataclasses.replace(domain, chain=wrapped)).licensor.chain == domain.chain


def test_files_that_do_not_fit_together(stranger: Cluster) -> None:
    """Another key, an altered certificate, a missing link, something else in the chain."""
    good = old_file()
    for wrong in (
        dataclasses.replace(good, key=key("old service", 1024)),
        dataclasses.replace(good, chain=(good.chain[0].replace("OLD-RMS", "OLD-RMT"), *good.chain[1:])),
        dataclasses.replace(good, chain=(good.chain[0], *good.chain[2:])),
        dataclasses.replace(good, chain=(good.chain[0] * 2, *good.chain[1:])),
        dataclasses.replace(good, chain=("<a/>",)),
        dataclasses.replace(good, chain=stranger.state.licensor.chain),
    ):
        with pytest.raises(OperatorError) as caught:
            check_domain(wrong)
        assert "\n" not in str(caught.value)


def test_templates_of_others_are_left_out(mode_1: Cluster) -> None:
    """A template that another key signed, an altered one, and junk: counted, never imported."""
    good = old_file()
    bad = (mode_1.template().text, good.templates[0].replace("VIEW", "EDIT"), "junk")
    found = check_domain(dataclasses.replace(good, templates=good.templates + bad))
    assert (len(found.templates), found.left_out) == (1, 3)


def test_who_may_be_imported(mode_1: Cluster, mode_2: Cluster) -> None:
    """Not the own keys, not the same twice, not mode 2 on a mode 1 cluster (L11)."""
    domain = check_domain(old_file())
    check_import(domain, mode_2.state)
    for state in (
        adopted(mode_1, old_file()),
        mode_1.with_state(former_licensors=(domain.licensor,)).state,
        mode_2.with_state(trusted_licensing_servers=(domain.server,)).state,
    ):
        with pytest.raises(OperatorError):
            check_import(domain, state)
    with pytest.raises(OperatorError, match="upgrade-mode"):
        check_import(check_domain(old_file(CryptoMode.MODE_2)), mode_1.state)


def test_who_may_be_adopted(mode_1: Cluster, mode_2: Cluster) -> None:
    """Not one of another mode; not again, once everything is there; not by a licensing-only cluster."""
    domain = check_domain(old_file())
    check_adoption(domain, mode_1.state, NOW)
    check_adoption(check_domain(old_file(CryptoMode.MODE_2)), mode_2.state, NOW)
    with pytest.raises(OperatorError, match="key upgrade-mode` first, then adopt"):
        check_adoption(check_domain(old_file(CryptoMode.MODE_2)), mode_1.state, NOW)
    with pytest.raises(OperatorError, match="--crypto-mode 1"):
        check_adoption(domain, mode_2.state, NOW)
    with pytest.raises(OperatorError, match="root cluster"):
        check_adoption(domain, mode_1.with_state(root_url="http://root.example/_wmcs").state, NOW)
    after = adopted(mode_1, old_file())
    check_adoption(domain, after, NOW)  # templates are still missing: a takeover that was interrupted goes on
    assert missing_templates(domain, after) == domain.templates
    finished = dataclasses.replace(after, published_templates={t.guid: t for t in domain.templates})
    with pytest.raises(OperatorError, match="already"):
        check_adoption(domain, finished, NOW)


# --- the report ----------------------------------------------------------------------------------------------------------


def test_what_adopting_cannot_bring(mode_1: Cluster) -> None:
    """Wire facts 11: users' keys, old host names, expired authorities, each with what to do."""
    notes = adoption_notes(check_domain(old_file()), mode_1.state, NOW)
    text = "\n".join(note.what for note in notes)
    assert "key pairs in users' account certificates" in text
    assert f"licensing.{HOST}, {HOST}" in text
    assert "Old Production CA (until 2014-01-20); " not in text.replace("Server Enrollment CA", "")
    assert "Old Production Server Enrollment CA (until 2014-01-20); Old Production CA (until 2014-01-20)" in text
    assert all(note.remedy for note in notes)


def test_a_cluster_under_the_same_name(mode_1: Cluster) -> None:
    """Hosts that this cluster answers under already are not named."""
    state = mode_1.with_state(
        base_url=f"https://{HOST.upper()}/_wmcs", licensing_url=f"http://licensing.{HOST}:80/_wmcs/licensing"
    ).state
    assert not any(HOST in note.what for note in adoption_notes(check_domain(old_file()), state, NOW))


def test_K4_a_certificate_that_is_over_or_not_yet(mode_1: Cluster) -> None:
    """Not adopted: nothing could be issued with it. Imported, its documents open."""
    domain = check_domain(old_file(until=NOW.replace(year=2020)))
    check_import(domain, mode_1.state)
    with pytest.raises(OperatorError, match="tpd import"):
        check_adoption(domain, mode_1.state, NOW)
    with pytest.raises(OperatorError, match="tpd import"):
        check_adoption(check_domain(old_file()), mode_1.state, NOW.replace(year=1999))


def test_templates_that_do_not_come(mode_1: Cluster) -> None:
    """Those that cannot be used are counted; of those that are here already but say something else ours stay."""

    def about_templates(domain: CheckedDomain, state: ServerState) -> list[str]:
        return [note.what for note in adoption_notes(domain, state, NOW) if "templates" in note.what]

    domain = check_domain(old_file())
    assert about_templates(domain, mode_1.state) == []
    (left,) = about_templates(dataclasses.replace(domain, left_out=3), mode_1.state)
    assert left.startswith("3 templates")
    (theirs,) = domain.templates
    ours = RightsTemplate.read(theirs.text.replace("reader@", "writer@"))
    assert ours.text != theirs.text
    again = RightsTemplate.read(reissue_template(theirs, mode_1.state.licensor, NOW))
    assert about_templates(domain, mode_1.with_state(published_templates={again.guid: again}).state) == []
    (kept,) = about_templates(domain, mode_1.with_state(archived_templates={ours.guid: ours}).state)
    assert str(ours.guid) in kept


# --- served --------------------------------------------------------------------------------------------------------------


def test_documents_of_an_imported_domain(cluster: Cluster, stranger: Cluster) -> None:
    """Rulings 2, 3: opened with the imported key, issued with our own, in our mode; removed, they do not open."""
    old = old_licensor()
    domain = check_domain(old_file())
    desk = Desk(cluster.with_state(trusted_licensing_servers=(domain.server,)))
    signer = Desk(cluster).cluster.account(licensor=old, mode=CryptoMode.MODE_1)
    author = dataclasses.replace(cluster, mode=CryptoMode.MODE_1).author(signer, licensor=old)
    published = cluster.publish(author, sealed_to=old)
    license_ = desk.ask(published)
    assert license_.mode is cluster.mode
    assert [right.name for right in license_.rights] == ["VIEW"]
    with pytest.raises(NoRightsForRequestedPrincipal):
        desk.ask(published, "outsider@example.com")


def test_templates_of_an_imported_domain(mode_2: Cluster) -> None:
    """Rulings 2: the domain's own template decides, whatever stands in the document."""
    domain = check_domain(old_file())
    desk = Desk(mode_2.with_state(trusted_licensing_servers=(domain.server,)))
    old = old_licensor()
    author = dataclasses.replace(mode_2, mode=CryptoMode.MODE_1).author(
        mode_2.account(licensor=old, mode=CryptoMode.MODE_1), licensor=old
    )
    wide = old_template(old).text.replace("<VIEW>", "<EDIT>").replace("</VIEW>", "</EDIT>")
    published = mode_2.publish(author, sealed_to=old, rights_data=wide)
    assert [right.name for right in desk.ask(published).rights] == ["VIEW"]


def test_the_slc_of_the_old_cluster_may_issue_now() -> None:
    """(The chain of real structure is one that still may issue, else the tests above would prove little.)"""
    slc = IssuingCertificate.read(old_licensor().chain[0])
    assert NOW in slc.issuance
