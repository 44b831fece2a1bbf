# The penstock command: one file a verb.
core_penstock_SOURCES += core/cli/main.c
core_penstock_SOURCES += core/cli/print.c core/cli/print.h core/cli/print_width.c core/cli/query.c core/cli/query.h core/cli/tables.c core/cli/tables.h
