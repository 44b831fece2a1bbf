# tests/engine.
if PLUGIN_FILE
if PLUGIN_GENERATE
if PLUGIN_JOURNAL
TESTS += tests/engine/only.sh
endif
endif
endif
EXTRA_DIST += tests/engine/only.sh
