# The http plugin: the gateway, and a sink that posts to one. SPDX-License-Identifier: Apache-2.0
http_api_sources = plugins/http/api.h plugins/http/scan.h plugins/http/scan.c plugins/http/route.c plugins/http/parse.c plugins/http/parse_kafka.c \
	plugins/http/reply.c
http_sources = $(http_api_sources) plugins/http/gateway.h plugins/http/gateway.c plugins/http/server.c plugins/http/listen.c plugins/http/request.c \
	plugins/http/inflate.c plugins/http/admin.c plugins/http/access.c plugins/http/http.c \
	plugins/http/sink.h plugins/http/sink.c plugins/http/encode.c plugins/http/post.c
if PLUGIN_HTTP
plugin_LTLIBRARIES += plugins/http/http.la
plugins_http_http_la_SOURCES = $(http_sources)
plugins_http_http_la_CPPFLAGS = $(AM_CPPFLAGS) $(MICROHTTPD_CFLAGS) $(GNUTLS_CFLAGS) $(CURL_CFLAGS) $(ZSTD_CFLAGS) $(ZLIB_CFLAGS)
plugins_http_http_la_LDFLAGS = $(PLUGIN_LINK)
plugins_http_http_la_LIBADD = core/libpenstock.la $(MICROHTTPD_LIBS) $(GNUTLS_LIBS) $(CURL_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS)
endif
