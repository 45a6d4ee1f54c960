"""RFC 9110 12: from Accept-Encoding to the selected representation.

Pure. Highest weight wins; among equals the smallest representation; identity that is neither listed nor
matched by ``*`` comes last; when nothing is acceptable, identity is sent all the same (12.5.3 permits it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from django_asyncstatic.index import Representation

#: Browsers send under 40 characters; a longer field than this is parsed and forgotten, so that the cache is bounded.
CACHED_LENGTH = 256

# RFC 9110 12.4.2: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
_MEMBER = re.compile(
    r"[ \t]*(?P<coding>[!#$%&'*+.^_`|~0-9A-Za-z-]+)"
    r"(?:[ \t]*;[ \t]*[qQ]=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*",
    re.ASCII,
)

Weights = Mapping[str, float]


def _parse(field: str) -> Weights:
    """Weights by lower-case coding; members that are not in the grammar are left out."""
    weights: dict[str, float] = {}
    for member in field.split(","):
        if match := _MEMBER.fullmatch(member):
            coding = match["coding"].lower()
            # 8.4.1.3: "x-gzip" is equivalent to "gzip".
            coding = "gzip" if coding == "x-gzip" else coding
            weights.setdefault(coding, float(match["weight"] or 1))
    return weights


_parse_cached = lru_cache(maxsize=512)(_parse)


def parse_accept_encoding(field: str) -> Weights:
    """Weights (0 to 1) by lower-case content coding; ``*`` and ``identity`` stand among them if listed.

    >>> parse_accept_encoding("gzip, BR;q=0.8, identity;q=0, a b")
    {'gzip': 1.0, 'br': 0.8, 'identity': 0.0}
    """
    return _parse_cached(field) if len(field) <= CACHED_LENGTH else _parse(field)


def select_representation(representations: Sequence[Representation], accept_encoding: str | None) -> Representation:
    """The representation to send, of at least one whose first is identity.

    Without the field any coding is acceptable (12.5.3), and identity is what a client that says nothing
    can surely read.
    """
    identity = representations[0]
    if accept_encoding is None or len(representations) == 1:
        return identity
    weights = parse_accept_encoding(accept_encoding)
    others = weights.get("*", 0.0)
    # Not listed and not matched by "*": acceptable (12.5.3, rule 2), after everything the client asked for.
    best, best_weight = identity, weights.get("identity", others or 0.0)
    for representation in representations[1:]:
        weight = weights.get(representation.coding or "", others)
        if weight > best_weight or (weight == best_weight > 0 and representation.size < best.size):
            best, best_weight = representation, weight
    return best
