#!/usr/bin/env python3
"""An archive whose partitions are divided into folders by fields and time: where messages lie, and that each lies there once whatever is cut short, lost or
done twice. SPDX-License-Identifier: Apache-2.0"""
import base64, collections, datetime, gzip, json, os, random, re, shutil, subprocess, sys, tempfile, time, zoneinfo

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import archives
from archives import TOP, Archive, ok, services
from lossy_proxy import LossyProxy

NONE = "__HIVE_DEFAULT_PARTITION__"
COUNTRIES = {"UK": "UK", "a/b": "a%2Fb", "..": "%2E.", "x=y z": "x%3Dy%20z", "é": "é", "": NONE, None: NONE}
START = 1711843200000  # an hour before clocks change in London
BOTH = "partition_by = country\npartition_time = year=%Y/month=%m/day=%d/hour=%H\ntime_field = meta.at\nzone = Europe/London\n"
DAYS = "partition_time = day=%Y-%m-%d\ntime_field = meta.at\n"


def message(i):
    """A minute apart, now and then an hour late; some without what makes a folder."""
    if i % 97 == 5:
        return "no JSON %d" % i
    at = START + i * 60000 - (3600000 if i % 11 == 3 else 0)
    row = {"n": i, "country": list(COUNTRIES)[i % len(COUNTRIES)], "meta": {"at": at}, "text": "x" * (i % 50)}
    if i % 13 == 4:
        del row["country"]
    return json.dumps(row, ensure_ascii=i % 2 == 0)


def both(line):
    try:
        row = json.loads(line)
    except ValueError:
        return "country=%s/year=%s/month=%s/day=%s/hour=%s" % ((NONE,) * 5)
    local = datetime.datetime.fromtimestamp(row["meta"]["at"] / 1000, zoneinfo.ZoneInfo("Europe/London"))
    return "country=%s/%s" % (COUNTRIES[row.get("country")], local.strftime("year=%Y/month=%m/day=%d/hour=%H"))


def days(line):
    try:
        return "day=" + datetime.datetime.fromtimestamp(json.loads(line)["meta"]["at"] / 1000, datetime.timezone.utc).strftime("%Y-%m-%d")
    except ValueError:
        return "day=" + NONE


def lines_of(key, body):
    return (gzip.decompress(body) if key.endswith(".gz") else body).decode().splitlines()


def problems(a, folder_of, offsets=None):
    """What is wrong with the archive: messages missing or doubled, in a folder that is not theirs, or in an object that is named otherwise."""
    found, said = collections.Counter(), []
    for key, body in a.objects().items():
        m = re.fullmatch(r"topics/log/(.+)/log\+(\d)\+(\d{10})\.json(\.gz)?", key)
        lines = lines_of(key, body)
        found.update(lines)
        if not m or any(folder_of(line) != m.group(1) for line in lines):
            said.append("%s holds what does not belong there" % key)
        elif offsets and any(offsets[line][0] != m.group(2) for line in lines):
            said.append("%s holds messages of another partition" % key)
        elif offsets and int(m.group(3)) != min(offsets[line][1] for line in lines):
            said.append("%s begins otherwise" % key)
    missing, doubled = collections.Counter(a.sent) - found, found - collections.Counter(a.sent)
    return said + ["missing: %s" % m for m in list(missing)[:5]] + ["too many: %s" % m for m in list(doubled)[:5]]


def offsets_of(a):
    """Partition and offset of each message, as a plain archive of the same journal has them."""
    a.configure("topic = plain", pipeline="plain", transport="plain")
    a.run()
    found = {}
    for key in sorted(a.keys("topics/plain/")):
        _, part, first = os.path.basename(key).partition(".")[0].split("+")
        for i, line in enumerate(lines_of(key, a.get(key))):
            found[line] = (part, int(first) + i)
    for key in a.keys("topics/plain/"):
        a.server.call("DELETE", "/%s/%s" % (a.name, key.replace("+", "%2B").replace("=", "%3D")))
    return found


def placed(server, folder):
    a = Archive(server, folder, "placed", BOTH + "compression = gzip")
    a.write(1500, message)
    good = a.run() == 0
    log = a.log
    offsets = offsets_of(a)
    ok(good and len(offsets) == 1500 and not problems(a, both, offsets), "folders by field and local time, each object named by its first offset",
       problems(a, both, offsets) + [log])
    ok(any("/hour=00/" in k for k in a.keys()) and not any("day=31/hour=01" in k for k in a.keys()) and any("day=31/hour=02" in k for k in a.keys()),
       "the hour that London left out is none")
    a.configure(BOTH + "compression = gzip")
    before = a.keys()
    ok(a.run() == 0 and a.keys() == before, "nothing new, nothing written", a.log)
    a.forget_state()
    a.write(300, message)
    ok(a.run() == 0 and not problems(a, both), "without what its state remembers it goes on where the entries end", problems(a, both) + [a.log])
    a.forget_state()
    a.configure("records = 50")
    a.write(200, message)
    ok(a.run() == 0 and not missing_or_doubled(a), "another layout goes on behind it", a.log)
    a.forget_state()
    a.configure(DAYS)
    a.write(200, message)
    ok(a.run() == 0 and not missing_or_doubled(a), "and a third behind that", a.log)


def missing_or_doubled(a):
    found = collections.Counter(line for key, body in a.objects().items() for line in lines_of(key, body))
    return (collections.Counter(a.sent) - found) + (found - collections.Counter(a.sent))


def closed(server, folder):
    """When objects are closed, by counts and by the messages' own time."""
    a = Archive(server, folder, "counted", "partition_by = country\nrecords = 100", "commit_rows = 70")
    a.write(900, message)
    good = a.run() == 0
    commits = collections.defaultdict(int)
    for key, body in a.objects().items():
        end = {k.lower(): v for k, v in server.call("HEAD", "/%s/%s" % (a.name, archives.urllib.parse.quote(key)))[1].items()}["x-amz-meta-penstock-end"]
        commits[key.split("+")[1], int(end)] += len(lines_of(key, body))
    sizes = [n for _, n in sorted(commits.items())]
    ok(good and not missing_or_doubled(a) and sizes.count(100) >= 6 and len(sizes) - sizes.count(100) <= 2,
       "records = 100: so many of a partition are committed together", (sizes, a.log))
    a = Archive(server, folder, "spans", "rotate_interval = 2h\ntime_field = meta.at", "commit_rows = 20")
    a.write(600, message)
    good, spans = a.run() == 0, []
    for key, body in a.objects().items():
        times = [json.loads(line)["meta"]["at"] for line in lines_of(key, body) if line[0] == "{"]
        spans.append((max(times) - times[0]) / 3600000)
    ok(good and not missing_or_doubled(a) and max(spans) < 2 and sum(s > 1.5 for s in spans) >= 5 and len(spans) <= 14,
       "rotate_interval: no object spans more of the messages' time, and commits do not cut", (spans, a.log))


def cut_short(server, folder):
    """Killed between an entry and its objects; then the rest is cut otherwise, with and without the state."""
    a = Archive(server, folder, "cut", BOTH, "commit_rows = 300")
    a.write(900, message)
    if a.run("archive.before-entry=exit@1") == 0:
        return ok(True, "killed at each step # SKIP this build has no failpoints")
    for i, point in enumerate(("archive.before-entry=exit@2", "archive.after-entry=exit@1", "archive.before-put=exit@7", "archive.after-put=exit@3",
                               "archive.after-entry=exit@2", "archive.after-put=exit@40")):
        a.configure(BOTH, "commit_rows = %d" % (100 + 170 * i))
        a.write(300, message)
        a.run(point)
        if i % 2:
            a.forget_state()
    a.configure(BOTH, "commit_rows = 4000")
    ok(a.run() == 0 and not problems(a, both, offsets_of(a)), "killed at each step, with other cuts each time: each message once", problems(a, both) + [a.log])
    a.configure(BOTH, "commit_rows = 300")
    a.write(600, message)
    a.run("archive.after-entry=exit@1")
    a.configure("records = 40")
    ok(a.run() == 1 and "run once with these options as they were" in a.log, "other options than a commit was begun with are named", a.log)
    a.configure(DAYS)
    ok(a.run() == 1 and "run once with the options of this sink as they were" in a.log, "folders too", a.log)
    a.configure(BOTH, "commit_rows = 50")
    ok(a.run() == 0 and not problems(a, both), "with the old ones it goes on", problems(a, both) + [a.log])


def kills(server, folder):
    a = Archive(server, folder, "kills", DAYS + "partition_by = country", "commit_rows = 300")
    rng = random.Random(int(os.environ.get("SEED", "7")))
    for _ in range(10):
        a.write(400, message)
        a.kill_after(rng.uniform(0.05, 0.5))
    folder_of = lambda line: both(line).split("/")[0] + "/" + days(line)
    ok(a.run() == 0 and not problems(a, folder_of), "killed at random: each message once", problems(a, folder_of) + [a.log])


def overtaken(server, folder):
    """Two processes archive the same partitions; each stalls at another step while the other goes on."""
    a = Archive(server, folder, "two", BOTH, "commit_rows = 4000")
    a.write(600, message)
    for step, point in enumerate(("archive.before-entry=delay:1500@1", "archive.after-entry=delay:1500@1", "archive.before-put=delay:1500@5")):
        a.configure(BOTH, "commit_rows = %d" % (150, 4000, 90)[step])
        slow = a.start(point)
        quick = Archive.__new__(Archive)
        quick.__dict__.update(a.__dict__)
        quick.configure(BOTH, "commit_rows = 260", pipeline="other", transport="log")
        other = quick.run()
        good = a.finish(slow) == 0
        ok(good and other == 0 and not problems(a, both), "a process that was overtaken doubles nothing (%s)" % point.partition("=")[0],
           problems(a, both) + [a.log, quick.log])
        a.configure(BOTH)
        a.write(400, message)
        a.run("archive.before-entry=error@1")  # the journal has them, the archive has not


def lost(server, folder):
    """Answers to puts that were carried out are lost, then some that were not; the first, one in the middle, the last."""
    with LossyProxy(server.address) as proxy:
        a = Archive(server, folder, "lost", BOTH, "commit_rows = 300", endpoint="http://" + proxy.address)
        a.write(900, message)
        rules = [proxy.rule("lose", method="PUT", path="/_penstock/", nth=[1, 3]), proxy.rule("error", method="PUT", path="/_penstock/", nth=[2]),
                 proxy.rule("lose", method="PUT", path="/country", nth=[1, 20, 41]), proxy.rule("refuse", method="PUT", path="/country", nth=[5]),
                 proxy.rule("half", method="PUT", path="/country", nth=[30])]
        ok(a.run() == 0 and not problems(a, both) and all(r.done for r in rules), "answers that were lost: each message once, without a restart",
           problems(a, both) + [a.log, [r.done for r in rules]])


def read_back(server, folder):
    a = Archive(server, folder, "back", BOTH)
    a.write(700, message)
    a.run()
    ini = os.path.join(a.folder, "back.ini")
    with open(ini, "w") as f:
        f.write(f"[pipeline]\nname = back\nstate = {a.folder}/back\n[defaults s3]\nendpoint = {server.endpoint}\naccess_key = {server.access_key}\n"
                f"secret_key = {server.secret_key}\n[source in]\nplugin = file\npath = s3://back/topics/log/*/*/*/*/*/*.json\n"
                f"[sink out]\nplugin = file\ninput = in\npath = {a.folder}/out.jsonl\nformat = jsonl\n[deadletter]\npath = {a.folder}/dead\n")
    done = subprocess.run([archives.PENSTOCK, "run", ini, "--until-end"], capture_output=True, text=True)
    rows = sum(1 for _ in open(os.path.join(a.folder, "out.jsonl")))
    ok(done.returncode == 0 and rows == 700, "the file source reads it back", (rows, done.stderr))


def expired(server, folder):
    """expire: what is old goes, and nothing that only looks like it; what is gone does not come back."""
    kept = {"topics/log/partition=7/log+7+0000000000.json", "topics/log/notes.txt", "topics/other/partition=0/other+0+0000000000.json"}
    both_ways = [(Archive(server, folder, "expired-plain", "expire = 2s"), "partition=P"), (Archive(server, folder, "expired-days", DAYS + "expire = 2s"), "days")]

    def step(a, rows):
        """One run over so many rows more: whether it ended well, and the archive's own objects."""
        a.write(rows, message)
        good = a.run() == 0
        return good, {key: body for key, body in a.objects().items() if key not in kept}

    def messages_in(objects):
        return sorted(line for key, body in objects.items() for line in lines_of(key, body))

    def grow_old():
        time.sleep(3.5)  # the age that is tested: 2 s, and the store tells the time in whole seconds

    first = []
    for a, _ in both_ways:
        first.append(step(a, 300)[1])
        put = [server.call("PUT", "/%s/%s" % (a.name, archives.urllib.parse.quote(key)), b"somebody else's\n")[0] for key in kept]
        ok(len(first[-1]) > 0 and put == [200] * len(kept), "there are objects of the archive, and others", put)
    grow_old()
    for (a, what), old in zip(both_ways, first):
        good, now = step(a, 300)
        ok(good and not set(old) & set(now) and messages_in(now) == sorted(a.sent[300:]), "%s: what is old is removed" % what, [a.log, len(old), len(now)])
        ok(kept <= set(a.objects()), "%s: and nothing else" % what, sorted(kept - set(a.objects())))
    grow_old()
    for a, what in both_ways:
        one, now = step(a, 1)
        another, then = step(a, 1)  # begins with everything gone but one message
        ok(one and another and messages_in(now) == a.sent[600:601] and messages_in(then) == sorted(a.sent[600:602]), "%s: what is gone does not come back" % what,
           [a.log, len(now), len(then)])


def parquet(server, folder):
    """As Parquet: read by the parquet source, as the messages that they were, and by SQL."""
    env = dict(os.environ, AWS_ENDPOINT_URL_S3=server.endpoint, AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key)

    def query(sql, url):
        done = subprocess.run([archives.PENSTOCK, "query", "--json", sql, "t=" + url], capture_output=True, text=True, env=env)
        return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else done.stderr

    def messages_of(a):
        ini = os.path.join(a.folder, "messages.ini")
        with open(ini, "w") as f:
            f.write(f"[pipeline]\nname = messages\nstate = {a.folder}/messages\n[source in]\nplugin = parquet\npath = s3://{a.name}/topics/log\n"
                    f"[sink out]\nplugin = file\ninput = in\npath = {a.folder}/messages.jsonl\nformat = jsonl\n")
        done = subprocess.run([archives.PENSTOCK, "run", ini, "--until-end"], capture_output=True, text=True, env=env)
        return open(os.path.join(a.folder, "messages.jsonl")).read().splitlines() if done.returncode == 0 else [done.stderr]

    a = Archive(server, folder, "parquet", "format = parquet", "commit_rows = 300")
    a.write(1000, message)
    good = a.run() == 0
    names = sorted(a.objects())
    ok(good and all(re.fullmatch(r"topics/log/partition=\d/log\+\d\+\d{10}\.parquet", n) for n in names) and sorted(messages_of(a)) == sorted(a.sent),
       "format = parquet: every message comes back by the parquet source", (names, a.log))
    rows = query('SELECT "partition", count(*) AS n, min("offset") AS low, max("offset") AS high FROM t GROUP BY 1 ORDER BY 1', "s3://parquet/topics/log")
    ok(len(rows) == 2 and sum(r["n"] for r in rows) == 1000 and all(r["low"] == 0 and r["high"] == r["n"] - 1 for r in rows), "with its offset", rows)
    a.forget_state()
    a.write(500, message)
    a.run("archive.after-put=exit@1")
    ok(a.run() == 0 and sorted(messages_of_again(a, messages_of)) == sorted(a.sent), "it goes on where the files end", a.log)
    a = Archive(server, folder, "hourly", BOTH + "format = parquet\ncompression = snappy", "commit_rows = 300")
    a.write(900, message)
    a.run("archive.after-entry=exit@1")
    a.configure(BOTH + "format = parquet\ncompression = snappy", "commit_rows = 4000")
    good = a.run() == 0
    ok(good and sorted(messages_of(a)) == sorted(a.sent), "in folders, after a kill between the entry and its objects", a.log)
    rows = query("SELECT value, country, year, month, day, hour FROM t", "s3://hourly/topics/log")
    wrong = [r for r in rows if not in_its_folder(r)]
    ok(len(rows) == 900 and not wrong, "and SQL has the folders as columns", (rows[:2], wrong[:3]))
    a.configure(BOTH + "format = parquet\ncompression = gzip")
    ok(a.run() == 2 and "zstd, snappy or none" in a.log, "gzip is none of Parquet's here", a.log)
    columns(server, folder, query)


def messages_of_again(a, messages_of):
    for name in ("messages.jsonl", ".messages.jsonl.penstock"):
        if os.path.exists(os.path.join(a.folder, name)):
            os.remove(os.path.join(a.folder, name))
    shutil.rmtree(os.path.join(a.folder, "messages"))
    return messages_of(a)


def in_its_folder(row):
    """Whether the columns that a reader makes of the folders are those of the message."""
    levels = dict(level.split("=", 1) for level in both(base64.b64decode(row["value"]).decode()).split("/"))
    want = {k: None if v == NONE else archives.urllib.parse.unquote(v) if k == "country" else int(v) for k, v in levels.items()}
    return all(row[k] == v for k, v in want.items())


def columns(server, folder, query):
    """Behind a transform: its columns, in folders of one of them."""
    a = Archive(server, folder, "columns", "format = parquet\npartition_by = category", "commit_rows = 300")
    with open(a.ini) as f:
        text = f.read()
    with open(a.ini, "w") as f:
        f.write(text.replace("[sink keep]\nplugin = s3\ninput = log", "[transform clean]\nplugin = pin\ninput = log\n[sink keep]\nplugin = s3\ninput = clean"))
    a.write(600, lambda i: json.dumps({"index": i, "unique_id": "u%d" % i, "title": "t", "category": "c/%d" % (i % 3), "follower_count": "2k"}))
    good = a.run("archive.after-put=exit@2") != 0 and a.run() == 0
    rows = query("SELECT ind, category, follower_count FROM t ORDER BY ind", "s3://columns/topics/log")
    ok(good and rows == [{"ind": i, "category": "c/%d" % (i % 3), "follower_count": 2000} for i in range(600)], "columns of a transform stay columns",
       (rows[:3], a.log))
    ok(all("/category=c%2F" in key for key in a.objects()), "in folders of one of them", list(a.objects())[:3])
    for option, says in (("partition_by = colour", "no such column"), ("partition_time = day=%d", "time_field")):
        with open(a.ini, "w") as f:
            f.write(text.replace("[sink keep]\nplugin = s3\ninput = log", "[transform clean]\nplugin = pin\ninput = log\n[sink keep]\nplugin = s3\ninput = clean")
                    .replace("partition_by = category", option))
        ok(a.run() == 2 and says in a.log, "%s: %s" % (option, says), a.log)


def zones(server, folder):
    """Local times as another reader of the tz database has them."""
    rng = random.Random(1)
    asked = [(z, rng.randrange(-2**31, 2**33)) for z in sorted(zoneinfo.available_timezones()) if z not in ("localtime", "Factory") for _ in range(20)]
    done = subprocess.run([os.path.join(TOP, "tests/s3/layout_test"), "zones"], input="".join("%s %d\n" % a for a in asked), capture_output=True, text=True)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    want = [int((epoch + datetime.timedelta(seconds=t)).astimezone(zoneinfo.ZoneInfo(z)).utcoffset().total_seconds()) for z, t in asked]
    got = [int(line) for line in done.stdout.split()]
    wrong = [(a, g, w) for a, g, w in zip(asked, got, want) if g != w]
    ok(len(got) == len(asked) > 1000 and not wrong, "%d times in every zone" % len(asked), (wrong[:10], done.stderr))


archives.need("minio")
with services.minio() as server, tempfile.TemporaryDirectory(prefix="penstock-folders-") as folder:
    for part in (placed, closed, cut_short, kills, overtaken, lost, read_back, parquet, expired, zones):
        part(server, folder)
archives.done()
