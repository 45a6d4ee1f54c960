import json
from collections import defaultdict
from pathlib import Path

import aiofiles
from django.conf import settings
from django.shortcuts import render
from django.templatetags.static import static

from django_asyncstatic.index import INDEX_NAME

SITE_CSS = "pages/css/site.css"

# Where a reference stands, how it is written in the source, and which file it names.
REFERENCES = [
    ("Stylesheet", '<link rel="stylesheet" href="{% static "…" %}">', SITE_CSS),
    ("Print sheet", '<link rel="stylesheet" media="print" …>', "pages/css/print.css"),
    ("Icon", '<link rel="icon" href="{% static "…" %}">', "pages/img/favicon.svg"),
    ("Image", '<img src="{% static "…" %}">', "pages/img/logo.svg"),
    ("Stylesheet in CSS", '@import url("base.css");', "pages/css/base.css"),
    ("The short form", '@import "fonts.css";', "pages/css/fonts.css"),
    ("Raster in CSS", 'url("../img/fingerprint.webp")', "pages/img/fingerprint.webp"),
    ("SVG in CSS", 'url("../img/bars.svg")', "pages/img/bars.svg"),
    ("Font", 'src: url("../fonts/…") format("woff2");', "pages/fonts/instrument-sans.woff2"),
    ("Module", '<script type="module" src="{% static "…" %}">', "pages/js/main.js"),
    ("Static import", 'import { splitName } from "./names.js";', "pages/js/names.js"),
    ("Dynamic import", 'await import("./revalidate.js")', "pages/js/revalidate.js"),
    ("Python", 'static("…")', "pages/img/route.svg"),
]


def split_hash(url):
    """Cut the URL of a static file into (directory, stem, hash, extension)."""
    directory, _, name = url.rpartition("/")
    stem, _, rest = name.partition(".")
    digits, _, extension = rest.rpartition(".")
    return f"{directory}/", stem, digits, f".{extension}"


def home(request):
    references = [(kind, source, split_hash(static(name))) for kind, source, name in REFERENCES]
    return render(
        request,
        "pages/home.html",
        {"stylesheet": split_hash(static(SITE_CSS)), "references": references},
    )


async def read_index():
    """The index, line by line: a path relative to STATIC_URL, a tab, a JSON object."""
    async with aiofiles.open(Path(settings.STATIC_ROOT) / INDEX_NAME, encoding="utf-8") as file:
        await file.readline()  # the header: what made the index
        lines = [line.partition("\t") async for line in file]
    return {path: json.loads(value) for path, _, value in lines}


def sum_by_app(lines):
    """Count the files of each app, and their bytes: as they are, and in their smallest form."""
    apps = defaultdict(lambda: {"files": 0, "size": 0, "smallest": 0})
    for path, value in lines.items():
        if "as" in value:  # a plain name, answered by the hashed one
            continue
        app = apps[path.partition("/")[0]]
        app["files"] += 1
        app["size"] += value["size"]
        app["smallest"] += min(size for _, size in forms_of(value))
    return sorted(apps.items())


def forms_of(value):
    return [("identity", value["size"]), *(coding[:2] for coding in value.get("codings", []))]


async def index(request):
    """Show what the index says about one file, and about the files of each app."""
    lines = await read_index()
    url = static(SITE_CSS)
    path = url.removeprefix(settings.STATIC_URL)
    line = lines[path]
    context = {
        "stylesheet": split_hash(url),
        "name": split_hash(path),
        "line": json.dumps(line, ensure_ascii=False),
        "alias": (SITE_CSS, json.dumps(lines[SITE_CSS])),
        "forms": [(coding, n, round(100 * n / line["size"])) for coding, n in forms_of(line)],
        "apps": sum_by_app(lines),
        "route": static("pages/img/route.svg"),
    }
    return render(request, "pages/index.html", context)
