"""The database: what changes by commands and requests. The only home of SQL.

`database` opens engines and turns every failure of one into `PortUnavailable`; `tables` is the schema,
`schema` brings a database to it; `sqlite` holds what is true of SQLite alone. Every other module is one port
over a few tables.
"""
