# The pin plugin.
if PLUGIN_PIN
plugin_LTLIBRARIES += plugins/pin/pin.la
plugins_pin_pin_la_SOURCES = plugins/pin/pin.c
plugins_pin_pin_la_LDFLAGS = $(PLUGIN_LINK)
plugins_pin_pin_la_LIBADD = plugins/pinterest/libclean.la core/libpenstock.la
endif
