# The parquet plugin.
