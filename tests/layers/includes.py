#!/usr/bin/env python3
"""Who may include whom (docs/layers.md), and what a core may not use. Exit code 1 and one line per offence."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
offences = []


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if found:
            yield number, found.group(1)


def complain(path, number, text):
    offences.append(f"{path.relative_to(root)}:{number}: {text}")


for path in sorted(root.glob("**/*.[ch]pp")):
    parts = path.relative_to(root).parts
    if parts[0] not in ("messages", "runtime", "actors", "cli"):
        continue
    core = parts[0] == "actors" and ("core" in path.stem.split("_") or path.stem == "core")
    for number, name in includes(path):
        if parts[0] == "messages" and name.startswith(("runtime/", "actors/", "cli/")):
            complain(path, number, f"messages includes {name}")
        if parts[0] == "runtime" and parts[1] != "placement" and name.startswith(("actors/", "cli/")):
            complain(path, number, f"runtime includes {name}")
        if parts[0] == "cli" and name.startswith("actors/"):
            complain(path, number, f"cli includes {name}")
        if parts[0] == "actors" and name.startswith("actors/") and name.split("/")[1] != parts[1]:
            complain(path, number, f"component {parts[1]} includes {name}")
        if parts[0] == "actors" and name.startswith(("cli/", "runtime/placement")):
            complain(path, number, f"component {parts[1]} includes {name}")
        if core and (name.startswith(("runtime/", "caf/", "spdlog/")) or name in ("thread", "mutex", "fstream", "chrono")):
            complain(path, number, f"a core includes {name}")
    if parts[0] in ("messages", "actors"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("//")[0]
            if re.search(r"system_clock::now|steady_clock::now|sleep_for|\bstd::rand\b|random_device", code):
                complain(path, number, "clock, randomness or sleep outside runtime")

print("\n".join(offences) or "layers are kept")
sys.exit(1 if offences else 0)
