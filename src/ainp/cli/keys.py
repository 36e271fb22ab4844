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
    """
    Make a new Ed25519 key and the did:key that it is.

    Nothing is stored: keep the private key (the 32 bytes in base64) where only the agent can read it.
    """
    made = written(SigningKey.generate())
    if as_json:
        typer.echo(json.dumps(made))
        return
    for name, value in made.items():
        typer.echo(f"{name:<12} {value}")


def written(key: SigningKey) -> dict[str, str]:
    """Write a key down: its DID, the public key in hex, the 32 secret bytes in base64."""
    return {
        "did": did_of_key(bytes(key.verify_key)),
        "public_key": bytes(key.verify_key).hex(),
        "private_key": base64.b64encode(bytes(key)).decode(),
    }
