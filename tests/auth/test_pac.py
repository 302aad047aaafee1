"""Buffers of a PAC that Samba's controller made, whole and damaged."""

from __future__ import annotations

import pytest

from rmsserver.auth.pac import PacAccount, PacError, read_logon_info, read_upn_dns_info
from tests.conformance import conforms

SID = "S-1-5-21-3862694174-583867409-2999677535-1102"
UPN_DNS_INFO = bytes.fromhex(
    "1c00180010003800020000000a0048001c0052000000000061006c00690063006500400072006d0073002e007400650073007400000000"
    "0052004d0053002e00540045005300540061006c006900630065000105000000000005150000001e093ce6111ccd225f72cbb24e040000"
    "0000"
)
LOGON_INFO = bytes.fromhex(
    "01100800ccccccccd0010000000000000000020044a4f213ad7add01ffffffffffffff7fffffffffffffff7fe07ba04ba97add01e03b0a"
    "76727bdd01e0fbf940aa9bdd010a000a00040002000000000008000200000000000c000200000000001000020000000000140002000000"
    "0000180002000d0000004e04000001020000060000001c000200200000000000000000000000000000000000000006000800200002000e"
    "00100024000200280002000000000000000000100000000000000000000000000000000000000000000000000000000000000001000000"
    "2c00020000000000000000000000000005000000000000000500000061006c006900630065000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006000000010200000700"
    "000059040000070000005a040000070000005b040000070000005c040000070000005d0400000700000004000000000000000300000044"
    "0043003100000008000000000000000700000052004d00530054004500530054000000040000000104000000000005150000001e093ce6"
    "111ccd225f72cbb20100000030000200070000000100000001010000000000120100000000000000"
)


@conforms("MS-RMPR 3.1.4.3", "The account has the SID that the sign-on proved.")
def test_both_buffers_name_the_same_account() -> None:
    """The one has the domain's DNS name, the other its NetBIOS name; the SID is one."""
    assert read_upn_dns_info(UPN_DNS_INFO) == PacAccount(SID, "RMS.TEST\\alice")
    assert read_logon_info(LOGON_INFO) == PacAccount(SID, "RMSTEST\\alice")


def test_upn_dns_info_without_sid() -> None:
    """Older controllers leave the flag away; then the other buffer counts."""
    assert read_upn_dns_info(UPN_DNS_INFO[:8] + bytes(4) + UPN_DNS_INFO[12:]) is None


@pytest.mark.parametrize("size", range(0, 105, 7))
def test_upn_dns_info_cut_short(size: int) -> None:
    """Nothing is read beyond its end."""
    with pytest.raises(PacError):
        read_upn_dns_info(UPN_DNS_INFO[:size])


@pytest.mark.parametrize("size", range(0, 440, 11))
def test_logon_info_cut_short(size: int) -> None:
    """Nothing is read beyond its end."""
    with pytest.raises(PacError):
        read_logon_info(LOGON_INFO[:size])


def test_counts_that_claim_too_much() -> None:
    """A count of four thousand million is refused before anything is made of it."""
    for at in range(len(LOGON_INFO) - 4):
        damaged = LOGON_INFO[:at] + b"\xff\xff\xff\xff" + LOGON_INFO[at + 4 :]
        try:
            account = read_logon_info(damaged)
        except PacError:
            continue
        assert len(account.name) < 64


def test_names_that_would_be_another_domains() -> None:
    """A backslash in a name would move the border between domain and user."""
    moved = UPN_DNS_INFO.replace("alice".encode("utf-16-le"), "a\\ice".encode("utf-16-le"))
    with pytest.raises(PacError, match="name"):
        read_upn_dns_info(moved)
