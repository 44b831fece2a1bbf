# tests/services: real servers for tests. SPDX-License-Identifier: Apache-2.0
TESTS += tests/services/selftest.py
EXTRA_DIST += tests/services/selftest.py tests/services/install tests/services/run tests/services/installers.py tests/services/services.py \
	tests/services/server.py tests/services/signing.py tests/services/certificates.py tests/services/kafka_server.py tests/services/MskTokens.java \
	tests/services/s3_servers.py tests/services/kinesis_server.py tests/services/kinesis_proxy.py tests/services/loopback.js \
	tests/services/database_servers.py tests/services/toxiproxy_server.py
