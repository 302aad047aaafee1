"""The demo that scripts/run starts: a cluster with three accounts, served; or its whole story, played and printed.

The story runs the real commands as processes of their own, against a real server over HTTP.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

ACCOUNTS = ("author", "reader", "outsider")
_SECRET = "The plan: meet at noon.\n"  # noqa: S105 - the demo's document
_PORT = 8080


class StoryError(Exception):
    """A step of the story did not go as it must."""


@dataclass(frozen=True)
class Demo:
    """A demo cluster: its home, its URL, one password for all accounts."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/_wmcs"

    @property
    def password_file(self) -> Path:
        return self.home / "demo-password"

    def create(self) -> None:
        """Make the cluster and its accounts, unless they are there."""
        if (self.home / "certificates").exists():
            return
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(secrets.token_urlsafe(12) + "\n")
        passphrase = self.home / "passphrase"
        self.rmsserver("init", "--base-url", self.url, "--passphrase-file", str(passphrase), "--name", "DEMO-RMS")
        for name in ACCOUNTS:
            email = f"{name}@example.com"
            self.rmsserver("user", "add", name, "--email", email, "--ntlm", "--password-file", str(self.password_file))

    def rmsserver(self, *words: str) -> str:
        return _run([*_command("rmsserver"), *words, "--home", str(self.home)], os.environ.copy())

    def rmsclient(self, who: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run the client with a store of that person's own."""
        environment = {
            **os.environ,
            "RMSCLIENT_HOME": str(self.home / f"client-of-{who}"),
            "RMSCLIENT_PASSWORD": self.password_file.read_text().strip(),
        }
        return subprocess.run(  # noqa: S603 - our own command
            [*_command("rmsclient"), *words], env=environment, cwd=cwd, capture_output=True, text=True, check=False
        )

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server, as a process, ready on entry and stopped on exit."""
        command = [*_command("rmsserver"), "serve", "--home", str(self.home), "--listen", f"127.0.0.1:{self.port}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        try:
            self._wait_until_ready(process)
            yield
        finally:
            process.terminate()
            process.wait(15)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise StoryError("the server did not become ready")


def _command(name: str) -> list[str]:
    return [sys.executable, "-c", f"from rmsserver.cli.{name} import main; main()"]


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        raise StoryError(f"{' '.join(command[3:5])}: {done.stderr.strip()}")
    return done.stdout


# --- the story ----------------------------------------------------------------------------------------------------------


def tell(demo: Demo) -> None:
    """Play it and print it. Raises StoryError where anything is not as it must be."""
    _say("A new cluster, with accounts author, reader and outsider.")
    demo.create()
    with demo.serving():
        _say(f"It serves {demo.url}.")
        desk = demo.home / "desk"
        desk.mkdir(exist_ok=True)
        for who in ACCOUNTS:
            _say(f"{who} sets up a machine: certificate, account, licensor.")
            password = ("--password-file", str(demo.password_file))
            _client(demo, who, "bootstrap", "--url", demo.url, "--user", who, *password, cwd=desk)
        (desk / "plan.txt").write_text(_SECRET)
        _say("author protects plan.txt for reader@example.com, to view and print.")
        _client(
            demo,
            "author",
            "protect",
            "plan.txt",
            "--grant",
            "reader@example.com=VIEW,PRINT",
            "-o",
            "plan.ptxt",
            cwd=desk,
        )
        if _SECRET.encode() in (desk / "plan.ptxt").read_bytes():
            raise StoryError("the protected file holds the plain text")
        _say("reader opens it:")
        shown = _client(demo, "reader", "open", "plan.ptxt", cwd=desk)
        if shown != _SECRET:
            raise StoryError("the reader did not get the author's text")
        _say(f"    {shown.strip()}")
        _say("reader tries to save an unprotected copy:")
        _refused(demo, "reader", "open", "plan.ptxt", "-o", "copy.txt", cwd=desk)
        _say("outsider tries to open it:")
        _refused(demo, "outsider", "open", "plan.ptxt", cwd=desk)
        _say("author saves her own copy:")
        _client(demo, "author", "open", "plan.ptxt", "-o", "author-copy.txt", cwd=desk)
        if (desk / "author-copy.txt").read_text() != _SECRET:
            raise StoryError("the author's copy is not her text")
        _say("    as it was.")
    _say("All of it held.")


def _client(demo: Demo, who: str, *words: str, cwd: Path) -> str:
    done = demo.rmsclient(who, *words, cwd=cwd)
    if done.returncode != 0:
        raise StoryError(f"rmsclient {words[0]} as {who}: {done.stderr.strip()}")
    return done.stdout


def _refused(demo: Demo, who: str, *words: str, cwd: Path) -> None:
    done = demo.rmsclient(who, *words, cwd=cwd)
    if done.returncode == 0 or _SECRET.strip() in done.stdout or (cwd / "copy.txt").exists():
        raise StoryError(f"{who} was not refused")
    _say(f"    {done.stderr.strip()}")


def _say(line: str) -> None:
    click.echo(line)


# --- the entry ----------------------------------------------------------------------------------------------------------


@click.command()
@click.option("--story", is_flag=True, help="Play the whole story on a cluster of its own.")
@click.option("--serve", "serving", is_flag=True, help="Create the demo cluster in --home where needed, and serve it.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Where the demo cluster lives.")
def main(story: bool, serving: bool, home: Path | None) -> None:
    """The demo of scripts/run."""
    try:
        if story:
            with tempfile.TemporaryDirectory(prefix="rmsserver-demo-") as folder:
                tell(Demo(Path(folder) / "cluster", _free_port()))
        elif serving and home is not None:
            serve(Demo(home, _PORT))
        else:
            raise click.UsageError("name --story, or --serve with --home")
    except StoryError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _require_free(port: int) -> None:
    """The demo's URL names its port, so no other one will do."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise StoryError(f"cannot listen on 127.0.0.1:{port} ({reason}): stop what listens there first") from None


def serve(demo: Demo) -> None:
    """Create the demo cluster where needed, tell how to try it, and become its server. Raises StoryError."""
    _require_free(demo.port)
    created = not (demo.home / "certificates").exists()
    demo.create()
    if created:
        click.echo(f"A demo cluster is in {demo.home}, with accounts author, reader and outsider.")
    bin_ = Path(sys.executable).parent
    click.echo(
        f"""Their password is in {demo.password_file}. In another terminal, try:

  export RMSCLIENT_PASSWORD=$(cat {demo.password_file}) PATH={bin_}:$PATH
  RMSCLIENT_HOME=~/.rms-author rmsclient bootstrap --url {demo.url} --user author
  RMSCLIENT_HOME=~/.rms-reader rmsclient bootstrap --url {demo.url} --user reader
  echo "meet at noon" > plan.txt
  RMSCLIENT_HOME=~/.rms-author rmsclient protect plan.txt --grant reader@example.com=VIEW,PRINT
  RMSCLIENT_HOME=~/.rms-reader rmsclient open plan.ptxt
  rmsserver audit --home {demo.home}
"""
    )
    sys.stdout.flush()
    os.execv(  # noqa: S606 - our own command
        sys.executable,
        [*_command("rmsserver"), "serve", "--home", str(demo.home), "--listen", f"127.0.0.1:{demo.port}"],
    )


if __name__ == "__main__":
    main()
