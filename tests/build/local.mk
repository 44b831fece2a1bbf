# tests/build: what is written about the command, and how it is built.
TESTS += tests/build/manual.py
EXTRA_DIST += tests/build/manual.py
if !SANITIZED
TESTS += tests/build/plugin_example.sh
endif
EXTRA_DIST += tests/build/plugin_example.sh
