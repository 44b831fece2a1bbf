# tests/parquet.
