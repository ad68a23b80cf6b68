"""The yardstick: one bare Starlette JSON route, on the uvicorn settings of `knownas serve`.

Run as `python -m bench.bare PORT`.
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PATH = "/bare"

USER = {
    "user": {
        "id": "0192f0c1a2b3c4d5e6f70819",
        "externalId": "u1234",
        "profile": {"givenName": "Ada", "surname": "King", "email": "ada@example.com", "locale": "en-GB"},
        "identities": [{"type": "email", "value": "ada@example.com", "primary": True}],
        "metadata": {"plan": "gold"},
        "signedUpAt": "2026-01-01T12:00:00.000Z",
        "toBeRetained": False,
    }
}


async def bare(_: Request) -> JSONResponse:
    return JSONResponse(USER)


async def ready(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ready"})


app = Starlette(routes=[Route(PATH, bare), Route("/readyz", ready)])


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
    )
