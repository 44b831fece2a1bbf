#!/usr/bin/env python3
"""Posts of the generate source: valid JSON, and odd values in the shares that real rows have. SPDX-License-Identifier: Apache-2.0"""
import datetime, json, os, re, subprocess, uuid

PROGRAM = os.path.join(os.environ.get("top_builddir", "."), "tests/file/generate_test")
N = 50000
n_run = 0


def ok(good, what):
    global n_run
    n_run += 1
    print(f"{'ok' if good else 'not ok'} {n_run} - {what}", flush=True)


def posts(kind, dirty="0", seed="7", count=N):
    return subprocess.run([PROGRAM, kind, seed, str(count), dirty], stdout=subprocess.PIPE, check=True).stdout.split(b"\n")[:-1]


def near(got, want, what):
    ok(abs(got - want) <= max(0.15 * want, 0.004), f"{what}: {got:.2%}, real rows {want:.2%}")


pins = [json.loads(line) for line in posts("pin")]
ok([p["index"] for p in pins] == list(range(N)), "pins: every line is JSON, in order")
ok(all(list(p) == ["index", "unique_id", "title", "description", "poster_name", "follower_count", "tag_list", "is_image_or_video", "image_src",
                   "downloaded", "save_location", "category"] for p in pins), "pins: the fields in the producer's order")
ok(all(uuid.UUID(p["unique_id"]).version == 4 for p in pins) and len({p["unique_id"] for p in pins}) == N, "unique_id is a UUID, unique")
ok(len({p["category"] for p in pins}) == 13, "13 categories")
ok(all(p["save_location"] == "Local save in /data/" + p["category"] for p in pins), "save_location is made of the category")
share = lambda rule: sum(map(rule, pins)) / N
near(share(lambda p: p["title"] == "No Title Data Available"), 17 / 2187, "titles missing")
near(share(lambda p: p["description"] == "No description available Story format"), 155 / 2187, "descriptions of stories")
near(share(lambda p: p["description"] == "No description available"), 32 / 2187, "descriptions missing")
near(share(lambda p: p["poster_name"] == "User Info Error"), 17 / 2187, "posters missing")
near(share(lambda p: p["follower_count"] == "User Info Error"), 17 / 2187, "follower counts missing")
near(share(lambda p: p["tag_list"] == "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"), 32 / 2187, "tags missing")
near(share(lambda p: p["image_src"] == "Image src error."), 54 / 2187, "images missing")
near(share(lambda p: bool(re.fullmatch(r"\d+k", p["follower_count"]))), 0.735, "followers in k")
near(share(lambda p: bool(re.fullmatch(r"\d+M", p["follower_count"]))), 0.077, "followers in M")
near(share(lambda p: bool(re.fullmatch(r"\d+", p["follower_count"]))), 0.181, "followers in digits")
near(share(lambda p: p["description"].endswith("\u2026\u00a0")), 0.37, "descriptions that are cut")
ok(all((p["image_src"] == "Image src error.") == (p["downloaded"] == 0) for p in pins), "downloaded is 0 where there is no image")
ok(any(p["title"] == "" for p in pins) and any("\n" in p["title"] for p in pins) and any('"' in p["description"] for p in pins),
   "empty titles, line breaks and quotes occur")
size = sum(map(len, posts("pin"))) / N
ok(650 < size < 830, f"a pin has {size:.0f} bytes, real ones 742")

places = [json.loads(line) for line in posts("geo")]
times = [datetime.datetime.fromisoformat(g["timestamp"]) for g in places]
ok([g["ind"] for g in places] == list(range(N)) and all(list(g) == ["ind", "timestamp", "latitude", "longitude", "country"] for g in places),
   "places: every line is JSON, with the producer's fields")
ok(min(times).date() >= datetime.date(2017, 10, 20) and max(times).date() <= datetime.date(2022, 10, 18), "times from 2017-10-20 to 2022-10-18")
ok(0.6 < sum("T" in g["timestamp"] for g in places) / N < 0.7, "two thirds of the times have a T")
ok(all(abs(g["latitude"]) <= 90 and abs(g["longitude"]) <= 180 for g in places) and len({g["country"] for g in places}) > 200, "places lie on Earth")

users = [json.loads(line) for line in posts("user")]
joined = [datetime.datetime.fromisoformat(u["date_joined"]) for u in users]
ok([u["ind"] for u in users] == list(range(N)) and all(list(u) == ["ind", "first_name", "last_name", "age", "date_joined"] for u in users),
   "users: every line is JSON, with the producer's fields")
ok(min(joined).date() >= datetime.date(2015, 10, 21) and max(joined).date() <= datetime.date(2017, 10, 18), "joined from 2015-10-21 to 2017-10-18")
ok(min(u["age"] for u in users) == 20 and max(u["age"] for u in users) == 60, "ages 20 to 60")
who = {}
for u in users:
    who.setdefault((u["first_name"], u["last_name"], u["age"], u["date_joined"].replace(" ", "T")), []).append(u["ind"])
ok(max(map(len, who.values())) > 20 and len(who) > 5000, "some people post often, with the same date_joined")


def broken(line, key):
    try:
        row = json.loads(line.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        return True
    return not isinstance(row, dict) or type(row.get(key)) is not int


for kind, key in (("pin", "index"), ("geo", "ind"), ("user", "ind")):
    got = sum(broken(line, key) for line in posts(kind, "0.05")) / N
    ok(0.045 < got < 0.055, f"dirty = 0.05 breaks {got:.2%} of {kind}")
    ok(not any(broken(line, key) for line in posts(kind, "0", "99", 2000)), f"dirty = 0 breaks no {kind}")
print(f"1..{n_run}")
