"""`rmsserver doctor`: why sign-on, discovery or licensing fails, found out before a user does.

`finding` says what a check answers, `bounded` runs checks so that none hangs, `examination` says which checks apply to a
cluster and in which order. The checks are functions: `home_checks` (files, database, certificates, the clock of the SLC),
`network_checks` (name, port, TLS, what the server offers), `domain_checks` (controllers, rights, clock, service connection
point), `federation_checks` (switches, URLs, partners' certificates), `keytab` and `service_keys` (the service's keys against
the directory), `sign_on_checks` (a ticket and winbind, tried), `account_checks` (one user, one group) and `round_trip`
(certify, publish, open, as that user). Nothing is changed anywhere, and no secret is ever part of a finding.
"""
