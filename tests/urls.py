"""Views behind the static files: what is not ours has to reach them untouched."""

from django.http import HttpRequest, HttpResponse
from django.urls import re_path


def echo(request: HttpRequest, path: str) -> HttpResponse:
    """Says that the application answered, and what it was asked."""
    body = f"application {request.method} {path} {request.body.decode()}"
    return HttpResponse(body, content_type="text/plain", headers={"x-answered-by": "application"})


async def aecho(request: HttpRequest) -> HttpResponse:
    return HttpResponse("async application", content_type="text/plain")


urlpatterns = [
    re_path(r"^async/$", aecho),
    re_path(r"^(?P<path>(?!static/).*)$", echo),
]
