"""What commands that ask a broker have in common: where it is, who asks, and what can go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainp.cli.exits import CANNOT, INTERRUPTED
from ainp.cli.say import say

if TYPE_CHECKING:
    from ainp.client import Client

Key = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Who asks: a key file. Else AINP_KEY_FILE or AINP_PRIVATE_KEY.")
]
Url = Annotated[str | None, typer.Option(help="The broker. Else AINP_BASE_URL, else http://localhost:8080.")]


@contextmanager
def a_client(command: str, *, key: Path | None, url: str | None, admin_token: str | None = None) -> "Iterator[Client]":
    """A client of this broker; what goes wrong is said in one line."""
    # Here and not above: the commands of operators need no HTTP client.
    from ainp.client import AinpError, Client, Identity  # noqa: PLC0415
    from ainp.client.clients import address_and_time  # noqa: PLC0415

    try:
        address, timeout_s = address_and_time()
        identity = Identity.from_env_if_any() if key is None else Identity.load(key)
        with Client(url or address, identity, admin_token=admin_token, timeout_s=timeout_s) as client:
            yield client
    except AinpError as error:
        say(f"ainp {command}: {error}", err=True)
        raise typer.Exit(CANNOT) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
