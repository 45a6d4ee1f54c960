"""From (index, request) to response. Knows no Django but ``django.utils.http``; one module reads files."""
