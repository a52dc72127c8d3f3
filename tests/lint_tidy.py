#!/usr/bin/env python3
"""clang-tidy over our sources, as far as they have changed since they were last found clean.

    lint_tidy.py BUILD [--all] [FILE...]

Files of one library are looked at a dozen at a time, as one translation unit that includes them, since nearly all of the
time goes into headers; where that does not compile (two files have one name each for themselves), apart. A file is clean
as long as nothing changes in it, in a header of ours that it includes, in .clang-tidy or in clang-tidy itself;
BUILD/tidy/clean.json keeps what was found clean. --all looks at every file again. FILE...: only these, each by itself.
Exit code 1 and the findings when there are any.
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[1]
build = pathlib.Path(sys.argv[1]).resolve()
tidy = build / "tidy"
# The version is part of what "clean" means: each knows other checks. This one leaves system headers out, which makes it
# three times as fast as those before it.
program = "clang-tidy-22"
batch_size = 12
# A test that reads an empty optional, or whose constants throw, fails: it says so by ending. Nor does it need to be fast.
not_in_tests = ("bugprone-unchecked-optional-access", "bugprone-throwing-static-initialization",
                "performance-inefficient-vector-operation")


def commands():
    """How each of our sources is compiled: file -> (library, arguments that clang understands)."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        arguments = entry["command"].split("/usr/bin/c++ ", 1)[1]
        library = re.search(r"([^ /]+)\.dir/", arguments)
        arguments = re.sub(r"-Winvalid-pch|--param=\S+|-include \S+cmake_pch\.hxx|-o \S+ -c \S+|-Werror|-Wpedantic", "", arguments)
        # Not clang's limit of 20 errors, behind which it does not look, nor its word on what GCC's headers call deprecated.
        arguments += " -ferror-limit=0 -Wno-deprecated-declarations"
        for file in sources_in(pathlib.Path(entry["file"])):
            found[file] = (library[1] if library else "", arguments)
    return found


def sources_in(file):
    """The sources that a compiled file stands for: itself, or what a file of a unity build includes."""
    if build in file.parents and "Unity" in file.parts:
        return [pathlib.Path(name) for name in re.findall(r'#include "(\S+\.cpp)"', file.read_text())]
    return [file]


@functools.cache
def content(path):
    return path.read_bytes()


@functools.cache
def includes(path):
    """The files of ours that a file includes by itself."""
    names = re.findall(rb'^#include "([^"]+)"', content(path), re.M)
    candidates = (place / name.decode() for name in names for place in (root, build / "generated"))
    return [file for file in candidates if file.exists()]


def closure(path):
    """A file and all of ours that it includes, directly or not."""
    seen, waiting = set(), [path]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting.extend(includes(file))
    return seen


def fingerprint(path, common):
    """Names everything of ours that a file's findings depend on."""
    whole = hashlib.sha256(common)
    for file in sorted(closure(path)):
        whole.update(hashlib.sha256(content(file)).digest())
    return whole.hexdigest()


def batches(files, known):
    """Files by library, at most a dozen each."""
    libraries = {}
    for file in sorted(files):
        libraries.setdefault(known[file], []).append(file)
    return [(members[first:first + batch_size], arguments) for (_, arguments), members in libraries.items()
            for first in range(0, len(members), batch_size)]


def findings_of(source, arguments, of_tests):
    """What clang-tidy says of a file, as (path, text)."""
    fewer = f"-checks={','.join('-' + name for name in not_in_tests)}" if of_tests else ""
    done = subprocess.run(f"{program} -quiet {fewer} {source} -- {arguments}", shell=True, capture_output=True, text=True, cwd=root)
    found = re.findall(r"^((/[^:\n]+):\d+:\d+: (?:warning|error): .*)$", done.stdout, re.M)
    if done.returncode != 0 and not found:
        return [(str(source), f"{source}: {program} ended with {done.returncode}: {done.stderr.strip()[-300:]}")]
    return [(path, text) for text, path in found]


def check(batch):
    """A batch's files and the findings in them."""
    files, arguments = batch
    of_tests = any(root / "tests" in file.parents for file in files)
    if len(files) == 1:
        return files, findings_of(files[0], arguments, of_tests)
    unit = tidy / f"unit_{hashlib.sha256(str(files).encode()).hexdigest()[:12]}.cpp"
    lines = ["// NOLINTBEGIN(bugprone-suspicious-include)", *(f'#include "{file}"' for file in files)]
    unit.write_text("\n".join(lines) + "\n// NOLINTEND(bugprone-suspicious-include)\n")
    found = findings_of(unit, arguments, of_tests)
    unit.unlink()
    wrong = {path for path, text in found if "[clang-diagnostic-error" in text or path == str(unit)}
    if not wrong:
        return files, found
    # Those that did not fit go into a second batch.
    parts = [[file for file in files if str(file) not in wrong], [file for file in files if str(file) in wrong]]
    if not all(parts):
        parts = [[file] for file in files]
    return files, [finding for part in parts for finding in check((part, arguments))[1]]


def tracked():
    listed = subprocess.run(["git", "ls-files", "--", "*.cpp"], capture_output=True, text=True, check=True, cwd=root).stdout
    return [root / name for name in listed.split()]


def main():
    known = commands()
    everything, names = "--all" in sys.argv, [name for name in sys.argv[2:] if not name.startswith("--")]
    tidy.mkdir(exist_ok=True)
    memory = tidy / "clean.json"
    clean = json.loads(memory.read_text()) if memory.exists() else {}
    version = subprocess.run([program, "--version"], capture_output=True, check=True).stdout
    common = version + content(root / ".clang-tidy") + content(pathlib.Path(__file__).resolve())
    prints = {file: fingerprint(file, common) for file in tracked() if file in known}
    if names:
        work = [([file], known[file][1]) for file in ((root / name).resolve() for name in names) if file in known]
    else:
        work = batches([file for file in prints if everything or clean.get(str(file)) != prints[file]], known)
    shown, done, total = set(), 0, sum(len(files) for files, _ in work)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for files, found in pool.map(check, work):
            for _, text in found:
                if text not in shown:
                    print(text, flush=True)
                shown.add(text)
            guilty = {pathlib.Path(path) for path, _ in found}
            clean.update({str(file): prints[file] for file in files if guilty.isdisjoint(closure(file))})
            memory.write_text(json.dumps(clean))
            done += len(files)
            print(f"{done} of {total}", flush=True)
    return 1 if shown else 0


sys.exit(main())
