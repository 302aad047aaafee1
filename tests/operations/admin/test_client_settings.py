"""rmsserver.operations.admin.client_settings"""

from __future__ import annotations

import datetime as dt
from xml.etree import ElementTree

from rmsserver.operations.admin.client_settings import (
    ClientSettings,
    group_policy_file,
    instructions,
    registry_file,
)

SETTINGS = ClientSettings("https://rms.example.com/_wmcs/certification", "https://rms.example.com/_wmcs/licensing")
NOW = dt.datetime(2026, 6, 1, 12, 30, 5, tzinfo=dt.UTC)
REG = """\
Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\MSIPC\\ServiceLocation\\EnterpriseCertification]
@="https://rms.example.com/_wmcs/certification"

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\MSIPC\\ServiceLocation\\EnterprisePublishing]
@="https://rms.example.com/_wmcs/licensing"

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\MSDRM\\ServiceLocation\\Activation]
@="https://rms.example.com/_wmcs/certification"

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\MSDRM\\ServiceLocation\\EnterprisePublishing]
@="https://rms.example.com/_wmcs/licensing"

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Wow6432Node\\Microsoft\\MSIPC\\ServiceLocation\\EnterpriseCertification]
@="https://rms.example.com/_wmcs/certification"

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Wow6432Node\\Microsoft\\MSIPC\\ServiceLocation\\EnterprisePublishing]
@="https://rms.example.com/_wmcs/licensing"

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Wow6432Node\\Microsoft\\MSDRM\\ServiceLocation\\Activation]
@="https://rms.example.com/_wmcs/certification"

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Wow6432Node\\Microsoft\\MSDRM\\ServiceLocation\\EnterprisePublishing]
@="https://rms.example.com/_wmcs/licensing"

"""
ITEM = (
    '  <Registry clsid="{9CD4B2F4-923D-47f5-A062-E897DD1DAD50}" name="(Default)" status="(Default)" image="7"'
    ' changed="2026-06-01 12:30:05" uid="{63186C94-9294-5790-862D-E57730DBAC1F}">\r\n'
    '    <Properties action="U" displayDecimal="0" default="1" hive="HKEY_LOCAL_MACHINE"'
    ' key="SOFTWARE\\Microsoft\\MSIPC\\ServiceLocation\\EnterpriseCertification" name="" type="REG_SZ"'
    ' value="https://rms.example.com/_wmcs/certification"/>\r\n'
    "  </Registry>\r\n"
)


def test_the_registry_file_byte_for_byte() -> None:
    """UTF-16LE behind a byte-order mark, CRLF, 64-bit keys then 32-bit ones."""
    assert registry_file(SETTINGS) == b"\xff\xfe" + REG.replace("\n", "\r\n").encode("utf-16-le")


def test_what_regedit_reads_otherwise_is_escaped() -> None:
    """A quotation mark or a backslash in a value cannot end it."""
    odd = ClientSettings('https://x/a"b\\c', "https://x/licensing")
    assert '@="https://x/a\\"b\\\\c"' in registry_file(odd).decode("utf-16")


def test_the_policy_file_byte_for_byte() -> None:
    """Head, first item and end as Group Policy Preferences write them."""
    data = group_policy_file(SETTINGS, NOW).decode()
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\r\n'
        '<RegistrySettings clsid="{A3CCFC41-DFDB-43a5-8D26-0FE8B954DA51}">\r\n'
    )
    assert data.startswith(head + ITEM)
    assert data.endswith("  </Registry>\r\n</RegistrySettings>\r\n")
    assert data.replace("\r\n", "").isprintable()


def test_the_policy_file_sets_what_the_registry_file_sets() -> None:
    """One item for each value, each with an identifier of its own; made again it is the same."""
    items = ElementTree.fromstring(group_policy_file(SETTINGS, NOW))
    properties = [item.find("Properties") for item in items]
    assert [(p.get("key"), p.get("value")) for p in properties if p is not None] == [
        (value.key, value.value) for value in SETTINGS.registry
    ]
    assert len({item.get("uid") for item in items}) == 8
    assert group_policy_file(SETTINGS, NOW) == group_policy_file(SETTINGS, NOW)


def test_a_url_with_markup_stays_a_value() -> None:
    """N2: `&`, `<` and quotation marks come out of the file as they went in."""
    odd = ClientSettings("https://x/?a&b<c>\"d'", "https://x/licensing")
    first = ElementTree.fromstring(group_policy_file(odd, NOW)).find("Registry/Properties")
    assert first is not None
    assert first.get("value") == odd.certification_url


def test_the_text_names_everything_else() -> None:
    """Every value, the zone, the service principal name and the production root."""
    text = instructions(SETTINGS)
    assert all(f"{value.key}\n    (Default) = {value.value}" in text for value in SETTINGS.registry)
    assert "setspn -S HTTP/rms.example.com ACCOUNT" in text
    assert "Local intranet zone" in text
    assert "production root" in text
