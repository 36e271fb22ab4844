"""Which addresses are public: what a did:web may be fetched from."""

from ipaddress import ip_address

import pytest

from ainp.core.addresses import is_public, is_public_or_private


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]
)
def test_a_public_address_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.255.255.255",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_somebody_could_have_at_home_is_not(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["1.1.1.1", "127.0.0.1", "10.1.2.3", "100.64.0.1", "192.168.1.1", "::1", "fd12::1"])
def test_private_networks_can_be_let_in(text: str) -> None:
    assert is_public_or_private(ip_address(text))


@pytest.mark.parametrize("text", ["0.0.0.0", "169.254.169.254", "224.0.0.1", "::", "::ffff:127.0.0.1", "fe80::1"])
def test_what_is_nobody_s_stays_out(text: str) -> None:
    assert not is_public_or_private(ip_address(text))
