"""``manage.py`` of a project that only collects, or is checked, and the limit; each ends by telling what it has used.

python -m project.manage collectstatic --noinput
python -m project.manage limit DIRECTORY [--compress]
"""

import json
import os
import resource
import sys


def used():
    """Bytes and calls of all writes, children's too, and the peak of resident memory, of the largest child too.

    ``ru_maxrss`` of the process itself is not it: it starts with what the parent had when it forked.
    """
    with open("/proc/self/io") as file:
        io = {name: int(value) for name, value in (line.split(": ") for line in file)}
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"written": io["wchar"], "writes": io["syscw"], "memory": (peak + children) * 1024}


def main():
    try:
        if sys.argv[1] == "limit":
            from project.collect_limit import limit

            limit(sys.argv[2], compress="--compress" in sys.argv)
        else:
            os.environ["DJANGO_SETTINGS_MODULE"] = os.environ.get("BENCHMARK_SETTINGS", "project.collect_settings")
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    finally:
        if report := os.environ.get("BENCHMARK_REPORT"):
            figures = json.dumps(used())
            with open(report, "w") as file:
                file.write(figures)


if __name__ == "__main__":
    main()
