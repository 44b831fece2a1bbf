#!/usr/bin/env python3
"""seeds.py FOLDER: inputs for the fuzz targets to start from, one folder a target. Each holds what its target's head comment describes.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import struct
import subprocess
import sys

PIN = {
    "index": 7528, "unique_id": "fbe53c66-3442-4773-b19e-d3ec6f54dddf", "title": "No Title Data Available", "description": "Ideas \u00e9 \\ \"now\"",
    "poster_name": "User Info Error", "follower_count": "1.2k", "tag_list": "a,b", "is_image_or_video": "image",
    "image_src": "Image src error.", "downloaded": 1, "save_location": "Local save in /data/mens-fashion", "category": "mens-fashion",
}
GEO = {"ind": 7528, "timestamp": "2020-08-28T03:52:47.25+02:00", "latitude": -89.9787, "longitude": 1.73293e2, "country": "Albania"}
USER = {"ind": 7528, "first_name": "Ada", "last_name": "", "age": "20", "date_joined": "10/24/2015, 11:23:51"}

INI = """\
; a comment
[pipeline]
name = fuzz
lanes = 2
commit_interval = 250ms
commit_bytes = 64MiB
memory_limit = 1GiB
max_errors = 100k

[defaults x]
n = 3

[source a]
plugin = x
t = "quoted" text
s = secret
b = no
c = none
z = 4KiB
d = 1h
r = 0s..2s
a = 500/s
f = -1.5e3
e = y
l = one, two three
k = zstd:3
p.key = value

[transform b]
plugin = x
input = a.*
t = ${env:HOME:-/nowhere}

[sink c]
plugin = x
input = a, b
t = c
"""

DELTA = [
    {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"]}},
    {"metaData": {
        "id": "5fba94ed", "format": {"provider": "parquet", "options": {}}, "partitionColumns": ["category"], "createdTime": 1,
        "configuration": {"delta.checkpointInterval": "10", "delta.logRetentionDuration": "interval 30 days", "delta.appendOnly": "true"},
        "schemaString": json.dumps({"type": "struct", "fields": [
            {"name": "ind", "type": "integer", "nullable": False, "metadata": {}},
            {"name": "category", "type": "string", "nullable": True, "metadata": {"comment": "why"}},
            {"name": "price", "type": "decimal(20,4)", "nullable": True, "metadata": {}},
            {"name": "at", "type": {"type": "array", "elementType": "double", "containsNull": True}, "nullable": True, "metadata": {}},
            {"name": "s", "type": {"type": "struct", "fields": [{"name": "t", "type": "timestamp", "nullable": True, "metadata": {}}]},
             "nullable": True, "metadata": {}}]})}},
    {"txn": {"appId": "pipeline/sink/source/0", "version": 7, "lastUpdated": 1}},
    {"add": {
        "path": "category=a%20b/part-0.parquet", "partitionValues": {"category": "a b"}, "size": 10, "modificationTime": 1, "dataChange": True,
        "stats": json.dumps({"numRecords": 3, "minValues": {"ind": 1}, "maxValues": {"ind": 3}, "nullCount": {"ind": 0}}), "tags": {"a": "b"}}},
    {"remove": {"path": "part-0.parquet", "deletionTimestamp": 2, "dataChange": True, "extendedFileMetadata": True, "partitionValues": {}, "size": 10}},
    {"commitInfo": {"timestamp": 1, "operation": "WRITE", "operationParameters": {"mode": "Append"}, "isBlindAppend": True}},
]


def sized(data):
    return struct.pack("<I", 0xFFFFFFFF) if data is None else struct.pack("<I", len(data)) + data


def position(*words):
    return struct.pack("<I", len(words)) + b"".join(struct.pack("<Q", w) for w in words)


def block():
    """One block with keys, timestamps and headers, as doc/journal-format.md lays it out; the target mends the checksums."""
    values, keys = [b'{"index":1}', b"", None], [b"k", None, b""]
    headers = [sized(b"name\0") + sized(b"value") + sized(b"n\0") + sized(None), None, b""]
    body = b"".join(struct.pack("<q", t) for t in (1, -1 << 63, 3))
    for column in (values, keys, headers):
        body += b"".join(struct.pack("<I", 0xFFFFFFFF if cell is None else len(cell)) for cell in column)
    sums = [sum(len(cell or b"") for cell in column) for column in (values, keys, headers)]
    body += b"".join(cell or b"" for column in (values, keys, headers) for cell in column)
    return b"BLK1" + struct.pack("<IIIII4QQ", 0, 0, 7, 3, 0, len(body), *sums, 1) + body


def snapshot():
    return (bytes(16) + struct.pack("<IIQ", 1, 2, 3) + struct.pack("<4Q", 5, 0, 0, 0) + struct.pack("<III", 1, 1, 1)
            + sized(b"p/k/s/0") + position(1, 2) + struct.pack("<QI4Q", 1, 0, 0, 5, 200, 5) + sized(b"plan-1"))


def commit(first):
    return (sized(b"plan-2") + struct.pack("<qII", 1, 1, 1) + sized(b"p/k/s/0") + position() + position(9)
            + struct.pack("<I5Q", 0, 1, 64, 264, first, 5))


def trim():
    return struct.pack("<IQIQ", 0, 5, 1, 1)


def journal(*records):
    return b"".join(bytes([kind]) + struct.pack("<H", len(body)) + body for kind, body in records)


def tuple_of(*values):
    """A row of PostgreSQL's COPY BINARY."""
    return struct.pack(">h", len(values)) + b"".join(struct.pack(">i", -1) if v is None else struct.pack(">i", len(v)) + v for v in values)


RDS = [b"-12", b"123456789012", b"18446744073709551615", b"-1234567890.0123456789", b"999.99", b"-1.5e-300", b"\1", b"\x0a\xaa", b"\xff" * 8, b"2024-02-29",
       b"2024-02-29 01:02:03.456789", "caf\u00e9 \u2728".encode(), b"\0\xff", b"\1", b"\x80\0", b"\x80\0\0\0", b"\x80" + b"\0" * 7, b"\x3f\xc0\0\0",
       b"\x3f\xf8" + b"\0" * 6, struct.pack(">hhHhHHH", 3, 1, 0x4000, 4, 1234, 5678, 9000), struct.pack(">hhHhHH", 2, 0, 0, 2, 999, 9900), b"\0\0\1\0",
       b"\0\1" + b"\0" * 6, bytes(range(16)), struct.pack(">iiiiiiii", 1, 1, 23, 2, 1, 4, 7, -1), struct.pack(">iiiiii", 1, 0, 25, 1, 1, 2) + b"ab",
       struct.pack(">iii", 0, 0, 16)]


def line(value):
    return json.dumps(value, ensure_ascii=False).encode()


def time(pattern, text):
    return bytes([len(pattern)]) + pattern.encode() + text.encode()


KINESIS = [
    {"Records": [{"SequenceNumber": "49590338271490256608559692538361571095921575989136588898", "Data": "eyJhIjoxfQ==", "PartitionKey": "k\u00e9\"",
                  "ApproximateArrivalTimestamp": 1700000000.123}], "NextShardIterator": "AAA", "MillisBehindLatest": 0, "ChildShards": []},
    {"Shards": [{"ShardId": "shardId-000000000002", "ParentShardId": "shardId-000000000000", "AdjacentParentShardId": "shardId-000000000001",
                 "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "340282366920938463463374607431768211455"},
                 "SequenceNumberRange": {"StartingSequenceNumber": "7", "EndingSequenceNumber": "9"}}], "NextToken": "t"},
    {"StreamDescriptionSummary": {"StreamName": "s", "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "StreamStatus": "ACTIVE",
                                  "StreamModeDetails": {"StreamMode": "ON_DEMAND"}, "StreamCreationTimestamp": 1.7e9, "RetentionPeriodHours": 24,
                                  "OpenShardCount": 4, "MaxRecordSizeInKiB": 1024}},
    {"FailedRecordCount": 1, "Records": [{"SequenceNumber": "12", "ShardId": "shardId-000000000001"},
                                         {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}]},
    {"StreamNames": ["a", "b"], "HasMoreStreams": True},
    {"ShardIterator": "AAAA"},
]


def zone(rule):
    """A file of the tz database (RFC 8536) with one change."""
    head = lambda changes: b"TZif2" + bytes(15) + struct.pack(">6I", 0, 0, 0, changes, 2 if changes else 1, 4)
    return (head(0) + struct.pack(">iBB", 0, 0, 0) + b"GMT\0" + head(1) + struct.pack(">qB", 951782400, 1) + struct.pack(">iBBiBB", 0, 0, 0, 3600, 1, 0) + b"GMT\0" +
            b"\n" + rule + b"\n")


SEEDS = {
    "fuzz_ini": [INI.encode(), b"[pipeline\nname=\n[sink a]\nplugin = x\ninput = a\n", b"\xef\xbb\xbf[pipeline]\r\nname = \xff\r\n"],
    "fuzz_json": [
        b'{"i":1,"t":"a\\u00e9\\ud83d\\ude00","n":-9007199254740993,"x":1.5e-3,"b":true,"w":"2021-01-05T12:34:56Z","d":"2021-01-05",'
        b'"y":"AQID","p":12.5000,"j":{"a":[1,{}]},"l":[1,2.5],"s":{"a":1,"b":null}}',
        b'{"i":7528.0}\n\n{"i":7.528e3,"z":[[[]]],"i":2}\r\n{"i":"1"}\n{"t":"\xff"}\n[1]\n{"i":1,"t":"\\ud800"}', line(PIN), line(GEO)],
    "fuzz_csv": [bytes([flags, step]) + text for flags in (0, 4, 5) for step in (0, 6) for text in (
        b'a,b,c\n1,"x ""y""\nz",\n\n-1.5e3,true,"\\"\r\n', b'\xef\xbb\xbf"a;1";b\r\n"1";2\r\n"open;3\n4;5\n"x"y;6\n7', b'a\n"\n"" \n')],
    "fuzz_times": [
        time("yyyy-MM-dd HH:mm:ss", "2021-01-05 12:34:56"), time("", "2021-01-05T12:34:56.123456789+05:30"), time("", "01/05/2021, 12:34:56"),
        time("yyyy/MM/dd'T'HHmm", "2021/01/05T1234")],
    "fuzz_aws": [bytes([kind]) + text for kind, text in (
        (0, b"[default]\nregion = eu-west-1 ; here\n[profile \"a b\"]\nrole_arn=arn:1\nsource_profile = default\ns3 =\n  x = y\n# c\n"),
        (1, b'{"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2026-01-05T12:34:56Z"}'),
        (2, b"<?xml version='1.0'?><R xmlns='x'><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>S&amp;&#x41;</SecretAccessKey>"
            b"<SessionToken><![CDATA[T]]></SessionToken><Expiration>2026-01-05T12:34:56Z</Expiration></Credentials></R>"),
        (3, b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><!-- c --><Contents><Key>a%20b+c</Key>"
            b"<LastModified>2026-01-05T12:34:56.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>12</Size></Contents><CommonPrefixes/>"
            b"<EncodingType>url</EncodingType></ListBucketResult>"),
        (4, b"HTTP/1.1 400 Bad\r\nDate: Sun, 30 Aug 2015 12:36:00 GMT\r\nx-amzn-errortype: a#Slow:x\r\n\r\n<Error><Code>SlowDown</Code><Message>m</Message>"),
        (4, b'HTTP/1.1 400 Bad\r\nDate: x\r\n\r\n    {"__type":"a#Throttling","message":"q\\"u"}'))],
    "fuzz_archive": [bytes([kind]) + text for kind, text in (
        (0, b'{"a":"x/y\\u00e9\\ud83d\\ude00","b":{"c":-1.5e3},"t":1711843200000,"d":[{"a":"}"}]}'), (0, b'{"t":"2024-01-31T12:00:00Z","a":true,"b":{}}'), (0, b"no JSON"),
        (1, zone(b"GMT0BST,M3.5.0/1,M10.5.0")), (1, zone(b"<-03>3<-02>,J60/-1:30,300/24")), (1, zone(b"")),
        (2, b"t+3+0000000017.json.gz"), (2, b"t+shardId-0+00000000000000000001.00000000000000000002.json"),
        (3, b'{"end":"1.2","plan":"p","incarnation":"","objects":["t/a=b/t+0+0000000001.json"]}'),
        (4, b"<LifecycleConfiguration><Rule><ID>mine</ID><Filter><Prefix>a</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule>"
            b"<Rule><ID>x</ID></Rule></LifecycleConfiguration>"))],
    "fuzz_cleaners": [bytes([kind]) + b"\n".join([line(row), line({**row, "ind": 1.0, "index": "x"})])
                      for kind, row in enumerate((PIN, GEO, USER))],
    "fuzz_delta_log": [b"\n".join(map(line, DELTA)), *map(line, DELTA)],
    "fuzz_kafka": [line({"plan": "00-c1", "position": p}).replace(b": ", b":").replace(b", ", b",").strip() for p in ("17", "1.2.3.4", "", "18446744073709551615")],
    "fuzz_kinesis": [bytes([kind + (6 if kind == 3 else 0)]) + line(answer) for kind, answer in enumerate(KINESIS)],
    "fuzz_rds": [b"\0mysql://reader:p%40ss@[::1]:3306/pinterest?socket=/run/x", b"\0postgres://h/d", b"\1" + tuple_of(*RDS), b"\1" + tuple_of(*([None] * len(RDS))),
                 *(bytes([i + 2]) + value for i, value in enumerate(RDS))],
    "fuzz_http": [f"{line}\n{body}".encode() for line, body in (
        ("POST /topics/pin", '{"records":[{"value":{"a":[1,-2.5e3,"\\u00e9"]},"key":"k","partition":3},{"value":null}],"key_schema_id":1}'),
        ("POST /topics/pin/partitions/2", '{"records":[{"value":"AP8=","key":"aw=="}]}'),
        ("POST /v3/clusters/c/topics/pin/records", '{"partition_id":1,"headers":[{"name":"h\\n","value":"AA=="}],"key":{"type":"STRING","data":"k"},"value":{"type":'
         '"JSON","data":{}},"timestamp":"2021-02-05T19:14:42Z"} {"value":{"type":"BINARY","data":"AP8="}}'),
        ("PUT /streams/pin/record", '{"StreamName":"pin","Data":{"a":1},"PartitionKey":"k"}'),
        ("PUT /streams/pin/records", '{"records":[{"data":"x","partition-key":"1"}],"Records":[{"Data":1,"PartitionKey":"2"}]}'),
        ("POST /ingest/pin", '{"a":1}\n\n[true,false]\r\n"x"'), ("DELETE /streams/p%69n", ""), ("GET /topics/a%2e%2e/partitions/77", ""))],
    "fuzz_journal": [journal((1, snapshot()), (2, commit(5)), (3, trim())), journal((0, block())), journal((2, commit(0)), (0, block()))],
}

for name, seeds in SEEDS.items():
    folder = os.path.join(sys.argv[1], name)
    os.makedirs(folder, exist_ok=True)
    for i, seed in enumerate(seeds):
        with open(os.path.join(folder, f"seed-{i}"), "wb") as out:
            out.write(seed)

# Small Parquet files by another writer, where one is installed: without them the fuzzer has to find the footer by itself.
PARQUET = """
import os, sys
import pyarrow as pa, pyarrow.parquet as pq
table = pa.table({"i": [1, None, 3], "t": ["a", "", None], "l": [[1.5], None, []], "s": [{"a": 1, "b": "x"}, None, {"a": None, "b": ""}], "b": [True, False, None]})
for n, (codec, version, dictionary) in enumerate([("none", "1.0", True), ("snappy", "2.0", False), ("zstd", "1.0", False)]):
    pq.write_table(table, os.path.join(sys.argv[1], "seed-%d" % n), compression=codec, data_page_version=version, use_dictionary=dictionary)
sys.stdout.flush()
os._exit(0)
"""
folder = os.path.join(sys.argv[1], "fuzz_parquet")
os.makedirs(folder, exist_ok=True)
cache = os.environ.get("PENSTOCK_CACHE") or os.path.join(os.path.expanduser("~"), ".cache", "penstock")
for python in (os.path.join(cache, "venv", "bin", "python"), sys.executable):
    if os.path.exists(python) and subprocess.run([python, "-c", PARQUET, folder], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        break
else:
    print("# fuzz_parquet starts without seeds: there is no pyarrow")
