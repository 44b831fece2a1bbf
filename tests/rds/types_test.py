#!/usr/bin/env python3
"""Every type of both databases, there and back: doc/rds.md has the table. SPDX-License-Identifier: Apache-2.0"""
from rig import *

# (type, [(literal, expected as `penstock query --json` prints it)])
MARIADB = [
    ("TINYINT", [("-128", -128), ("127", 127)]),
    ("TINYINT(1)", [("1", 1), ("7", 7)]),
    ("TINYINT UNSIGNED", [("255", 255), ("0", 0)]),
    ("SMALLINT", [("-32768", -32768), ("32767", 32767)]),
    ("MEDIUMINT UNSIGNED", [("16777215", 16777215), ("0", 0)]),
    ("INT", [("-2147483648", -2147483648), ("2147483647", 2147483647)]),
    ("INT UNSIGNED", [("4294967295", 4294967295), ("0", 0)]),
    ("INT(5) ZEROFILL", [("42", 42), ("0", 0)]),
    ("BIGINT", [("-9223372036854775808", -9223372036854775808), ("9223372036854775807", 9223372036854775807)]),
    ("BIGINT UNSIGNED", [("18446744073709551615", 18446744073709551615), ("0", 0)]),
    ("DECIMAL(10,2)", [("-12345678.90", -12345678.9), ("0.01", 0.01)]),
    ("DECIMAL(38,10)", [("1234567890123456789012345678.0123456789", 1234567890123456789012345678.0123456789), ("-0.0000000001", -1e-10)]),
    ("DECIMAL(65,30)", [("12345678901234567890123456789012345.123456789012345678901234567890", "12345678901234567890123456789012345.123456789012345678901234567890"),
                        ("1", "1.000000000000000000000000000000")]),
    ("FLOAT", [("3.4028234e38", 3.4028234663852886e38), ("16777217", 16777216.0)]),
    ("DOUBLE", [("1.7976931348623157e308", 1.7976931348623157e308), ("-4.9406564584124654e-324", -5e-324)]),
    ("BIT(1)", [("b'1'", 1), ("b'0'", 0)]),
    ("BIT(12)", [("b'101010101010'", 2730), ("b'0'", 0)]),
    ("BIT(64)", [("18446744073709551615", 18446744073709551615), ("0", 0)]),
    ("YEAR", [("2026", 2026), ("1901", 1901)]),
    ("DATE", [("'2026-02-28'", "2026-02-28"), ("'0001-01-01'", "0001-01-01")]),
    ("DATETIME", [("'2026-11-28 23:59:59'", "2026-11-28 23:59:59"), ("'1000-01-01 00:00:00'", "1000-01-01 00:00:00")]),
    ("DATETIME(6)", [("'2026-11-28 23:59:59.999999'", "2026-11-28 23:59:59.999999"), ("'9999-12-31 23:59:59.000001'", "9999-12-31 23:59:59.000001")]),
    ("TIMESTAMP(3) NULL", [("'2026-11-28 23:59:59.125'", "2026-11-28 23:59:59.125"), ("'1971-01-01 00:00:00'", "1971-01-01 00:00:00")]),
    ("TIME(3)", [("'-838:59:58.500'", "-838:59:58.500"), ("'00:00:01'", "00:00:01.000")]),
    ("CHAR(10)", [("'abc'", "abc"), ("''", "")]),
    ("VARCHAR(200)", [("'caf\u00e9 \u2728 \U0001f60d'", "caf\u00e9 \u2728 \U0001f60d"), ("'a\\nb\\\\c'", "a\nb\\c")]),
    ("VARCHAR(20) CHARACTER SET latin1", [("'\u00fcber'", "\u00fcber"), ("'x'", "x")]),
    ("TEXT", [("REPEAT('x', 65535)", "x" * 65535), ("''", "")]),
    ("LONGTEXT", [("REPEAT('yz', 100000)", "yz" * 100000), ("'a'", "a")]),
    ("ENUM('red','green')", [("'green'", "green"), ("'red'", "red")]),
    ("SET('a','b','c')", [("'a,c'", "a,c"), ("''", "")]),
    ("JSON", [("'{\"a\": [1, 2]}'", "{\"a\": [1, 2]}"), ("'null'", "null")]),
    ("UUID", [("'123e4567-e89b-12d3-a456-426614174000'", "123e4567-e89b-12d3-a456-426614174000"), ("'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000")]),
    ("INET6", [("'::1'", "::1"), ("'2001:db8::ff'", "2001:db8::ff")]),
    ("BINARY(4)", [("x'00ff0102'", "AP8BAg=="), ("x'01'", "AQAAAA==")]),
    ("VARBINARY(20)", [("x'00ff'", "AP8="), ("''", "")]),
    ("BLOB", [("x'deadbeef'", "3q2+7w=="), ("''", "")]),
]
POSTGRES = [
    ("smallint", [("-32768", -32768), ("32767", 32767)]),
    ("integer", [("-2147483648", -2147483648), ("2147483647", 2147483647)]),
    ("bigint", [("-9223372036854775808", -9223372036854775808), ("9223372036854775807", 9223372036854775807)]),
    ("numeric(10,2)", [("-12345678.90", -12345678.9), ("0.01", 0.01)]),
    ("numeric(38,10)", [("1234567890123456789012345678.0123456789", 1234567890123456789012345678.0123456789), ("-0.0000000001", -1e-10)]),
    ("numeric(6,0)", [("100000", 100000), ("-7", -7)]),
    ("numeric(30,20)", [("1234500000.00000000000000010000", 1234500000.0000000000000001), ("0.00010000000000000000", 0.0001)]),
    ("numeric", [("12345678901234567890123456789012345678901234567890.5", "12345678901234567890123456789012345678901234567890.5"), ("'NaN'", "NaN")]),
    ("numeric(60,5)", [("1.5", "1.50000"), ("0", "0.00000")]),
    ("real", [("3.4028234e38", 3.4028234663852886e38), ("0.1", 0.10000000149011612)]),
    ("double precision", [("1.7976931348623157e308", 1.7976931348623157e308), ("-5e-324", -5e-324)]),
    ("boolean", [("true", 1), ("false", 0)]),
    ("date", [("'2026-02-28'", "2026-02-28"), ("'0001-01-01'", "0001-01-01")]),
    ("timestamp", [("'2026-11-28 23:59:59.999999'", "2026-11-28 23:59:59.999999"), ("'1000-01-01'", "1000-01-01 00:00:00")]),
    ("timestamptz", [("'2026-11-28 23:59:59.5+05:30'", "2026-11-28 18:29:59.5"), ("'1969-12-31 23:59:59Z'", "1969-12-31 23:59:59")]),
    ("time", [("'23:59:59.5'", "23:59:59.5"), ("'00:00'", "00:00:00")]),
    ("interval", [("'1 year 2 days 03:00'", "1 year 2 days 03:00:00"), ("'0'", "00:00:00")]),
    ("char(6)", [("'abc'", "abc   "), ("''", "      ")]),
    ("varchar(200)", [("E'caf\u00e9 \u2728 \U0001f60d'", "caf\u00e9 \u2728 \U0001f60d"), ("E'a\\nb\\\\c'", "a\nb\\c")]),
    ("text", [("repeat('x', 100000)", "x" * 100000), ("''", "")]),
    ("bytea", [("'\\x00ff0102'", "AP8BAg=="), ("''", "")]),
    ("json", [("'{\"a\":  1}'", "{\"a\":  1}"), ("'null'", "null")]),
    ("jsonb", [("'{\"a\":  1}'", "{\"a\": 1}"), ("'[]'", "[]")]),
    ("uuid", [("'123E4567-e89b-12d3-a456-426614174000'", "123e4567-e89b-12d3-a456-426614174000"), ("'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000")]),
    ("mood", [("'sad'", "sad"), ("'ok'", "ok")]),
    ("small", [("5", 5), ("-1", -1)]),
    ("bit(3)", [("B'101'", "101"), ("B'000'", "000")]),
    ("inet", [("'10.0.0.1/8'", "10.0.0.1/8"), ("'::1'", "::1/128")]),
    ("int4range", [("'[1,5)'", "[1,5)"), ("'empty'", "empty")]),
    ("point", [("'(1,2)'", "(1,2)"), ("'(0,0)'", "(0,0)")]),
    ("integer[]", [("'{1,NULL,3}'", [1, None, 3]), ("'{}'", [])]),
    ("bigint[]", [("'{9223372036854775807}'", [9223372036854775807]), ("'{}'", [])]),
    ("double precision[]", [("'{1.5,-2}'", [1.5, -2.0]), ("'{}'", [])]),
    ("text[]", [("ARRAY['a','\u00e9',NULL,'']", ["a", "\u00e9", None, ""]), ("'{}'", [])]),
    ("boolean[]", [("'{t,f}'", [True, False]), ("'{}'", [])]),
]
# what has no room in the type: null, and counted
UNFIT = {
    "mariadb": [("DATE", "'0000-00-00'"), ("DATETIME", "'0000-00-00 00:00:00'"), ("DATE", "'2026-00-00'")],
    "postgres": [("date", "'infinity'"), ("timestamp", "'-infinity'"), ("timestamptz", "'infinity'"), ("numeric(5,2)", "'NaN'"), ("integer[]", "'{{1},{2}}'"),
                 ("integer[]", "'[0:1]={1,2}'"), ("timestamp", "'294276-12-31 23:59:59'")],
}


def same(got, want):
    if isinstance(want, (list, type(None))) or isinstance(got, str) and isinstance(want, list):
        return (json.loads(got) if isinstance(got, str) else got) == want
    if isinstance(want, str) and isinstance(got, str):
        return got == want
    if isinstance(want, float) or isinstance(got, float):
        return abs(float(got) - want) <= abs(want) * 1e-15
    return int(got) == want


def check(db, types, unfit):
    q = lambda name: quote(db, name)
    sql = "SET NAMES utf8mb4; SET sql_mode='';" if db.name == "mariadb" else "CREATE TYPE mood AS ENUM ('sad','ok'); CREATE DOMAIN small AS integer CHECK (VALUE < 10);"
    names = ["c%d" % i for i in range(len(types))] + ["u%d" % i for i in range(len(unfit))]
    sql += "CREATE TABLE types (id INT PRIMARY KEY, %s);" % ", ".join("%s %s" % (q(n), t) for n, (t, _) in zip(names, types + unfit))
    for row in (0, 1):
        values = [v[row][0] for _, v in types] + [literal for _, literal in unfit]
        sql += "INSERT INTO types VALUES (%d, %s);" % (row, ", ".join(values))
    sql += "INSERT INTO types (id) VALUES (2);"
    db.sql(sql)
    path = pipeline("types_" + db.name, source(db, "snapshot", ["types"]), ["types"])
    out = run(path)
    if not ok(out.returncode == 0, "%s: a table of every type is read" % db.name, out.stdout):
        return
    got = rows("types_" + db.name, "types", "SELECT * FROM t ORDER BY id")
    ok(len(got) == 3, "%s: all its rows came" % db.name, len(got))
    for name, (type, values) in zip(names, types):
        for row in (0, 1):
            ok(same(got[row][name], values[row][1]), "%s: %s %s" % (db.name, type, values[row][0][:40]), repr(got[row][name])[:200], repr(values[row][1])[:200])
    ok(all(got[2][n] is None for n in names), "%s: NULL is null in every type" % db.name, got[2])
    for name, (type, literal) in zip(names[len(types):], unfit):
        ok(got[0][name] is None and got[1][name] is None, "%s: %s %s has no room, and is null" % (db.name, type, literal), got[0][name])


for db in databases():
    with db:
        check(db, *((MARIADB, UNFIT["mariadb"]) if db.name == "mariadb" else (POSTGRES, UNFIT["postgres"])))
done()
