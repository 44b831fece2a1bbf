# SPDX-License-Identifier: Apache-2.0
"""Manual pages, guides and examples against the command: every verb and every option that is written about exists, and the other way round."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.environ["top_srcdir"]
BUILD = os.environ["top_builddir"]
PENSTOCK = os.path.join(BUILD, "core", "penstock")
BUILT = os.environ.get("PLUGINS_BUILT", "").split()
CORE = {"pipeline": "pipeline", "deadletter": "deadletter"}  # sections of the core itself
tests = failed = 0


def ok(good, what, notes=()):
    global tests, failed
    tests += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", tests, what))
    for note in () if good else notes:
        print("# " + str(note))


def skip(what, why):
    global tests
    tests += 1
    print("ok %d - %s # SKIP %s" % (tests, what, why))


def penstock(*arguments):
    return subprocess.run([PENSTOCK, *arguments], capture_output=True, text=True, env=dict(os.environ, QUICKSTART="/nowhere"))


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


# -- manual pages -----------------------------------------------------------------------------------------------------------------------

def verbs():
    lines = penstock("--help").stdout.splitlines()
    return [line.split()[0] for line in lines if re.match(r"  [a-z]", line)]


def options_of_help(verb):
    text = penstock(verb, "--help").stdout
    text = text[text.rfind("For all of them:"):] if "For all of them:" in text else text  # before it stand those of plugins
    found = set()
    for line in text.splitlines():
        if re.match(r" +--", line):
            found |= set(re.findall(r"--[a-z-]+", re.split(r"  +[^ -]", line.strip())[0]))
    return found - {"--help"}


def options_of_page(text):
    found = set()
    lines = text.splitlines()
    section = ""
    for i, line in enumerate(lines):
        section = line[4:] if line.startswith(".SH ") else section
        if section == "OPTIONS" and lines[i - 1] == ".TP":
            found |= set(re.findall(r"--[a-z-]+", line.replace("\\-", "-")))
    return {name.rstrip("-") for name in found} - {"--help"}


def check_pages():
    for verb in verbs():
        path = os.path.join(TOP, "doc", "penstock-%s.1" % verb)
        if not os.path.exists(path):
            ok(False, "penstock %s has a manual page" % verb)
            continue
        told, written = options_of_help(verb), options_of_page(read(path))
        ok(told == written, "penstock-%s(1) and --help name the same options" % verb, [told ^ written])
        ok("penstock\\-%s (1)" % verb in read(TOP, "doc", "penstock.1"), "and penstock(1) leads to it")


def check_lint():
    generated = [os.path.join(BUILD, "doc", "penstock-pipeline.5")] + [os.path.join(BUILD, "doc", "penstock-%s.7" % p) for p in BUILT]
    if any(map(os.path.exists, generated)):
        for page in generated:
            ok(os.path.exists(page) and os.path.getsize(page) > 500, "%s was made" % os.path.basename(page))
    else:
        skip("the pages of plugins", "this build makes none")
    if not shutil.which("mandoc"):
        return skip("pages are checked", "mandoc is missing")
    for page in sorted(glob.glob(os.path.join(TOP, "doc", "*.[1-8]"))):
        p = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True)
        ok(not p.stdout, "%s has no mistakes" % os.path.basename(page), p.stdout.splitlines())
    for page in filter(os.path.exists, generated):  # a tag is one line, however long
        p = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True)
        faults = [line for line in p.stdout.splitlines() if "longer than 80 bytes" not in line]
        ok(not faults, "%s has no mistakes" % os.path.basename(page), faults)


# -- options in examples ---------------------------------------------------------------------------------------------------------------

described = {}


def describe(name):
    if name not in described:
        p = penstock("describe", name, "--json")
        described[name] = json.loads(p.stdout)["options"] if p.returncode == 0 else None
    return described[name]


def sections(text):
    kind = name = None
    keys = []
    for line in text.splitlines() + ["[]"]:
        line = re.sub(r"\s;.*", "", line).strip()
        if line.startswith("["):
            if kind:
                yield kind, name, keys
            kind, _, name = line.strip("[]").partition(" ")
            keys = []
        elif re.match(r"[a-zA-Z_.-]+ *=", line) and kind:
            key, _, value = line.partition("=")
            keys.append((key.strip(), value.strip()))


def unknown_options(text):
    faults = []
    for kind, name, keys in sections(text):
        plugin = name if kind == "defaults" else dict(keys).get("plugin")
        if kind in CORE:
            tables = [describe("pipeline")[kind]]
        elif plugin in BUILT:
            d = describe(plugin)
            tables = [describe("pipeline")["stage"]] + (list(d.values()) if kind == "defaults" else [d[kind]] if kind in d else [])
        else:
            continue  # a plugin that is not built here, or a placeholder
        known = [o["name"] for table in tables for o in table]
        faults += ["[%s %s] %s" % (kind, name, key) for key, _ in keys
                   if key not in known and not any(k.endswith(".") and key.startswith(k) for k in known)]
    return faults


def blocks(text):
    """Indented and fenced blocks of a guide that hold sections."""
    block, fenced = [], False
    for line in text.splitlines() + ["."]:
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    ") or (block and not line.strip()):
            block.append(line if fenced else line[4:])
            continue
        if any(re.match(r"\[(pipeline|source|transport|transform|sink|deadletter|defaults)\b", b) for b in block):
            yield "\n".join(block) + "\n"
        block = []


def is_whole(text):
    kinds = [kind for kind, _, _ in sections(text)]
    return "sink" in kinds and ("source" in kinds or "transport" in kinds)


def accepted(name, path, text):
    missing = set(re.findall(r"^plugin = (\w+)", text, re.M)) - set(BUILT)
    if missing:
        return skip("%s passes check" % name, "not built: %s" % " ".join(sorted(missing)))
    # check asks the server what it holds; which server, these leave to the environment.
    servers = set(re.findall(r"\$\{env:(\w+_(?:URL|ENDPOINT|BROKERS))\}", text)) - set(os.environ)
    if servers:
        return skip("%s passes check" % name, "no server: %s is not set" % ", ".join(sorted(servers)))
    p = penstock("check", path)
    ok(p.returncode == 0 and "warning" not in p.stderr, "%s passes check" % name, (p.stdout + p.stderr).splitlines())


def check_examples():
    files = sorted(glob.glob(os.path.join(TOP, "conf", "**", "*.ini"), recursive=True))
    ok(len(files) > 0, "there are pipelines in conf")
    for path in files:
        name = os.path.relpath(path, TOP)
        ok(not unknown_options(read(path)), "%s: every option exists" % name, unknown_options(read(path)))
        accepted(name, path, read(path))
    with tempfile.TemporaryDirectory() as work:
        for guide in sorted(glob.glob(os.path.join(TOP, "doc", "*.md"))) + [os.path.join(TOP, "README.md")]:
            for i, text in enumerate(blocks(read(guide))):
                name = "%s, example %d" % (os.path.relpath(guide, TOP), i + 1)
                ok(not unknown_options(text), "%s: every option exists" % name, unknown_options(text))
                path = os.path.join(work, "example.ini")
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
                if is_whole(text):
                    accepted(name, path, text)


# -- links and the README ------------------------------------------------------------------------------------------------------------

def check_links():
    for guide in sorted(glob.glob(os.path.join(TOP, "doc", "*.md"))) + [os.path.join(TOP, "README.md")]:
        text = read(guide)
        links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
        gone = [link for link in links if not os.path.exists(os.path.join(os.path.dirname(guide), link))]
        gone += [name for name in re.findall(r"`((?:doc|conf|tests|core|plugins)/[\w./-]+)`", text)
                 if "." in os.path.basename(name) and not os.path.exists(os.path.join(TOP, name))]
        ok(not gone, "%s names files that are there" % os.path.relpath(guide, TOP), gone)
    lines = read(TOP, "README.md").splitlines()
    for command in ("conf/quickstart/run", "tests/run"):
        ok(any(re.match(r"    %s +#" % re.escape(command), line) for line in lines), "README.md has %s on a line of its own" % command)
        ok(os.access(os.path.join(TOP, command), os.X_OK), "which can be run")


check_pages()
check_lint()
check_examples()
check_links()
print("1..%d" % tests)
sys.exit(failed > 0)
