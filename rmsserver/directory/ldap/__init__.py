"""Accounts, groups and e-mail addresses from Active Directory over LDAP.

`directory.LdapDirectory` is the `Directory` port. Below it: `settings` (what an administrator says), `forest` (the names of
domains), `entries` (what comes back, checked), `membership` (nesting of groups), `cache`; then `controllers` (failover),
`circuit`, `workers` (so that no request hangs) and `connection`, the only module that knows python-ldap, which comes with
the extra `[ad]`. `filters` and `sids` are pure: nothing from a request enters a filter except through `filters`.
"""
