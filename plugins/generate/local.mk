# The generate plugin.
generate_sources = plugins/generate/post.h plugins/generate/post.c plugins/generate/words.c plugins/generate/generate.c
if PLUGIN_GENERATE
plugin_LTLIBRARIES += plugins/generate/generate.la
plugins_generate_generate_la_SOURCES = $(generate_sources)
plugins_generate_generate_la_LDFLAGS = $(PLUGIN_LINK)
plugins_generate_generate_la_LIBADD = core/libpenstock.la
endif
