"""`ainp keys`: identities for agents."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ainp.cli.exits import CANNOT
from ainp.client import BadKey, Identity

app = typer.Typer(help="Make and show identities for agents.", no_args_is_help=True, add_completion=False)


@app.command()
def new(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the key in this new file, and print only what is public.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """
    Make a new Ed25519 key and the did:key that it is.

    Without --out nothing is stored: keep the private key (the 32 bytes in base64) where only the agent can read it.
    The file is one that only its owner can read, and never one that is there already.
    """
    made = Identity.new()
    if out is not None:
        try:
            made.save(out)
        except BadKey as error:
            typer.echo(f"ainp keys new: {error}", err=True)
            raise typer.Exit(CANNOT) from error
    _print(written(made, private=out is None), as_json=as_json)


@app.command()
def show(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A key file; without one, the key of the environment.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Print the private key, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """
    Print the DID and the public key of a key file, or of AINP_KEY_FILE or AINP_PRIVATE_KEY.

    The private key is printed only with --private.
    """
    try:
        found = Identity.from_env() if file is None else Identity.load(file)
    except BadKey as error:
        typer.echo(f"ainp keys show: {error}", err=True)
        raise typer.Exit(CANNOT) from error
    _print(written(found, private=private), as_json=as_json)


def written(identity: Identity, *, private: bool = True) -> dict[str, str]:
    """Write a key down: its DID, the public key in hex, and if *private* the 32 secret bytes in base64."""
    said = {"did": identity.did, "public_key": identity.public_key}
    if identity.key_id != identity.did:
        said["key_id"] = identity.key_id
    return {**said, "private_key": identity.private_key} if private else said


def _print(said: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(said))
        return
    for name, value in said.items():
        typer.echo(f"{name:<12} {value}")
