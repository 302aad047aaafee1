"""rmsserver.config"""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rmsserver.config import Config, ConfigError, EndpointAccess, load_config, read_passphrase


def _write(home: Path, text: str) -> None:
    (home / "rmsserver.toml").write_text(text)


def _lines(home: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(home)
    return caught.value.lines


def test_defaults(tmp_path: Path) -> None:
    """Without a file everything has a default, and the database lies in the home."""
    config = load_config(tmp_path)
    assert config.listen_port == 8080
    assert config.database == f"sqlite:///{tmp_path}/state.db"


def test_one_endpoint_can_be_opened(tmp_path: Path) -> None:
    """What is set replaces that endpoint alone, in any letter case of the path."""
    _write(tmp_path, '[endpoints."Licensing/License.asmx"]\naccess = "anonymous"\n')
    endpoints = load_config(tmp_path).endpoints
    assert {path: endpoint.access for path, endpoint in endpoints.items()} == {
        "licensing/license.asmx": EndpointAccess.ANONYMOUS
    }


def test_listed_needs_accounts(tmp_path: Path) -> None:
    """`listed` without accounts would close an endpoint by mistake."""
    _write(tmp_path, '[endpoints."licensing/license.asmx"]\naccess = "listed"\n')
    assert "accounts" in _lines(tmp_path)[0]


def test_environment_beats_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable wins over the file, also inside a table, whose other keys stay."""
    _write(tmp_path, "listen_port = 1\n[limits]\nbody_bytes = 70000\nrequest_seconds = 1\n")
    monkeypatch.setenv("RMSSERVER_LISTEN_PORT", "2")
    monkeypatch.setenv("RMSSERVER_LIMITS__REQUEST_SECONDS", "2")
    config = load_config(tmp_path)
    assert (config.listen_port, config.limits.body_bytes, config.limits.request_seconds) == (2, 70000, 2.0)


def test_command_line_beats_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed wins over everything; None means not typed."""
    monkeypatch.setenv("RMSSERVER_LISTEN_PORT", "2")
    assert load_config(tmp_path, {"listen_port": 3, "log_level": None}).listen_port == 3


def test_every_mistake_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake has its line, which names the key, from file and environment alike."""
    _write(tmp_path, "listen_port = 99999\nnonsense = 1\n[limits]\nbody_bytes = 1\nspelled_wrong = 2\n")
    monkeypatch.setenv("RMSSERVER_LISTNE", "x")
    found = "\n".join(_lines(tmp_path))
    for key in ("listen_port:", "nonsense:", "limits.body_bytes:", "limits.spelled_wrong:", "RMSSERVER_LISTNE:"):
        assert key in found


def test_values_are_not_repeated_in_errors(tmp_path: Path) -> None:
    """A line never holds the value: it may be a password inside a URL."""
    _write(tmp_path, 'listen_port = "sesame"\n')
    assert "sesame" not in "\n".join(_lines(tmp_path))


def test_not_toml(tmp_path: Path) -> None:
    """A file that is not TOML is one clear line with its place."""
    _write(tmp_path, "listen_port 8080")
    assert "not a TOML file" in _lines(tmp_path)[0]


def test_pairs(tmp_path: Path) -> None:
    """TLS certificate and key, passphrase file and source belong together."""
    _write(tmp_path, 'tls_key = "k"\npassphrase_source = "file"\n')
    found = "\n".join(_lines(tmp_path))
    assert "tls_certificate" in found
    assert "passphrase_file" in found


def test_frozen(tmp_path: Path) -> None:
    """Nobody changes a configuration that was read."""
    config = load_config(tmp_path)
    with pytest.raises(ValidationError):
        config.listen_port = 1


def _with_file(tmp_path: Path, mode: int) -> Config:
    path = tmp_path / "pass"
    path.write_text("open sesame\n")
    path.chmod(mode)
    return load_config(tmp_path, {"passphrase_source": "file", "passphrase_file": path})


def test_passphrase_from_file(tmp_path: Path) -> None:
    """The first line without its end."""
    assert read_passphrase(_with_file(tmp_path, 0o600), lambda: "") == "open sesame"


def test_passphrase_file_open_to_others(tmp_path: Path) -> None:
    """A passphrase that others can read is refused with the chmod to run."""
    with pytest.raises(ConfigError, match="chmod 600"):
        read_passphrase(_with_file(tmp_path, 0o644), lambda: "")


def test_passphrase_from_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is used where the source says so, and missed with a line that names it."""
    config = load_config(tmp_path, {"passphrase_source": "environment"})
    with pytest.raises(ConfigError, match="RMSSERVER_PASSPHRASE"):
        read_passphrase(config, lambda: "")
    monkeypatch.setenv("RMSSERVER_PASSPHRASE", "open sesame")
    assert read_passphrase(config, lambda: "") == "open sesame"


def test_kerberos_needs_a_domain(tmp_path: Path) -> None:
    """The embedded directory has no tickets; the line names the key."""
    _write(tmp_path, '[sign_on]\nmechanisms = ["kerberos"]\n')
    assert _lines(tmp_path)[0].startswith("sign_on.mechanisms:")


def test_a_domain_needs_a_keytab_unless_nothing_uses_it(tmp_path: Path) -> None:
    """Kerberos and Basic do; NTLM alone does not."""
    ldap = '[directory]\nkind = "ldap"\ncontrollers = ["ldaps://dc1.example.com"]\n'
    _write(tmp_path, ldap)
    assert _lines(tmp_path)[0].startswith("sign_on.keytab:")
    _write(tmp_path, ldap + '[sign_on]\nmechanisms = ["ntlm"]\nbasic = "never"\n')
    assert load_config(tmp_path).sign_on.mechanisms == ("ntlm",)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('search_base = "DC=x"', "search_base"),
        ('kind = "ldap"', "controllers"),
        ('kind = "ldap"\ncontrollers = ["ldaps://a"]\nbind_user = "x"', "bind_password_file"),
    ],
)
def test_a_directory_table_that_does_not_fit(tmp_path: Path, table: str, words: str) -> None:
    """Every line names the table and the key."""
    _write(tmp_path, f"[directory]\n{table}\n")
    assert _lines(tmp_path)[0].startswith("directory: ")
    assert words in _lines(tmp_path)[0]
