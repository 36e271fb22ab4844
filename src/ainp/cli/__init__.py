"""The `ainp` command."""
