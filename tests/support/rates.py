"""Writes docs/rate-limits.md from the table of limits, so that it names what there is. Run by `make docs`."""

from pathlib import Path

from ainp.adapters.rate_limits import KEPT
from ainp.core.rate import SECOND_US, Limit
from ainp.core.rate_policy import TABLE, Group, RatePolicy
from ainp.http.routes import ROUTES

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "rate-limits.md"

_HEAD = """\
<!-- Generated from src/ainp/core/rate_policy.py by `make docs`; a test keeps it so. -->

# Rate limits

A request is counted twice: for the address it comes from, before its body is read or a signature verified; and for the
DID that acts, once that is known. Each has a bucket in each group of routes. Both must let the request through, so a
DID that is made up costs the address it comes from. Health and metrics are not counted; what there is no route for is.

- **Where**: in strict mode, behind a proxy, and wherever `RATE_LIMIT_ENABLED=true`. In compat mode on loopback whoever
  is there is the operator, and nothing is limited unless that is set.
- **Which DID**: in strict mode the one that has signed the request, or its envelope. Nobody uses up what another may do
  by naming it: what an attestation signs itself is verified by the operation, so until then it is its address that
  counts. Nor by sending again what another has signed, as the receiver of an envelope could: that is given back, and
  costs the address it came from. Otherwise the DID that the request names.
- **Which address**: the other end of the connection; behind a proxy that shows `AINP_PROXY_SECRET` the last element of
  `X-Forwarded-For`, else `X-Real-IP`. All addresses of an IPv6 network (/64) are one. Behind a proxy that does not
  prove itself all come from the proxy's address: raise `RATE_LIMIT_ADDRESS_FACTOR` to what the proxy lets through.

## Limits

With the settings as they are by default, in strict mode. All but those of messages are a part of `RATE_LIMIT_MAX` in
`RATE_LIMIT_WINDOW_MS`, which may come at once; messages are `RATE_LIMIT_INTENTS_PER_MIN`, with `RATE_LIMIT_BURST` at
once. An address has `RATE_LIMIT_ADDRESS_FACTOR` times as much as a DID.

"""

_TAIL = f"""
A bucket fills evenly (the generic cell rate algorithm): what was taken comes back one by one, there is no moment at
which all of it does. So in any time `t` no more than what fits at once, and what comes back in `t`, is let through.

## What a client is told

Too many: `429` with `{{"error": "RATE_LIMIT_EXCEEDED", "message": "Too many requests: …", "retry_after_ms": 1200}}` and
`Retry-After` in whole seconds. The same request, signature and all, is let through after that time: it was not used.
A socket that sends too much is closed with 1008 and this reason.

Every counted answer, good ones too, says what is left:

| header | meaning |
|---|---|
| `RateLimit-Policy` | each limit that was asked: its name, how many (`q`) in which time (`w`, seconds) |
| `RateLimit` | of each, how many are left (`r`), and in how many seconds all are, or if it refused, one is (`t`) |
| `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset` | of the one with the least left, as older drafts had it |
| `X-RateLimit-Limit`, `X-RateLimit-Remaining` | the same, for older ones |
| `X-RateLimit-Degraded: true` | Redis does not answer, and this node counts alone |

The first two are those of draft-ietf-httpapi-ratelimit-headers-10.

## Where it is counted

**On one node** in memory: a table of 2 MiB that all processes of `ainp serve --workers N` share, so N processes do not
give N times the limit. It has room for {KEPT:,} buckets, each of one DID or address in one group; beyond that the one
that is nearest to being full makes room, which is the one that matters least. It begins anew with the broker.

**On several nodes** in Redis, with `REDIS_URL`: `redis://user:password@host:port/db`, or `rediss://` for TLS, certified
by `REDIS_TLS_CA` or by whom the system trusts. A user of an ACL needs
`~ainp:1:rate:* +evalsha +script|load +get +set +time`. Keys expire by themselves.
Where nothing is limited, nobody connects.

A Redis that goes away ends no request, and delays none by more than some 50 ms. Until it is back, which is noticed
within seconds, each node counts alone, and says so: in the header above, in the log (`[RateLimit] Redis unavailable`,
then `Redis connected`), in `/health` (`connections.redis` is false, the status stays 200) and in the metric
`ainp_rate_limits_degraded`. A wrong password is the same: the broker starts, and the log says why.
"""


def document() -> str:
    """Tell what is limited, to how much, and why."""
    heading = "| group | routes | a DID | an address | why |\n|---|---|---|---|---|\n"
    limits = RatePolicy().limits()
    rows = "".join(
        f"| `{group}` | {row.what}: {_routes(group)} | {_words(limits[group].did)} | {_words(limits[group].address)} |"
        f" {row.why} |\n"
        for group, row in TABLE.items()
    )
    return f"{_HEAD}{heading}{rows}{_TAIL}"


def _routes(group: Group) -> str:
    if group is Group.MESSAGES:
        return "`/ws`"
    counted = [route for route in ROUTES if route.group is group]
    paths = [f"`{route.path}`" if route.rate else f"`/{'/'.join(route.path.split('/')[1:3])}`" for route in counted]
    return ", ".join(dict.fromkeys(paths)) or "no route yet"


def _words(limit: Limit) -> str:
    burst = "" if limit.burst == limit.amount else f", {limit.burst} at once"
    return f"{limit.amount} in {limit.window_us // SECOND_US} s{burst}"


def main() -> None:
    DOCUMENT.write_text(document(), "utf-8")


if __name__ == "__main__":
    main()
