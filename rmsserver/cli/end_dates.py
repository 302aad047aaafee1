"""`--until` of both commands: when rights end, in UTC; a date alone means its beginning."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click


class EndDate(click.DateTime):
    """YYYY-MM-DD, or with THH:MM; becomes an aware UTC time."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])

    def get_metavar(self, *_: Any, **__: Any) -> str:
        return "YYYY-MM-DD[THH:MM]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        try:
            found = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)[:30]!r} is not YYYY-MM-DD or YYYY-MM-DDTHH:MM, for example 2027-12-31", param, ctx)
        assert isinstance(found, dt.datetime)  # noqa: S101 - or it would have failed
        return found.replace(tzinfo=dt.UTC)
