"""Writes fastavro.json: Avro bytes made by fastavro (https://github.com/fastavro/fastavro), an implementation independent of ours.

    pip install fastavro==1.13.1 && python3 generate.py

Each case has a schema, for each row the body's bytes (`hex`) and the value a reader should see (`value`): integers beyond 2^53 as
{"$int": digits}, bytes as {"$hex": ...}, maps as {"$map": [[key, value], ...]}, NaN and infinities as {"$float": ...}; a value
without a column type is JSON text in Avro's JSON encoding, here made by fastavro's own json_writer.
Cases with `reader` are read through that schema.
"""
import datetime as dt
import decimal
import io
import json
import math
import uuid

import fastavro

decimal.getcontext().prec = 60
UTC = dt.timezone.utc


def plain(v):
    if isinstance(v, bool) or v is None or isinstance(v, str):
        return v
    if isinstance(v, int):
        return v if abs(v) < 2**53 else {"$int": str(v)}
    if isinstance(v, float):
        return {"$float": str(v).replace("inf", "Infinity").replace("nan", "NaN")} if not math.isfinite(v) else v
    if isinstance(v, bytes):
        return {"$hex": v.hex()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    raise TypeError(type(v))


def as_map(d):
    return {"$map": [[k, plain(v)] for k, v in d.items()]}


def json_text(schema, value):
    """Avro's JSON encoding of one value, without white space."""
    out = io.StringIO()
    fastavro.json_writer(out, fastavro.parse_schema({"type": "record", "name": "Box", "fields": [{"name": "v", "type": schema}]}), [{"v": value}])
    return json.dumps(json.loads(out.getvalue())["v"], separators=(",", ":"), ensure_ascii=False)


def encode(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue().hex()


CASES = []


def case(name, schema, rows, reader=None):
    """rows: (value for fastavro, value expected) or just the value, when they are the same."""
    done = []
    for row in rows:
        value, expected = row if isinstance(row, tuple) else (row, plain(row))
        done.append({"hex": encode(json.loads(json.dumps(schema)), value), "value": expected})
    CASES.append({"name": name, "schema": schema, **({"reader": reader} if reader else {}), "rows": done})


def record(name, **fields):
    return {"type": "record", "name": name, "fields": [{"name": k, "type": t} for k, t in fields.items()]}


case("primitives", record("test.Primitives", b="boolean", i="int", l="long", f="float", d="double", y="bytes", s="string"), [
    dict(b=True, i=0, l=0, f=0.0, d=0.0, y=b"", s=""),
    dict(b=False, i=-1, l=-1, f=1.5, d=-0.1, y=b"\x00\xff\x80", s="héllo \U0001f600"),
    dict(b=True, i=2**31 - 1, l=2**63 - 1, f=-3.25, d=1.7976931348623157e308, y=bytes(range(256)), s="x" * 200),
    dict(b=True, i=-(2**31), l=-(2**63), f=2.0**-126, d=5e-324, y=b"a" * 70, s='"\\\n'),
    dict(b=True, i=64, l=2**53, f=float("inf"), d=float("nan"), y=b"", s="a"),
    dict(b=True, i=-8193, l=1700000000000, f=float("-inf"), d=float("-inf"), y=b"", s="b"),
    *[dict(b=False, i=0, l=s * 2**k + o, f=0.0, d=0.0, y=b"", s="") for k in range(5, 63) for s in (1, -1) for o in (0, -1)],
])

date, time = dt.date, dt.time
moment = dt.datetime(2024, 2, 29, 23, 59, 59, 123456, UTC)
early = dt.datetime(1901, 1, 2, 3, 4, 5, 678901, UTC)


def micros(t):
    return (t - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(microseconds=1)


def long(logical):
    return {"type": "long", "logicalType": logical}


TIMES = record("test.Times", d={"type": "int", "logicalType": "date"}, tm={"type": "int", "logicalType": "time-millis"},
               tu=long("time-micros"), ms=long("timestamp-millis"), us=long("timestamp-micros"), ns=long("timestamp-nanos"),
               lms=long("local-timestamp-millis"), lus=long("local-timestamp-micros"))
case("dates and times", TIMES, [
    (dict(d=m.date(), tm=m.time().replace(tzinfo=None, microsecond=m.microsecond // 1000 * 1000), tu=m.time().replace(tzinfo=None), ms=m, us=m, ns=micros(m) * 1000 + 7, lms=m.replace(tzinfo=None), lus=m.replace(tzinfo=None)),
     dict(d=(m.date() - date(1970, 1, 1)).days, tm=((m.hour * 60 + m.minute) * 60 + m.second) * 1000 + m.microsecond // 1000,
          tu=((m.hour * 60 + m.minute) * 60 + m.second) * 10**6 + m.microsecond, ms=micros(m) // 1000, us=micros(m), ns=plain(micros(m) * 1000 + 7),
          lms=micros(m) // 1000, lus=micros(m)))
    for m in (moment, dt.datetime(1970, 1, 1, tzinfo=UTC), early.replace(microsecond=678000))
])

D = decimal.Decimal
case("decimals", record("test.Decimals", b={"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10},
                        f={"type": "fixed", "name": "Dec9", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 3},
                        z={"type": "bytes", "logicalType": "decimal", "precision": 4}), [
    (dict(b=D(b), f=D(f), z=D(z)), dict(b=b, f=f, z=z)) for b, f, z in [
        ("0.0000000000", "0.000", "0"), ("1.5000000000", "-1.000", "-1"), ("-0.0000000001", "12345678901234567.891", "127"),
        ("9999999999999999999999999999.9999999999", "-99999999999999999.999", "-127"),
        ("-9999999999999999999999999999.9999999999", "0.001", "9999"), ("256.0000000000", "-0.128", "-9999")]
])

SPARE = record("test.Spare", z={"type": "bytes", "logicalType": "decimal", "precision": 4})
case("decimal with a byte to spare", SPARE, [(dict(z=D("-128")), dict(z="-128"))], reader=SPARE)  # fastavro writes ff80, the shortest is 80

U = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")
case("uuid, fixed, duration", record("test.Fixed", s={"type": "string", "logicalType": "uuid"},
                                     u={"type": "fixed", "name": "U16", "size": 16, "logicalType": "uuid"},
                                     x={"type": "fixed", "name": "F3", "size": 3},
                                     d={"type": "fixed", "name": "Dur", "size": 12, "logicalType": "duration"}), [
    (dict(s=str(U), u=U.bytes, x=b"\x00\xff\x10", d=bytes(range(12))), dict(s=str(U), u=str(U), x={"$hex": "00ff10"}, d={"$hex": bytes(range(12)).hex()})),
])

case("enum", record("test.Enums", e={"type": "enum", "name": "Suit", "symbols": ["SPADES", "HEARTS", "CLUBS"]}), [dict(e="CLUBS"), dict(e="SPADES")])

case("nullable in both orders", record("test.Nulls", a=["null", "long"], b=["string", "null"], c=["null", {"type": "bytes"}], d=["double", "null"], e=["null", {"type": "enum", "name": "E", "symbols": ["X", "Y"]}]), [
    dict(a=None, b=None, c=None, d=None, e=None), dict(a=1, b="x", c=b"y", d=2.5, e="Y"), dict(a=None, b="", c=None, d=0.0, e="X"), dict(a=-5, b=None, c=b"", d=None, e=None)])

case("arrays and maps", record("test.Repeated", xs={"type": "array", "items": "double"}, ss={"type": "array", "items": ["null", "string"]},
                               aa={"type": "array", "items": {"type": "array", "items": "int"}}, m={"type": "map", "values": "long"},
                               mm={"type": "map", "values": {"type": "array", "items": "string"}}), [
    (r, {**plain({k: v for k, v in r.items() if k not in ("m", "mm")}), "m": as_map(r["m"]), "mm": as_map(r["mm"])}) for r in [
        dict(xs=[], ss=[], aa=[], m={}, mm={}),
        dict(xs=[1.0, -2.5], ss=["a", None, ""], aa=[[1], [], [2, 3]], m={"k": 1, "": -1}, mm={"a": [], "b": ["x", "y"]}),
        dict(xs=[0.5] * 100, ss=[None] * 3, aa=[[]] * 4, m={str(i): i for i in range(70)}, mm={})]
])

INNER = {"type": "record", "name": "test.Inner", "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": ["null", "string"]}]}
case("nested records", record("test.Outer", r=INNER, n=["null", "test.Inner"], l={"type": "array", "items": "test.Inner"}, m={"type": "map", "values": ["null", "test.Inner"]}), [
    (r, {**plain({k: v for k, v in r.items() if k != "m"}), "m": as_map(r["m"])}) for r in [
        dict(r=dict(x=1, y=None), n=None, l=[], m={}),
        dict(r=dict(x=2, y="b"), n=dict(x=3, y="c"), l=[dict(x=4, y=None), dict(x=5, y="e")], m={"p": None, "q": dict(x=6, y="f")})]
])

UNION = ["null", "string", "long", {"type": "record", "name": "test.Point", "fields": [{"name": "x", "type": "double"}, {"name": "b", "type": "bytes"}]}, {"type": "array", "items": "int"}]
case("general union", record("test.Unions", u=UNION), [
    (dict(u=v), dict(u=None if v is None else json_text(UNION, v))) for v in [None, "text \"é\"", 7, {"x": 1.5, "b": b"\x00\xe9"}, [1, 2], []]
])

TREE = {"type": "record", "name": "test.Tree", "fields": [{"name": "v", "type": "long"}, {"name": "kids", "type": {"type": "array", "items": "test.Tree"}}, {"name": "next", "type": ["null", "test.Tree"]}]}


def tree_json(t):
    # fastavro's json_writer does not support recursive types, so the spec's encoding is spelled out here
    return {"v": t["v"], "kids": [tree_json(k) for k in t["kids"]], "next": t["next"] and {"test.Tree": tree_json(t["next"])}}


case("recursive", record("test.Forest", t=TREE), [
    (dict(t=v), dict(t=json.dumps(tree_json(v)))) for v in [dict(v=1, kids=[], next=None), dict(v=2, kids=[dict(v=3, kids=[], next=dict(v=4, kids=[], next=None))], next=None)]
])

case("namespaces", {"type": "record", "name": "Root", "namespace": "a.b", "fields": [
    {"name": "k", "type": {"type": "enum", "name": "Kind", "symbols": ["P", "Q"]}}, {"name": "k2", "type": "Kind"}, {"name": "k3", "type": "a.b.Kind"},
    {"name": "o", "type": {"type": "record", "name": "c.Other", "fields": [{"name": "h", "type": {"type": "fixed", "name": "H", "size": 2}}, {"name": "h2", "type": "H"}, {"name": "h3", "type": "c.H"}]}}]},
    [dict(k="P", k2="Q", k3="P", o=dict(h=b"12", h2=b"34", h3=b"56"))])

W = {"type": "record", "name": "R", "fields": [
    {"name": "gone", "type": {"type": "map", "values": {"type": "array", "items": ["null", "string", "long"]}}},
    {"name": "i", "type": "int"}, {"name": "l", "type": "long"}, {"name": "f", "type": "float"}, {"name": "s", "type": "string"},
    {"name": "y", "type": "bytes"}, {"name": "old", "type": "int"}, {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}},
    {"name": "n", "type": "string"}, {"name": "o", "type": ["null", "int"]}, {"name": "gone2", "type": ["null", INNER]}, {"name": "in", "type": "test.Inner"}, {"name": "u", "type": ["int", "null", "float"]}]}
R = {"type": "record", "name": "R", "fields": [
    {"name": "fresh", "type": "string", "default": "dé"}, {"name": "u", "type": ["null", "double"]}, {"name": "i", "type": "double"}, {"name": "l", "type": "float"}, {"name": "f", "type": "double"},
    {"name": "s", "type": "bytes"}, {"name": "y", "type": "string"}, {"name": "new", "type": "long", "aliases": ["old"]},
    {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["C", "A", "Z"], "default": "Z"}}, {"name": "n", "type": ["null", "string"]},
    {"name": "o", "type": ["long", "null"]}, {"name": "none", "type": ["null", "int"], "default": None},
    {"name": "list", "type": {"type": "array", "items": "int"}, "default": [1, 2]},
    {"name": "in", "type": {"type": "record", "name": "test.Inner", "fields": [{"name": "z", "type": {"type": "map", "values": "string"}, "default": {"k": "v"}}, {"name": "x", "type": "long"}]}}]}


def resolved(v):
    """What fastavro itself reads through the reader's schema."""
    out = fastavro.schemaless_reader(io.BytesIO(bytes.fromhex(encode(json.loads(json.dumps(W)), v))), json.loads(json.dumps(W)), json.loads(json.dumps(R)))
    return {**{k: plain(x) for k, x in out.items() if k != "in"}, "in": {"z": as_map(out["in"]["z"]), "x": out["in"]["x"]}}


VALUES = [dict(gone={"a": ["x", None, 5]}, i=-3, l=2**40, f=0.5, s="s", y=b"y", old=9, e="B", n="n", o=None, gone2=None, **{"in": dict(x=1, y="q")}, u=4),
          dict(gone={}, i=100000, l=-1, f=-2.25, s="", y=b"", old=-9, e="C", n="", o=77, gone2=dict(x=1, y=None), **{"in": dict(x=-1, y=None)}, u=None),
          dict(gone={}, i=1, l=0, f=0.0, s="z", y=b"z", old=0, e="A", n="m", o=0, gone2=None, **{"in": dict(x=0, y="")}, u=1.5)]
case("resolution", W, [(v, resolved(v)) for v in VALUES], reader=R)

with open("fastavro.json", "w") as f:
    f.write('{"made_by": "fastavro %s",\n"cases": [\n%s\n]}\n' % (fastavro.__version__, ",\n".join(json.dumps(c, ensure_ascii=False) for c in CASES)))
