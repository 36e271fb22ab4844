"""
The SDK: an identity that signs, a client that asks, events that resume, and receipts that anybody can verify.

    with Client("https://broker.example", Identity.load("agent.key")) as agent:
        agent.register("translates texts")

It uses the rules and the wire bodies, and nothing of the server.
"""

from ainp.client import calls
from ainp.client.clients import AsyncClient, Client
from ainp.client.errors import AinpError, BadKey, BadSetting, NoIdentity, Refused, Unexpected, Unreachable
from ainp.client.events import Told
from ainp.client.identity import Identity
from ainp.client.signing import SignedBy
from ainp.client.verify import Published, verify_receipt

__all__ = [
    "AinpError",
    "AsyncClient",
    "BadKey",
    "BadSetting",
    "Client",
    "Identity",
    "NoIdentity",
    "Published",
    "Refused",
    "SignedBy",
    "Told",
    "Unexpected",
    "Unreachable",
    "calls",
    "verify_receipt",
]
