"""A real Active Directory for tests: one or two Samba domain controllers on loopback addresses of their own.

    domain = Domain.create(Path("/tmp/somewhere"))      # two controllers, provisioned, joined, seeded, started
    domain.controllers[0].stop(); domain.controllers[0].start()
    domain.close()

Needs root (ports 88, 389, 636, 3268, 3269) and Samba; `scripts/samba-dc install` gets it. Every run takes addresses of
its own under 127.0.0.0/8, so that several can run at once. Passwords and names are in `people`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.live import people
from tests.live.authority import Authority

PORTS = (88, 389, 636, 3268, 3269)
ADMINISTRATOR = "Administrator"
_PROGRAMS = ("samba", "samba-tool", "ldbadd", "kinit")
_SERVICES = "ldap, cldap, kdc, rpc, drepl, winbindd"
_START_SECONDS = 30
_SYSTEM_WINBIND = Path("/run/samba/winbindd")


class Unavailable(Exception):
    """Why there can be no domain here, in one line."""


@dataclass
class Controller:
    """One domain controller: its files under `home`, its services on `address`."""

    name: str
    address: str
    home: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def configuration(self) -> Path:
        return self.home / "etc/smb.conf"

    @property
    def database(self) -> Path:
        return self.home / "private/sam.ldb"

    @property
    def log(self) -> Path:
        return self.home / "samba.log"

    def uri(self, *, tls: bool = False, catalogue: bool = False) -> str:
        """`ldap://` or `ldaps://` with the address; the port of the global catalogue where asked for."""
        port = {(False, False): 389, (True, False): 636, (False, True): 3268, (True, True): 3269}[tls, catalogue]
        return f"{'ldaps' if tls else 'ldap'}://{self.address}:{port}"

    def start(self, *, detached: bool = False) -> None:
        """Start, and wait until LDAP, LDAPS, the catalogue and Kerberos answer. Raises `Unavailable`.

        Samba ends by itself when its standard input closes, that is when the test run dies; not so where detached.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["samba", "-i", "-M", "single", "-s", str(self.configuration), "--debug-stdout"],
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not all(_listens(self.address, port) for port in PORTS):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Unavailable(f"samba on {self.address} did not start; its log ends: {self._last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it cleanly, with its children; by force where it takes longer than ten seconds."""
        process, self.process = self.process, None
        if process is None:
            return
        end_group(process.pid)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Gone: its ports refuse connections."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped in its tracks: it accepts connections and never answers, as a hung machine does."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def _last_words(self) -> str:
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-3:])


@dataclass
class Domain:
    """The domain RMS.TEST: its controllers, its CA, its Kerberos configuration and its keytabs."""

    home: Path
    controllers: list[Controller]
    authority: Authority = field(repr=False)

    @classmethod
    def create(cls, home: Path, *, controllers: int = 2, detached: bool = False) -> Domain:
        """Provision, join, seed and start. Raises `Unavailable`."""
        why_not = obstacle()
        if why_not:
            raise Unavailable(why_not)
        network = _free_network()
        home.mkdir(parents=True, exist_ok=True)
        places = [Controller(f"dc{n}", f"{network}.{n}", home / f"dc{n}") for n in range(1, controllers + 1)]
        domain = cls(home, places, Authority(home / "ca.pem", f"{people.REALM} CA"))
        domain._write_kerberos_configuration()
        try:
            domain._provision(domain.controllers[0])
            domain._seed(domain.controllers[0])
            domain.controllers[0].start(detached=detached)
            for controller in domain.controllers[1:]:
                domain._join(controller)
                controller.start(detached=detached)
        except BaseException:
            domain.close()
            raise
        return domain

    @property
    def kerberos_configuration(self) -> Path:
        return self.home / "krb5.conf"

    @property
    def certificate_authority(self) -> Path:
        """The CA above the controllers' LDAPS certificates, PEM."""
        return self.authority.certificate_file

    @property
    def service_keytab(self) -> Path:
        """Keys of `people.SERVICE_NAMES`, for a server that accepts Kerberos."""
        return self.home / "service.keytab"

    @property
    def bind_keytab(self) -> Path:
        """Keys of the account `svc-bind`, for a server that searches the directory."""
        return self.home / "bind.keytab"

    @property
    def environment(self) -> dict[str, str]:
        """For programs that use Kerberos in this domain."""
        return {"KRB5_CONFIG": str(self.kerberos_configuration), "KRB5CCNAME": f"FILE:{self.home}/tickets"}

    def close(self) -> None:
        """Stop every controller."""
        for controller in self.controllers:
            controller.stop()

    def change(self, dn: str, **changes: str) -> None:
        """Replace attributes on the first controller, as an administrator would."""
        lines = [f"replace: {name}\n{name}: {value}\n-" for name, value in changes.items()]
        self._change(self.controllers[0], "ldbmodify", "\n".join([f"dn: {dn}", "changetype: modify", *lines, ""]))

    @contextlib.contextmanager
    def without_member(self, group: str, member: str) -> Iterator[None]:
        """For a while, `member` is not in `group`; both are names of `people`."""
        self._change_member("delete", group, member)
        try:
            yield
        finally:
            self._change_member("add", group, member)

    def _change_member(self, verb: str, group: str, member: str) -> None:
        change: people.Entry = (
            people.person_dn(group),
            {"changetype": "modify", verb: "member", "member": people.person_dn(member)},
        )
        self._change(self.controllers[0], "ldbmodify", people.ldif([change]))

    def sid(self, login: str) -> str:
        """Of a user or group."""
        rows = self.run("ldbsearch", "-H", str(self.controllers[0].database), f"(sAMAccountName={login})", "objectSid")
        return next(line.split()[1] for line in rows.splitlines() if line.startswith("objectSid:"))

    # --- making it ------------------------------------------------------------------------------------------

    def _provision(self, controller: Controller) -> None:
        self._make_controller(
            controller,
            *("provision", f"--realm={people.REALM}", f"--domain={people.NETBIOS}", "--server-role=dc"),
            *(f"--host-name={controller.name}", f"--host-ip={controller.address}", f"--adminpass={people.PASSWORD}"),
        )

    def _join(self, controller: Controller) -> None:
        first = self.controllers[0]
        self._make_controller(
            controller,
            *("join", people.DNS_DOMAIN, "DC", f"--server={first.address}"),
            *(f"-U{people.NETBIOS}\\{ADMINISTRATOR}%{people.PASSWORD}", f"--option=netbios name={controller.name}"),
        )
        # Ticket requests name a controller by its address here, on whichever controller they are made.
        for where in self.controllers:
            self._add_service_name(where, controller)

    def _make_controller(self, controller: Controller, *words: str) -> None:
        for folder in ("run", "ncalrpc"):
            (controller.home / folder).mkdir(parents=True)
        key, certificate = controller.home / "tls.key", controller.home / "tls.pem"
        host = f"{controller.name}.{people.DNS_DOMAIN}"
        self.authority.issue(host, controller.address, certificate_file=certificate, key_file=key)
        options = {
            "interfaces": f"{controller.address}/8",
            "bind interfaces only": "yes",
            "pid directory": controller.home / "run",
            "ncalrpc dir": controller.home / "ncalrpc",
            "winbindd socket directory": self._winbind_directory(controller),
            "log file": controller.home / "log.%m",
            "server services": _SERVICES,
            # The second one takes Kerberos inside TLS, as Windows does; the first one refuses it, as Samba does.
            "ldap server require strong auth": "yes" if controller is self.controllers[0] else "allow_sasl_over_tls",
            "tls keyfile": key,
            "tls certfile": certificate,
            "tls cafile": self.certificate_authority,
        }
        self.run(
            *("samba-tool", "domain", *words, "--dns-backend=NONE", f"--targetdir={controller.home}"),
            *(f"--option={name}={value}" for name, value in options.items()),
        )

    def _winbind_directory(self, controller: Controller) -> Path:
        # The library behind NTLM looks in the system's place alone: the first controller has it where nobody else does.
        first = controller is self.controllers[0]
        taken = _accepts(_SYSTEM_WINBIND / "pipe")
        return _SYSTEM_WINBIND if first and not taken else controller.home / "winbindd"

    def _seed(self, controller: Controller) -> None:
        self._change(controller, "ldbadd", people.ldif(people.entries()))
        self._change(controller, "ldbmodify", people.ldif([people.loop_closure()]))
        self._add_service_name(controller, controller)
        for principal in people.SERVICE_NAMES:
            self._export_keys(controller, principal, self.service_keytab)
        self._export_keys(controller, "svc-bind", self.bind_keytab)

    def _add_service_name(self, where: Controller, controller: Controller) -> None:
        dn = f"CN={controller.name.upper()},OU=Domain Controllers,{people.DOMAIN_DN}"
        name = f"ldap/{controller.address}"
        change: people.Entry = (
            dn,
            {"changetype": "modify", "add": "servicePrincipalName", "servicePrincipalName": name},
        )
        self._change(where, "ldbmodify", people.ldif([change]))

    def _change(self, controller: Controller, program: str, ldif: str) -> None:
        self.run(program, "-H", str(controller.database), "--relax", given=ldif)

    def _export_keys(self, controller: Controller, principal: str, keytab: Path) -> None:
        self.run(
            *("samba-tool", "domain", "exportkeytab", str(keytab), f"--principal={principal}"),
            f"--configfile={controller.configuration}",
        )

    def run(self, *command: str, given: str = "") -> str:
        """Run a program in this domain's environment; its output. Raises `Unavailable` with the line that says why."""
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, env=os.environ | self.environment, timeout=120
        )
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
            told = next((line for line in lines if line.startswith("ERROR")), lines[-1])
            raise Unavailable(f"{' '.join(command[:3])} failed: {told}")
        return done.stdout

    def _write_kerberos_configuration(self) -> None:
        centres = "".join(f"  kdc = {controller.address}\n" for controller in self.controllers)
        self.kerberos_configuration.write_text(
            f"[libdefaults]\n default_realm = {people.REALM}\n dns_lookup_realm = false\n dns_lookup_kdc = false\n"
            " dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n"
            f"[realms]\n {people.REALM} = {{\n{centres} }}\n"
        )


def obstacle() -> str:
    """Why there can be no domain on this machine, in one line; "" where there can."""
    if os.geteuid() != 0:
        return "a domain controller needs root for its ports"
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)}; try scripts/samba-dc install" if missing else ""


def end_group(leader: int) -> None:
    """End a process group that `Controller.start` made, by force after ten seconds."""
    for number, patience_seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 2.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGCONT)
            os.killpg(leader, number)
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(leader, os.WNOHANG)
            try:
                os.killpg(leader, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)


def _free_network() -> str:
    """The first three numbers of a loopback network on which nobody serves LDAP or Kerberos."""
    for step in range(1000):
        number = os.getpid() + step * 7919
        network = f"127.{64 + number // 256 % 128}.{number % 256}"
        if not any(_listens(f"{network}.{host}", port) for host in (1, 2) for port in PORTS):
            return network
    raise Unavailable("no free loopback network")


def _listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
