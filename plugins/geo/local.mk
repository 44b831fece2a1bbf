# The geo plugin.
if PLUGIN_GEO
plugin_LTLIBRARIES += plugins/geo/geo.la
plugins_geo_geo_la_SOURCES = plugins/geo/geo.c
plugins_geo_geo_la_LDFLAGS = $(PLUGIN_LINK)
plugins_geo_geo_la_LIBADD = plugins/pinterest/libclean.la core/libpenstock.la
endif
