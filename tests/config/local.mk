# tests/config: what is said about mistakes in a pipeline file, option parsing, the loader, the commands that need no run.
check_LTLIBRARIES += tests/config/plugins/sample.la tests/config/plugins/shape.la tests/config/plugins/tube.la \
	tests/config/plugins/oldabi.la tests/config/plugins/misnamed.la tests/config/plugins/unresolved.la tests/config/plugins/nosymbol.la
config_test_plugin = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
tests_config_plugins_sample_la_SOURCES = tests/config/plugins/sample.c
tests_config_plugins_sample_la_LDFLAGS = $(config_test_plugin)
tests_config_plugins_shape_la_SOURCES = tests/config/plugins/shape.c
tests_config_plugins_shape_la_LDFLAGS = $(config_test_plugin)
tests_config_plugins_tube_la_SOURCES = tests/config/plugins/tube.c
tests_config_plugins_tube_la_LDFLAGS = $(config_test_plugin)
tests_config_plugins_oldabi_la_SOURCES = tests/config/plugins/broken.c
tests_config_plugins_oldabi_la_CPPFLAGS = $(AM_CPPFLAGS) -DOLD_ABI
tests_config_plugins_oldabi_la_LDFLAGS = $(config_test_plugin)
tests_config_plugins_misnamed_la_SOURCES = tests/config/plugins/broken.c
tests_config_plugins_misnamed_la_CPPFLAGS = $(AM_CPPFLAGS) -DMISNAMED
tests_config_plugins_misnamed_la_LDFLAGS = $(config_test_plugin)
tests_config_plugins_unresolved_la_SOURCES = tests/config/plugins/broken.c
tests_config_plugins_unresolved_la_CPPFLAGS = $(AM_CPPFLAGS) -DUNRESOLVED
tests_config_plugins_unresolved_la_LDFLAGS = $(config_test_plugin)
tests_config_plugins_nosymbol_la_SOURCES = tests/config/plugins/broken.c
tests_config_plugins_nosymbol_la_CPPFLAGS = $(AM_CPPFLAGS) -DNO_SYMBOL
tests_config_plugins_nosymbol_la_LDFLAGS = $(config_test_plugin)

TESTS += tests/config/mistakes.sh tests/config/cli.sh
EXTRA_DIST += tests/config/mistakes.sh tests/config/mistakes tests/config/cli.sh tests/config/describe.text \
	tests/config/describe.json tests/config/describe.man

config_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/core -I$(top_srcdir)/tests
check_PROGRAMS += tests/config/option_test tests/config/config_test tests/config/loader_test tests/config/alloc_test tests/config/log_test
tests_config_option_test_CPPFLAGS = $(config_cppflags)
tests_config_option_test_LDADD = core/libpenstock.la -lm
tests_config_config_test_CPPFLAGS = $(config_cppflags)
tests_config_config_test_LDADD = core/libpenstock.la
tests_config_loader_test_CPPFLAGS = $(config_cppflags)
tests_config_loader_test_LDADD = core/libpenstock.la
TESTS += tests/config/option_test tests/config/config_test tests/config/loader_test tests/config/alloc_test tests/config/log_test
tests_config_alloc_test_SOURCES = tests/config/alloc_test.c core/config/arena.c
tests_config_alloc_test_CPPFLAGS = $(config_cppflags) -DPEN_ARENA_BLOCK=1
tests_config_alloc_test_LDADD = core/libpenstock.la
tests_config_log_test_CPPFLAGS = $(config_cppflags)
tests_config_log_test_LDADD = core/libpenstock.la
