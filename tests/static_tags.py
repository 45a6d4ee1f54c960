"""Tags that are Django's ``static`` under another name, and tags that only look so; what other engines there are."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.backends.base import BaseEngine
from django.templatetags.static import StaticNode, do_static, static

register = template.Library()

register.tag("asset", do_static)
register.tag("bound", StaticNode.handle_token)


@register.tag
def called(parser: Any, token: Any) -> StaticNode:
    return StaticNode.handle_token(parser, token)


class VersionedNode(StaticNode):
    """As django-cms has one: the file that it names is in another directory."""

    def url(self, context: Any) -> str:
        return self.handle_simple(f"v1/{self.path.resolve(context)}")


register.tag("versioned", VersionedNode.handle_token)


@register.tag
def prefixed(parser: Any, token: Any) -> StaticNode:
    node = StaticNode.handle_token(parser, token)
    node.path = parser.compile_filter(f"'app/{node.path}'")
    return node


@register.tag
def ifinstalled(parser: Any, token: Any) -> Any:
    """As Mezzanine has it: what is inside is left out where an app is not installed."""
    nodes = parser.parse(("endifinstalled",))
    parser.delete_first_token()
    return nodes


@register.simple_tag
def simple(path: str) -> str:
    return StaticNode.handle_simple(f"app/{path}")


@register.simple_tag(name="static")
def another_static(path: str) -> str:
    return path


def environment(**options: Any) -> Any:
    """As the documentation of Django tells one to make it."""
    from jinja2 import Environment

    made = Environment(**options)
    made.globals["static"] = static
    return made


class UnknownTemplates(BaseEngine):
    app_dirname = "unknown"

    def __init__(self, params: dict[str, Any]) -> None:
        params = {**params}
        params.pop("OPTIONS")
        super().__init__(params)
