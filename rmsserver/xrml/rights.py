"""Rights data: who may do what, when ([MS-RMPR] 2.2.9.8). Templates are rights data with a signature (2.2.9.10).

Right names compare without case; each is answered in the form it was read in, as an element or `<RIGHT name="...">`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from rmsserver.xrml.document import (
    OFFICIAL_TEMPLATE,
    RIGHTS_DATA,
    Document,
    body_xml,
    range_xml,
    read_range,
)
from rmsserver.xrml.errors import WrongKindError, XrmlSyntaxError
from rmsserver.xrml.principal import Address, object_xml
from rmsserver.xrml.surface import Element, render
from rmsserver.xrml.values import Guid, TimeRange, escape, escape_attribute, format_time

OWNER = "OWNER"
ELEMENT_RIGHTS = frozenset({"VIEW", "PRINT", "EDIT", "EXPORT", "EXTRACT"})
"""Written as elements by genuine writers; all others as RIGHT (wire facts 8)."""
REFERRAL_POINT = "{81C42010-208A-458A-BAB6-C3C60F06DD5F}"
APPLICATION_DATA = "APPSPECIFIC"


@dataclass(frozen=True)
class Grantee:
    """To whom a right is given: ID type ("Windows", "Unspecified", "Internal", ...), ID, e-mail address."""

    id_type: str
    id: str
    email: str

    @property
    def is_owner(self) -> bool:
        return self.id_type == "Internal" and self.id.lower() == "owner"

    @property
    def is_anyone(self) -> bool:
        return self.id_type == "Internal" and self.id.lower() == "anyone"

    @classmethod
    def read(cls, object_: Element) -> Grantee:
        identity, name = object_.one("ID"), object_.find("NAME")
        return cls(
            identity.attributes.get("type", ""),
            identity.leaf_text().strip(),
            "" if name is None else name.leaf_text().strip(),
        )


ANYONE = Grantee("Internal", "ANYONE", "")
THE_OWNER = Grantee("Internal", "Owner", "")


@dataclass(frozen=True)
class TimeConditions:
    """`span`: a RANGETIME; `days`: an INTERVALTIME, of a right from the issue of the use licence, of a PRECONDITIONLIST from
    that of the publishing licence (`counted_from`).
    """

    span: TimeRange | None = None
    days: int | None = None

    @classmethod
    def read(cls, times: Iterable[Element]) -> TimeConditions:
        """TIME elements, each with a RANGETIME or an INTERVALTIME (2.2.9.8.4). Raises XrmlSyntaxError."""
        span: TimeRange | None = None
        days: int | None = None
        for time in times:
            if not time.children:
                raise XrmlSyntaxError("TIME has neither a range nor an interval")
            for child in time.children:
                if child.tag == "RANGETIME" and span is None:
                    span = read_range(child)
                elif child.tag == "INTERVALTIME" and days is None:
                    days = _days(child)
                else:
                    raise XrmlSyntaxError("TIME has something else than one range and one interval")
        return cls(span, days)

    def xml(self) -> str:
        """Range and interval as two TIME elements (wire facts 7)."""
        parts = []
        if self.span is not None:
            parts.append(f"<TIME>{range_xml('RANGETIME', self.span)}</TIME>")
        if self.days is not None:
            parts.append(f'<TIME><INTERVALTIME days="{self.days}" /></TIME>')
        return "".join(parts)

    def __bool__(self) -> bool:
        return self.span is not None or self.days is not None

    def counted_from(self, issued: dt.datetime) -> TimeConditions:
        """The days as the range that they mean, counted from `issued`; they only narrow a range that is there. Days beyond
        the calendar mean no end.
        """
        if self.days is None:
            return self
        span = self.span or TimeRange(issued, dt.datetime.max.replace(tzinfo=dt.UTC))
        try:
            end = min(span.end, issued + dt.timedelta(days=self.days))
        except OverflowError:
            return TimeConditions(self.span)
        return TimeConditions(TimeRange(max(span.start, issued), end))


NO_CONDITIONS = TimeConditions()


def _days(interval: Element) -> int:
    text = interval.attributes.get("days", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise XrmlSyntaxError("INTERVALTIME has no number of days")
    return int(text)


@dataclass(frozen=True)
class Right:
    """One right to one grantee."""

    name: str
    grantee: Grantee
    conditions: TimeConditions = NO_CONDITIONS
    as_element: bool = False

    @classmethod
    def of(cls, name: str, grantee: Grantee, conditions: TimeConditions = NO_CONDITIONS) -> Right:
        """A new right in the form genuine writers use."""
        return cls(name.upper(), grantee, conditions, name.upper() in ELEMENT_RIGHTS)


@dataclass(frozen=True)
class ApplicationData:
    """An AUTHENTICATEDDATA element with id APPSPECIFIC, for example VIEWER or NOLICCACHE (2.2.9.8.6)."""

    name: str
    value: str

    def xml(self) -> str:
        return (
            f'<AUTHENTICATEDDATA name="{escape_attribute(self.name)}" id="{APPLICATION_DATA}">'
            f"{escape(self.value)}</AUTHENTICATEDDATA>"
        )


@dataclass(frozen=True)
class Policy:
    """One POLICY: an application in a POLICYLIST of type "inclusion" or "exclusion" (2.2.9.7.7, 2.2.9.7.8).

    `rendered` is the element that was read: it goes into use licences as it stands (2.2.9.9.8), whatever else is in it.
    """

    list_type: str
    filename: str
    minimum: str
    maximum: str
    rendered: str = field(default="", repr=False, compare=False)

    def xml(self) -> str:
        return self.rendered or (
            f'<POLICY><OBJECT><ID type="filename">{escape(self.filename)}</ID>'
            f'<VERSIONSPAN min="{escape_attribute(self.minimum)}" max="{escape_attribute(self.maximum)}" /></OBJECT></POLICY>'
        )


def read_policies(body: Element) -> tuple[Policy, ...]:
    """All POLICYLISTs of a body. Raises XrmlSyntaxError."""
    policies = []
    for policy_list in body.all("POLICYLIST"):
        kind = policy_list.attribute("type")
        if kind not in ("inclusion", "exclusion"):
            raise XrmlSyntaxError("POLICYLIST has an unknown type")
        for policy in policy_list.children:
            if policy.tag != "POLICY":
                raise XrmlSyntaxError("POLICYLIST has something else than policies")
            policies.append(_read_policy(kind, policy))
    return tuple(policies)


def _read_policy(kind: str, policy: Element) -> Policy:
    object_ = policy.one("OBJECT")
    span = object_.one("VERSIONSPAN")
    name = object_.one("ID").leaf_text()
    return Policy(kind, name, span.attribute("min"), span.attribute("max"), render(policy))


def policies_xml(policies: Iterable[Policy]) -> str:
    """One POLICYLIST for each type that has policies: exclusion, then inclusion; no empty ones (wire facts 7)."""
    unique = dict.fromkeys((policy.list_type, policy.xml()) for policy in policies)
    out = []
    for kind in ("exclusion", "inclusion"):
        inner = "".join(xml for list_type, xml in unique if list_type == kind)
        if inner:
            out.append(f'<POLICYLIST type="{kind}">{inner}</POLICYLIST>')
    return "".join(out)


@dataclass(frozen=True)
class RightsData(Document):
    """Decrypted rights data, or a rights policy template. No ISSUER or SIGNATURE unless official (wire facts 4)."""

    @classmethod
    def read(cls, text: str) -> RightsData:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError: never partial rights (threat L12)."""
        document = Document.read(text)
        data = cls(document.text, document.body, document.body_type, document.signature)
        data.check()
        return data

    def check(self) -> None:
        """Read everything once, so that later reads cannot fail."""
        if self.body_type not in (RIGHTS_DATA, OFFICIAL_TEMPLATE):
            raise WrongKindError("not rights data")
        _ = self.rights, self.issued_time, self.descriptor, self.owner, self.preconditions
        _ = self.policies, self.application_data, self.template_id, self.referral, self.revocation
        _ = self.distribution_points()
        if self.official and (self.signature is None or self.template_id is None):
            raise XrmlSyntaxError("an official template has a signature and a GUID")

    @property
    def official(self) -> bool:
        return self.body_type == OFFICIAL_TEMPLATE

    @property
    def _work(self) -> Element:
        return self.body.one("WORK")

    @cached_property
    def rights(self) -> tuple[Right, ...]:
        return tuple(_read_rights(self._work.one("RIGHTSGROUP")))

    @property
    def template_id(self) -> Guid | None:
        """The GUID of the DESCRIPTOR: that of the template this came from."""
        return None if self.descriptor is None else self.descriptor.guid

    @property
    def owner(self) -> Grantee | None:
        return read_owner(self._work)

    @property
    def preconditions(self) -> TimeConditions:
        """Time conditions on the whole policy (2.2.9.8.5.2)."""
        element = self._work.find("PRECONDITIONLIST")
        if element is None:
            return NO_CONDITIONS
        if any(child.tag != "TIME" for child in element.children):
            raise XrmlSyntaxError("PRECONDITIONLIST has something else than times")
        return TimeConditions.read(element.children)

    @property
    def policies(self) -> tuple[Policy, ...]:
        return read_policies(self.body)

    @property
    def application_data(self) -> tuple[ApplicationData, ...]:
        return tuple(
            ApplicationData(data.attributes.get("name", ""), data.leaf_text().strip())
            for data in self.body.all("AUTHENTICATEDDATA")
            if data.attributes.get("id") == APPLICATION_DATA
        )

    @property
    def referral(self) -> str | None:
        """The Referral-Info point, rendered."""
        return referral_point(self.body)

    @property
    def revocation(self) -> str | None:
        """The CONDITIONLIST with a revocation point in WORK, rendered."""
        element = self._work.find("CONDITIONLIST")
        return None if element is None else render(element)


def _read_rights(group: Element) -> Iterable[Right]:
    if group.attributes.get("name") != "Main-Rights":
        raise XrmlSyntaxError("RIGHTSGROUP is not Main-Rights")
    for element in group.one("RIGHTSLIST").children:
        as_element = element.tag != "RIGHT"
        name = element.tag if as_element else element.attribute("name").strip()
        conditions = element.one("CONDITIONLIST")
        times = TimeConditions.read(conditions.all("TIME"))
        principals = conditions.one("ACCESS").all("PRINCIPAL")
        if not name or not principals:
            raise XrmlSyntaxError("a right has no name or no principal")
        for principal in principals:
            yield Right(name, Grantee.read(principal.one("OBJECT")), times, as_element)


def read_owner(work: Element) -> Grantee | None:
    """The OWNER of METADATA; None where either is missing (wire facts 8)."""
    metadata = work.find("METADATA")
    owner = None if metadata is None else metadata.find("OWNER")
    return None if owner is None else Grantee.read(owner.one("OBJECT"))


def referral_points(body: Element) -> list[str]:
    """Every DISTRIBUTIONPOINT of type Referral-Info, rendered."""
    points = body.all("DISTRIBUTIONPOINT")
    return [render(point) for point in points if point.one("OBJECT").attributes.get("type") == "Referral-Info"]


def referral_point(body: Element) -> str | None:
    """The first of them, which use licences repeat; None where there is none."""
    return next(iter(referral_points(body)), None)


# --- writing -----------------------------------------------------------------------------------------------------------


def right_xml(name: str, as_element: bool, conditions: str) -> str:
    """One right in the form asked for."""
    inner = f"<CONDITIONLIST>{conditions}</CONDITIONLIST>"
    return f"<{name}>{inner}</{name}>" if as_element else f'<RIGHT name="{escape_attribute(name)}">{inner}</RIGHT>'


def rights_group_xml(rights: Iterable[Right], *, time_first: bool = False) -> str:
    """RIGHTSGROUP for rights data: ACCESS before TIME, as clients write it; for templates `time_first` (2.2.9.10.4.2)."""
    parts = []
    for right in rights:
        grantee = right.grantee
        object_ = object_xml("", grantee.id_type, grantee.id, grantee.email or None)
        access, time = f"<ACCESS><PRINCIPAL>{object_}</PRINCIPAL></ACCESS>", right.conditions.xml()
        parts.append(right_xml(right.name, right.as_element, time + access if time_first else access + time))
    return f'<RIGHTSGROUP name="Main-Rights"><RIGHTSLIST>{"".join(parts)}</RIGHTSLIST></RIGHTSGROUP>'


def owner_metadata_xml(email: str, id_type: str = "Unspecified") -> str:
    return f"<METADATA><OWNER>{object_xml('', id_type, '', email)}</OWNER></METADATA>"


def referral_xml(name: str, address: str) -> str:
    """A Referral-Info point; `address` is `mailto:x@y` or a web address."""
    object_ = object_xml("Referral-Info", "MS-GUID", REFERRAL_POINT, name, (Address("URL", address),))
    return f"<DISTRIBUTIONPOINT>{object_}</DISTRIBUTIONPOINT>"


def preconditions_xml(conditions: TimeConditions) -> str:
    return f"<PRECONDITIONLIST>{conditions.xml()}</PRECONDITIONLIST>" if conditions else ""


def write_rights_data(
    *,
    work_id: Guid,
    owner_email: str,
    rights: Iterable[Right],
    issued: dt.datetime,
    referral: str | None = None,
    preconditions: TimeConditions = NO_CONDITIONS,
    application_data: Iterable[ApplicationData] = (),
    policies: Iterable[Policy] = (),
) -> str:
    """Rights data not based on a template, as text to be encrypted (2.2.9.8). `referral` is a rendered point."""
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME>{referral or ''}"
        f"<WORK>{object_xml('', 'MS-GUID', work_id.braced)}{owner_metadata_xml(owner_email)}"
        f"{preconditions_xml(preconditions)}{rights_group_xml(rights)}</WORK>"
        + "".join(data.xml() for data in application_data)
        + policies_xml(policies)
    )
    return f'<XrML version="1.2" xmlns="">{body_xml(RIGHTS_DATA, inner)}</XrML>'
