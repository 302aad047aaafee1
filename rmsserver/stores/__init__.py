"""What is kept: certificate files, SQL state, bounded memory. Implementations of the ports of [MS-RMPR]
3.1.1.3.

`certificates` and `wrapping` hold who the cluster is (files and the master key), `sql` what changes
(configuration, user keys, audit), `license_cache` and `decryption_budget` what a process may forget. `memory`
holds implementations of every port that live and die with the process. No policy: that is in operations.
"""
