# SPDX-License-Identifier: Apache-2.0
"""Runs the batch layer (conf/batch/batch.ini) once a day at midnight: first the archive takes what the topics hold, then the tables take what the archive has more.

Put this file into Airflow's folder of DAGs. It goes by the environment of the worker, or Airflow's variables of the same names:
    PENSTOCK            the command (default: penstock)
    PENSTOCK_BATCH      the pipeline file (default: /etc/penstock/batch.ini)
    PENSTOCK_SCHEDULE   `@daily` (default), `* * * * *` for once a minute, or any other that Airflow understands
and by what the pipeline file itself takes from the environment. A run that was ended half way is repeated whole: each record is in the tables once all the same.
"""
import os
import shlex
from datetime import datetime, timedelta, timezone

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

PENSTOCK = os.environ.get("PENSTOCK", "penstock")
FILE = os.environ.get("PENSTOCK_BATCH", "/etc/penstock/batch.ini")


def half(name):
    stages = ",".join("%s-%s" % (name, kind) for kind in ("pin", "geo", "user"))
    return BashOperator(task_id=name, bash_command=shlex.join([PENSTOCK, "run", FILE, "--until-end", "--only", stages]) + " ", append_env=True)


with DAG(
    dag_id="penstock_batch",
    schedule=os.environ.get("PENSTOCK_SCHEDULE", "@daily"),
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,  # the second one would find the state folder locked
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["penstock"],
):
    half("archive") >> half("table")
