"""Helpers that behave and helpers that do not, as small programs in the place of `ntlm_auth`."""

from __future__ import annotations

import base64
import threading
import time
from pathlib import Path

import pytest

from rmsserver.auth.domain_accounts import DomainAccounts
from rmsserver.auth.ntlm_messages import AuthenticateMessage, ClientChallenge, Flags
from rmsserver.auth.winbind import Helpers, WinbindSettings, WinbindVerifier
from rmsserver.ports import PortUnavailable
from tests.auth.domain import ALICE, DomainInMemory

CHALLENGE = bytes(range(8))
KEY = bytes(range(16))
NT = bytes(16) + b"\x01\x01" + bytes(30)

HONEST = """
import base64, os, sys
lines = []
for line in sys.stdin:
    if line != ".\\n":
        lines.append(line.rstrip("\\n"))
        continue
    fields = dict(l.split(": ", 1) for l in lines)
    lines = []
    user = base64.b64decode(fields["Username:"]).decode()
    open(FOLDER + "/asked", "a").write(repr(fields) + "\\n")
    open(FOLDER + "/pids", "a").write(f"{os.getpid()}\\n")
    if user == "alice":
        print("Authenticated: Yes\\nUser-Session-Key: 000102030405060708090A0B0C0D0E0F\\n.", flush=True)
    else:
        print("Authenticated: No\\nAuthentication-Error: " + user + "\\n.\\n.", flush=True)
"""


def _program(folder: Path, source: str) -> Path:
    program = folder / "ntlm_auth"
    program.write_text(f"#!/usr/bin/env python3\nFOLDER = {str(folder)!r}\n{source}")
    program.chmod(0o755)
    return program


def _helpers(folder: Path, source: str, *, helpers: int = 2, timeout_s: float = 5.0) -> Helpers:
    return Helpers(WinbindSettings(_program(folder, source), helpers), timeout_s=timeout_s)


def _message(user: str, domain: str = "RMSTEST") -> AuthenticateMessage:
    return AuthenticateMessage(Flags.UNICODE, domain, user, b"", NT, b"", None, b"")


def _verify(helpers: Helpers, user: str, domain: str = "RMSTEST") -> object:
    verifier = WinbindVerifier(helpers, DomainAccounts(DomainInMemory()))
    return verifier.verify(_message(user, domain), ClientChallenge(bytes(16), b"", 0, {}), CHALLENGE)


def test_a_right_response(tmp_path: Path) -> None:
    """The account as the directory spells it, and the session key that came from the controller."""
    helpers = _helpers(tmp_path, HONEST)
    proven = _verify(helpers, "alice")
    assert proven is not None
    assert (proven.account, proven.base_key) == (ALICE, KEY)  # type: ignore[attr-defined]
    helpers.close()


def test_a_refusal_never_reaches_the_next_question(tmp_path: Path) -> None:
    """Samba ends refusals twice over; right and wrong passwords in turn get each their own answer."""
    helpers = _helpers(tmp_path, HONEST)
    for _ in range(3):
        assert _verify(helpers, "mallory") is None
        assert _verify(helpers, "alice") is not None
    helpers.close()


def test_a_helper_is_used_again(tmp_path: Path) -> None:
    """Right answers in a row come from one process."""
    helpers = _helpers(tmp_path, HONEST)
    for _ in range(3):
        _verify(helpers, "alice")
    assert len(set((tmp_path / "pids").read_text().split())) == 1
    helpers.close()


def test_names_cannot_become_lines(tmp_path: Path) -> None:
    """Whatever a client calls itself stays inside one field."""
    helpers = _helpers(tmp_path, HONEST)
    assert _verify(helpers, "x\nPassword: y\n.\n", "a\nb") is None
    fields = (tmp_path / "asked").read_text()
    assert base64.b64encode(b"x\nPassword: y\n.\n").decode() in fields
    assert "Password" not in fields
    helpers.close()


def test_an_account_that_the_directory_does_not_know(tmp_path: Path) -> None:
    """A right password for an account outside of the directory signs nobody on."""
    helpers = _helpers(tmp_path, HONEST.replace('user == "alice"', "True"))
    assert _verify(helpers, "stranger") is None
    assert _verify(helpers, "dave") is None
    helpers.close()


@pytest.mark.parametrize(
    "answer",
    [
        "Authenticated: Yes\\n.",
        "Authenticated: Yes\\nUser-Session-Key: 00\\n.",
        "Authenticated: Yes\\nUser-Session-Key: 00000000000000000000000000000000\\n.",
    ],
)
def test_yes_without_a_session_key_is_no(tmp_path: Path, answer: str) -> None:
    """Without the key nothing binds the answer to the client's message."""
    helpers = _helpers(
        tmp_path, f"import sys\nfor line in sys.stdin:\n    if line == '.\\n': print('{answer}', flush=True)"
    )
    assert _verify(helpers, "alice") is None
    helpers.close()


@pytest.mark.parametrize(
    "source",
    [
        "",
        "import sys\nsys.stdin.readline()",
        "import time\ntime.sleep(60)",
        "print('x' * 10**6, flush=True)\nimport time\ntime.sleep(60)",
        "import sys\nfor line in sys.stdin:\n    if line == '.\\n': print('Error: No password supplied!\\n.', flush=True)",
        "import sys\nfor line in sys.stdin:\n    if line == '.\\n':\n"
        "        print('Authenticated: No\\nAuthentication-Error: Reading winbind reply failed!\\n.\\n.', flush=True)",
    ],
    ids=["ends", "dies", "hangs", "babbles", "confused", "no winbind"],
)
def test_a_helper_of_no_use_is_a_fault_in_time(tmp_path: Path, source: str) -> None:
    """PortUnavailable, so that nobody's counter moves and the caller is told to try again."""
    helpers = _helpers(tmp_path, source, timeout_s=1.0)
    begun = time.monotonic()
    with pytest.raises(PortUnavailable):
        _verify(helpers, "alice")
    assert time.monotonic() - begun < 4
    helpers.close()


def test_a_missing_program(tmp_path: Path) -> None:
    """PortUnavailable, not a traceback."""
    helpers = Helpers(WinbindSettings(tmp_path / "nothing"))
    with pytest.raises(PortUnavailable):
        _verify(helpers, "alice")
    with pytest.raises(PortUnavailable):
        helpers.server_names()


def test_a_helper_that_died_meanwhile_is_replaced(tmp_path: Path) -> None:
    """It answered once and ended; the next question goes to a new one."""
    helpers = _helpers(tmp_path, HONEST.replace("flush=True)\n    else", "flush=True); sys.exit()\n    else"))
    for _ in range(3):
        assert _verify(helpers, "alice") is not None
        time.sleep(0.2)
    helpers.close()


def test_no_more_helpers_than_allowed(tmp_path: Path) -> None:
    """Six questions at once, two processes at most, every one answered."""
    source = HONEST.replace("    user =", "    import time; time.sleep(0.05)\n    user =", 1)
    helpers, results = _helpers(tmp_path, source), list[object]()
    threads = [threading.Thread(target=lambda: results.append(_verify(helpers, "alice"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(results)
    assert len(set((tmp_path / "pids").read_text().split())) <= 2
    helpers.close()
