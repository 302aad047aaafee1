"""The errors that operations raise: one small class for each exception name of the protocol.

An operation raises one of these; `soap/faults.py` alone turns it into a SOAP fault or a per-item error. What goes on the
wire is `wire_name` and the class's fixed `text`; `detail` is for the audit and the log and never leaves the server, so it
may say precisely what was wrong, but must not quote key material.

Errors of the XrML engine are in `xrml/errors.py`: they say what is wrong with a document. The operation decides which
wire name that has, because the same broken signature has another name on a RAC, a publishing licence and an SPC chain.
"""

from __future__ import annotations

from typing import ClassVar

_MANAGEMENT = "Microsoft.DigitalRightsManagement."
_CORE = _MANAGEMENT + "Core."
_LICENSING = _MANAGEMENT + "Licensing."
_UTILITIES = _MANAGEMENT + "Utilities."
_CRYPTOGRAPHY = _MANAGEMENT + "Cryptography."
_SERVICES = "Microsoft.RightsManagementServices."


class OperatorError(Exception):
    """For the person at the command line: one line that says what is wrong and what to do. Never on the wire."""


class RmsError(Exception):
    """Base of every error with a name on the wire ([MS-RMPR] 3.1.4.5)."""

    wire_name: ClassVar[str] = _UTILITIES + "UnspecifiedErrorException"
    text: ClassVar[str] = "The request could not be processed."

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.text)
        self.detail = detail

    @property
    def short_name(self) -> str:
        """The last part of the wire name: what clients search for in `faultstring`."""
        return self.wire_name.rpartition(".")[2]


class UnspecifiedError(RmsError):
    """Any failure that has no name of its own; also the one outcome of a failed decryption in licensing."""


# --- common to all operations: [MS-RMPR] 3.1.4.6 -----------------------------------------------------------------------


class UnsupportedDataVersion(RmsError):
    wire_name = _CORE + "UnsupportedDataVersionException"
    text = "The data version requested by the client is not supported."


class MalformedDataVersion(RmsError):
    wire_name = _CORE + "MalformedDataVersionException"
    text = "The request contains a version number that is not valid."


class ArgumentNull(RmsError):
    wire_name = "System.ArgumentNullException"
    text = "At least one of the required arguments was null."


class InvalidOperation(RmsError):
    wire_name = "System.InvalidOperationException"
    text = "The request is not valid."


class ClusterDecommissioned(RmsError):
    wire_name = _SERVICES + "ClusterDecommissionedException"
    text = "The server is decommissioned and cannot process the request."


class UnauthorizedAccess(RmsError):
    wire_name = "System.UnauthorizedAccessException"
    text = "The access is unauthorized."


class UnsupportedCryptographicSet(RmsError):
    wire_name = _CRYPTOGRAPHY + "UnsupportedCryptographicSetException"
    text = "The certificate does not have an acceptable combination of key and signature hash algorithms."


# --- certification: [MS-RMPR] 3.3.4.1 ----------------------------------------------------------------------------------


class VerifyEmailAddressFailed(RmsError):
    wire_name = _CORE + "VerifyEmailAddressFailedException"
    text = "The e-mail address is formatted incorrectly."


class ADEntrySearchFailed(RmsError):
    wire_name = _UTILITIES + "ADEntrySearchFailedException"
    text = "Failed to find an entry in the directory."


class VerifyMachineCertificateChainFailed(RmsError):
    wire_name = _CORE + "VerifyMachineCertificateChainFailedException"
    text = "The machine certificate has a certificate chain that is not valid."


class BlackBoxIsInvalid(RmsError):
    wire_name = _LICENSING + "BlackBoxIsInvalidException"
    text = "The security processor has been excluded; the computer must be activated again."


# --- the account certificate: [MS-RMPR] 3.4.4.1, 3.5.4.2 ---------------------------------------------------------------


class InvalidPersonaCertSignature(RmsError):
    wire_name = _LICENSING + "InvalidPersonaCertSignatureException"
    text = "The account certificate has been tampered with."


class InvalidPersonaCertTime(RmsError):
    wire_name = _LICENSING + "InvalidPersonaCertTimeException"
    text = "The account certificate is not valid at this time."


class UnexpectedPersonaCert(RmsError):
    wire_name = _LICENSING + "UnexpectedPersonaCertException"
    text = "An unexpected error was encountered while validating the account certificate."


class UntrustedPersonaCert(RmsError):
    wire_name = _LICENSING + "UntrustedPersonaCertException"
    text = "The account certificate was not issued by a trusted user domain server."


class DrmacIsExcluded(RmsError):
    wire_name = _LICENSING + "DrmacIsExcludedException"
    text = "The account certificate has been excluded."


class CredentialCreationTime(RmsError):
    wire_name = _LICENSING + "CredentialCreationTimeException"
    text = "The account was created after the publishing license was issued."


# --- licensing: [MS-RMPR] 3.4.4.1 --------------------------------------------------------------------------------------


class NoRightsForRequestedPrincipal(RmsError):
    wire_name = _LICENSING + "NoRightsForRequestedPrincipalException"
    text = "The publishing license contains no rights for the requested principal."


class InvalidRightsLabelSignature(RmsError):
    wire_name = _LICENSING + "InvalidRightsLabelSignatureException"
    text = "The publishing license contains an invalid signature."


class IssuanceLicenseIsNotWithinValidTimeRange(RmsError):
    wire_name = _LICENSING + "IssuanceLicenseIsNotWithinValidTimeRangeException"
    text = "The publishing license is not valid at this time."


class RightsLabelNoMatchingIssuedPrincipal(RmsError):
    wire_name = _LICENSING + "RightsLabelNoMatchingIssuedPrincipalException"
    text = "The publishing license has no issued principal that corresponds to this server."


# --- publishing: [MS-RMPR] 3.5.4.1 -------------------------------------------------------------------------------------


class OnlinePublishingDisabled(RmsError):
    wire_name = _LICENSING + "OnlinePublishingDisabledException"
    text = "Online publishing is not available on this server."


class UnsignedIssuanceLicenseNoMatchingIssuedPrincipal(RmsError):
    wire_name = _LICENSING + "UnsignedIssuanceLicenseNoMatchingIssuedPrincipalException"
    text = "None of the issued principals matches this server."


class InvalidOfficialRightsTemplate(RmsError):
    wire_name = _LICENSING + "InvalidOfficialRightsTemplateException"
    text = "The official rights template in the publishing license is not valid."


class CryptoUnsupportedSymKey(RmsError):
    wire_name = _CRYPTOGRAPHY + "CryptoUnsupportedSymKeyException"
    text = "The enabling bits have an unsupported content key."


class EnablingBitsHashDoesNotMatch(RmsError):
    wire_name = _SERVICES + "EnablingBitsHashDoesNotMatchException"
    text = "The enabling bits are not valid."


# --- applications and other servers: [MS-RMSI] 3.2 to 3.5 ---------------------------------------------------------------


class ClusterNotDecommissioned(RmsError):
    wire_name = _UTILITIES + "ClusterNotDecommissionedException"
    text = "The server is not decommissioned and cannot process the request."


class DrmsArgument(RmsError):
    wire_name = _CORE + "DRMSArgumentException"
    text = "An argument of the request is not valid."


class ServerRepublishIllegal(RmsError):
    wire_name = _MANAGEMENT + "ServerRepublishIllegalException"
    text = "The publishing license does not allow the server to change it."


class InvalidSignedIssuanceLicense(RmsError):
    wire_name = _MANAGEMENT + "InvalidSignedIssuanceLicenseException"
    text = "The signed publishing license is not valid."


class AcquirePreLicenseInvalidLicensee(RmsError):
    wire_name = _LICENSING + "AcquirePreLicenseInvalidLicenseeException"
    text = "The licensee is not known, or there is no key for it."


# --- between servers: [MS-RMPRS] 2.2.9.1 -------------------------------------------------------------------------------


class Argument(RmsError):
    wire_name = "System.ArgumentException"
    text = "An argument of the request contradicts another, or is not acceptable."


class ArgumentOutOfRange(RmsError):
    wire_name = "System.ArgumentOutOfRangeException"
    text = "An argument of the request is out of range."


class WrongFormat(RmsError):
    wire_name = "System.FormatException"
    text = "An argument of the request is not of the expected form."
