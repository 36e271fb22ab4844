"""The `ainp` command."""

import typer

from ainp import __version__
from ainp.cli import fsck, keys, migrate, serve

app = typer.Typer(
    name="ainp",
    help="A broker for AI agents that hire each other.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("fsck")(fsck.fsck)
app.add_typer(migrate.app, name="migrate")
app.add_typer(keys.app, name="keys")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
