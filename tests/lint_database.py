#!/usr/bin/env python3
"""Writes BUILD/tidy/compile_commands.json: the build's commands as clang-tidy can read them."""
import json
import pathlib
import re
import sys

build = pathlib.Path(sys.argv[1])
commands = json.loads((build / "compile_commands.json").read_text())
for command in commands:
    text = command["command"]
    text = re.sub(r"-Winvalid-pch|-include \S+cmake_pch\.hxx", "", text)
    command["command"] = text[text.index("/usr/bin/c++"):] if "/usr/bin/c++" in text else text
(build / "tidy").mkdir(exist_ok=True)
(build / "tidy" / "compile_commands.json").write_text(json.dumps(commands))
print(len(commands))
