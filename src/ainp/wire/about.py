"""What a broker says of itself."""

from msgspec import Struct


class BrokerReply(Struct):
    """Who a broker is; `public_key` in hex, null if it signs nothing, `base_url` as signatures name it."""

    did: str | None
    public_key: str | None
    version: str
    auth_mode: str
    base_url: str
