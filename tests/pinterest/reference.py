#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the cleaners' rules give, said a second time: written from the rules alone, to judge the C code by.

reference.py pin|geo|user INPUT [--rows FILE] [--dead FILE]

Reads JSON lines, dirty ones too, and writes the expected rows as JSON lines (--rows; times as microseconds since 1970, keys in the
order of the columns) and the expected dead letters (--dead: line counted from 1, offset of its first byte, why, and the record as base64).
clean(kind, data) gives the same to a test.
"""
import argparse
import base64
import json
import re
from fractions import Fraction

COLUMNS = {
    "pin": ["ind", "unique_id", "title", "description", "follower_count", "poster_name", "tag_list", "is_image_or_video", "image_src",
            "save_location", "category"],
    "geo": ["ind", "country", "coordinates", "timestamp"],
    "user": ["ind", "user_name", "age", "date_joined"],
}
MAX_RECORD = 16 << 20
MAX_NESTING = 512
INT32 = range(-2**31, 2**31)


class Bad(Exception):
    """Not one JSON object, or no key: a dead letter."""


# -- JSON, strictly ---------------------------------------------------------------------------------------------------------------

class Number:
    """A number as it was sent."""
    def __init__(self, text):
        self.text = text

    def parts(self):
        """Sign, digits without zeros at either end, and the power of ten that they stand for."""
        m = re.fullmatch(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?", self.text)
        sign, whole, fraction, exponent = m[1], m[2], m[3] or "", m[4] or "0"
        digits = (whole + fraction).lstrip("0")
        kept = digits.rstrip("0")
        if not kept:
            return 1, "", 0
        exponent = int(exponent) if len(exponent) < 4000 else (-10**9 if exponent[0] == "-" else 10**9)
        return -1 if sign else 1, kept, exponent - len(fraction) + len(digits) - len(kept)

    def whole(self):
        """(its whole part, cut towards zero, or None beyond any integer type; whether nothing was cut)"""
        sign, digits, power = self.parts()
        places = len(digits) + power  # before the point
        if places > 30:
            return None, True
        if power >= 0:
            return sign * int(digits or "0") * 10**power, True
        return sign * int(digits[:max(places, 0)] or "0"), False

    def double(self):
        v = float(self.text)
        return None if v in (float("inf"), float("-inf")) else v


def refuse_constant(name):
    raise Bad("%s is no JSON" % name)


DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=refuse_constant, strict=True)
SPACE = re.compile(r"[ \t\n\r]*")


def nesting(text):
    """How deep the brackets of valid JSON go."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def whole_text(s):
    """A decoded string with U+FFFD for each lone surrogate."""
    return re.sub("[\ud800-\udfff]", "\ufffd", s)


class Field:
    """A value of the object: as sent and decoded."""
    def __init__(self, raw, value):
        self.raw, self.value = raw, value

    def utf8(self):
        if self.value is None:
            return None
        return whole_text(self.value) if isinstance(self.value, str) else self.raw


def parse_object(line):
    """The fields of one JSON object by their unescaped names; the last of a name counts."""
    if len(line) > MAX_RECORD:
        raise Bad("longer than max_record")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as e:
        raise Bad("not UTF-8: %s" % e)
    at = SPACE.match(text).end()
    if text[at:at + 1] != "{":
        raise Bad("not an object")
    fields = {}
    at = SPACE.match(text, at + 1).end()
    more = text[at:at + 1] != "}"
    try:
        while more:
            if text[at:at + 1] != '"':
                raise Bad("expected a name")
            name, at = DECODER.raw_decode(text, at)
            at = SPACE.match(text, at).end()
            if text[at:at + 1] != ":":
                raise Bad("expected a colon")
            start = SPACE.match(text, at + 1).end()
            value, end = DECODER.raw_decode(text, start)
            raw = text[start:end]
            if raw[0] in "[{" and 1 + nesting(raw) > MAX_NESTING:
                raise Bad("nested too deeply")
            fields[whole_text(name)] = Field(raw, value)
            at = SPACE.match(text, end).end()
            if text[at:at + 1] not in (",", "}"):
                raise Bad("expected a comma or the end")
            more = text[at] == ","
            if more:
                at = SPACE.match(text, at + 1).end()
    except (json.JSONDecodeError, RecursionError) as e:
        raise Bad(str(e))
    if SPACE.match(text, at + 1).end() != len(text):
        raise Bad("something behind the object")
    return fields


# -- the rules --------------------------------------------------------------------------------------------------------------------

MARKERS = {
    "title": {"No Title Data Available"},
    "description": {"No description available Story format", "No description available"},
    "poster_name": {"User Info Error"},
    "follower_count": {"User Info Error"},
    "image_src": {"Image src error."},
    "tag_list": {"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"},
}
PREFIX = "Local save in "
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
NOTHING = Field("null", None)


def key(fields, name):
    v = fields.get(name, NOTHING).value
    if not isinstance(v, Number):
        raise Bad("%s is missing or no number" % name)
    whole, exact = v.whole()
    if whole is None or not exact or whole not in INT32:
        raise Bad("%s is no whole number of 32 bits" % name)
    return whole


def followers(field):
    v = field.value
    if isinstance(v, Number):
        whole, _ = v.whole()
    elif isinstance(v, str):
        m = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kMB]?)", whole_text(v).strip(WHITE_SPACE))
        if not m:
            return None
        number = m[1].lstrip("0") or "0"
        if len(number.split(".")[0]) > 12:
            return None
        whole = int(Fraction("0" + number[:60]) * {"": 1, "k": 10**3, "M": 10**6, "B": 10**9}[m[2]])
    else:
        return None
    return whole if whole is not None and whole in INT32 else None


def days(year, month, day):
    """Since 1970-01-01, or None where that day does not exist; Gregorian, also before it was made, with a year 0."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        return None
    jan1 = 365 * year + (year + 3) // 4 - (year + 99) // 100 + (year + 399) // 400
    return jan1 + sum(lengths[:month - 1]) + day - 1 - 719528


CLOCK = r"([0-9]{2}):([0-9]{2}):([0-9]{2})"
ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]" + CLOCK + r"(?:\.([0-9]+))?(Z|[-+][0-9]{2}:[0-9]{2})?")
MONTH_FIRST = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4}), " + CLOCK)


def time(field):
    """Microseconds since 1970, or None."""
    text = field.utf8()
    if text is None:
        return None
    fraction = zone = None
    m = ISO.fullmatch(text)
    if m:
        year, month, day, fraction, zone = int(m[1]), int(m[2]), int(m[3]), m[7], m[8]
    else:
        m = MONTH_FIRST.fullmatch(text)
        if not m:
            return None
        month, day, year = int(m[1]), int(m[2]), int(m[3])
    hour, minute, second = int(m[4]), int(m[5]), int(m[6])
    date = days(year, month, day)
    if date is None or hour > 23 or minute > 59 or second > 59:
        return None
    east = 0
    if zone and zone != "Z":
        if int(zone[1:3]) > 23 or int(zone[4:6]) > 59:
            return None
        east = (int(zone[1:3]) * 60 + int(zone[4:6])) * (-1 if zone[0] == "-" else 1)
    seconds = ((date * 24 + hour) * 60 + minute - east) * 60 + second
    return seconds * 1000000 + int(((fraction or "") + "000000")[:6])


def clean_pin(fields):
    row = {"ind": key(fields, "index")}
    for name in COLUMNS["pin"][1:]:
        field = fields.get(name, NOTHING)
        if name == "follower_count":
            is_text = isinstance(field.value, str)
            row[name] = None if is_text and whole_text(field.value) in MARKERS[name] else followers(field)
            continue
        text = field.utf8()
        if text == "" or text in MARKERS.get(name, ()):
            text = None
        if name == "save_location" and text is not None and text.startswith(PREFIX):
            text = text[len(PREFIX):] or None
        row[name] = text
    return row


def clean_geo(fields):
    ind = key(fields, "ind")
    sent = [fields.get(name, NOTHING).value for name in ("latitude", "longitude")]
    numbers = [v.double() if isinstance(v, Number) else None for v in sent]
    return {"ind": ind, "country": fields.get("country", NOTHING).utf8(), "coordinates": None if None in numbers else numbers,
            "timestamp": time(fields.get("timestamp", NOTHING))}


def clean_user(fields):
    ind = key(fields, "ind")
    names = [fields.get(name, NOTHING).utf8() for name in ("first_name", "last_name")]
    age = fields.get("age", NOTHING).value
    whole, exact = age.whole() if isinstance(age, Number) else (None, False)
    return {"ind": ind, "user_name": " ".join(n for n in names if n) or None,
            "age": whole if exact and whole is not None and whole in INT32 else None,
            "date_joined": time(fields.get("date_joined", NOTHING))}


CLEAN = {"pin": clean_pin, "geo": clean_geo, "user": clean_user}


def lines(data):
    """(line counted from 1, offset of its first byte, bytes) of each line that is not blank."""
    at = 0
    for n, line in enumerate(data.split(b"\n"), 1):
        if line.strip(b" \t\r"):
            yield n, at, line
        at += len(line) + 1


def clean(kind, data):
    """The rows, and (line, offset, reason, record) of each dead letter."""
    rows, dead = [], []
    for n, at, line in lines(data):
        try:
            rows.append(CLEAN[kind](parse_object(line)))
        except Bad as e:
            dead.append((n, at, str(e), line))
    return rows, dead


def canonical(row):
    """One row as the text by which rows are compared."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("kind", choices=sorted(CLEAN))
    p.add_argument("input")
    p.add_argument("--rows")
    p.add_argument("--dead")
    a = p.parse_args()
    with open(a.input, "rb") as f:
        rows, dead = clean(a.kind, f.read())
    if a.rows:
        with open(a.rows, "w", encoding="utf-8", newline="\n") as f:
            f.writelines(canonical(row) + "\n" for row in rows)
    if a.dead:
        with open(a.dead, "w", encoding="utf-8", newline="\n") as f:
            for n, at, why, record in dead:
                f.write(json.dumps({"line": n, "offset": at, "reason": why, "record": base64.b64encode(record).decode()}) + "\n")
    print("%d rows, %d dead letters" % (len(rows), len(dead)))


if __name__ == "__main__":
    main()
