"""`ainp call`: one signed request, for people and their scripts."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainp.cli.asking import Key, Url, a_client
from ainp.cli.exits import REFUSED
from ainp.cli.say import say
from ainp.core.visible import visible

if TYPE_CHECKING:
    import httpx

_JSON = "application/json"
_TEXTS = (_JSON, "text/")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def call(  # noqa: PLR0913 - what a request has
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET or POST.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="Where to, from the slash on: /api/…")],
    *,
    data: Annotated[
        str | None, typer.Option("--data", "-d", metavar="JSON", help="The body; @FILE reads a file, - standard input.")
    ] = None,
    key: Key = None,
    url: Url = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="One more header; repeatable.")
    ] = None,
    admin_token_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that has the administrator's token.")
    ] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="For a POST; a new one if none is given.")] = None,
    include: Annotated[bool, typer.Option("--include", "-i", help="Print the status and the headers, too.")] = False,
) -> None:
    """
    Send one request to a broker, signed by your key, and print the answer.

    What fails for a moment is tried again, under the same idempotency key.
    It ends with 0 if the broker did it, 1 if it refused, 2 if there was no answer.

    Examples:

    \b
    ainp keys new --out agent.key
    export AINP_KEY_FILE=agent.key
    ainp call GET /api/negotiations?agent_did=$DID
    ainp call POST /api/negotiations/$ID/accept -d '{"round_number": 1}'
    ainp call POST /api/agents/register -d @registration.json
    """
    body, headers = None if data is None else _body(data), dict(map(_header, header or []))
    if method.upper() not in _METHODS:
        raise typer.BadParameter(f"METHOD: found {method!r}, expected one of {', '.join(_METHODS)}")
    if not path.startswith("/"):
        raise typer.BadParameter(f"PATH: found {path!r}, expected one that begins with a slash")
    token = None if admin_token_env is None else _token(admin_token_env)
    with a_client("call", key=key, url=url, admin_token=token) as client:
        from ainp.client.ask import Ask, raw  # noqa: PLC0415 - as in `asking`

        ask = Ask(method.upper(), path, raw, body, admin=token is not None, headers=headers)
        answer = client.exchange(ask, idempotency_key=idempotency_key)
    _show(answer, include=include)
    if not answer.is_success:
        say(f"ainp call: {answer.status_code} {answer.reason_phrase}", err=True)
        raise typer.Exit(REFUSED)


def _body(data: str) -> bytes:
    try:
        if data == "-":
            found = sys.stdin.buffer.read()
        else:
            found = Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()
        json.loads(found)
    except OSError as error:
        raise typer.BadParameter(f"--data: {data[1:]} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise typer.BadParameter(f"--data: not JSON: {error}") from error
    return found


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise typer.BadParameter(f"--header: found {line!r}, expected 'Name: value'")
    return name.strip(), value.strip()


def _token(name: str) -> str:
    token = os.environ.get(name)
    if not token:
        raise typer.BadParameter(f"--admin-token-env: the variable {name} is not set")
    return token


def _show(answer: "httpx.Response", *, include: bool) -> None:
    if include:
        say(f"HTTP {answer.status_code} {answer.reason_phrase}")
        for name, value in answer.headers.items():
            say(f"{name}: {value}")
        typer.echo()
    kind, piped = answer.headers.get("content-type", "").partition(";")[0], not sys.stdout.isatty()
    if piped and kind and not kind.startswith(_TEXTS):
        typer.echo(answer.content, nl=False)  # bytes, for a file
        return
    text = answer.content.decode(errors="backslashreplace")
    if piped or not kind.startswith(_JSON):
        say(text, nl=not text.endswith("\n"))
        return
    from rich.console import Console  # noqa: PLC0415 - takes a while, and is not for pipes
    from rich.highlighter import JSONHighlighter  # noqa: PLC0415

    shown = visible(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    Console().print(JSONHighlighter()(shown), soft_wrap=True)
