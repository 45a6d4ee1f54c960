"""The Django project that the benchmarks serve. The environment tells what, see ``servers.py``."""
