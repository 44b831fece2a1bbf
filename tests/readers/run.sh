#!/bin/sh
# run.sh - what other makers' programs find in our tables and files, and we in theirs: pyarrow, DuckDB, Polars, deltalake, Spark. See readers.py.
# SPDX-License-Identifier: Apache-2.0
python=${PENSTOCK_CACHE:-$HOME/.cache/penstock}/venv/bin/python
if ! "$python" -c 'import pyarrow' 2>/dev/null; then
    echo "ok 1 - other makers' readers # SKIP there is no pyarrow in \$PENSTOCK_CACHE/venv (tests/run installs it)"
    echo 1..1
    exit 0
fi
case " $PLUGINS_BUILT " in
*" parquet "*) ;;
*)
    echo "ok 1 - other makers' readers # SKIP the parquet plugin, which makes their input, is not built"
    echo 1..1
    exit 0 ;;
esac
# Spark asks for the address of the machine's own name, which need not have one.
export SPARK_LOCAL_IP=127.0.0.1
exec "$python" "$top_srcdir/tests/readers/readers.py"
