"""
The broker's own identity, from the settings.

With a database of its own it has a key from the first start on. The key alone never decides where money goes: that is
BROKER_DID, and without it the fees account.
"""

from ainp.adapters.broker_key import Identity, UnusableKey, identity_of, read, read_or_make
from ainp.core.did import AgentDid
from ainp.settings import Settings

_NAME = "broker.key"


def broker_identity(settings: Settings, *, make: bool = False) -> Identity | None:
    """Who this broker signs as, None if it has no key; *make* one where there may be one. Raises UnusableKey."""
    did = None if settings.broker_did is None else AgentDid(settings.broker_did)
    if settings.broker_private_key is not None:
        return identity_of(settings.broker_private_key.get_secret_value(), did=did)
    path = settings.broker_key_file
    get = read_or_make if make else read
    try:
        if path is not None:
            return get(path, did=did)
        if settings.database_url is not None:
            return None
        path = settings.data_dir.expanduser() / _NAME
        return get(path) if did is None else _of(read(path), did)
    except FileNotFoundError as error:
        if path is not None and path == settings.broker_key_file:
            raise UnusableKey(f"BROKER_KEY_FILE={path} is not there") from error
        return None


def _of(own: Identity, did: AgentDid) -> Identity | None:
    """The key that was made once, if it is that of BROKER_DID: nobody has said that it speaks for another."""
    return own if own.did == did else None
