"""Who is in the test domain: the entries that `samba.Domain` puts into a new controller before it starts.

Alice is in `ring-1`, nested five deep under `all-staff`; `inner`, `outer` and `loop` contain each other, and the author;
Bob is in `readers` through a distribution list. Every password is `PASSWORD`.
"""

from __future__ import annotations

import base64

REALM = "RMS.TEST"
NETBIOS = "RMSTEST"
DNS_DOMAIN = "rms.test"
DOMAIN_DN = "DC=rms,DC=test"
PEOPLE_DN = f"OU=People,{DOMAIN_DN}"
PASSWORD = "Passw0rd.of-the-test"
OLD_SID = "S-1-5-21-1000000001-2000000002-3000000003-1105"
"""Carol's SID in a domain she was moved from."""
SERVICE_NAMES = ("HTTP/localhost", "HTTP/127.0.0.1", "HTTP/rms.rms.test")
NEST_DEPTH = 5

_ENABLED = 512
_DISABLED = 514
_WORKSTATION = 4096
_SECURITY_GLOBAL = -2147483646
_SECURITY_UNIVERSAL = -2147483640
_DISTRIBUTION_UNIVERSAL = 8
_AES_ONLY = 24

Attribute = str | int | bytes
Entry = tuple[str, dict[str, Attribute | list[str]]]


def person_dn(name: str) -> str:
    return f"CN={name},{PEOPLE_DN}"


def entries() -> list[Entry]:
    """All of them, each after those it refers to."""
    return [
        (PEOPLE_DN, {"objectClass": "organizationalUnit"}),
        _user("alice", mail="alice@rms.test", also=["smtp:a.author@rms.test", "smtp:alice@old.rms.test"]),
        _user("author", mail="author@rms.test", also=["smtp:writer@rms.test"]),
        _user("bob", mail="bob@rms.test", also=["X500:/o=rms/cn=bob", "sip:bob@rms.test"]),
        _user("carol", mail="carol@rms.test", more={"sIDHistory": OLD_SID}),
        _user("dave", mail="dave@rms.test", control=_DISABLED),
        _user("erin", mail="erin@rms.test", more={"accountExpires": "131000000000000000"}),
        _user("frank"),
        _user("odd", mail="odd(name)*@rms.test"),
        _user(
            "svc-rms", more={"servicePrincipalName": list(SERVICE_NAMES), "msDS-SupportedEncryptionTypes": _AES_ONLY}
        ),
        _user("svc-bind"),
        _computer("pc1", mail="pc1@rms.test"),
        *_nest(person_dn("alice")),
        _contact("partners", mail="Guests@partner.test", also=["smtp:visitors@partner.test"]),
        _contact("nobodys", mail="nobodys@partner.test"),
        _group("inner", person_dn("author"), person_dn("partners")),
        _group("outer", person_dn("inner")),
        _group("loop", person_dn("outer")),
        _group("team", person_dn("bob"), kind=_DISTRIBUTION_UNIVERSAL),
        _group("readers", person_dn("team"), also=["smtp:lecteurs@rms.test"]),
        _group("lonely"),
    ]


def ldif(changes: list[Entry]) -> str:
    """As `ldbadd` reads it. Bytes are written in base64."""
    records = []
    for dn, attributes in changes:
        lines = [f"dn: {dn}"]
        for name, value in attributes.items():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, bytes):
                    lines.append(f"{name}:: {base64.b64encode(one).decode()}")
                else:
                    lines.append(f"{name}: {one}")
        records.append("\n".join(lines) + "\n")
    return "\n".join(records)


def loop_closure() -> Entry:
    """What puts `loop` into `inner`: to be added once both are there."""
    return person_dn("inner"), {"changetype": "modify", "add": "member", "member": person_dn("loop")}


def _user(
    name: str,
    *,
    mail: str = "",
    also: list[str] | None = None,
    control: int = _ENABLED,
    more: dict[str, Attribute | list[str]] | None = None,
) -> Entry:
    attributes: dict[str, Attribute | list[str]] = {
        "objectClass": "user",
        "sAMAccountName": name,
        "userPrincipalName": f"{name}@{DNS_DOMAIN}",
        "userAccountControl": control,
        "clearTextPassword": PASSWORD.encode("utf-16-le"),
    }
    if mail:
        attributes |= {"mail": mail, "proxyAddresses": [*(also or []), f"SMTP:{mail}"]}
    return person_dn(name), attributes | (more or {})


def _contact(name: str, *, mail: str, also: list[str] | None = None) -> Entry:
    """Somebody, or a group, of another forest."""
    return person_dn(name), {"objectClass": "contact", "mail": mail, "proxyAddresses": [*(also or []), f"SMTP:{mail}"]}


def _computer(name: str, *, mail: str) -> Entry:
    return person_dn(name), {
        "objectClass": "computer",
        "sAMAccountName": f"{name.upper()}$",
        "userAccountControl": _WORKSTATION,
        "clearTextPassword": PASSWORD.encode("utf-16-le"),
        "mail": mail,
    }


def _group(name: str, *members: str, kind: int = _SECURITY_UNIVERSAL, also: list[str] | None = None) -> Entry:
    attributes: dict[str, Attribute | list[str]] = {
        "objectClass": "group",
        "sAMAccountName": name,
        "groupType": kind,
        "mail": f"{name}@rms.test",
    }
    if members:
        attributes["member"] = list(members)
    if also:
        attributes["proxyAddresses"] = [*also, f"SMTP:{name}@rms.test"]
    return person_dn(name), attributes


def _nest(member: str) -> list[Entry]:
    rings = [f"ring-{n}" for n in range(1, NEST_DEPTH)]
    found = []
    for name in [*rings, "all-staff"]:
        found.append(_group(name, member, kind=_SECURITY_GLOBAL if name != "all-staff" else _SECURITY_UNIVERSAL))
        member = person_dn(name)
    return found
