"""The XrML 1.2 engine: documents, keys, enabling bits, signatures, chains ([MS-RMPR] 2.2.9).

Pure: takes text, keys, GUIDs, session keys and an aware UTC time, gives typed documents or an `XrmlError`. No files, no
clock, no network and no randomness of its own (padding randomness stays inside `cryptography`).

`surface` reads text, `values` and `keys` hold the small types, `document` what all documents share, and then one module
per kind: `issuing`, `spc`, `rac`, `clc`, `license` (publishing licence), `rights` (rights data), `template`,
`use_license`. `enabling_bits` and `signature` are the cryptography, `chain` closes chains, `files` reads files in which
documents stand one after the other.
"""
