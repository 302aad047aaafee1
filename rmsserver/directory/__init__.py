"""Accounts, groups and e-mail addresses: `embedded` over SQL, `memory` for tests and trials; one `Directory`
port.

`logins` and `addresses` are pure: they read and check names. Passwords are in `passwords`, NT hashes in
`nt_hash`, the sign-on port `Credentials` in `credentials`.
"""
