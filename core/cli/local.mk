# The penstock command: one file a verb.
core_penstock_SOURCES += core/cli/main.c
