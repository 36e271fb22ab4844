"""`ainp doctor`: the deployment checklist, run against what is deployed."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ainp.cli.exits import CANNOT, INTERRUPTED, REFUSED
from ainp.core.checkup import failed


def doctor(
    url: Annotated[str | None, typer.Option(help="The broker; default: where the settings have it.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this part (before, after, canary, ...) or line; may be repeated."),
    ] = None,
    skip_canary: Annotated[bool, typer.Option("--skip-canary", help="Write nothing: no whole task.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, a summary as the last.")] = False,
    record: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the deployment log, filled in.")] = None,
    ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Who certifies the broker, in PEM.")] = None,
) -> None:
    """
    Run the deployment checklist: settings, migrations, jobs, a whole task, security, the last hour, alerts.

    It reads the settings as the broker does, asks its database and itself, and plays a task with agents of its own,
    whose money goes back and who count nowhere. Each line passes, warns, fails or is skipped, with why and what to do.
    The exit code is 1 if a line fails, else 0.
    """
    # Here and not above: the other commands need none of it.
    from ainp.cli.doctor.record import recorded  # noqa: PLC0415
    from ainp.cli.doctor.run import Wanted, run  # noqa: PLC0415
    from ainp.cli.doctor.show import Show  # noqa: PLC0415
    from ainp.client import BadSetting  # noqa: PLC0415

    began, show = time.monotonic(), Show(as_json=as_json)
    wanted = Wanted(only=frozenset(only or ()), canary=not skip_canary, url=url, ca=ca)
    if strange := wanted.strange:
        typer.echo(f"ainp doctor: no part and no line is called {' or '.join(sorted(strange))}", err=True)
        raise typer.Exit(CANNOT)
    if record is not None:
        _write(record, "")  # a log that can't be kept is said before anything is tried
    try:
        lines, environment = run(wanted, show)
    except BadSetting as error:
        typer.echo(f"ainp doctor: {error}", err=True)
        raise typer.Exit(CANNOT) from error
    except KeyboardInterrupt as error:
        typer.echo("ainp doctor: interrupted; a job of the broker ends what its canary began", err=True)
        raise typer.Exit(INTERRUPTED) from error
    show.summary(lines, took_s=time.monotonic() - began)
    if record is not None:
        _write(record, recorded(lines, environment=environment))
    if failed(lines):
        raise typer.Exit(REFUSED)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("w" if text else "a") as file:  # a log of before stays until there is another
            file.write(text)
    except OSError as error:
        typer.echo(f"ainp doctor: {path} can't be written: {error.strerror}", err=True)
        raise typer.Exit(CANNOT) from error
