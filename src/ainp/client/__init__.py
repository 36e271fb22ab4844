"""
The SDK's beginning: an identity that signs, the calls of a whole job, and events that resume.

It uses the rules and the wire bodies, and nothing of the server.
"""

from ainp.client.calls import Client, Refused
from ainp.client.events import Told, follow
from ainp.client.identity import Identity

__all__ = ["Client", "Identity", "Refused", "Told", "follow"]
