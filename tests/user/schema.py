#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""JSON schemas as grammars, against python3-jsonschema.

What the grammar of a schema generates, walked at random, must be what a
validator accepts; texts that are named, and sentences spoilt at random, must
be refused by the grammar wherever the validator refuses them.
"""
# TIMEOUT: 300
import datetime
import ipaddress
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import urllib.parse
import uuid

try:
    import jsonschema
except ImportError:
    print("skip: no python3-jsonschema")
    sys.exit(77)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WALK = os.environ.get("LLAMUX_WALK", os.path.join(TOP, "build/tests/engine/test_grammar"))
SENTENCES, SPOILT = 40, 25
passed = failed = 0


def check(ok, text):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAIL " + text)


# ---- formats, strictly ----

FORMATS = jsonschema.FormatChecker(formats=())


def form(name):
    def add(function):
        FORMATS.checkers[name] = (function, (ValueError, TypeError))
        return function
    return add


@form("date")
def is_date(v):
    return not isinstance(v, str) or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\d", v, re.A) and datetime.date.fromisoformat(v))


@form("time")
def is_time(v):
    m = not isinstance(v, str) or re.fullmatch(
        r"(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-](\d\d):(\d\d))", v, re.A)
    return bool(m) and (m is True or (datetime.time(*map(int, m.group(1, 2, 3))) is not None and
                                      int(m[6] or 0) < 24 and int(m[7] or 0) < 60))


@form("date-time")
def is_date_time(v):
    return not isinstance(v, str) or (v[10:11] == "T" and is_date(v[:10]) and is_time(v[11:]))


@form("uuid")
def is_uuid(v):
    return not isinstance(v, str) or str(uuid.UUID(v)) == v.lower()


@form("ipv4")
def is_ipv4(v):
    return not isinstance(v, str) or bool(ipaddress.IPv4Address(v))


@form("ipv6")
def is_ipv6(v):
    return not isinstance(v, str) or bool(ipaddress.IPv6Address(v) is not None)


@form("hostname")
def is_hostname(v):
    label = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
    return not isinstance(v, str) or bool(
        len(v) <= 253 and re.fullmatch(r"(%s\.)*%s" % (label, label), v))


@form("email")
def is_email(v):
    atom = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    if not isinstance(v, str):
        return True
    local, at, host = v.rpartition("@")
    return bool(at and len(local) <= 64 and re.fullmatch(r"%s(\.%s)*" % (atom, atom), local) and
                is_hostname(host))


@form("uri")
def is_uri(v):
    if not isinstance(v, str):
        return True
    u = urllib.parse.urlsplit(v)
    chars = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*"
    return bool(u.scheme and (u.port or 0) >= 0 and re.fullmatch(
        r"[A-Za-z][A-Za-z0-9+.-]*:%s(#%s)?" % (chars, chars), v))


# ---- schemas: what must fit (of the grammar's own forms), what must not ----

def obj(properties, *required, **more):
    return {"type": "object", "properties": properties, "required": list(required), **more}


def integers(lo, hi, **more):
    return {"type": "integer", "minimum": lo, "maximum": hi, **more}


STR, INT, NUM = {"type": "string"}, {"type": "integer"}, {"type": "number"}
NODE = obj({"v": INT, "next": {"$ref": "#/$defs/node"}}, "v")
CASES = [
    (integers(0, 9), ["0", "9"], ["-1", "10", "00", "1.5"]),
    (integers(17, 4242), ["17", "99", "100", "4242", "4199"], ["16", "4243", "9999", "5000"]),
    (integers(-105, 23), ["-105", "-99", "-1", "0", "23"], ["-106", "24", "-999", "99"]),
    (integers(-7, -7), ["-7"], ["7", "-8", "-6", "0"]),
    (integers(-2.5, 2.5), ["-2", "2"], ["-3", "3"]),
    (integers(99, 100000000000000000000), ["99", "100000000000000000000", "12345678901234567890"],
     ["100000000000000000001", "98"]),
    ({"type": "integer", "minimum": 1e3}, ["1000", "9999999999999999"], ["999", "-1000"]),
    ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 7}, ["4", "6"], ["3", "7"]),
    ({"type": "integer", "minimum": 3, "exclusiveMinimum": True, "maximum": 5,
      "exclusiveMaximum": False, "$schema": "http://json-schema.org/draft-04/schema#"},
     ["4", "5"], ["3", "6"]),
    ({"type": "integer", "maximum": 0}, ["0", "-1", "-123456"], ["1"]),
    ({"type": "integer", "maximum": -1}, ["-1", "-10"], ["0", "1", "-0"]),
    ({"type": "number", "minimum": 0, "maximum": 1}, ["0", "1", "0.5", "1.0", "0.000"],
     ["1.1", "-0.5", "2", "1.000000001"]),
    ({"type": "number", "minimum": 1.25, "maximum": 1.375}, ["1.25", "1.3", "1.375", "1.3750"],
     ["1.249999", "1.376", "1", "1.2", "1.3751"]),
    ({"type": "number", "exclusiveMinimum": -0.5, "exclusiveMaximum": 12.05},
     ["-0.49", "0", "12", "12.04999"], ["-0.5", "12.05", "12.050", "13", "-1"]),
    ({"type": "number", "minimum": -3.75, "maximum": -0.5}, ["-3.75", "-1", "-0.5", "-3"],
     ["-3.76", "-0.4", "0", "1", "-4"]),
    ({"type": "number", "exclusiveMinimum": 0}, ["0.1", "1", "0.000000001", "123.5"],
     ["0", "0.0", "-1"]),
    ({"type": "number", "exclusiveMaximum": 0}, ["-0.1", "-100.25"], ["0", "-0", "-0.0", "1"]),
    ({"type": "number", "minimum": 12.5, "maximum": 14}, ["12.5", "13.999", "14", "14.0"],
     ["12.4", "14.1"]),
    ({"type": "string", "format": "date"}, ['"2024-02-29"', '"2000-02-29"', '"0001-01-31"'],
     ['"2023-02-29"', '"1900-02-29"', '"2024-04-31"', '"2024-13-01"', '"0000-01-01"']),
    ({"type": "string", "format": "time"}, ['"23:59:59Z"', '"00:00:00.125+05:30"'],
     ['"24:00:00Z"', '"12:60:00Z"', '"12:00:00"', '"12:00Z"']),
    ({"type": "string", "format": "date-time"}, ['"2024-02-29T12:00:00-08:00"'],
     ['"2024-02-29 12:00:00Z"', '"2023-02-29T12:00:00Z"']),
    ({"type": "string", "format": "uuid"}, ['"123e4567-e89b-12d3-a456-426614174000"'],
     ['"123e4567e89b12d3a456426614174000"', '"123e4567-e89b-12d3-a456-42661417400g"']),
    ({"type": "string", "format": "email"}, ['"a.b+c@example.org"'],
     ['"a@"', '"@b.c"', '"a..b@c.d"', '"a b@c.d"', '"ab"']),
    ({"type": "string", "format": "uri"}, ['"https://example.org/a%20b?c=d#e"'],
     ['"example.org"', '"https://a b"', '"http://x/%zz"']),
    ({"type": "string", "format": "hostname"}, ['"a-b.example"'], ['"-a.example"', '"a..b"']),
    ({"type": "string", "format": "ipv4"}, ['"192.168.0.1"'],
     ['"256.1.1.1"', '"1.2.3"', '"01.2.3.4"']),
    ({"type": "string", "format": "ipv6"}, ['"1:2:3:4:5:6:7:abcd"'],
     ['"1:2:3:4:5:6:7:8:9"', '"::g"']),
    (STR, ['"\\u00e9\\ud83d\\ude00\\n\\/"', '"\u00e9\U0001f600"', '"\\u0000"'],
     ['"\\ud83d"', '"\\ude00\\ud83d"', '"\\u12"', '"\\x41"', '"\\ud83d\\u0041"', '"a\nb"']),
    ({"type": "string", "minLength": 2, "maxLength": 3}, ['"\\ud83d\\ude00a"', '"\\u0041bc"'],
     ['"\\ud83d\\ude00"', '"\\u0041bcd"', '"a"']),
    ({"type": "string", "pattern": "^a.c$"}, ['"abc"', '"a\\"c"', '"a\u00e9c"'],
     ['"a\\nc"', '"a\nc"', '"ac"', '"abcd"']),
    ({"type": "string", "pattern": "[0-9]{2}"}, ['"x12y"', '"12"'], ['"1x2"', '""']),
    ({"const": {"a": [1, None, {"b": "\"\u00e9\n"}], "c": {}}}, [], ['{"a": []}', "null"]),
    ({"enum": [1, "1", None, True, [], {}, [[{"x": -1.5e3}]], "\u2028\\"]}, ['"1"', "{}", "[]"],
     ["2", "false", "[1]"]),
    ({"enum": [1, "a", None, 2.5], "type": ["integer", "null"]}, ["1", "null"], ['"a"', "2.5"]),
    ({"type": ["string", "null"], "maxLength": 3}, ["null", '"abc"'], ['"abcd"', "1"]),
    ({"type": ["integer", "boolean", "object"], "minimum": 3, "properties": {"a": INT},
      "required": ["a"]}, ["3", "true", '{"a": 1}'], ["2", "{}", '"a"']),
    (obj({"a": integers(1, 5), "b": STR}, "a", additionalProperties=False),
     ['{"a": 1}', '{"a": 5, "b": "x"}'], ['{}', '{"a": 6}', '{"a": 1, "c": 2}', '{"b": "x"}']),
    (obj({"a": INT}, additionalProperties=integers(0, 9)), ['{"a": 77, "b": 7}'],
     ['{"b": 77}', '{"a": "x"}', '{"b": "x"}']),
    (obj({"ab": INT, "a": INT, "abc]^-": INT, "\u00e9": INT, "\u00e9x": INT, "\u00eb": INT,
          "q\"": INT, "q\n": INT, "q\x01": INT, "q\\": INT, "z" * 700: INT},
         additionalProperties={"type": "null"}),
     ['{"abc]^-": 1, "abc]^": null, "abc": null, "": null}',
      '{"a": 1, "\u00ea": null, "\u00e9y": null, "\u00e9\u00e9": null, "\U0001f600": null}',
      '{"q": null, "q\\t": null, "qq": null, "q\\"\\"": null, "%s": null}' % ("z" * 699),
      '{"%s": 1, "%s": null}' % ("z" * 700, "z" * 701)],
     ['{"abc]^-": null}', '{"abc": 1}', '{"\u00e9": null}', '{"\u00eb": null}', '{"q\\n": null}',
      '{"q\\"": null}', '{"q\\\\": null}', '{"%s": null}' % ("z" * 700)]),
    ({"allOf": [obj({"a": INT}, "a"), obj({"b": STR}, "b")]}, ['{"a": 1, "b": ""}'],
     ['{"a": 1}', '{"b": ""}', '{"a": "", "b": ""}']),
    ({"$defs": {"base": obj({"id": integers(1, 99)}, "id")},
      "allOf": [{"$ref": "#/$defs/base"}, {"properties": {"name": STR, "id": {"maximum": 50}},
                                           "required": ["name"]}]},
     ['{"id": 50, "name": "x"}'], ['{"id": 51, "name": "x"}', '{"id": 5}', '{"name": "x"}']),
    ({"$defs": {"n": INT}, "$ref": "#/$defs/n", "minimum": 5}, ["5"], ["4", '"a"']),
    ({"type": "integer", "allOf": [{"minimum": 3}, {"minimum": 5, "maximum": 20},
                                   {"maximum": 10}]}, ["5", "10"], ["4", "11", "3"]),
    ({"allOf": [{"enum": [1, 2, 3]}, {"enum": [2, 3.0, 4]}, {"type": "integer"}]}, ["2", "3"],
     ["1", "4"]),
    ({"allOf": [{"const": [1, 2]}]}, ["[1, 2]"], ["[2, 1]", "[1]"]),
    ({"type": "object", "properties": {"k": STR}, "required": ["k"],
      "anyOf": [{"properties": {"x": INT}, "required": ["x"]},
                {"properties": {"y": NUM}, "required": ["y"]}]},
     ['{"k": "", "x": 1}', '{"k": "", "y": 1}'], ['{"k": ""}', '{"x": 1}', '{"k": "", "x": ""}']),
    ({"allOf": [{"anyOf": [integers(0, 5), integers(20, 30)]},
                {"anyOf": [integers(3, 25), integers(4, 40)]}]},
     ["3", "5", "20", "30"], ["2", "6", "19", "31"]),
    ({"type": "array", "items": {"allOf": [INT, {"minimum": 7}]}, "minItems": 1, "maxItems": 3},
     ["[7]", "[7, 8, 9]"], ["[]", "[6]", "[7, 7, 7, 7]"]),
    ({"allOf": [{"type": "array", "items": INT}, {"items": {"minimum": 2}, "maxItems": 2}]},
     ["[2, 3]"], ["[1]", "[2, 2, 2]", '["a"]']),
    ({"$defs": {"node": NODE}, "$ref": "#/$defs/node"}, ['{"v": 1, "next": {"v": 2}}'],
     ['{"next": {"v": 2}}', '{"v": 1, "next": {}}']),
    ({"$defs": {"tree": {"allOf": [obj({"v": integers(0, 9)}, "v"),
                                   {"properties": {"kids": {"type": "array", "maxItems": 2,
                                                            "items": {"$ref": "#/$defs/tree"}}}}]}},
      "$ref": "#/$defs/tree"}, ['{"v": 1, "kids": [{"v": 2, "kids": []}]}'],
     ['{"v": 1, "kids": [{}]}', '{"v": 10}']),
    ({"$defs": {"a/b": {"c~": [STR, integers(1, 3)]}}, "$ref": "#/$defs/a~1b/c~0/1"}, ["3"],
     ["4", '"a"']),
    ({"allOf": [obj({"a": INT, "b": INT}, "a"), obj({"a": integers(0, 3)}, "a",
                                                    additionalProperties=False)]},
     ['{"a": 3}'], ['{"a": 1, "b": 1}', '{"a": 4}']),
    ({"allOf": [obj({"a": STR}),
                {"type": "object", "additionalProperties": {**STR, "maxLength": 2}}]},
     ['{"a": "xy"}'], ['{"a": "xyz"}', '{"a": 1}']),
]


def run(schema, what, text=b""):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as f:
        json.dump(schema, f)
        f.flush()
        r = subprocess.run([WALK, f.name, what], input=text, check=False, cwd=TOP,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return r.stdout if not r.returncode else None, r.stderr.decode(errors="replace").strip()


def validator(schema):
    cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    cls.check_schema(schema)
    return cls(schema, format_checker=FORMATS)


def accepts(valid, text):
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()      # no halves of characters
        return valid.is_valid(value)
    except ValueError:
        return False


def spoil(rnd, text):
    """A character less, more, or another; or two that change places."""
    i, c = rnd.randrange(len(text) or 1), rnd.choice('0123456789-.,:"{}[]eE+aZ \\u/@')
    return (text[:i] + text[i + 1:], text[:i] + c + text[i:], text[:i] + c + text[i + 1:],
            text[:i] + text[i + 1:i + 2] + text[i:i + 1] + text[i + 2:])[rnd.randrange(4)]


def case(rnd, schema, good, bad):
    what = json.dumps(schema)[:150]
    valid = validator(schema)
    out, err = run(schema, str(SENTENCES))
    if out is None:
        check(False, what + ": " + err)
        return
    made = [t.decode("utf-8") for t in out.split(b"\0")[:-1]]
    check(len(made) >= SENTENCES // 4, "%s: only %d sentences" % (what, len(made)))
    for t in made:
        check(accepts(valid, t), "%s: the validator refuses %s" % (what, t[:200]))
    for t in good:
        check(accepts(valid, t), "%s: the test errs about %s" % (what, t))
    for t in bad:
        check(not accepts(valid, t), "%s: the test errs about %s" % (what, t))
    spoilt = [spoil(rnd, rnd.choice(made)) for _ in range(SPOILT)] if made else []
    texts = [(t, True) for t in good] + [(t, False) for t in bad]
    texts += [(t, None) for t in spoilt if t and "\0" not in t]
    out, err = run(schema, "-", b"".join(t.encode("utf-8", "surrogatepass") + b"\0"
                                         for t, _ in texts))
    for (t, want), got in zip(texts, (out or b"").decode()):
        if want is None and got == "1":
            check(accepts(valid, t), "%s: the grammar takes %s" % (what, t[:200]))
        elif want is not None:
            check(got == "01"[want], "%s: %s %s" % (what, t, "is refused" if want else "fits"))
    check(len(out or b"") == len(texts), what + ": an answer for each text " + err)


def main():
    rnd = random.Random(20)
    for c in CASES:
        case(rnd, *c)
    # Bounds at random, small enough to try every number near them.
    for _ in range(60):
        lo, hi = sorted(rnd.choice((rnd.randint(-30, 30), rnd.randint(-5000, 5000)))
                        for _ in range(2))
        case(rnd, integers(lo, hi), [str(v) for v in (lo, hi, (lo + hi) // 2)],
             [str(v) for v in (lo - 1, hi + 1, lo - 10, hi + 10, hi * 10, lo * 10)
              if not lo <= v <= hi])
        a, b = (x / 8 for x in (lo, hi))
        if a < b:
            case(rnd, {"type": "number", "minimum": a, "exclusiveMaximum": b},
                 ["%.4f" % v for v in (a + 0.0625, (a + b) / 2) if 0 < v < b],
                 ["%.4f" % v for v in (a - 0.0625, b, b + 0.0625, b + 3)])


main()
print("%d passed, %d failed" % (passed, failed))
sys.exit(1 if failed else 0)
