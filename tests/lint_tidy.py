#!/usr/bin/env python3
"""clang-tidy over our sources, as far as they have changed since they were last found clean.

    lint_tidy.py BUILD [FILE...]

A clean file gets a stamp below BUILD/tidy; it is looked at again when it, a header of ours that it includes, or
.clang-tidy is newer. The first run over everything takes the better part of an hour. Exit code 1 and the findings when
there are any.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[1]
build = pathlib.Path(sys.argv[1]).resolve()
tidy = build / "tidy"


def write_database():
    """The build's commands as clang can read them: without GCC's precompiled headers. Returns each file's object file."""
    commands = []
    for command in json.loads((build / "compile_commands.json").read_text()):
        text = re.sub(r"-Winvalid-pch|--param=\S+|-include \S+cmake_pch\.hxx", "", command["command"])
        text = text[text.index("/usr/bin/c++"):] if "/usr/bin/c++" in text else text
        compiled = command["file"]
        commands += [command | {"command": text.replace(compiled, file), "file": file} for file in sources_in(compiled)]
    tidy.mkdir(exist_ok=True)
    (tidy / "compile_commands.json").write_text(json.dumps(commands))
    return {pathlib.Path(c["file"]).resolve(): re.search(r" -o (\S+) ", c["command"])[1] for c in commands}


def sources_in(compiled):
    """The sources that a compiled file stands for: itself, or those that a file of a unity build includes."""
    path = pathlib.Path(compiled)
    if "Unity" not in path.parts:
        return [compiled]
    return re.findall(r'#include "(\S+\.cpp)"', path.read_text())


def dependencies():
    """Per object file the files of ours that went into it, as ninja has recorded them."""
    listed = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    found, current = {}, None
    for line in listed.splitlines():
        if line.startswith("    "):
            path = pathlib.Path(os.path.join(build, line.strip()))
            if root in path.parents:
                found[current].append(path)
        elif ": #deps" in line:
            current = line.split(": #deps")[0]
            found[current] = []
    return found


def stamp_of(unit):
    return tidy / (str(unit.relative_to(root)).replace("/", "_") + ".clean")


def is_clean(unit, inputs):
    stamp = stamp_of(unit)
    if not stamp.exists():
        return False
    newest = max(p.stat().st_mtime for p in (unit, root / ".clang-tidy", *inputs) if p.exists())
    return stamp.stat().st_mtime >= newest


def check(unit):
    """The findings in a unit; none makes it clean."""
    done = subprocess.run(["clang-tidy", "-quiet", "-p", tidy, unit], capture_output=True, text=True, cwd=root)
    findings = [line for line in done.stdout.splitlines() if re.search(r"(warning|error): ", line)]
    if done.returncode == 0:
        stamp_of(unit).touch()
    elif not findings:
        findings = [f"{unit}: clang-tidy ended with {done.returncode}: {done.stderr.strip()[-300:]}"]
    return findings


def main():
    outputs = write_database()
    inputs = dependencies()
    names = sys.argv[2:] or subprocess.run(
        ["git", "ls-files", "--", "actors/*.cpp", "cli/*.cpp", "messages/*.cpp", "runtime/*.cpp"],
        capture_output=True, text=True, check=True, cwd=root).stdout.split()
    units = [(root / name).resolve() for name in names]
    units = [unit for unit in units if unit in outputs and not is_clean(unit, inputs.get(outputs[unit], []))]
    found = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, findings in enumerate(pool.map(check, units), 1):
            for line in findings:
                if line not in found:
                    print(line, flush=True)
            found.update(findings)
            if number % 25 == 0:
                print(f"{number} of {len(units)}", flush=True)
    return 1 if found else 0


sys.exit(main())
