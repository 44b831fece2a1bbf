# tests/kafka: the Kafka transport against real brokers. SPDX-License-Identifier: Apache-2.0
if PLUGIN_KAFKA
check_PROGRAMS += tests/kafka/kafka_tool
tests_kafka_kafka_tool_SOURCES = tests/kafka/kafka_tool.c
tests_kafka_kafka_tool_CPPFLAGS = $(AM_CPPFLAGS) $(RDKAFKA_CFLAGS)
tests_kafka_kafka_tool_LDADD = $(RDKAFKA_LIBS)
TESTS += tests/kafka/reading.py tests/kafka/writing.py tests/kafka/groups.py tests/kafka/ways_in.py
endif
EXTRA_DIST += tests/kafka/harness.py tests/kafka/reading.py tests/kafka/writing.py tests/kafka/groups.py tests/kafka/ways_in.py
