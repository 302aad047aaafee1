"""What points Windows clients at this cluster: registry values (wire facts 11), and what a client needs besides.

Values of MSIPC (Office 2013 and later) and of the older client, MSDRM (Office 2003 to 2010), for
programs of 64 bits and of 32 (`Wow6432Node`). All are default values of their keys. A client that finds the service
connection point needs none of them; one outside the domain, or in a forest whose point names another cluster, does.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

_HIVE = "HKEY_LOCAL_MACHINE"
_SOFTWARE = ("SOFTWARE", "SOFTWARE\\Wow6432Node")
_MSIPC, _MSDRM = "Microsoft\\MSIPC\\ServiceLocation", "Microsoft\\MSDRM\\ServiceLocation"
_REGISTRY_SETTINGS = "{A3CCFC41-DFDB-43a5-8D26-0FE8B954DA51}"
_REGISTRY_ITEM = "{9CD4B2F4-923D-47f5-A062-E897DD1DAD50}"
"""Class identifiers of [MS-GPPREF], "Registry"."""
_UPDATE_ICON = "7"


@dataclass(frozen=True)
class RegistryValue:
    """The default value, REG_SZ, of a key below HKEY_LOCAL_MACHINE."""

    key: str
    value: str


@dataclass(frozen=True)
class ClientSettings:
    """Where a cluster's clients find it: URLs without a final slash, as clients want them."""

    certification_url: str
    licensing_url: str

    @property
    def host(self) -> str:
        return urlsplit(self.certification_url).hostname or ""

    @property
    def registry(self) -> tuple[RegistryValue, ...]:
        return tuple(
            RegistryValue(f"{software}\\{name}", url)
            for software in _SOFTWARE
            for name, url in (
                (f"{_MSIPC}\\EnterpriseCertification", self.certification_url),
                (f"{_MSIPC}\\EnterprisePublishing", self.licensing_url),
                (f"{_MSDRM}\\Activation", self.certification_url),
                (f"{_MSDRM}\\EnterprisePublishing", self.licensing_url),
            )
        )


def registry_file(settings: ClientSettings) -> bytes:
    """A `.reg` file for `reg import` and regedit: version 5, UTF-16LE with a byte-order mark, CRLF."""
    lines = ["Windows Registry Editor Version 5.00", ""]
    for value in settings.registry:
        escaped = value.value.replace("\\", "\\\\").replace('"', '\\"')
        lines += [f"[{_HIVE}\\{value.key}]", f'@="{escaped}"', ""]
    return "\ufeff".encode("utf-16-le") + "".join(f"{line}\r\n" for line in lines).encode("utf-16-le")


def group_policy_file(settings: ClientSettings, now: dt.datetime) -> bytes:
    """A `Registry.xml` of Group Policy Preferences ([MS-GPPREF], "Registry"), UTF-8 with CRLF.

    Dropped or pasted on Computer Configuration > Preferences > Windows Settings > Registry. Not a Registry.pol: the keys lie
    outside the Policies branches, where a policy would stay behind when it is withdrawn and preferences can be removed.
    Identifiers come from key and URL, so that the same settings give the same items.
    """
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f'<RegistrySettings clsid="{_REGISTRY_SETTINGS}">']
    for value in settings.registry:
        identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{value.key}={value.value}")).upper()
        lines += [
            f'  <Registry clsid="{_REGISTRY_ITEM}" name="(Default)" status="(Default)" image="{_UPDATE_ICON}"'
            f' changed="{now:%Y-%m-%d %H:%M:%S}" uid="{{{identifier}}}">',
            f'    <Properties action="U" displayDecimal="0" default="1" hive="{_HIVE}" key={quoteattr(value.key)}'
            f' name="" type="REG_SZ" value={quoteattr(value.value)}/>',
            "  </Registry>",
        ]
    lines.append("</RegistrySettings>")
    return "".join(f"{line}\r\n" for line in lines).encode()


def instructions(settings: ClientSettings) -> str:
    """The values, and what else a Windows client needs, in words. Lines end in LF."""
    values = "\n".join(f"  {_HIVE}\\{value.key}\n    (Default) = {value.value}" for value in settings.registry)
    scheme = urlsplit(settings.certification_url).scheme
    name = f"HTTP/{settings.host}"
    return f"""\
Registry values (REG_SZ), the first four for 64-bit programs, the others for 32-bit ones on 64-bit Windows.
Clients of the domain that find the service connection point (rmsserver scp register) need none of them.

{values}

What a Windows client needs besides:
- Sign-on without a prompt: {scheme}://{settings.host} in the Local intranet zone. Group Policy: Computer Configuration >
  Administrative Templates > Windows Components > Internet Explorer > Internet Control Panel > Security Page >
  Site to Zone Assignment List: value name {scheme}://{settings.host}, value 1.
- Kerberos: the service principal name {name} on the account whose keytab the server has, and on no other account:
  setspn -S {name} ACCOUNT. Where the URL's name is an alias (CNAME), the name of the host that it stands for as well.
- TLS: the server's certificate is for {settings.host} and from an authority that the client trusts.
- A cluster whose certificates chain to the production root: genuine clients accept no other. That comes with taking over
  an exported trusted publishing domain; rmsclient needs none of it.
- After a change: what a client has cached of another cluster goes with %LOCALAPPDATA%\\Microsoft\\MSIPC (MSIPC) and
  %LOCALAPPDATA%\\Microsoft\\DRM (older client); remove both folders while no program that uses them runs.
"""
