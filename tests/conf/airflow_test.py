#!/usr/bin/env python3
"""The batch DAG, carried out by a real Airflow: `airflow dags test` runs both tasks in order, with a command in penstock's place that notes how it is called.
SPDX-License-Identifier: Apache-2.0"""
import os, subprocess, sys, tempfile

CACHE = os.environ.get("PENSTOCK_CACHE") or os.path.expanduser("~/.cache/penstock")
AIRFLOW = os.path.join(CACHE, "services", "airflow-3", "bin", "airflow")
TOP = os.environ.get("top_srcdir", ".")
n_run = 0


def ok(good, what, log=""):
    global n_run
    n_run += 1
    print(f"{'ok' if good else 'not ok'} {n_run} - {what}", flush=True)
    if not good:
        print("".join("# " + line + "\n" for line in log.splitlines()[-30:]), end="", flush=True)


def airflow(folder, *words):
    env = dict(os.environ, AIRFLOW_HOME=folder, AIRFLOW__CORE__LOAD_EXAMPLES="False", AIRFLOW__CORE__DAGS_FOLDER=os.path.join(TOP, "conf", "airflow"),
               AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False", PENSTOCK=os.path.join(folder, "penstock"), PENSTOCK_BATCH=os.path.join(folder, "it's a file.ini"),
               NOTES=os.path.join(folder, "notes"), PYTHONDONTWRITEBYTECODE="1")
    env.pop("PYTHONPATH", None)
    return subprocess.run([AIRFLOW, *words], capture_output=True, text=True, env=env, timeout=300)


def main():
    if not os.path.exists(AIRFLOW):
        print("1..0 # SKIP Airflow is not installed; tests/services/install gets it")
        return
    with tempfile.TemporaryDirectory(prefix="penstock-airflow-") as folder:
        with open(os.path.join(folder, "penstock"), "w") as f:
            f.write('#!/bin/sh\nfor word; do printf "%s|" "$word"; done >>"$NOTES"\necho >>"$NOTES"\n[ ! -e "$NOTES.fail" ]\n')
        os.chmod(os.path.join(folder, "penstock"), 0o755)
        done = airflow(folder, "db", "migrate")
        ok(done.returncode == 0, "Airflow is ready", done.stdout + done.stderr)
        done = airflow(folder, "dags", "test", "penstock_batch", "2024-06-01")
        notes = open(os.path.join(folder, "notes")).read().splitlines() if os.path.exists(os.path.join(folder, "notes")) else []
        start = "run|%s|--until-end|--only|" % os.path.join(folder, "it's a file.ini")
        ok(done.returncode == 0 and notes == [start + "archive-pin,archive-geo,archive-user|", start + "table-pin,table-geo,table-user|"],
           "the archive first, then the tables", "\n".join(notes) + done.stdout + done.stderr)
    print(f"1..{n_run}")


main()
