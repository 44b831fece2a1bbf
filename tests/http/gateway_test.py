#!/usr/bin/env python3
"""The gateway as its clients see it: the replies of the Kafka REST API and of Kinesis behind API Gateway, what it refuses, keys, limits, and that what it
acknowledged is in the journal, byte for byte. SPDX-License-Identifier: Apache-2.0"""
import base64, gzip, hashlib, json, shutil, subprocess, threading, time, urllib.request

from gateway import V2, Gateway, done, ok

# -- producers as they are: what `requests.post(url, headers=…, data=json.dumps(…))` sends, by the standard library
g = Gateway("replies", topics="0a1b2c3d4e5f.pin pin geo", options="route.rest = other.*\nmax_body = 1MiB")
row = {"index": 7528, "title": "caf\u00e9 \U0001f9c1", "follower_count": "124k", "tag_list": None, "nested": {"a": [1, 2.50, 1e3]}}


def producer(method, path, payload, kind):
    request = urllib.request.Request(f"http://127.0.0.1:{g.port}{path}", method=method, data=json.dumps(payload).encode(), headers={"Content-Type": kind})
    with urllib.request.urlopen(request) as r:
        return r.status, json.loads(r.read())


status, reply = producer("POST", "/topics/0a1b2c3d4e5f.pin", {"records": [{"value": row}]}, V2)
offset = reply["offsets"][0]
ok(status == 200 and set(reply) == {"offsets", "key_schema_id", "value_schema_id"} and offset["error_code"] is None and offset["error"] is None,
   "POST /topics/ID.pin: the reply of the REST proxy", reply)
ok(offset["partition"] == 0 and offset["offset"] == 0, "with the partition and the offset that the record has", reply)
status, reply = producer("PUT", "/streams/pin/record", {"StreamName": "pin", "Data": row, "PartitionKey": "partition-1"}, "application/json")
ok(status == 200 and reply == {"ShardId": "shardId-000000000000", "SequenceNumber": "1"}, "PUT /streams/pin/record: the reply of Kinesis", reply)

# -- Kafka v2
status, head, reply = g.post("pin", [{"key": "k", "value": {"a": 1}}, {"value": None}, {"value": "text", "partition": 0}, {"key": 5, "value": 1.50}])
ok(status == 200 and [o["offset"] for o in reply["offsets"]] == [2, 3, 4, 5], "several records in one request have their offsets in order", reply)
ok(head["Content-Type"] == "application/vnd.kafka.v2+json", "v2 replies have their content type", str(head))
status, _, reply = g.post("pin", [{"key": base64.b64encode(b"k").decode(), "value": base64.b64encode(b"\0\xff").decode()}], "application/vnd.kafka.binary.v2+json")
ok(status == 200 and reply["offsets"][0]["offset"] == 6, "the binary embedded format", reply)
status, _, reply = g.ask("POST", "/topics/pin/partitions/0", json.dumps({"records": [{"value": 1}]}), {"Content-Type": V2 + "; charset=utf-8"})
ok(status == 200, "POST to a partition; a content type with parameters", reply)
exact = '{ "x" : 1.50,\t"y":1e3, "z": "\\u00e9\\/" }'
g.ask("POST", "/topics/pin", '{"records": [ {"value":  ' + exact + '  }]}', {"Content-Type": V2})
status, _, reply = g.post("other.things", [{"value": {"routed": "by rule"}}])
ok(status == 200, "a name that a rule routes", reply)
for name, body, kind, want, code in (
        ("an unknown topic", '{"records":[{"value":1}]}', V2, 404, 40401), ("another content type", '{"records":[{"value":1}]}', "text/plain", 415, 415),
        ("Avro", '{"records":[{"value":1}]}', "application/vnd.kafka.avro.v2+json", 415, 415), ("no JSON", '{"records":[{"value":1}', V2, 400, 400),
        ("trailing bytes", '{"records":[{"value":1}]} x', V2, 400, 400), ("an unknown field", '{"records":[{"valeu":1}]}', V2, 422, 422),
        ("no records", '{"records":[]}', V2, 422, 422), ("nothing", '', V2, 400, 400), ("a partition below zero", '{"records":[{"value":1,"partition":-1}]}', V2, 422, 422),
        ("base64 that is none", '{"records":[{"value":"*"}]}', "application/vnd.kafka.binary.v2+json", 422, 42205),
        ("bytes that are no UTF-8", b'{"records":[{"value":"\xff"}]}', V2, 400, 400), ("a control character", b'{"records":[{"value":"\n"}]}', V2, 400, 400),
        ("nesting of 600", '{"records":[{"value":' + "[" * 600 + "]" * 600 + "}]}", V2, 400, 400)):
    status, _, reply = g.ask("POST", "/topics/nope" if name == "an unknown topic" else "/topics/pin", body, {"Content-Type": kind})
    ok(status == want and reply.get("error_code") == code and isinstance(reply.get("message"), str), f"v2 refuses {name}: {want}, {code}", (status, reply))
ok(g.ask("GET", "/topics")[2] == ["0a1b2c3d4e5f.pin", "geo", "pin"] or sorted(g.ask("GET", "/topics")[2]) == ["0a1b2c3d4e5f.pin", "geo", "pin"], "GET /topics")
status, _, reply = g.ask("GET", "/topics/pin")
ok(status == 200 and reply["name"] == "pin" and len(reply["partitions"]) == 1 and reply["partitions"][0]["partition"] == 0, "GET /topics/pin", reply)
ok(len(g.ask("GET", "/topics/pin/partitions")[2]) == 1 and g.ask("GET", "/topics/pin/partitions/0")[2]["partition"] == 0, "GET /topics/pin/partitions[/0]")
ok(g.ask("GET", "/topics/pin/partitions/9")[2] == {"error_code": 40402, "message": "Partition not found."}, "a partition that is not there: 40402")
ok(g.ask("GET", "/topics/nope")[2] == {"error_code": 40401, "message": "Topic not found."}, "GET of an unknown topic: 40401")
ok(g.ask("DELETE", "/topics/pin")[0] == 405 and g.ask("GET", "/nothing")[2]["error_code"] == 404, "other methods and paths: 405, 404")

# -- Kafka v3
body = ('{"key":{"type":"STRING","data":"k"},"value":{"type":"JSON","data":{"b": [1]}},"headers":[{"name":"h","value":"AAE="}],"timestamp":"2021-02-05T19:14:42Z"}'
        ' {"value":{"type":"BINARY","data":"AP8="}}\n{"partition_id":0,"value":{"data":"AP8="}}')
c = g.connect()
c.request("POST", "/v3/clusters/c1/topics/pin/records", body=body, headers={"Content-Type": "application/json"})
r = c.getresponse()
reports = [json.loads(x) for x in r.read().split(b"\r\n")]
ok(r.status == 200 and len(reports) == 3 and all(x["error_code"] == 200 and x["cluster_id"] == "c1" and x["topic_name"] == "pin" for x in reports),
   "v3: records one behind the other have a report each", reports)
ok(reports[0]["timestamp"].startswith("2021-02-05T19:14:42") and reports[0]["key"] == {"type": "STRING", "size": 1} and reports[0]["value"]["type"] == "JSON"
   and reports[1]["offset"] == reports[0]["offset"] + 1, "with time, sizes and offsets", reports)
ok(g.ask("POST", "/v3/clusters/c1/topics/nope/records", "{}")[2]["error_code"] == 40403, "v3: an unknown topic is 40403")
ok(g.ask("POST", "/v3/clusters/c1/topics/pin/records", '{"value":{"type":"AVRO","data":1}}')[0] == 400, "v3: other types are refused")

# -- Kinesis
status, _, reply = g.ask("PUT", "/streams/pin/records", '{"records":[{"data":{"c": 1},"partition-key":"1"},{"Data":"x","PartitionKey":"2"}]}')
ok(status == 200 and reply["FailedRecordCount"] == 0 and [set(x) for x in reply["Records"]] == [{"ShardId", "SequenceNumber"}] * 2, "PUT /streams/pin/records", reply)
ok(int(reply["Records"][1]["SequenceNumber"]) == int(reply["Records"][0]["SequenceNumber"]) + 1, "sequence numbers are in order", reply)
status, _, reply = g.ask("PUT", "/streams/nope/record", '{"Data":1,"PartitionKey":"1"}')
ok(status == 400 and reply["__type"] == "ResourceNotFoundException", "a stream that is not there", reply)
ok(g.ask("PUT", "/streams/pin/record", '{"PartitionKey":"1"}')[2]["__type"] == "ValidationException", "no Data")
ok(g.ask("PUT", "/streams/pin/record", '{"Data":1')[2]["__type"] == "SerializationException", "no JSON")
ok(g.ask("GET", "/streams")[2]["HasMoreStreams"] is False and "pin" in g.ask("GET", "/streams")[2]["StreamNames"], "GET /streams")
ok(g.ask("GET", "/streams/pin")[2]["StreamDescription"]["Shards"][0]["ShardId"] == "shardId-000000000000", "GET /streams/pin")
ok(g.ask("POST", "/streams/pin", '{"ShardCount":1}')[0] == 403 and g.ask("DELETE", "/streams/pin")[0] == 403, "no creating and deleting without admin = yes")

# -- JSON lines, packed and not
lines = b'{"d":1}\n\n  {"d":2}\r\n"last"'
status, _, reply = g.ask("POST", "/ingest/geo", lines)
ok(status == 200 and reply["records"] == 3, "POST /ingest/geo: JSON lines", reply)
ok(g.ask("POST", "/ingest/geo", gzip.compress(lines) + gzip.compress(b"\n[4]"), {"Content-Encoding": "gzip"})[2]["records"] == 4, "gzip, also of two members")
if shutil.which("zstd"):
    packed = subprocess.run(["zstd", "-c"], input=lines, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    ok(g.ask("POST", "/ingest/geo", packed, {"Content-Encoding": "zstd"})[2]["records"] == 3, "zstd")
else:
    ok(True, "zstd # SKIP no zstd command")
ok(g.ask("POST", "/ingest/geo", b'{"d":1}\n{"d":\n')[2]["message"].startswith("line 2:"), "a bad line is named, and nothing of the body is kept")
ok(g.ask("POST", "/ingest/geo", gzip.compress(b" " * (64 << 20)), {"Content-Encoding": "gzip"})[0] == 413, "what unpacks to more than max_body: 413")
ok(g.ask("POST", "/ingest/geo", gzip.compress(lines)[:-5], {"Content-Encoding": "gzip"})[0] == 400, "gzip that is cut off: 400")
ok(g.ask("POST", "/ingest/geo", lines, {"Content-Encoding": "br"})[0] == 415, "an encoding that is not known: 415")
ok(g.ask("POST", "/ingest/geo", b"1\n" * (1 << 20))[0] == 413, "a body beyond max_body: 413")

# -- what came of it
ok(g.stop() == 0, "SIGTERM ends it with status 0")
held = g.records()
ok(json.dumps(row).encode() in held and json.dumps(row).encode() == held[0] == held[1], "records keep their bytes as sent", held[:2])
ok(b'"text"' in held and b"1.5" in held and exact.encode() in held and b'{"b": [1]}' in held and b'"last"' in held and b'{"routed": "by rule"}' in held, "values of every kind", held)
ok(not any(b'"d":\n' in x for x in held), "nothing of what was refused is there")

# -- 64 clients post one record each and wait: all are answered, by far fewer commits than clients
g = Gateway("waiters", pipeline="commit_interval = 1h\ncommit_rows = 1M")
answers, began = [], time.monotonic()


def post_one(i):
    answers.append((i, g.post("pin", [{"value": {"client": i}}])))


threads = [threading.Thread(target=post_one, args=(i,)) for i in range(64)]
for t in threads:
    t.start()
for t in threads:
    t.join()
took = time.monotonic() - began
ok(len(answers) == 64 and all(a[1][0] == 200 for a in answers) and took < 20, f"64 clients who wait are answered at once, with a commit_interval of an hour ({took:.2f} s)")
offsets = {a[1][2]["offsets"][0]["offset"]: a[0] for a in answers}
g.stop()
held = [json.loads(x)["client"] for x in g.records()]
ok(sorted(held) == list(range(64)), "each record is there once")
ok(len(offsets) == 64 and all(held[o] == i for o, i in offsets.items()), "and where its reply says")

# -- keys: hashed in the file, three ways to bring one
sha = hashlib.sha256(b"s3cret").hexdigest()
g = Gateway("keys", options=f"keys = mobile:{sha} other:{hashlib.sha256(b'x').hexdigest()}\ncors = https://app.example")
basic = base64.b64encode(b"mobile:s3cret").decode()
one = json.dumps({"records": [{"value": 1}]})
for what, headers, want in (("no key", {}, 401), ("a wrong key", {"X-Api-Key": "S3cret"}, 403), ("x-api-key", {"x-api-key": "s3cret"}, 200),
                            ("a bearer token", {"Authorization": "Bearer s3cret"}, 200), ("a password", {"Authorization": "Basic " + basic}, 200),
                            ("another's password", {"Authorization": "Basic " + base64.b64encode(b"other:s3cret").decode()}, 403),
                            ("the hash itself", {"X-Api-Key": sha}, 403)):
    ok(g.ask("POST", "/topics/pin", one, {"Content-Type": V2, **headers})[0] == want, f"{what}: {want}")
status, head, _ = g.ask("OPTIONS", "/topics/pin", headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"})
ok(status == 204 and head["Access-Control-Allow-Origin"] == "https://app.example" and "POST" in head["Access-Control-Allow-Methods"], "CORS: the question before", str(head))
ok(g.ask("GET", "/topics", headers={"Origin": "https://evil.example", "X-Api-Key": "s3cret"})[1]["Access-Control-Allow-Origin"] is None, "CORS: not for others")
g.stop()
ok("s3cret" not in open(g.log).read() and sha not in open(g.log).read(), "neither key nor hash is in the log")

# -- rates and connections
g = Gateway("limits", options="rate = 5/s\nconnections_per_client = 3")
c = g.connect()
codes = [g.post("pin", [{"value": i}], connection=c) for i in range(12)]
late = [x for x in codes if x[0] == 429]
ok(sum(x[0] == 200 for x in codes) >= 5 and late and all(x[1]["Retry-After"] == "1" for x in late), "more than `rate`: 429 with Retry-After", [x[0] for x in codes])
others = [g.connect() for _ in range(4)]
time.sleep(1.2)
codes = [g.post("pin", [{"value": 1}], connection=x)[0] for x in others]
ok(429 in codes and 200 in codes, "more than connections_per_client: 429", codes)
g.stop()
done()
