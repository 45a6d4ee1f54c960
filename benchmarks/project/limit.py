"""What no application can be faster than: the path looked up in a dict, prepared headers and bytes sent."""

from pathlib import Path

from django.conf import settings

Prepared = tuple[int, list[tuple[str, str]], bytes]


def prepare() -> dict[str, Prepared]:
    """``(status, headers, body)`` by path: the requested files; below ``/br/`` with brotli, below ``/304/`` a 304."""
    prepared: dict[str, Prepared] = {}
    for name in settings.BENCHMARK["requested"]:
        body = (Path(settings.STATIC_ROOT) / name).read_bytes()
        coded = (Path(settings.STATIC_ROOT) / f"{name}.br").read_bytes()
        kept = [
            ("etag", '"00112233445566778899aabbccddeeff"'),
            ("cache-control", "max-age=315360000, public, immutable"),
            ("vary", "accept-encoding"),
            ("access-control-allow-origin", "*"),
        ]
        described = [
            ("content-type", "text/css; charset=utf-8"),
            ("last-modified", "Sat, 01 Aug 2026 00:00:00 GMT"),
            ("accept-ranges", "bytes"),
        ]
        prepared[f"/static/{name}"] = (200, [*described, ("content-length", str(len(body))), *kept], body)
        coding = [("content-length", str(len(coded))), ("content-encoding", "br")]
        prepared[f"/br/{name}"] = (200, [*described, *coding, *kept], coded)
        prepared[f"/304/{name}"] = (304, kept, b"")
    return prepared


def asgi():
    """The limit of an ASGI server."""
    prepared = {
        path: (
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode()) for name, value in headers],
            },
            {"type": "http.response.body", "body": body},
        )
        for path, (status, headers, body) in prepare().items()
    }

    async def application(scope, receive, send):
        if scope["type"] == "http":
            start, body = prepared[scope["path"]]
            await send(start)
            await send(body)

    return application


def wsgi():
    """The limit of a WSGI server."""
    reasons = {200: "200 OK", 304: "304 Not Modified"}
    prepared = {
        path: (reasons[status], headers, [body] if body else []) for path, (status, headers, body) in prepare().items()
    }

    def application(environ, start_response):
        status, headers, body = prepared[environ["PATH_INFO"]]
        start_response(status, list(headers))
        return body

    return application
