"""One loss, one file."""
