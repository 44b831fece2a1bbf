# tests/conf: the pipelines of conf/, whole. SPDX-License-Identifier: Apache-2.0
TESTS += tests/conf/batch_test.sh tests/conf/airflow_test.py
EXTRA_DIST += tests/conf/batch_test.sh tests/conf/airflow_test.py
