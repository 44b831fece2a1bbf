# SPDX-License-Identifier: Apache-2.0
"""The readers of other makers. Each is a class with a name, and read(format, path, columns, where) that answers an Arrow table; `format` is delta or parquet, `where`
a Filter or None."""
import datetime
import glob
import os

import harness


class Filter:
    """column OP value: = < >= null notnull."""
    def __init__(self, column, op, value=None):
        self.column, self.op, self.value = column, op, value

    def __str__(self):
        return "%s %s %.60r" % (self.column, self.op, self.value) if self.value is not None else "%s is %s" % (self.column, self.op)

    def holds(self, row):
        v = row[self.column]
        if self.op in ("null", "notnull"):
            return (v is None) == (self.op == "null")
        return v is not None and {"=": v == self.value, "<": v < self.value, ">=": v >= self.value}[self.op]

    def apply(self, column, is_null, literal):
        """Built with an engine's own column object."""
        if self.op in ("null", "notnull"):
            e = is_null(column)
            return e if self.op == "null" else ~e
        v = literal(self.value)
        return column == v if self.op == "=" else column < v if self.op == "<" else column >= v


def by_arrow(where):
    import pyarrow as pa
    import pyarrow.compute as pc
    import sample
    if where is None:
        return None
    return where.apply(pc.field(where.column), lambda c: c.is_null(), lambda v: pa.scalar(v, sample.FLAT.get(where.column)))


class PyArrow:
    name, formats = "pyarrow", ("parquet",)

    def __init__(self):
        import pyarrow.dataset
        self.dataset = pyarrow.dataset.dataset

    def read(self, form, path, columns=None, where=None):
        return self.dataset(path, format="parquet", partitioning="hive").to_table(columns=columns, filter=by_arrow(where))


class DuckDB:
    name, formats = "DuckDB", ("parquet", "delta")

    def __init__(self):
        import duckdb
        self.db = duckdb.connect()
        self.db.execute("set timezone = 'Asia/Tokyo'")
        try:
            import duckdb_extension_delta
        except ImportError:
            self.formats = ("parquet",)
            return
        found = glob.glob(os.path.join(os.path.dirname(duckdb_extension_delta.__file__), "extensions", "*", "delta.duckdb_extension"))
        self.db.execute("LOAD '%s'" % found[0])

    def read(self, form, path, columns=None, where=None):
        scan = "delta_scan(?)" if form == "delta" else "read_parquet(?, hive_partitioning = true, hive_types_autocast = false)"
        args = [path if form == "delta" or path.endswith(".parquet") else path + "/**/*.parquet"]
        sql = "select %s from %s" % (", ".join('"%s"' % c for c in columns) if columns else "*", scan)
        if where is not None:
            sql += ' where "%s" ' % where.column + {"null": "is null", "notnull": "is not null"}.get(where.op, where.op + " ?")
            if where.value is not None:
                args.append(where.value)
        return self.db.execute(sql, args).to_arrow_table()


class Polars:
    name, formats = "Polars", ("parquet", "delta")

    def __init__(self):
        import polars
        self.pl = polars

    @staticmethod
    def glob(path):
        """It reads every file of a folder, also those that begin with _, or a pattern's."""
        return path if path.endswith(".parquet") else path + "/**/*.parquet"

    def read(self, form, path, columns=None, where=None):
        pl = self.pl
        frame = pl.scan_delta(path) if form == "delta" else pl.scan_parquet(self.glob(path), hive_partitioning=True, try_parse_hive_dates=False)
        if where is not None:
            frame = frame.filter(where.apply(pl.col(where.column), lambda c: c.is_null(), pl.lit))
        return (frame.select(columns) if columns else frame).collect().to_arrow()


class DeltaLake:
    name, formats = "deltalake", ("delta",)

    # Where a file has no bound for a column (infinities, texts that nothing is larger than) its datasets leave all rows of the file out, in its own tables too.
    UNBOUNDED = ("real", "text")

    def __init__(self):
        import deltalake
        self.table, self.builder = deltalake.DeltaTable, deltalake.QueryBuilder

    def read(self, form, path, columns=None, where=None):
        import pyarrow as pa
        table = self.table(path)
        if where is None or where.column not in self.UNBOUNDED:
            return table.to_pyarrow_dataset().to_table(columns=columns, filter=by_arrow(where))
        literal = repr(where.value) if where.column == "real" else "'%s'" % str(where.value).replace("'", "''")
        literal = "arrow_cast('%s', 'Float64')" % where.value if where.column == "real" else literal
        condition = {"null": "is null", "notnull": "is not null"}.get(where.op, where.op + " " + literal)
        found = self.builder().register("t", table).execute('select %s from t where "%s" %s' % (", ".join(columns), where.column, condition))
        return pa.table(found.read_all())


class Spark:
    """In one session, of a time zone that is not UTC, so that a mistake about zones shows."""
    name, formats = "Spark", ("parquet", "delta")

    def __init__(self):
        from pyspark.sql import SparkSession, functions
        jars = sorted(glob.glob(os.path.join(harness.CACHE, "delta-jars", "*.jar")))
        if not jars:
            raise ImportError("no Delta jars in %s" % os.path.join(harness.CACHE, "delta-jars"))
        self.f = functions
        options = {
            "spark.jars": ",".join(jars), "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog", "spark.ui.enabled": "false",
            "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.databricks.delta.snapshotPartitions": "1",
            "spark.sql.shuffle.partitions": "1", "spark.sql.session.timeZone": "Asia/Tokyo", "spark.log.level": "ERROR",
            "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS", "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.sql.warehouse.dir": os.path.join(os.environ["TMPDIR"], "warehouse"), "spark.databricks.delta.retentionDurationCheck.enabled": "false"}
        builder = SparkSession.builder.master("local[1]").appName("readers")
        for k, v in options.items():
            builder = builder.config(k, v)
        self.session = builder.getOrCreate()
        self.sql = self.session.sql

    def literal(self, value):
        """Its own conversion of a time goes through the Julian calendar."""
        at = harness.plain(value)
        if isinstance(at, tuple) and at[0] == "at":
            return self.f.expr("timestamp_micros(%d)" % at[1])
        return self.f.expr("date_from_unix_date(%d)" % (at - harness.EPOCH.date()).days) if isinstance(at, datetime.date) else self.f.lit(value)

    def read(self, form, path, columns=None, where=None):
        frame = self.session.read.format(form).load(path)
        if where is not None:
            frame = frame.filter(where.apply(frame[where.column], lambda c: c.isNull(), self.literal))
        return (frame.select(*columns) if columns else frame).toArrow()


def all_there():
    """Those that can be used here, and a skip for each of the others."""
    out = []
    for kind in (PyArrow, DuckDB, Polars, DeltaLake, Spark):
        try:
            out.append(kind())
        except Exception as e:  # not installed, no Java, no jars
            harness.skip("%s reads what we write" % kind.name, str(e).splitlines()[0][:150] or type(e).__name__)
    return out
