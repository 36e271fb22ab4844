"""The machine's limit for one request: the broker's server around a handler that does nothing."""

import sys

import uvicorn
import uvloop
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

_HEADERS = [(b"content-length", b"2"), (b"content-type", b"application/json")]


async def answer(_: Scope, __: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """200 and an empty object."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS, "trailers": False})
    await send({"type": "http.response.body", "body": b"{}", "more_body": False})


def main() -> None:
    """Serve on the port that is given."""
    config = uvicorn.Config(
        answer,
        port=int(sys.argv[1]),
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
    )
    uvloop.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
