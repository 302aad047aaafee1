"""Login names in the three spellings in which clients send them."""

from __future__ import annotations

from dataclasses import dataclass

from rmsserver.xrml.values import fold


@dataclass(frozen=True)
class LoginName:
    """`DOMAIN\\user`, `user@realm` or `user`. `domain` and `realm` are "" where the spelling has none."""

    user: str
    domain: str = ""
    realm: str = ""

    @classmethod
    def parse(cls, text: str) -> LoginName:
        """The first backslash ends the domain, else the last @ begins the realm. Never fails: an odd name is
        just unknown.
        """
        domain, backslash, user = text.partition("\\")
        if backslash:
            return cls(user, domain="" if domain == "." else domain)
        user, at, realm = text.rpartition("@")
        return cls(user, realm=realm) if at else cls(text)

    def is_of(self, directory_name: str) -> bool:
        """Whether the name, as spelled, can be one of that directory: no domain or realm, or exactly its
        own.
        """
        return all(fold(part) in ("", fold(directory_name)) for part in (self.domain, self.realm))
