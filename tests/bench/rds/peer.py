#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DuckDB reading a table by its own scanner (PyPI duckdb-extension-mysql and -postgres; LOAD takes the extension's name from the file's: call it
mysql_scanner.duckdb_extension or postgres_scanner.duckdb_extension): peer.py mysql|postgres EXTENSION HOST PORT USER PASSWORD DATABASE TABLE [PARQUET]. With PARQUET the pin rules,
as tests/bench/peers.py has them, and zstd level 1."""
import resource
import sys
import time

import duckdb

kind, extension, host, port, user, password, database, table = sys.argv[1:9]
out = sys.argv[9] if len(sys.argv) > 9 else None
begin = time.monotonic()
c = duckdb.connect(config={"allow_unsigned_extensions": "true"})
c.execute("SET threads = 1")
c.execute("LOAD '%s'" % extension)
more = " compression=disabled" if kind == "mysql" else ""
word = "database" if kind == "mysql" else "dbname"
c.execute("ATTACH 'host=%s port=%s user=%s password=%s %s=%s%s' AS db (TYPE %s, READ_ONLY)" % (host, port, user, password, word, database, more, kind))
name = "db.%s%s" % ("" if kind == "mysql" else "public.", table)
if not out:
    reader = c.execute("SELECT * FROM " + name).fetch_record_batch(4096)
    rows = sum(batch.num_rows for batch in reader)
else:
    text = lambda field, *markers: "CASE WHEN %s IN ('', %s) THEN NULL ELSE %s END AS %s" % (field, ", ".join("'%s'" % m for m in markers) or "''", field, field)
    count = ("CASE WHEN regexp_full_match(f, '[0-9]+(\\.[0-9]+)?[kMB]?') THEN TRY_CAST(trunc(TRY_CAST(regexp_extract(f, '^[0-9.]+') AS DOUBLE) * CASE right(f, 1) WHEN 'k' "
             "THEN 1000 WHEN 'M' THEN 1000000 WHEN 'B' THEN 1000000000 ELSE 1 END) AS INTEGER) END AS follower_count")
    c.execute("COPY (SELECT CAST(\"index\" AS INTEGER) AS ind, %s, %s, %s, %s, %s, %s, %s, %s, NULLIF(regexp_replace(save_location, '^Local save in ', ''), '') "
              "AS save_location, %s FROM (SELECT *, trim(follower_count) AS f FROM %s)) TO '%s' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
              % (text("unique_id"), text("title", "No Title Data Available"),
                 text("description", "No description available Story format", "No description available"), count, text("poster_name", "User Info Error"),
                 text("tag_list", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"), text("is_image_or_video"), text("image_src", "Image src error."), text("category"), name, out))
    rows = c.execute("SELECT count(*) FROM '%s'" % out).fetchone()[0]
usage = resource.getrusage(resource.RUSAGE_SELF)
print("%d rows, %.2f s, %.3f CPU s, %.1f MiB" % (rows, time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
