"""What commands print of what others wrote: it moves no cursor, and looks like nothing that it is not."""

import msgspec
import typer

from ainp.core.visible import visible


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print *text* with nothing in it but text."""
    typer.echo(visible(text), err=err, nl=nl)


def say_json(value: object) -> None:
    """Print *value* as one line of JSON, with nothing in it but text."""
    say(msgspec.json.encode(value).decode())
