"""`python -m ainp` is `ainp`."""

from ainp.cli import app

app()
