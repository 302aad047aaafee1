"""SOAP stacks that share no code with ours or with zeep, driving the whole story over HTTP against a serving process."""
