"""Which IP addresses are of the public internet, and so of nobody's own network."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

# IANA's special-purpose registry, written out: what Python's own `is_global` says has changed between releases.
_NOT_PUBLIC_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this host
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a carrier's NAT
            "127.0.0.0/8",
            "168.63.129.16/32",  # looks public, is Azure's own service on every machine there
            "169.254.0.0/16",  # link-local, where clouds keep their metadata
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",  # documentation, as are 198.51.100.0 and 203.0.113.0
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
# Everything else of IPv6 is local, mapped, translated (NAT64) or not given out.
_PUBLIC_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo and other tunnels to IPv4, benchmarks, ORCHID
            "2001:db8::/32",  # documentation, as is 3fff::
            "2002::/16",  # 6to4: carries any IPv4 address
            "3fff::/20",
        ),
    )
)

_PRIVATE_V4 = tuple(map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_PRIVATE_V6 = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether packets to *address* leave every network that somebody could have at home."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


def is_public_or_private(address: IPv4Address | IPv6Address) -> bool:
    """The same, and the networks that people have at home, this machine among them; link-local is nobody's."""
    private = _PRIVATE_V4 if isinstance(address, IPv4Address) else _PRIVATE_V6
    return is_public(address) or any(address in network for network in private)
