"""Every administrative command that changes the cluster leaves one audit record; who adds a command says here which it is."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.changes import Change
from rmsserver.cli.opening import open_home
from rmsserver.cli.rmsserver import program
from rmsserver.config import load_config
from rmsserver.errors import OperatorError
from rmsserver.home import NewCluster, create_home
from rmsserver.operations.admin.publishing_domain_file import write_publishing_domain
from rmsserver.operations.admin.templates import list_templates
from rmsserver.ports import AuditRecord, PortUnavailable
from rmsserver.stores.sql.audit import SqlAudit
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster
from tests.operations.admin.old_cluster import old_file

READ_ONLY = {
    "serve",
    "doctor",
    "audit",
    "endpoints",
    "client-settings",
    "xrml verify",
    "xrml show",
    "user list",
    "group list",
    "group show",
    "directory status",
    "directory flush",
    "template list",
    "template show",
    "template history",
    "template export",
    "exclusion user list",
    "exclusion application list",
    "exclusion security-processor list",
    "exclusion os list",
    "revocation list",
    "revocation export",
    "scp show",
    "decommission status",
    "config list",
    "config get",
    "spc list",
    "tud list",
    "tpd list",
    "key list",
    "enrollment request",
}
"""Commands that change nothing of what the cluster trusts or gives."""
PASSPHRASE, PASSWORD, NEW_PASSPHRASE = "CANARY passphrase", "CANARY password", "CANARY new passphrase"
OPERATOR = f"operator {pwd.getpwuid(os.getuid()).pw_name}"
PARTNER = make_cluster(CryptoMode.MODE_2, "stranger")
READER = "reader@example.com"


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(leaves(program))
CHANGES = {words for words, command in COMMANDS.items() if isinstance(command, Change)}


class Operator:
    """Somebody at a command line, with a cluster of mode 1 and files of other clusters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.passphrase = PASSPHRASE
        self.home.mkdir(mode=0o700)
        (self.home / "rmsserver.toml").write_text('passphrase_source = "environment"\n')
        new = NewCluster("http://rms.example.com/_wmcs", None, CryptoMode.MODE_1, "HERE", "EXAMPLE")
        create_home(load_config(self.home), new, PASSPHRASE)
        old = old_file()
        (folder / "old.xml").write_bytes(
            write_publishing_domain(old.chain, old.templates, old.key, old.key_id, PASSWORD)
        )
        (folder / "partner.bin").write_text("".join(PARTNER.state.licensor.chain))
        (folder / "issuer.xml").write_text("".join(PARTNER.machines.licensor.chain))

    def run(self, *words: str, home: Path | None = None) -> Result:
        environment = {
            "RMSSERVER_PASSPHRASE": self.passphrase,
            "RMS_FILE_PASSWORD": PASSWORD,
            "RMS_USER_PASSWORD": PASSWORD,
            "RMS_NEW_PASSPHRASE": NEW_PASSPHRASE,
        }
        return CliRunner().invoke(program, [*words, "--home", str(home or self.home)], env=environment)

    def records(self, home: Path | None = None) -> list[AuditRecord]:
        return open_home(home or self.home).audit.read(limit=1000)

    @property
    def template(self) -> str:
        os.environ["RMSSERVER_PASSPHRASE"] = self.passphrase
        return str(list_templates(open_home(self.home).state)[0].guid)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RMSSERVER_PASSPHRASE", PASSPHRASE)
        yield Operator(tmp_path_factory.mktemp("operator"))


def the_record(operator: Operator, *words: str, home: Path | None = None, outcome: str = "ok") -> AuditRecord:
    """The one record that the command left; it has the operator, and no secret."""
    there = home or operator.home
    before = len(operator.records(there)) if there.exists() else 0
    result = operator.run(*words, home=home)
    assert (result.exit_code == 0) == (outcome == "ok"), (words, result.output, result.exception)
    records = operator.records(there)
    assert len(records) == before + 1, f"{' '.join(words)} left {len(records) - before} records"
    record = records[0]
    assert (record.account, record.application, record.outcome) == (OPERATOR, "rmsserver", outcome)
    assert "CANARY" not in json.dumps([record.trail.facts, record.trail.alerts])
    return record


def test_every_command_is_known() -> None:
    """It changes something, or stands in the list of those that do not."""
    assert set(COMMANDS) - CHANGES == READ_ONLY


STORY: list[tuple[str, ...]] = [
    ("user", "add", "alice", "--email", "alice@example.com", "--ntlm"),
    ("user", "add", "reader", "--email", READER),
    ("user", "emails", "alice", "alice@example.com", "a@example.com"),
    ("user", "password", "alice"),
    ("user", "ntlm", "alice", "off"),
    ("user", "disable", "alice"),
    ("user", "enable", "alice"),
    ("group", "add", "staff@example.com"),
    ("group", "add-member", "staff@example.com", "alice", "reader"),
    ("group", "remove-member", "staff@example.com", "alice"),
    ("group", "remove", "staff@example.com"),
    ("user", "remove", "alice"),
    ("config", "set", "superUserGroup", "all@example.com"),
    ("config", "reset", "superUserGroup"),
    ("exclusion", "user", "block", READER),
    ("exclusion", "user", "unblock", READER),
    ("exclusion", "user", "add", "ab" * 32),
    ("exclusion", "user", "remove", "ab" * 32),
    ("exclusion", "application", "add", "WINWORD.EXE", "--versions", "0-11"),
    ("exclusion", "application", "remove", "WINWORD.EXE"),
    ("exclusion", "security-processor", "add", "6.1.7600.16385"),
    ("exclusion", "security-processor", "remove"),
    ("exclusion", "os", "add"),
    ("exclusion", "os", "remove"),
    ("revocation", "add", "content-id", "7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11"),
    ("revocation", "remove", "content-id", "7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11"),
    ("template", "add", "--name", "Staff only", "--grant", "staff@example.com=VIEW"),
    ("template", "edit", "{template}", "--days", "3"),
    ("template", "archive", "{template}"),
    ("template", "restore", "{template}"),
    ("template", "delete", "{template}"),
    ("template", "add", "--name", "Board only", "--grant", "board@example.com=VIEW"),
    ("template", "copy", "{template}", "--name", "Board also"),
    ("template", "import", "{folder}/templates.xml", "--unsigned", "--replace"),
    ("spc", "trust", "{folder}/issuer.xml"),
    ("spc", "remove", "{issuer}"),
    ("client-bundle", "-o", "{folder}/machines.bundle"),
    ("tud", "export", "-o", "{folder}/our.tud"),
    ("tud", "import", "{folder}/partner.bin", "--all-domains", "--fingerprint", "{partner}"),
    ("tud", "remove", "{tud}"),
    ("tpd", "export", "-o", "{folder}/our.xml"),
    ("tpd", "import", "{folder}/old.xml"),
    ("tpd", "remove", "{tpd}", "--yes"),
    ("decommission", "prepare"),
    ("decommission", "confirm", "{code}"),
    ("decommission", "undo"),
    ("key", "renew"),
    ("key", "rollover", "--yes"),
    ("key", "templates"),
    ("key", "upgrade-mode", "--yes"),
    ("backup", "{folder}/cluster.backup"),
    ("key", "passphrase"),
]
"""What can be done to one cluster one after the other. In braces: what earlier commands made."""
ELSEWHERE = {
    "init",
    "restore",
    "tpd adopt",
    "scp register",
    "scp remove",
    "enrollment answer",
    "enrollment complete",
}
"""Those that need a cluster of their own, or a domain. Enrollment: test_enrollment.py."""


def test_every_change_is_tried() -> None:
    """In the story below, or in a test of its own."""
    told = {" ".join(words) for words in STORY}
    missing = {change for change in CHANGES if not any(f"{words} ".startswith(f"{change} ") for words in told)}
    assert missing == ELSEWHERE


def test_every_change_leaves_one_record(operator: Operator) -> None:
    """Under its own words, by whoever ran it, with what it was about and without a password."""
    found = {
        "folder": str(operator.folder),
        "partner": PARTNER.state.licensor.key.public.id.hex(),
        "issuer": PARTNER.machines.licensor.key.public.id.hex(),
    }
    for words in STORY:
        if "{template}" in words:
            found["template"] = operator.template
        if words[:2] == ("template", "import"):
            exported = operator.run("template", "export", operator.template, "--bare", "-o", words[2].format(**found))
            assert exported.exit_code == 0, exported.exception
        if "{code}" in words:
            found["code"] = operator.run("decommission", "prepare").output.split(" confirm ")[1].split()[0]
        record = the_record(operator, *(word.format(**found) for word in words))
        assert f"{' '.join(words)} ".startswith(f"{record.operation} ")
        assert record.operation in CHANGES
        assert found.get("code", "CANARY") not in str(record.trail.facts)
        if words[:2] in (("tud", "import"), ("tpd", "import")):
            found[words[0]] = record.trail.facts["id"][0]
        if words == ("key", "passphrase"):
            operator.passphrase = NEW_PASSPHRASE


def test_what_a_record_says(operator: Operator) -> None:
    """The words of the command by their names, what it made by its id; each part of a list."""
    added = the_record(operator, "user", "add", "carol", "--email", "carol@example.com", "--email", "c@example.com")
    carol = open_home(operator.home).administration.user("carol")
    assert added.trail.facts == {
        "login": ["carol"],
        "emails": ["carol@example.com", "c@example.com"],
        "id": [carol.sid],
    }
    super_user = the_record(operator, "config", "set", "superUserGroup", "rescue@example.com")
    assert super_user.trail.facts == {"key": ["superUserGroup"], "value": ["rescue@example.com"]}
    assert super_user.trail.alerts == ["who opens every document was changed: superUserGroup"]


def test_the_operator_is_the_process_not_a_variable(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """LOGNAME is anybody's to set; SUDO_USER is noted as what it is, a hint."""
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("SUDO_USER", "alice")
    record = the_record(operator, "config", "set", "name", "HERE")
    assert record.account == OPERATOR
    assert record.trail.facts["sudo_user"] == ["alice"]


def test_a_change_that_fails(operator: Operator) -> None:
    """It may have done a part: a record with the outcome "failed"."""
    record = the_record(operator, "user", "remove", "nosuch", outcome="failed")
    assert (record.operation, record.trail.facts) == ("user remove", {"name": ["nosuch"]})


def test_scp_without_its_domain(operator: Operator) -> None:
    """Written in tests/live where there is one; here no controller answers."""
    words = ("--controller", "ldap://127.0.0.1:1", "--bind-user", "x@example.com", "--password-file")
    file = operator.folder / "bind"
    file.touch(0o600)
    file.write_text("CANARY\n")
    for command in ("register", "remove"):
        assert the_record(operator, "scp", command, *words, str(file), outcome="failed").operation == f"scp {command}"


def test_what_is_not_done_leaves_none(operator: Operator) -> None:
    """In service already; and mistakes on the command line itself."""
    before = len(operator.records())
    assert operator.run("decommission", "undo").exit_code == 0
    assert operator.run("user", "add").exit_code != 0
    assert len(operator.records()) == before


def test_the_first_record_of_a_cluster(operator: Operator) -> None:
    """Of init, and of restore, in the audit of the cluster that they make."""
    home = operator.folder / "made"
    made = the_record(operator, "init", "--base-url", "http://127.0.0.1:1/_wmcs", "--crypto-mode", "1", home=home)
    assert (made.operation, made.trail.facts["base_url"]) == ("init", ["http://127.0.0.1:1/_wmcs"])
    file = operator.folder / "made.backup"
    fingerprint = the_record(operator, "backup", str(file), home=home).trail.facts["fingerprint"]
    restored = operator.folder / "restored"
    assert operator.run("restore", str(file), home=restored).exit_code == 0
    last, *earlier = operator.records(restored)
    assert (last.operation, last.trail.facts["signed_by"]) == ("restore", fingerprint)
    assert [record.operation for record in earlier] == ["init"]
    adopted = the_record(operator, "tpd", "adopt", str(operator.folder / "old.xml"), "--yes", home=restored)
    assert adopted.trail.facts["key"] == [old_file().key.public.id.hex()]
    assert adopted.trail.alerts


def test_an_audit_that_cannot_be_written(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator hears that the change stands, and that it was not recorded."""

    def full(*_: object) -> None:
        raise PortUnavailable("the disk is full")

    monkeypatch.setattr(SqlAudit, "write_now", full)
    result = operator.run("config", "set", "name", "THERE")
    assert isinstance(result.exception, OperatorError)
    assert str(result.exception).startswith("it is done, but the audit could not record it")
    assert "THERE" in operator.run("config", "get", "name").output
