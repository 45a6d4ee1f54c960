#!/usr/bin/env python
"""Runs a benchmark in an environment of its own, with the servers and the peers' current releases installed.

    python benchmarks/run.py                 calls.py and serve.py --quick: two minutes
    python benchmarks/run.py serve           any of the others, with its arguments
    python benchmarks/run.py serve --only uvicorn --rounds 3

The environment is benchmarks/.venv; remove it to have newer releases. wrk, strace and nginx are the system's:
``apt install wrk strace nginx``.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"

#: Names that can be asked for: what measures.
SCRIPTS = {each.stem for each in HERE.glob("*.py") if "def main() -> None:" in each.read_text()} - {"run"}


def main() -> None:
    asked = sys.argv[1:]
    if asked and asked[0].removesuffix(".py") not in SCRIPTS:
        sys.exit(f"{__doc__}\nBenchmarks: {', '.join(sorted(SCRIPTS))}")
    if not PYTHON.exists():
        print(f"Installing the servers and the peers into {ENVIRONMENT} …", file=sys.stderr, flush=True)
        venv.create(ENVIRONMENT, with_pip=True)
        requirements = ["-e", str(HERE.parent) + "[all]", "-r", str(HERE / "requirements.txt")]
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", *requirements], check=True)
    runs = [[asked[0].removesuffix(".py"), *asked[1:]]] if asked else [["calls"], ["serve", "--quick"]]
    for script, *arguments in runs:
        if status := subprocess.call([PYTHON, HERE / f"{script}.py", *arguments]):
            sys.exit(status)


if __name__ == "__main__":
    main()
