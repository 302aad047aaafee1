"""The two commands, `rmsserver` and `rmsclient`. Each subcommand parses arguments and calls one function."""
