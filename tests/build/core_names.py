# SPDX-License-Identifier: Apache-2.0
"""The core knows no plugin: no file of core/ names one, in code, text or comment.

Some plugins are named by ordinary words (file, pin, user, generate); of those the name as a whole string, or as part of a plugin's symbol or
path, counts, but for the places listed here with their reasons."""
import os
import re
import sys

TOP = os.environ["top_srcdir"]
WORDS = {"file", "pin", "user", "generate", "http", "sql"}  # plugins whose names say something else, too
PLANNED = {"rds", "http", "kafka", "kinesis", "sql", "s3", "aws"}
ALLOWED = [  # what a line says that may hold such a string
    r"\bscheme(,| =) \"file\"",    # file:// is a scheme of the language of URLs
    r"ToObject\(\w+, \"file\"",   # a member of what --json prints
    r"\"file\", required_arg",    # a command's option --file
    r"PRAGMA journal_mode",       # SQLite's word
]


def plugins():
    folders = os.listdir(os.path.join(TOP, "plugins"))
    return {name for name in folders if os.path.isdir(os.path.join(TOP, "plugins", name))} | PLANNED


def named(line, names):
    """Which plugins a line names."""
    if any(re.search(allowed, line) for allowed in ALLOWED):
        return set()
    pieces = {piece.lower() for piece in re.findall(r"[A-Za-z0-9]+", line)}
    plain = {name for name in names - WORDS if name in pieces}
    quoted = {name for name in names & WORDS if re.search(r"\"%s\"|\b%s_LTX_|plugins/%s\b" % (name, name, name), line)}
    return plain | quoted


def main():
    names = plugins()
    tests = bad = 0
    for seen, line in ((True, 'if (!strcmp(name, "delta"))'), (True, "/* for Kafka */"), (True, "journal_open(x);"), (True, '#include "s3.h"'),
                       (True, '{ "pin", 1 }'), (True, "user_LTX_pen_plugin"), (False, "a user of this file, pinned; generate it"),
                       (False, "deltas of journalism"), (False, '.scheme = "file",')):
        tests += 1
        good = bool(named(line, names)) == seen
        bad += not good
        print("%sok %d - the search %s: %s" % ("" if good else "not ", tests, "finds" if seen else "lets pass", line.replace("#", "\\#")))
    files = sorted(os.path.join(folder, f) for folder, _, found in os.walk(os.path.join(TOP, "core")) for f in found
                   if f.endswith((".c", ".h", ".in", ".mk")))
    for path in files:
        with open(path, encoding="utf-8") as f:
            faults = ["%d: %s names %s" % (i, line.strip(), ", ".join(sorted(named(line, names)))) for i, line in enumerate(f, 1) if named(line, names)]
        tests += 1
        bad += bool(faults)
        print("%sok %d - %s names no plugin" % ("not " if faults else "", tests, os.path.relpath(path, TOP)))
        for fault in faults:
            print("# " + fault)
    if len(files) < 10:
        print("Bail out! core/ was not found")
    print("1..%d" % tests)
    sys.exit(bad > 0)


main()
