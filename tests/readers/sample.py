# SPDX-License-Identifier: Apache-2.0
"""A table of every type, with the values at which formats part: what is written, and what every reader must find again."""
import datetime
import decimal
import random

import pyarrow as pa

D = decimal.Decimal
decimal.getcontext().prec = 60
UTC = datetime.timezone.utc
LAST_DAY = datetime.date(9999, 12, 31).toordinal() - datetime.date(1970, 1, 1).toordinal()
# Text that has ended somebody's parser, in a column, in statistics, or in the name of a folder. A partition's empty text is null, says Delta.
ODD = ["", " ", "a b", "a/b", "/", "a=b", "%41", "100%", "a+b", "#1", "?", "*", ":", "\\", "\"", "'", "{x}", "[y]", "é", "日本語", "🐟", "\u00a0",
       "null", "NULL", "__HIVE_DEFAULT_PARTITION__", ".", "..", ".x", "_x", "x.", "tab\there", "line\nfeed", "\x01\x7f", "&amp;", "<b>", ";,", "~",
       "C:\\x", "x" * 60, "\ufeff", "e\u0301"]
FLAT = {
    "seq": pa.int64(), "flag": pa.bool_(), "small": pa.int32(), "large": pa.int64(), "real": pa.float64(), "price": pa.decimal128(7, 2),
    "amount": pa.decimal128(18, 6), "huge": pa.decimal128(38, 10), "text": pa.string(), "few": pa.string(), "bytes": pa.binary(), "day": pa.date32(),
    "at": pa.timestamp("us", "UTC")}
NESTED = {
    "tags": pa.list_(pa.string()), "place": pa.list_(pa.float64()),
    "who": pa.struct([("a", pa.int32()), ("in", pa.struct([("b", pa.string()), ("when", pa.timestamp("us", "UTC"))]))]),
    "grid": pa.list_(pa.list_(pa.int64())),
    "pairs": pa.list_(pa.struct([("k", pa.string()), ("v", pa.decimal128(9, 3)), ("days", pa.list_(pa.date32()))])),
    "deep": pa.struct([("list", pa.list_(pa.struct([("x", pa.list_(pa.struct([("y", pa.bool_())])))])))])}
SCHEMA = pa.schema([pa.field(n, t, n != "seq") for n, t in {**FLAT, **NESTED}.items()])
# They lie in one part of the table only, so that statistics of the others leave something out.
UNBOUNDED = {"text": "\U0010ffff" * 40, "bytes": b"\xff" * 70}  # nothing is larger than all that begins like this
EDGES = {
    "small": [-2**31, 2**31 - 1, 0, -1], "large": [-2**63, 2**63 - 1, 2**53 + 1, -2**53 - 1, 0],
    "real": [0.0, -0.0, float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, -1e-300],
    "price": [D("99999.99"), D("-99999.99"), D("0.01"), D("0.00")], "amount": [D("999999999999.999999"), D("-999999999999.999999"), D("0.000001")],
    "huge": [D("9999999999999999999999999999.9999999999"), D("-9999999999999999999999999999.9999999999"), D("1E-10"), D("0E-10")],
    "text": ODD + ["x" * 31 + "é" * 3, "\ud7ff" * 40, "🐟" * 40, "same start of forty characters, and then one", "same start of forty characters, and then two"],
    "bytes": [b"", b"\x00", b"\xff\xfe", bytes(range(256))], "few": ["", "é", "one", "two"],
    "day": [datetime.date(1, 1, 1), datetime.date(9999, 12, 31), datetime.date(1582, 10, 4), datetime.date(1582, 10, 15), datetime.date(1969, 12, 31),
            datetime.date(2024, 2, 29)],
    "at": [datetime.datetime(1, 1, 2, 3, 4, 5, 6, UTC), datetime.datetime(9999, 12, 30, 23, 59, 59, 999999, UTC),
           datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), datetime.datetime(1970, 1, 1, tzinfo=UTC),
           datetime.datetime(1900, 1, 1, 0, 0, 0, 1, UTC), datetime.datetime(2021, 3, 28, 1, 30, tzinfo=UTC)],
}


def decimal_of(rng, precision, scale):
    return D(rng.randrange(-10**precision + 1, 10**precision)).scaleb(-scale)


def ordinary(rng, name, at, span):
    """A value of a column in the row at `at` of `span`: roughly in order, so that statistics of a part of the table say something."""
    n = at * 1000 // span * 10 + rng.randrange(30)
    if name == "flag": return n > 5000
    if name == "small": return n - 4000
    if name == "large": return (n - 4000) * 2**40 + rng.randrange(2**40)
    if name == "real": return (n - 4000) / 7
    if name == "price": return D(n - 4000).scaleb(-2)
    if name == "amount": return D((n - 4000) * 10**6 + rng.randrange(10**6)).scaleb(-6)
    if name == "huge": return D((n - 4000) * 10**30 + rng.randrange(10**30)).scaleb(-10)
    if name == "text": return "%05d é %s" % (n, "".join(rng.choices("abcdefgh ", k=rng.randrange(60))))
    if name == "few": return "few %d" % (n // 1000)
    if name == "bytes": return n.to_bytes(2, "big") + rng.randbytes(rng.randrange(20))
    if name == "day": return datetime.date(2000, 1, 1) + datetime.timedelta(days=n)
    if name == "at": return datetime.datetime(2000, 1, 1, tzinfo=UTC) + datetime.timedelta(days=n, microseconds=rng.randrange(86400 * 10**6))
    raise KeyError(name)


def nested(rng, t, depth=0):
    """A value of any type: lists empty, short and long, null at every level."""
    if depth and rng.random() < 0.15:
        return None
    if pa.types.is_list(t):
        return [nested(rng, t.value_type, depth + 1) for _ in range(rng.choice([0, 0, 1, 2, 5]))]
    if pa.types.is_struct(t):
        return {f.name: nested(rng, f.type, depth + 1) for f in t}
    if pa.types.is_boolean(t): return rng.random() < 0.5
    if pa.types.is_int32(t): return rng.choice([rng.randrange(-2**31, 2**31), rng.randrange(100)])
    if pa.types.is_int64(t): return rng.choice([rng.randrange(-2**63, 2**63), rng.randrange(100)])
    if pa.types.is_float64(t): return rng.choice([rng.uniform(-180, 180), float(rng.randrange(100)), float("nan")])
    if pa.types.is_decimal(t): return decimal_of(rng, t.precision, t.scale)
    if pa.types.is_date(t): return datetime.date(1970, 1, 1) + datetime.timedelta(days=rng.randrange(-719162, LAST_DAY))
    if pa.types.is_timestamp(t): return datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(microseconds=rng.randrange(-2**55, 2**57))
    return rng.choice(ODD)


def rows(n, first=0, seed=1):
    """Rows first … first+n-1. The first third has no null in some columns, the last no value in `amount`."""
    rng = random.Random(seed * 1000003 + first)
    out = []
    for i in range(n):
        row = {"seq": first + i}
        for name in FLAT:
            if name == "seq":
                continue
            draw = rng.random()
            if name == "amount" and i > n * 2 // 3 or i > n // 3 and draw < 0.1:
                row[name] = None
            elif draw < 0.13 and name in EDGES and n // 4 < i < n // 2:
                row[name] = rng.choice(EDGES[name])
            else:
                row[name] = ordinary(rng, name, i, n)
        for name, t in NESTED.items():
            row[name] = None if rng.random() < 0.1 else nested(rng, t)
        out.append(row)
    if n > 10:
        out[n // 2 - 1].update(UNBOUNDED)
        out[n // 2]["text"] = "huge é " * 200000
        out[n // 2 + 1]["text"] = "\x00 and what follows it"
    return out


def table(rows_, schema=SCHEMA):
    return pa.Table.from_pylist(rows_, schema=schema)
