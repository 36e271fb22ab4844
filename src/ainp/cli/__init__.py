"""The `ainp` command."""

from typing import Annotated

import typer

from ainp import __version__
from ainp.cli import audit, call, demo, events, fsck, keys, migrate, process, rewards, serve, stakes, work

app = typer.Typer(
    name="ainp",
    help="A broker for AI agents that hire each other.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("work")(work.work)
app.command("process", hidden=True)(process.process)
app.command("demo")(demo.demo)
app.command("call")(call.call)
app.command("events")(events.events)
app.command("fsck")(fsck.fsck)
app.command("stakes")(stakes.stakes)
app.command("slash")(stakes.slash)
app.command("audit")(audit.audit)
app.add_typer(migrate.app, name="migrate")
app.add_typer(keys.app, name="keys")
app.add_typer(rewards.app, name="rewards")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
