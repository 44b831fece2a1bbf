# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Kinesis inside the test's own process, for what no other does: records that are dropped by retention, iterators that expire, a closed
shard whose children are listed late, answers that are lost, cut or garbage, throttling of one shard. It answers in a millisecond and keeps all in memory.

    k = stand_in.Kinesis(); k.start()
    k.create("s", 2)              a stream; k.split("s", shard), k.merge("s", shard, other)
    k.put("s", key, bytes)        a record, past all faults; k.records("s") gives all of them as (shard, sequence number, key, data)
    k.fault = f                   f(operation, arguments) before a call is carried out: None, or one of the below; k.after likewise once it was
        ("error", status, name), ("drop",), ("bytes", b"…")
    k.refuse = f                  f(shard, entry) of PutRecords: an error code, or None
    k.iterator_age, k.clock       seconds that an iterator is good for; seconds that are added to the time
    k.trim("s", seconds)          drops what is older
"""
import base64
import hashlib
import http.server
import json
import socket
import threading
import time

TOP = 1 << 128


class Shard:
    def __init__(self, number, low, high, parents, now):
        self.name, self.low, self.high, self.parents = "shardId-%012d" % number, low, high, parents
        self.number, self.first, self.last, self.records, self.count = number, 0, None, [], 0
        self.first = self.sequence(now)

    def sequence(self, now):
        """As the service's: 56 digits that grow with time and count."""
        self.count += 1
        return (49 << 180) + (int(now * 1000) << 120) + (self.count << 60) + self.number

    def listed(self):
        ends = {"StartingSequenceNumber": str(self.first)}
        if self.last:
            ends["EndingSequenceNumber"] = str(self.last)
        shard = {"ShardId": self.name, "HashKeyRange": {"StartingHashKey": str(self.low), "EndingHashKey": str(self.high)}, "SequenceNumberRange": ends}
        return dict(shard, **{name: parent for name, parent in zip(("ParentShardId", "AdjacentParentShardId"), self.parents)})


class Fail(Exception):
    def __init__(self, name, message="", status=400):
        super().__init__(message)
        self.name, self.status = name, status


class Kinesis:
    access_key, secret_key, region = "stand-in", "not-looked-at", "us-east-1"

    def __init__(self):
        self.lock = threading.RLock()
        self.streams, self.created, self.calls = {}, {}, []
        self.fault = self.after = self.refuse = None
        self.iterator_age, self.clock, self.page, self.retention, self.late_children = 300, 0, 1000, 24, 0
        self.server = None

    def now(self):
        return time.time() + self.clock

    # -- for tests --

    def start(self):
        outer = self

        class Call(Handler):
            kinesis = outer
        self.server = Listener(("127.0.0.1", 0), Call)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.endpoint = "http://127.0.0.1:%d" % self.server.server_address[1]
        return self

    def create(self, name, shards=1):
        with self.lock:
            self.created[name] = self.now()
            edges = [TOP * i // shards for i in range(shards + 1)]
            self.streams[name] = [Shard(i, edges[i], edges[i + 1] - 1, [], self.now()) for i in range(shards)]

    def open_shards(self, name):
        return [s for s in self.streams[name] if not s.last]

    def split(self, name, shard):
        with self.lock:
            middle = (shard.low + shard.high) // 2
            self._close(name, [shard], [(shard.low, middle), (middle + 1, shard.high)])

    def merge(self, name, shard, other):
        with self.lock:
            self._close(name, [shard, other], [(min(shard.low, other.low), max(shard.high, other.high))])

    def _close(self, name, parents, ranges):
        for p in parents:
            p.last = p.sequence(self.now())
            p.closed_at = time.time()
        for low, high in ranges:
            child = Shard(len(self.streams[name]), low, high, [p.name for p in parents], self.now())
            child.listed_at = time.time() + self.late_children
            self.streams[name].append(child)

    def put(self, name, key, data):
        with self.lock:
            where = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
            shard = next(s for s in self.open_shards(name) if s.low <= where <= s.high)
            shard.records.append((shard.sequence(self.now()), key, data, self.now()))
            return shard, shard.records[-1][0]

    def records(self, name):
        with self.lock:
            return [(s.name, seq, key, data) for s in self.streams[name] for seq, key, data, _ in s.records]

    def trim(self, name, seconds):
        with self.lock:
            for s in self.streams[name]:
                s.records = [r for r in s.records if r[3] > self.now() - seconds]

    # -- operations --

    def stream(self, a):
        if a.get("StreamName") not in self.streams:
            raise Fail("ResourceNotFoundException", "Stream %s under account 000000000000 not found." % a.get("StreamName"))
        return self.streams[a["StreamName"]]

    def CreateStream(self, a):
        if a["StreamName"] in self.streams:
            raise Fail("ResourceInUseException", "Stream %s already exists" % a["StreamName"])
        self.create(a["StreamName"], a.get("ShardCount", 4))

    def DeleteStream(self, a):
        self.stream(a)
        del self.streams[a["StreamName"]]

    def ListStreams(self, a):
        names = sorted(n for n in self.streams if n > a.get("ExclusiveStartStreamName", ""))
        return {"StreamNames": names[:self.page], "HasMoreStreams": len(names) > self.page}

    def DescribeStreamSummary(self, a):
        self.stream(a)
        name = a["StreamName"]
        return {"StreamDescriptionSummary": {
            "StreamName": name, "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/" + name, "StreamStatus": "ACTIVE",
            "StreamCreationTimestamp": round(self.created[name], 3), "RetentionPeriodHours": self.retention, "OpenShardCount": len(self.open_shards(name))}}

    def UpdateShardCount(self, a):
        name, wanted = a["StreamName"], a["TargetShardCount"]
        self.stream(a)
        while len(self.open_shards(name)) < wanted:
            self.split(name, max(self.open_shards(name), key=lambda s: s.high - s.low))
        while len(self.open_shards(name)) > wanted:
            by_low = sorted(self.open_shards(name), key=lambda s: s.low)
            self.merge(name, by_low[0], by_low[1])
        return {"StreamName": name, "TargetShardCount": wanted}

    def ListShards(self, a):
        name, at = (a["StreamName"], 0) if "StreamName" in a else json.loads(a["NextToken"])
        if "StreamName" in a and "NextToken" in a:
            raise Fail("InvalidArgumentException", "NextToken and StreamName cannot be provided together.")
        self.stream({"StreamName": name})
        late = [s for s in self.streams[name] if getattr(s, "listed_at", 0) > time.time()]
        listed = [s for s in self.streams[name] if s not in late]
        shown = [s.listed() for s in listed[at:at + self.page]]
        for s in shown:  # as long as the children are not there the parents are not closed either
            if any(s["ShardId"] in child.parents for child in late):
                s["SequenceNumberRange"].pop("EndingSequenceNumber", None)
        more = at + self.page < len(listed)
        return {"Shards": shown, **({"NextToken": json.dumps([name, at + self.page])} if more else {})}

    def GetShardIterator(self, a):
        shard = next((s for s in self.stream(a) if s.name == a["ShardId"]), None)
        if not shard:
            raise Fail("ResourceNotFoundException", "Shard %s not found" % a["ShardId"])
        kind = a["ShardIteratorType"]
        if kind.endswith("_SEQUENCE_NUMBER"):
            at = int(a["StartingSequenceNumber"])
            if at < shard.first or (shard.last and at > shard.last):
                raise Fail("InvalidArgumentException", "StartingSequenceNumber %d used in GetShardIterator on shard %s is invalid" % (at, shard.name))
            at += kind.startswith("AFTER")
        elif kind == "AT_TIMESTAMP":
            at = next((seq for seq, _, _, when in shard.records if when >= a["Timestamp"]), TOP << 80)
            at = at if at < TOP << 80 else (shard.records[-1][0] + 1 if shard.records else 0)
        else:
            at = 0 if kind == "TRIM_HORIZON" else (shard.records[-1][0] + 1 if shard.records else 0)
        return {"ShardIterator": self.iterator(a["StreamName"], shard, at)}

    def iterator(self, name, shard, at):
        return base64.b64encode(json.dumps([name, shard.number, str(at), time.time()]).encode()).decode()

    def GetRecords(self, a):
        name, number, at, made = json.loads(base64.b64decode(a["ShardIterator"]))
        if time.time() - made > self.iterator_age:
            raise Fail("ExpiredIteratorException", "Iterator expired.")
        shard = self.stream({"StreamName": name})[number]
        given, size = [], 0
        left = [r for r in shard.records if r[0] >= int(at)]
        for seq, key, data, when in left[:a.get("Limit", 10000)]:
            size += len(data) + len(key)
            if given and size > 10 << 20:
                break
            given.append({"SequenceNumber": str(seq), "PartitionKey": key, "Data": base64.b64encode(data).decode(),
                          "ApproximateArrivalTimestamp": round(when, 3)})
        left = left[len(given):]
        answer = {"Records": given, "MillisBehindLatest": int(1000 * (self.now() - left[0][3])) if left else 0, "NextShardIterator": None}
        if left or not shard.last:
            answer["NextShardIterator"] = self.iterator(name, shard, int(given[-1]["SequenceNumber"]) + 1 if given else at)
        else:
            answer["ChildShards"] = [{"ShardId": s.name, "ParentShards": s.parents} for s in self.streams[name] if shard.name in s.parents]
        return answer

    def PutRecords(self, a):
        self.stream(a)
        entries = a["Records"]
        size = sum(len(base64.b64decode(e["Data"], validate=True)) + len(e["PartitionKey"].encode()) for e in entries)
        if not 1 <= len(entries) <= 500 or size > 5 << 20:
            raise Fail("InvalidArgumentException", "%d records of %d bytes" % (len(entries), size))
        answers = []
        for e in entries:
            data = base64.b64decode(e["Data"])
            if not 1 <= len(e["PartitionKey"]) <= 256 or len(data) + len(e["PartitionKey"].encode()) > 1 << 20:
                raise Fail("ValidationException", "a record is not as it should be")
            where = int.from_bytes(hashlib.md5(e["PartitionKey"].encode()).digest(), "big")
            shard = next(s for s in self.open_shards(a["StreamName"]) if s.low <= where <= s.high)
            code = self.refuse and self.refuse(shard, e)
            if code:
                answers.append({"ErrorCode": code, "ErrorMessage": "Rate exceeded for shard " + shard.name})
                continue
            shard, seq = self.put(a["StreamName"], e["PartitionKey"], data)
            answers.append({"SequenceNumber": str(seq), "ShardId": shard.name})
        return {"FailedRecordCount": sum("ErrorCode" in r for r in answers), "Records": answers}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp=None):
        return super().date_time_string(self.kinesis.now())

    def misbehave(self, what):
        """True: that was the answer."""
        if what and what[0] == "error":
            self.answer(what[1], json.dumps({"__type": what[2], "message": "on purpose"}).encode())
        elif what and what[0] == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif what and what[0] == "bytes":
            self.answer(200, what[1])
        elif what and what[0] == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{\"Records\":[")
            self.close_connection = True
        return bool(what)

    def do_POST(self):
        k = self.kinesis
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        arguments = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        with k.lock:
            k.calls.append(operation)
        if self.misbehave(k.fault and k.fault(operation, arguments)):
            return
        try:
            with k.lock:
                body = json.dumps(getattr(k, operation)(arguments) or {}).encode()
        except Fail as e:
            self.answer(e.status, json.dumps({"__type": e.name, "message": str(e)}).encode())
            return
        if not self.misbehave(k.after and k.after(operation, arguments)):
            self.answer(200, body)


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that was killed is nothing to speak of."""
