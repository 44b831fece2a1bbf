#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Readers of other makers, beside ours: see each module. READERS names the modules to run (default: all), READERS_KEEP=1 keeps the folder."""
import importlib
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
work = tempfile.mkdtemp(prefix="penstock-readers-")
os.environ.update(TMPDIR=work, LC_ALL="C.UTF-8")  # Java takes its file names' encoding from the locale
tempfile.tempdir = work
os.chdir(work)

import engines
import harness

MODULES = os.environ.get("READERS", "values partitions upkeep theirs").split()

readers = engines.all_there()
if os.environ.get("READERS_ONLY"):
    readers = [r for r in readers if r.name in os.environ["READERS_ONLY"].split()]
for name in MODULES:
    importlib.import_module(name).check(os.path.join(work), readers)
if not os.environ.get("READERS_KEEP"):
    shutil.rmtree(work, ignore_errors=True)
harness.end()
