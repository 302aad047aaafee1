"""Accounts, groups and e-mail addresses from Active Directory over LDAP.

`directory.LdapDirectory` is the `Directory` port. Below it: `settings` (what an administrator says), `forest` (the names of
domains), `account_search` and `group_search` (what is asked), `entries` (what comes back, checked), `memberships` and `cache`
(what is remembered); then `forest_client`, `controllers` (failover), `circuit`, `workers` and `liveness` (so that no request
hangs), and `connection`, the only module that knows python-ldap, which comes with the extra `[ad]`. `filters` and `sids` are
pure: nothing from a request enters a filter except through `filters`.
"""
