#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Hold JSON files against a schema: check-json.py SCHEMA FILE..."""
import json
import re
import sys

TYPES = {"object": dict, "array": list, "string": str, "integer": int,
         "number": (int, float)}
KNOWN = {"$comment", "title", "type", "required", "additionalProperties", "properties",
         "items", "minItems", "minimum", "pattern", "enum"}


def members(v, schema, at):
    for key in schema.get("required", []):
        if key not in v:
            yield "%s: '%s' is missing" % (at, key)
    for key, value in v.items():
        if key in schema.get("properties", {}):
            yield from wrong(value, schema["properties"][key], "%s.%s" % (at, key))
        elif schema.get("additionalProperties") is False:
            yield "%s: '%s' is not known" % (at, key)


def wrong(v, schema, at):
    """What is wrong with a value. A keyword that is not known here is, too."""
    for key in set(schema) - KNOWN:
        yield "%s: the schema's '%s' is not known" % (at, key)
    kind = schema.get("type")
    if kind and (not isinstance(v, TYPES[kind]) or isinstance(v, bool)):
        yield "%s is no %s" % (at, kind)
        return
    if "enum" in schema and v not in schema["enum"]:
        yield "%s: %r is none of those allowed" % (at, v)
    if "pattern" in schema and not re.search(schema["pattern"], v):
        yield "%s: %r does not fit %s" % (at, v, schema["pattern"])
    if "minimum" in schema and v < schema["minimum"]:
        yield "%s: %r is too small" % (at, v)
    if isinstance(v, dict):
        yield from members(v, schema, at)
    if isinstance(v, list):
        if len(v) < schema.get("minItems", 0):
            yield "%s has %u elements" % (at, len(v))
        for i, e in enumerate(v):
            yield from wrong(e, schema.get("items", {}), "%s[%u]" % (at, i))


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        schema = json.load(f)
    bad = 0
    for name in sys.argv[2:]:
        with open(name, encoding="utf-8") as f:
            for text in wrong(json.load(f), schema, name):
                print(text)
                bad += 1
    sys.exit(1 if bad else 0)


main()
