"""rmsserver.directory.ldap.locate, against a DNS server of our own on loopback"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("dns", reason="dnspython is not installed (extra [ad])")

import dns.message
import dns.rcode
import dns.resolver
import dns.rrset

from rmsserver.directory.ldap.locate import controllers_of
from rmsserver.errors import OperatorError

NAME = "_ldap._tcp.dc._msdcs.rms.test."


class Zone:
    """Answers questions over UDP from a table: SRV records as text."""

    def __init__(self, records: dict[str, list[str]]) -> None:
        self.records = records
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def resolver(self) -> dns.resolver.Resolver:
        made = dns.resolver.Resolver(configure=False)
        made.nameservers = ["127.0.0.1"]
        made.port = self._socket.getsockname()[1]
        return made

    def close(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            question = dns.message.from_wire(data)
            name = question.question[0].name.to_text()
            self.asked.append(name)
            answer = dns.message.make_response(question)
            if name in self.records:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "SRV", *self.records[name]))
            else:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(answer.to_wire(), peer)


@pytest.fixture
def zone() -> Iterator[Zone]:
    made = Zone({NAME: ["10 100 389 dc2.rms.test.", "0 100 389 DC1.rms.test.", "10 0 3890 dc3.sub.rms.test."]})
    yield made
    made.close()


def test_the_controllers_by_priority(zone: Zone) -> None:
    """The most preferred first, with their ports, names in small letters."""
    found = controllers_of("RMS.test.", zone.resolver)
    assert found[0] == "ldap://dc1.rms.test:389"
    assert set(found[1:]) == {"ldap://dc2.rms.test:389", "ldap://dc3.sub.rms.test:3890"}
    assert zone.asked == [NAME]


def test_a_host_outside_the_domain_is_left_out(zone: Zone) -> None:
    """A forged answer cannot send the password to a host with a genuine certificate of its own."""
    zone.records[NAME] = ["0 0 389 dc1.attacker.example.", "0 0 389 evilrms.test.", "5 0 389 dc1.rms.test."]
    assert controllers_of("rms.test", zone.resolver) == ("ldap://dc1.rms.test:389",)
    zone.records[NAME] = ["0 0 389 dc1.attacker.example."]
    with pytest.raises(OperatorError, match="name a controller"):
        controllers_of("rms.test", zone.resolver)


def test_a_domain_without_controllers(zone: Zone) -> None:
    """One line that says what to do."""
    with pytest.raises(OperatorError, match=r"no controller of nosuch\.test \(NXDOMAIN\)"):
        controllers_of("nosuch.test", zone.resolver)


def test_not_more_than_eight(zone: Zone) -> None:
    """A large domain has hundreds; a client needs a few."""
    zone.records[NAME] = [f"0 100 389 dc{n}.rms.test." for n in range(30)]
    assert len(controllers_of("rms.test", zone.resolver)) == 8


@pytest.mark.parametrize("domain", ["", "..", "x" * 300, "a..b"])
def test_what_is_no_domain(zone: Zone, domain: str) -> None:
    """Refused in one line."""
    with pytest.raises(OperatorError):
        controllers_of(domain, zone.resolver)
