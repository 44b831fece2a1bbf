# tests/http: the gateway and the sink that posts to one.
if PLUGIN_HTTP
if PLUGIN_JOURNAL
if PLUGIN_FILE
TESTS += tests/http/gateway_test.py tests/http/abuse_test.py tests/http/sink_test.py tests/http/tls_test.py
endif
endif
endif
EXTRA_DIST += tests/http/gateway.py tests/http/gateway_test.py tests/http/abuse_test.py tests/http/sink_test.py tests/http/tls_test.py
