# tests/readers: other makers' programs and ours. SPDX-License-Identifier: Apache-2.0
TESTS += tests/readers/run.sh
EXTRA_DIST += tests/readers/install tests/readers/run.sh tests/readers/readers.py tests/readers/harness.py tests/readers/engines.py tests/readers/sample.py \
	tests/readers/values.py tests/readers/partitions.py tests/readers/upkeep.py tests/readers/theirs.py
