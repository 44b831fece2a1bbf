"""What the python tests of the delta plugin share: TAP, and finding an interpreter that has the readers of other makers.
SPDX-License-Identifier: Apache-2.0"""
import os
import sys

done = failed = 0


def ok(good, what):
    global done, failed
    done += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {done} - {what}", flush=True)


def skip(what, why):
    global done
    done += 1
    print(f"ok {done} - {what} # SKIP {why}", flush=True)


def end():
    """Some of the libraries crash while an interpreter ends, so it does not end in the usual way."""
    print(f"1..{done}", flush=True)
    os._exit(1 if failed else 0)


def have(*modules):
    """Whether all can be imported; tries the tests' own venv before it gives up."""
    try:
        for m in modules:
            __import__(m)
        return True
    except ImportError:
        cache = os.environ.get("PENSTOCK_CACHE") or os.path.expanduser("~/.cache/penstock")
        python = os.path.join(cache, "venv", "bin", "python")
        if os.path.exists(python) and not os.environ.get("PENSTOCK_IN_VENV"):
            os.environ["PENSTOCK_IN_VENV"] = "1"
            os.execv(python, [python] + sys.argv)
        return False
