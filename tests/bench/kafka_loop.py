# SPDX-License-Identifier: Apache-2.0
"""A topic to a Delta table as one would write it in Python: kafka_loop.py BROKERS TOPIC GROUP TABLE ROWS."""
import sys

import confluent_kafka
import deltalake
import pyarrow
import pyarrow.json

brokers, topic, group, table, rows = sys.argv[1:6]
rows = int(rows)
consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([topic])
done = 0
while done < rows:
    values = []
    while len(values) < min(50000, rows - done):
        for message in consumer.consume(5000, 1.0):
            if message.error() is None:
                values.append(message.value())
    batch = pyarrow.json.read_json(pyarrow.py_buffer(b"\n".join(values)))
    deltalake.write_deltalake(table, batch, mode="append", writer_properties=deltalake.WriterProperties(compression="ZSTD", compression_level=1))
    consumer.commit(asynchronous=False)
    done += len(values)
consumer.close()
