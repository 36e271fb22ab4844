"""`ainp demo`: a whole job with made-up agents and a broker of its own, shown as it happens and checked at the end."""

import asyncio
from contextlib import ExitStack
from enum import StrEnum
from typing import Annotated

import typer

from ainp.cli.exits import CANNOT, INTERRUPTED, REFUSED


class AuthMode(StrEnum):
    """What the demo's broker believes."""

    COMPAT = "compat"
    STRICT = "strict"


def demo(
    fail: Annotated[bool, typer.Option("--fail", help="A job whose committee finds that the work is bad.")] = False,
    silent: Annotated[
        bool, typer.Option("--silent", help="A job whose committee is silent in part and gets the next seats.")
    ] = False,
    auth_mode: Annotated[
        AuthMode, typer.Option(help="Whether the broker believes what it is told, or what is signed.")
    ] = AuthMode.COMPAT,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with the database and the log.")] = False,
) -> None:
    """
    Play a whole job, with a broker and agents made for it, and check all that was said.

    A client and a worker negotiate, the work is delivered and paid, a committee is drawn by lottery and audits it,
    money and reputation move. Everything goes over HTTP and WebSockets of a broker on a free port with a database in
    a temporary folder, which is removed at the end; the settings and data of other brokers are not touched.

    It ends with 0 if every check at the end holds, 1 if one does not, 2 if the broker can't be started.
    """
    if fail and silent:
        raise typer.BadParameter("--fail and --silent are two different jobs, expected one of them")
    # Here and not above: the other commands need no HTTP client.
    from ainp.cli.demo.broker import NotStarted, a_broker  # noqa: PLC0415
    from ainp.cli.demo.cast import Unexpected  # noqa: PLC0415
    from ainp.cli.demo.play import play  # noqa: PLC0415
    from ainp.cli.demo.plot import FAILS, FINALIZES, IS_EXTENDED  # noqa: PLC0415
    from ainp.cli.demo.show import Show  # noqa: PLC0415

    plot = (FAILS if fail else IS_EXTENDED if silent else FINALIZES).in_mode(auth_mode)
    show = Show()
    try:
        show.title(plot.title)
        with ExitStack() as until_the_end:
            with show.busy("starting a broker"):
                broker = until_the_end.enter_context(a_broker(plot.environment, keep=keep))
            show.started(broker, strict=plot.strict)
            held = asyncio.run(play(broker, plot, show))
        show.end(broker, kept=keep)
    except NotStarted as error:
        typer.echo(f"ainp demo: {error}", err=True)
        raise typer.Exit(CANNOT) from error
    except Unexpected as error:
        typer.echo(f"ainp demo: {error}", err=True)
        raise typer.Exit(REFUSED) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        typer.echo("ainp demo: interrupted; its broker has ended", err=True)
        raise typer.Exit(INTERRUPTED) from error
    if not held:
        raise typer.Exit(REFUSED)
