# The penstock command: one file a verb.
core_penstock_SOURCES += core/cli/cli.c core/cli/cli.h core/cli/main.c
core_penstock_SOURCES += core/cli/check.c core/cli/connect.c core/cli/describe.c core/cli/describe.h core/cli/describe_man.c core/cli/graph.c core/cli/graph_svg.c \
	core/cli/plugins.c
core_penstock_SOURCES += core/cli/filter.c
core_penstock_SOURCES += core/cli/print.c core/cli/print.h core/cli/print_width.c core/cli/query.c core/cli/table.c core/cli/tables.c core/cli/tables.h
core_penstock_SOURCES += core/cli/run.c
