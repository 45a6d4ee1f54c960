"""Static files for Django: collected, compressed, indexed once, served at the server's own speed.

Three rooms that meet in one value, the index: ``collecting`` writes it once per deploy, ``serving``
answers requests from it, ``diagnosing`` explains what would break in production and why a site meant
to be async runs in threads. Start with the README; the architecture page of the docs has the picture.
"""

__version__ = "0.1.0"
