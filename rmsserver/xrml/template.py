"""Rights policy templates: signed rights data of an administrator ([MS-RMPR] 2.2.9.10)."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from rmsserver.xrml.document import OFFICIAL_TEMPLATE, Document, body_xml, signed_document
from rmsserver.xrml.errors import WrongKindError
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.principal import Address, distribution_point_xml, object_xml
from rmsserver.xrml.rights import (
    NO_CONDITIONS,
    OWNER,
    REFERRAL_POINT,
    THE_OWNER,
    ApplicationData,
    Right,
    RightsData,
    TimeConditions,
    preconditions_xml,
    rights_group_xml,
)
from rmsserver.xrml.values import Guid, format_time

_PUBLISHING_POINT = "{9A23D98E-4449-4ba5-812A-F30808F3CB16}"
_NAME = re.compile(r"(?:(?<=;)|\A)\s*LCID\s+([0-9]{1,5}):NAME ")


@dataclass(frozen=True)
class LocalizedName:
    """Name and description of a policy in one language; `lcid` is the Windows locale identifier."""

    lcid: int
    name: str
    description: str


@dataclass(frozen=True)
class RightsTemplate(RightsData):
    """An official template: has a GUID, an issuer and a signature."""

    @classmethod
    def read(cls, text: str) -> RightsTemplate:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError."""
        document = Document.read(text)
        template = cls(document.text, document.body, document.body_type, document.signature)
        template.check()
        if not template.official:
            raise WrongKindError("not an official template")
        _ = template.issuer.public_key
        return template

    @property
    def guid(self) -> Guid:
        found = self.template_id
        if found is None:
            raise WrongKindError("not an official template")
        return found

    @property
    def hash_text(self) -> str:
        """The base64 text of the DIGEST's VALUE (3.4.4.2.3.2)."""
        return "" if self.signature is None else self.signature.digest_text

    @property
    def names(self) -> tuple[LocalizedName, ...]:
        return parse_names("" if self.descriptor is None else self.descriptor.name or "")


def parse_names(text: str) -> tuple[LocalizedName, ...]:
    """`LCID n:NAME a:DESCRIPTION b;` one after another (2.2.9.10.1); what does not match is left out."""
    starts = list(_NAME.finditer(text))
    names = []
    for found, following in itertools.zip_longest(starts, starts[1:]):
        end = len(text) if following is None else following.start()
        name, described, description = text[found.end() : end].rstrip().removesuffix(";").partition(":DESCRIPTION ")
        if described:
            names.append(LocalizedName(int(found.group(1)), name, description))
    return tuple(names)


def format_names(names: Iterable[LocalizedName]) -> str:
    return "".join(f"LCID {n.lcid}:NAME {n.name}:DESCRIPTION {n.description};" for n in names)


def write_rights_template(
    *,
    template_id: Guid,
    names: Iterable[LocalizedName],
    issuer_object_and_key: str,
    licensing_url: str,
    rights_request_url: str | None,
    rights: Iterable[Right],
    owner_has_full_control: bool = True,
    preconditions: TimeConditions = NO_CONDITIONS,
    application_data: Iterable[ApplicationData] = (),
    revocation: str = "",
    issued: dt.datetime,
    signing_key: PrivateKey,
    mode: CryptoMode,
) -> str:
    """A signed template as text; its ISSUER leaves the two server levels out (wire facts 7)."""
    points = distribution_point_xml("Publishing-URL", _PUBLISHING_POINT, "Publishing Point", licensing_url)
    if rights_request_url:
        referral = object_xml("Referral-Info", "MS-GUID", REFERRAL_POINT, None, (Address("URL", rights_request_url),))
        points += f"<DISTRIBUTIONPOINT>{referral}</DISTRIBUTIONPOINT>"
    owner = (Right(OWNER, THE_OWNER),) if owner_has_full_control else ()
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME><DESCRIPTOR>"
        + object_xml("", "MS-GUID", template_id.braced, format_names(names))
        + f"</DESCRIPTOR><ISSUER>{issuer_object_and_key}</ISSUER>{points}"
        + f'<WORK><OBJECT><ID type="" /></OBJECT>{revocation}{preconditions_xml(preconditions)}'
        + rights_group_xml((*owner, *rights), time_first=True)
        + "</WORK>"
        + "".join(data.xml() for data in application_data)
    )
    return signed_document(body_xml(OFFICIAL_TEMPLATE, inner, version=False), signing_key, mode)
