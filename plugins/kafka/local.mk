# The kafka plugin: topics of Apache Kafka, by librdkafka.
kafka_sources = plugins/kafka/admin.c plugins/kafka/client.c plugins/kafka/fetch.c plugins/kafka/group.c plugins/kafka/group.h plugins/kafka/kafka.c \
	plugins/kafka/kafka.h plugins/kafka/msk.c plugins/kafka/position.c plugins/kafka/position.h plugins/kafka/positions.c plugins/kafka/positions.h \
	plugins/kafka/producer.c plugins/kafka/producer.h plugins/kafka/reader.c plugins/kafka/target.c plugins/kafka/target.h plugins/kafka/topic.c \
	plugins/kafka/txn.c plugins/kafka/txn.h plugins/kafka/writer.c plugins/kafka/written.c
if PLUGIN_KAFKA
plugin_LTLIBRARIES += plugins/kafka/kafka.la
plugins_kafka_kafka_la_SOURCES = $(kafka_sources)
plugins_kafka_kafka_la_CPPFLAGS = $(AM_CPPFLAGS) $(RDKAFKA_CFLAGS)
plugins_kafka_kafka_la_LDFLAGS = $(PLUGIN_LINK)
plugins_kafka_kafka_la_LIBADD = plugins/aws/libaws.la core/libpenstock.la $(RDKAFKA_LIBS)
endif
