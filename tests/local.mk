# What make check runs: each folder's local.mk adds its programs and scripts to TESTS.
EXTRA_DIST += tests/tap.h tests/run
# The longest first: the others run beside them.
include tests/readers/local.mk
include tests/data/local.mk
include tests/config/local.mk
include tests/engine/local.mk
include tests/parquet/local.mk
include tests/delta/local.mk
include tests/s3/local.mk
include tests/aws/local.mk
include tests/kinesis/local.mk
include tests/kafka/local.mk
include tests/journal/local.mk
include tests/rds/local.mk
include tests/file/local.mk
include tests/http/local.mk
include tests/pinterest/local.mk
include tests/query/local.mk
include tests/model/local.mk
include tests/faults/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/services/local.mk
include tests/conf/local.mk
include tests/build/local.mk
