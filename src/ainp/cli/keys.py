"""`ainp keys`: identities for agents."""

import base64
import json
from typing import Annotated

import typer
from nacl.signing import SigningKey

from ainp.core.did import did_of_key

app = typer.Typer(help="Make identities for agents.", no_args_is_help=True)


@app.command()
def new(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a new Ed25519 key and the did:key that it is; nothing is stored, keep the private key yourself."""
    key = SigningKey.generate()
    made = {
        "did": did_of_key(bytes(key.verify_key)),
        "public_key": key.verify_key.encode().hex(),
        "private_key": base64.b64encode(bytes(key)).decode(),
    }
    if as_json:
        typer.echo(json.dumps(made))
        return
    for name, value in made.items():
        typer.echo(f"{name:<12} {value}")
