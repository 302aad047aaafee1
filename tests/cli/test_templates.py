"""`rmsserver template` as an operator has it."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.opening import open_home
from rmsserver.cli.rmsserver import program
from rmsserver.errors import OperatorError
from rmsserver.ports import AuditRecord
from rmsserver.state import AuditTrail, AuthenticationType
from rmsserver.xrml.rights import ApplicationData
from rmsserver.xrml.template import LocalizedName, RightsTemplate
from rmsserver.xrml.values import Guid
from tests.homes import make_home

UNKNOWN = "7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11"
EVERYTHING = (
    *("--name", "Staff", "--name", "1031:Belegschaft", "--description", "1031:Nur intern"),
    *("--grant", "staff@example.com=VIEW,REPLYALL,Stamp Twice", "--grant", "Anyone=VIEW", "--license-days", "3"),
    *("--days", "30", "--rights-request", "mailto:rights@example.com", "--viewer", "--no-cache"),
    *("--data", "Classification=Top = secret", "--no-owner", "--revocation", "own", "--revocation-days", "2"),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


def invoke(home: Path, *words: str) -> Result:
    return CliRunner().invoke(program, ["template", *words, "--home", str(home)], prog_name="rmsserver")


def run(home: Path, *words: str) -> str:
    result = invoke(home, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refused(home: Path, *words: str) -> str:
    error = invoke(home, *words).exception
    assert isinstance(error, OperatorError)
    return str(error)


def add(home: Path, *words: str) -> Guid:
    added = json.loads(run(home, "add", *(words or EVERYTHING), "--json"))
    return Guid.parse(added["guid"])


def template(home: Path, guid: Guid) -> RightsTemplate:
    found = open_home(home).state.template(guid)
    assert found is not None
    return found


def meaning(found: RightsTemplate) -> tuple[object, ...]:
    """All that an administrator decided."""
    points = sorted((p.type, p.address("URL")) for p in found.distribution_points())
    return found.names, found.rights, found.preconditions, found.application_data, points, found.revocation


def test_everything_an_administrator_may_say(home: Path) -> None:
    """Languages, custom rights, application data, the author without full control, a revocation list."""
    found = template(home, add(home))
    assert found.names == (LocalizedName(1033, "Staff", ""), LocalizedName(1031, "Belegschaft", "Nur intern"))
    assert [right.name for right in found.rights] == ["VIEW", "REPLYALL", "STAMP TWICE", "VIEW"]
    assert {right.conditions.days for right in found.rights} == {3}
    assert found.preconditions.days == 30
    assert found.application_data == (
        ApplicationData("NOLICCACHE", "1"),
        ApplicationData("VIEWER", "1"),
        ApplicationData("Classification", "Top = secret"),
    )
    assert found.revocation is not None
    assert "https://rms.rms.test/_wmcs/revocation/revocationlist.xml?key=" in found.revocation
    assert '<INTERVALTIME days="2" />' in found.revocation


def test_a_custom_right_gets_a_hint(home: Path) -> None:
    """On standard error, in add and edit; the template has it all the same."""
    added = invoke(home, "add", "--name", "Staff", "--grant", "Anyone=VIEW,FORWRAD", "--json")
    assert added.stderr == (
        "hint: FORWRAD is no right of the product; taken as a custom right; did you mean FORWARD?\n"
    )
    guid = Guid.parse(json.loads(added.stdout)["guid"])
    assert [right.name for right in template(home, guid).rights if right.name != "OWNER"] == ["VIEW", "FORWRAD"]
    assert invoke(home, "edit", guid, "--grant", "Anyone=READ").stderr.endswith("did you mean VIEW?\n")
    assert invoke(home, "edit", guid, "--grant", "Anyone=view,Print").stderr == ""


def test_show_leaves_nothing_out(home: Path) -> None:
    """In words and for programs: all that `add` was told."""
    guid = add(home)
    told = run(home, "show", "Staff")
    for said in (
        guid,
        "1031",
        "Nur intern",
        "every 3 days",
        "30 days after",
        "mailto:rights@",
        "2 days old",
        "Top = secret",
    ):
        assert said in told
    shown = json.loads(run(home, "show", "Staff", "--json"))
    (listed,) = json.loads(run(home, "list", "--json"))
    assert listed == {key: shown[key] for key in ("guid", "name", "archived", "issued", "version")}
    assert shown["names"][1] == {"lcid": 1031, "name": "Belegschaft", "description": "Nur intern"}
    assert shown["grants"][0] == {"who": "staff@example.com", "right": "VIEW", "license_days": 3}
    assert (shown["until"], shown["days"], shown["rights_request"]) == (None, 30, "mailto:rights@example.com")
    assert shown["data"] == {"NOLICCACHE": "1", "VIEWER": "1", "Classification": "Top = secret"}
    assert shown["revocation"]["days"] == 2


def test_programs_learn_which_template_was_made(home: Path, tmp_path: Path) -> None:
    """By copy and by import."""
    guid = add(home)
    copied = json.loads(run(home, "copy", guid, "--name", "Another", "--json"))
    assert copied["version"] == 1
    assert {guid, copied["guid"]} == set(open_home(home).state.published_templates)
    file = tmp_path / "bare.xml"
    run(home, "export", guid, "-o", str(file), "--bare")
    imported = json.loads(run(home, "import", str(file), "--unsigned", "--replace", "--json"))
    assert imported == [{"guid": guid, "version": 2}]


def test_templates_go_by_name(home: Path) -> None:
    """In any language and letter case, distributed or archived, wherever a GUID does; the audit has the GUID."""
    guid = add(home)
    assert ", version 1, " in run(home, "show", " STAFF")
    run(home, "edit", "belegschaft", "--days", "7")
    assert template(home, guid).preconditions.days == 7
    run(home, "archive", "Staff")
    run(home, "restore", "Staff")
    assert len(run(home, "history", "Staff").splitlines()) == 2
    run(home, "copy", "Staff", "--name", "Board")
    run(home, "delete", "Board")
    assert list(open_home(home).state.published_templates) == [guid]
    last, *_ = (r for r in open_home(home).audit.read() if r.operation == "template restore")
    assert last.trail.facts == {"wanted": ["Staff"], "id": [str(guid)]}


@pytest.mark.parametrize("words", [("show",), ("edit", "--days", "7"), ("archive",), ("delete",), ("history",)])
def test_a_name_that_several_have(home: Path, words: tuple[str, ...]) -> None:
    """Nothing is done, and the line has their GUIDs; one of these is taken. Nor is a name that none has."""
    one, other = (add(home, "--name", name, "--grant", "Anyone=VIEW") for name in ("Staff", "STAFF"))
    told = refused(home, words[0], "staff", *words[1:])
    assert told.startswith("2 templates are called 'staff': name one by its GUID: ")
    assert one in told
    assert other in told
    assert "template list" in refused(home, words[0], "nobody's", *words[1:])
    assert set(open_home(home).state.template_revisions.values()) == {1}
    run(home, words[0], other, *words[1:])


def test_a_copy_says_the_same_under_another_name(home: Path) -> None:
    """It has a GUID of its own."""
    original = add(home)
    [copied] = re.findall(r"Template (\S+) ", run(home, "copy", original, "--name", "Board"))
    assert copied != original
    found = template(home, Guid.parse(copied))
    assert found.names == (LocalizedName(1033, "Board", ""),)
    assert meaning(found)[1:] == meaning(template(home, original))[1:]


def test_versions_are_kept(home: Path) -> None:
    """Each as it was signed; `show` says which one counts."""
    guid = add(home, "--name", "Staff", "--grant", "Anyone=VIEW")
    run(home, "edit", guid, "--name", "Staff 2", "--grant", "Anyone=PRINT")
    lines = run(home, "history", guid).splitlines()
    assert [(line.split()[0], line.split("  ")[-1]) for line in lines] == [("1", "Staff"), ("2", "Staff 2")]
    assert "VIEW" in run(home, "history", guid, "--version", "1")
    assert run(home, "show", guid).startswith(f"{guid}, version 2, distributed\nStaff 2")
    texts = [version["text"] for version in json.loads(run(home, "history", guid, "--json"))]
    assert texts[1] == template(home, guid).text
    assert "template list" in refused(home, "history", UNKNOWN)


def edited(home: Path, *words: str) -> tuple[RightsTemplate, RightsTemplate]:
    """A template that says everything, before and after."""
    guid = add(home)
    before = template(home, guid)
    assert json.loads(run(home, "edit", guid, *words, "--json")) == {"guid": guid, "version": 2}
    return before, template(home, guid)


def test_a_change_leaves_the_rest(home: Path) -> None:
    """What is not named stays: only the rights are others, renewed as before."""
    before, after = edited(home, "--grant", "staff@example.com=PRINT")
    assert [(right.name, right.conditions.days) for right in after.rights] == [("PRINT", 3)]
    unchanged = [part for i, part in enumerate(meaning(before)) if i != 1]
    assert [part for i, part in enumerate(meaning(after)) if i != 1] == unchanged


def test_a_change_of_single_parts(home: Path) -> None:
    """One description, the renewal of every right, one value of the data, one flag."""
    words = ("--description", "1031:Intern", "--license-days", "9", "--data", "Classification=Low", "--cache")
    before, after = edited(home, *words)
    assert after.names == (LocalizedName(1033, "Staff", ""), LocalizedName(1031, "Belegschaft", "Intern"))
    assert [right.name for right in after.rights] == [right.name for right in before.rights]
    assert {right.conditions.days for right in after.rights} == {9}
    assert after.application_data == (ApplicationData("VIEWER", "1"), ApplicationData("Classification", "Low"))
    assert after.preconditions == before.preconditions


@pytest.mark.parametrize(
    ("until", "hour"), [("2999-01-01", "00:00"), ("2999-01-01T00:00", "00:00"), ("2999-01-01T23:59", "23:59")]
)
def test_an_end_is_a_date_with_or_without_a_time(home: Path, until: str, hour: str) -> None:
    """As with `rmsclient protect`: UTC, and a date alone means its beginning."""
    guid = add(home, "--name", "Staff", "--grant", "staff@example.com=VIEW", "--until", until)
    span = template(home, guid).preconditions.span
    assert span is not None
    assert span.end.isoformat() == f"2999-01-01T{hour}:00+00:00"


@pytest.mark.parametrize("until", ["", "tomorrow", "2999-13-01", "2999-01-01T24:00", "2999-01-01 10:00"])
def test_what_is_no_end(home: Path, until: str) -> None:
    """A mistake on the command line; no template is made."""
    before = len(open_home(home).state.published_templates)
    result = invoke(home, "add", "--name", "Staff", "--grant", "staff@example.com=VIEW", "--until", until)
    assert result.exit_code == 2
    assert "--until" in result.output
    assert "is not YYYY-MM-DD or YYYY-MM-DDTHH:MM" in result.output
    assert len(open_home(home).state.published_templates) == before


def test_an_end_date_takes_the_place_of_days(home: Path) -> None:
    """2.2.9.10.4.1: a template has one of the two."""
    guid = add(home)
    run(home, "edit", guid, "--until", "2999-01-01T00:00")
    conditions = template(home, guid).preconditions
    assert (conditions.days, conditions.span is None) == (None, False)
    assert "--until or --days" in refused(home, "edit", guid, "--until", "2999-01-01T00:00", "--days", "3")
    run(home, "edit", guid, "--days", "3")
    conditions = template(home, guid).preconditions
    assert (conditions.days, conditions.span) == (3, None)


def test_a_change_takes_parts_away(home: Path) -> None:
    """--without, part by part; the author gets full control back."""
    parts = ("days", "license-days", "rights-request", "revocation", "data")
    before, after = edited(home, "--owner", *(word for part in parts for word in ("--without", part)))
    assert after.preconditions.days is None
    assert {right.conditions.days for right in after.rights} == {None}
    assert after.revocation is None
    assert after.application_data == (ApplicationData("NOLICCACHE", "1"), ApplicationData("VIEWER", "1"))
    assert not [point for point in after.distribution_points() if point.type == "Referral-Info"]
    assert {right.name for right in after.rights} - {right.name for right in before.rights} == {"OWNER"}
    assert after.names == before.names


def test_a_change_of_nothing_is_no_version(home: Path) -> None:
    """Nor is a description in a language without a name."""
    guid = add(home)
    assert "nothing would change" in refused(home, "edit", guid)
    assert "nothing would change" in refused(home, "edit", guid, "--viewer")
    assert "--name 1036:NAME" in refused(home, "edit", guid, "--description", "1036:Interne")
    assert run(home, "show", guid).startswith(f"{guid}, version 1, ")
    assert "template list" in refused(home, "edit", UNKNOWN, "--viewer")


def test_deleting_what_documents_depend_on_needs_force(home: Path) -> None:
    """The audit knows them; another template's documents do not count."""
    used, unused = add(home), add(home)
    trail = AuditTrail()
    trail.note("template", f"{used}:1")
    now = dt.datetime.now(dt.UTC)
    record = AuditRecord(now, "AcquireLicense", "ok", "", AuthenticationType.NTLM, "x", "", 1.0, trail)
    open_home(home).audit.write_now(record)
    assert "--force" in refused(home, "delete", used)
    run(home, "delete", unused)
    assert list(open_home(home).state.published_templates) == [used]
    run(home, "delete", used, "--force")
    assert open_home(home).state.published_templates == {}


def test_a_package_goes_to_another_cluster_and_back(home: Path, tmp_path: Path) -> None:
    """Under the same GUIDs, signed by the importing cluster; a second import makes new versions only when told so."""
    guids = {add(home), add(home, "--name", "Plain", "--grant", "Anyone=VIEW")}
    fingerprint = run(home, "export", "-o", str(tmp_path / "package.xml")).splitlines()[-1]
    other = make_home(tmp_path / "other", base_url="https://other.rms.test/_wmcs")
    words = ("import", str(tmp_path / "package.xml"), "--fingerprint")
    assert "not the one given" in refused(other, *words, "00" * 32)
    assert "compare" in refused(other, "import", str(tmp_path / "package.xml"))
    run(other, *words, fingerprint, "--archived")
    archived = open_home(other).state.archived_templates
    assert set(archived) == guids
    for guid, found in archived.items():
        assert meaning(found)[:4] == meaning(template(home, guid))[:4]
        found.verify(open_home(other).state.licensor.key.public)
    assert "--replace" in refused(other, *words, fingerprint)
    run(other, *words, fingerprint, "--replace")
    assert set(open_home(other).state.template_revisions.values()) == {2}


def test_a_package_that_was_altered_is_refused(home: Path, tmp_path: Path) -> None:
    """The signature is over everything."""
    add(home)
    package = tmp_path / "package.xml"
    fingerprint = run(home, "export", "-o", str(package)).splitlines()[-1]
    package.write_bytes(package.read_bytes().replace(b"staff@example.com", b"thief@example.com"))
    assert "signature" in refused(home, "import", str(package), "--fingerprint", fingerprint, "--replace")


def test_bare_templates_are_imported_only_knowingly(home: Path, tmp_path: Path) -> None:
    """As the product's tools write them; one that was altered is refused all the same."""
    guid = add(home)
    bare = tmp_path / "bare.xml"
    run(home, "export", guid, "-o", str(bare), "--bare")
    before = meaning(template(home, guid))
    run(home, "delete", guid)
    assert "--unsigned" in refused(home, "import", str(bare))
    run(home, "import", str(bare), "--unsigned")
    assert meaning(template(home, guid)) == before
    text = bare.read_text("utf-16").replace("staff@example.com", "thief@example.com")
    bare.write_text(text, "utf-8")
    assert "cannot be used" in refused(home, "import", str(bare), "--unsigned", "--replace")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("copy", UNKNOWN, "--name", "x"), "template list"),
        (("delete", UNKNOWN), "template list"),
        (("export", UNKNOWN, "-o", "x"), "template list"),
        (("add", "--name", "x", "--grant", "Anyone=VIEW", "--data", "x"), "NAME=VALUE"),
        (("add", "--name", "x", "--grant", "Anyone=VIEW", "--data", "=x"), "NAME=VALUE"),
        (("add", "--name", "x", "--grant", "Anyone=VIEW", "--viewer", "--data", "VIEWER=2"), "twice"),
        (("add", "--name", "x", "--grant", "Anyone=VIEW", "--revocation", "file:///x"), "web address"),
        (("add", "--name", "x", "--grant", "Anyone=VIEW", "--revocation", "own", "--revocation-key", __file__), "own"),
        (
            (
                "add",
                "--name",
                "x",
                "--grant",
                "Anyone=VIEW",
                "--revocation",
                "http://x/y",
                "--revocation-key",
                __file__,
            ),
            "key file",
        ),
        (("import", __file__, "--unsigned"), "neither a package"),
    ],
)
def test_what_cannot_be_is_one_line(home: Path, words: tuple[str, ...], says: str) -> None:
    """Nothing changes."""
    assert says in refused(home, *words)
    assert open_home(home).configuration.read().templates == ()
