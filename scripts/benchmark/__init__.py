"""scripts/bench: what a serving process does in a second, as a ratio to the RSA signatures its core does in one."""
