"""The `ainp` command."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ainp import __version__

# Where each command is; a module is loaded when its command is asked for, as a client needs nothing of a server.
COMMANDS = {
    "serve": "serve.serve",
    "work": "work.work",
    "process": "process.process",
    "demo": "demo.demo",
    "call": "call.call",
    "events": "events.events",
    "doctor": "doctor.doctor",
    "fsck": "fsck.fsck",
    "backup": "backup.backup",
    "restore": "backup.restore",
    "stakes": "stakes.stakes",
    "slash": "stakes.slash",
    "audit": "audit.audit",
    "settings": "settings.settings",
    "migrate": "migrate.app",
    "keys": "keys.app",
    "rewards": "rewards.app",
    "receipts": "receipts.app",
    "quorum": "quorum.app",
    "embeddings": "embeddings.app",
}
_HIDDEN = {"process"}  # between the broker and its processes


class _Commands(TyperGroup):
    """The commands above, besides those that stand here."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer hides these classes
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(".")
        found = getattr(import_module(f"ainp.cli.{module}"), name)
        if not isinstance(found, typer.Typer):
            one = typer.Typer(add_completion=False)
            one.command(cmd_name, hidden=cmd_name in _HIDDEN)(found)
            found = one
        command = get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="ainp",
    cls=_Commands,
    help="A broker for AI agents that hire each other.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
