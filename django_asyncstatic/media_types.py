"""Our own table of media types: the host's ``mime.types`` must not change an answer.

Types as registered with IANA, by lower-case suffix. Python's own table differs between versions (3.13
lacks the fonts and ``.map``) and reads ``/etc/mime.types`` where there is one.
"""

from __future__ import annotations

DEFAULT = "application/octet-stream"

#: Suffix without the dot -> media type. A line is a family.
_FAMILIES: dict[str, dict[str, str]] = {
    "text": {
        "css": "text/css", "csv": "text/csv", "htm": "text/html", "html": "text/html", "ics": "text/calendar",
        "js": "text/javascript", "mjs": "text/javascript", "cjs": "text/javascript", "jsx": "text/javascript",
        "md": "text/markdown", "txt": "text/plain", "text": "text/plain", "log": "text/plain", "vcf": "text/vcard",
        "vtt": "text/vtt", "tsv": "text/tab-separated-values", "coffee": "text/plain", "less": "text/plain",
        "scss": "text/plain", "sass": "text/plain", "ts": "text/plain", "tsx": "text/plain", "rst": "text/plain",
    },
    "data": {
        "atom": "application/atom+xml", "geojson": "application/geo+json", "gpx": "application/gpx+xml",
        "json": "application/json", "json5": "application/json", "jsonld": "application/ld+json",
        "map": "application/json", "ndjson": "application/x-ndjson", "pdf": "application/pdf",
        "rss": "application/rss+xml", "rtf": "application/rtf", "toml": "application/toml",
        "topojson": "application/json", "wasm": "application/wasm", "webmanifest": "application/manifest+json",
        "xhtml": "application/xhtml+xml", "xml": "application/xml", "xsl": "application/xslt+xml",
        "xslt": "application/xslt+xml", "yaml": "application/yaml", "yml": "application/yaml",
        "appcache": "text/cache-manifest", "swf": "application/x-shockwave-flash", "ps": "application/postscript",
        "parquet": "application/vnd.apache.parquet", "epub": "application/epub+zip",
        "doc": "application/msword", "xls": "application/vnd.ms-excel", "ppt": "application/vnd.ms-powerpoint",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt": "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
    },
    "font": {
        "collection": "font/collection", "eot": "application/vnd.ms-fontobject", "otf": "font/otf",
        "ttc": "font/collection", "ttf": "font/ttf", "woff": "font/woff", "woff2": "font/woff2",
    },
    "image": {
        "apng": "image/apng", "avif": "image/avif", "avifs": "image/avif", "bmp": "image/bmp",
        "cur": "image/vnd.microsoft.icon", "gif": "image/gif", "heic": "image/heic", "heif": "image/heif",
        "ico": "image/vnd.microsoft.icon", "jfif": "image/jpeg", "jpe": "image/jpeg", "jpeg": "image/jpeg",
        "jpg": "image/jpeg", "jxl": "image/jxl", "ktx2": "image/ktx2", "png": "image/png", "psd":
        "image/vnd.adobe.photoshop", "svg": "image/svg+xml", "tif": "image/tiff", "tiff": "image/tiff",
        "webp": "image/webp",
    },
    "media": {
        "3gp": "video/3gpp", "aac": "audio/aac", "avi": "video/x-msvideo", "flac": "audio/flac",
        "m3u8": "application/vnd.apple.mpegurl", "m4a": "audio/mp4", "m4s": "video/iso.segment", "m4v": "video/mp4",
        "mid": "audio/midi", "midi": "audio/midi", "mkv": "video/matroska", "mov": "video/quicktime",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "mpd": "application/dash+xml", "mpeg": "video/mpeg",
        "mpg": "video/mpeg", "oga": "audio/ogg", "ogg": "audio/ogg", "ogv": "video/ogg", "opus": "audio/ogg",
        "wav": "audio/wav", "weba": "audio/webm", "webm": "video/webm", "wma": "audio/x-ms-wma",
    },
    "model": {
        "glb": "model/gltf-binary", "gltf": "model/gltf+json", "mtl": "model/mtl", "obj": "model/obj",
        "stl": "model/stl", "usdz": "model/vnd.usdz+zip",
    },
    "archive": {
        "7z": "application/x-7z-compressed", "br": "application/x-brotli", "bz2": "application/x-bzip2",
        "gz": "application/gzip", "jar": "application/java-archive", "rar": "application/vnd.rar",
        "tar": "application/x-tar", "tgz": "application/gzip", "xz": "application/x-xz", "zip": "application/zip",
        "zst": "application/zstd",
    },
}  # fmt: skip

MEDIA_TYPES: dict[str, str] = {suffix: kind for family in _FAMILIES.values() for suffix, kind in family.items()}

#: Whole file names that have a type without a suffix that tells it.
_NAMES: dict[str, str] = {
    "apple-app-site-association": "application/json",
    "crossdomain.xml": "text/x-cross-domain-policy",
}

#: Types that do not start with "text/" and yet shrink under a general-purpose coding.
_COMPRESSIBLE = frozenset(
    {
        "application/json", "application/manifest+json", "application/pdf", "application/postscript",
        "application/rtf", "application/toml", "application/vnd.apple.mpegurl", "application/vnd.ms-fontobject",
        "application/wasm", "application/x-ndjson", "application/x-tar", "application/xml", "application/yaml",
        "application/octet-stream", "application/msword", "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint", "audio/midi", "audio/wav", "font/collection", "font/otf", "font/ttf",
        "image/bmp", "image/tiff", "image/vnd.adobe.photoshop", "image/vnd.microsoft.icon", "model/gltf-binary",
        "model/mtl", "model/obj", "model/stl",
    }
)  # fmt: skip


def media_type(name: str) -> str:
    """The media type of a file by its name, without parameters; never raises.

    >>> media_type("admin/css/base.css"), media_type("no-extension")
    ('text/css', 'application/octet-stream')
    """
    base = name.rpartition("/")[2].lower()
    if base in _NAMES:
        return _NAMES[base]
    return MEDIA_TYPES.get(base.rpartition(".")[2], DEFAULT) if "." in base else DEFAULT


def is_compressible(kind: str) -> bool:
    """Whether trying to compress a file of this media type is worth the time."""
    return kind.startswith("text/") or kind in _COMPRESSIBLE or kind.endswith(("+json", "+xml"))
