"""`ainp events`: what an agent is told, as lines."""

from contextlib import closing
from itertools import islice
from typing import Annotated

import typer

from ainp.cli.asking import Key, Url, a_client
from ainp.cli.say import say_json


def events(
    since: Annotated[int, typer.Option(min=0, help="Begin after the event of this number.")] = 0,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    key: Key = None,
    url: Url = None,
) -> None:
    """
    Print what your agent is told, one JSON object a line, until Ctrl-C.

    An interrupted connection is made again; nothing is missed or told twice.

    Example:

    \b
    ainp events --since 17 | jq -r .event
    """
    with a_client("events", key=key, url=url) as client, closing(client.events(since=since)) as told:
        for event in islice(told, count):
            say_json(event.frame)
