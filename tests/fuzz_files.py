"""A fuzzer of .skd files: mutants of real files go through load, predict and every export.

    python tests/fuzz_files.py --mutants 20000 --seed 0 --compile 0.1

A mutant is a real file taken apart, changed in one to three places (fields and arrays of ops, labels, the shape of the
JSON, lengths), and put together again with lengths, digest and fingerprint that fit wherever they can be computed. It
must be refused with a ValueError, or answer and export like any student. What is counted as a failure:

- an exception that skdistill does not raise itself, and a process that dies;
- more than 2 s of CPU, or more than 200 MB, in one step;
- text of the file outside the literals and comments of the exports, or unprintable text in a message;
- C that does not compile without warnings, that ASan or UBSan stops, and answers of the formats that differ;
- two files with one fingerprint that give different answers.
"""

import argparse
import copy
import datetime
import functools
import hashlib
import io
import json
import linecache
import math
import multiprocessing
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import token
import tokenize
import traceback
import warnings
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import sqlglot
from scipy import sparse

import skdistill
from skdistill.export._c_printer import FUNCTIONS
from skdistill.export._javascript import FUNCTIONS as JAVASCRIPT
from skdistill.program import Bound, _io, dumps

N_ROWS = 50
SECONDS = 2.0
MEGABYTES = 200
START = struct.Struct("<8sIIIQ")
MAGIC = b"\x93skd\r\n\x1a\n"

#: Occurs in no file of ours.
CANARY = "qzx"
TEXTS = [
    f'"; {CANARY}@$(system("x")); /*',
    f"*/ {CANARY}@$(); /*",
    f"// {CANARY}@$\\",
    f"\\\n{CANARY}@$ = 1;\n",
    f"??/\n??' {CANARY}@$ ??)",
    f'\'"""\n{CANARY}@$(1)\n#',
    f"\u2028{CANARY}@$\u202e\r\n\x0b\x0c\x1b[2J\x85",
    f"{CANARY}@$\udc80\ud800",
    f"$fingerprint ${{{CANARY}}} $$ %s {{0}}",
    f"#define {CANARY}@$ x\n#include <{CANARY}>",
    "__import__('os').system('x')",
    "int",
    "NAN",
    "",
    "\0",
    "a\0b",
    "é" * 5000,
    "x" * 5000,
    "month",
    "number",
    "column 0",
    "label",
    "X",
    "<missing>",
    "日本",
    "e\u0301",
]
INTEGERS = [-1, 0, 1, 2, 3, 7, 255, 256, 2**16, 2**24, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**61 - 1, 2**63, -(2**63)]
INTEGERS += [2**64, 10**30, -(10**400), 3 * 10**8]
FLOATS = [0.0, -0.0, 0.5, 1.0, -1.0, 1e-320, 1e-30, 1e30, 1e38, 3.5e38, 1e300, -1e308, math.inf, -math.inf, math.nan]
STRANGE = [None, True, False, [], {}, [[]], [None], "", {"a": 1}, [[], []], [["a"], [0]], 0.5, 1, "a"]
TYPES = ["<f2", "<f4", "<f8", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "|b1"]
ODD_TYPES = [">f4", "<c8", "|O", "<U9", "|S4", "V8", "<M8[s]", "float", "f4", "", None, 4, ["<f4"]]
FORMS = ["", "0.", "$0.", "0,%", "ymd", "dmy", f"{'*/'}0.{CANARY}@$", '"0."', "\n0.\n", "0", "0.x" * 9]


# ------------------------------------------------------------------------------------ real files


@functools.cache
def real_files():
    """Return small files of every kind of student, as bytes by name."""
    from export_helpers import mixed_table, numeric_table, text_table
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import PowerTransformer
    from tables_helpers import every_kind

    from skdistill import (
        LinearStudent,
        LinearStudentRegressor,
        MLPStudent,
        MLPStudentRegressor,
        TreeStudent,
        TreeStudentRegressor,
        as_student,
    )
    from skdistill.compress import quantize

    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kinds, (mixed, mixed_y), (texts, texts_y) = every_kind(300), mixed_table(300, 5), text_table(300)
        numbers, numbers_y = numeric_table(300)
        counts = sparse.csr_matrix(rng.poisson(0.3, size=(120, 40)).astype(float))
        positive = counts[:, 0].toarray()[:, 0] > 0
        named = mixed.assign(size=mixed["size"].cat.codes)[["size", "age", "reading"]].set_axis([7, -3, 10**6], axis=1)
        net = {"max_epochs": 2, "random_state": 0}
        calibrated = functools.partial(CalibratedClassifierCV, LinearStudent(), ensemble=False, cv=2)
        power = TransformedTargetRegressor(LinearStudentRegressor(), transformer=PowerTransformer())
        logarithm = TransformedTargetRegressor(TreeStudentRegressor(9), func=np.log, inverse_func=np.exp)
        small = MLPStudent((6,), numeric="piecewise", **net).fit(mixed, mixed_y)
        students = {
            "additive": LinearStudent(numeric="piecewise").fit(*kinds),
            "net": MLPStudent((6, 4), **net).fit(*kinds),
            "int8": quantize(small),
            "float16": quantize(
                MLPStudent((6,), numeric="quantile", activation="silu", **net).fit(mixed, mixed_y), "float16"
            ),
            "numbers": MLPStudent((5,), activation="tanh", **net).fit(numbers, numbers_y),
            "labels": LinearStudent().fit(numbers[:, :2], numbers_y > 0),
            "texts": LinearStudent(numeric="quantile").fit(texts, texts_y),
            "numbered": LinearStudent(numeric="piecewise").fit(named, mixed_y),
            "sparse": LinearStudent().fit(counts, positive),
            "sparse tree": TreeStudent(random_state=0).fit(counts, positive),
            "tree": TreeStudent(random_state=0).fit(mixed, mixed_y),
            "regressor": MLPStudentRegressor((6,), clip=True, **net).fit(mixed, np.exp(mixed["age"].fillna(0) / 40)),
            "outputs": MLPStudentRegressor((4,), clip=True, **net).fit(numbers, numbers[:, :2] ** 2),
            "isotonic": as_student(calibrated(method="isotonic").fit(numbers, numbers_y), threshold=0.3),
            "sigmoid": as_student(calibrated(method="sigmoid").fit(numbers, numbers_y + (numbers[:, 0] > 0))),
            "power": as_student(power.fit(numbers, numbers[:, :2])),
            "logarithm": as_student(logarithm.fit(numbers, np.exp(numbers[:, 0]))),
            "tree regressor": TreeStudentRegressor(random_state=0).fit(kinds[0], kinds[0]["age"].fillna(0)),
        }
        return {
            name: dumps(one.program_, getattr(one, "classes_", None), {"numpy": np.__version__})
            for name, one in students.items()
        }


# -------------------------------------------------------------------------------------- mutation


class Raw:
    """An array of a file: its own type, the type that it is stored in, its shape and its bytes."""

    def __init__(self, own, stored, shape, content):
        self.own, self.stored, self.shape, self.content = own, stored, shape, content

    def values(self):
        return np.frombuffer(self.content, self.stored).astype(self.own).reshape(self.shape)

    def put(self, values, own=None):
        values = np.asarray(values)
        self.own = self.stored = own or values.dtype.newbyteorder("<").str
        self.shape, self.content = list(values.shape), values.astype(self.own).tobytes()


def taken_apart(content):
    """Return the structure of a file, with a Raw in the place of each array."""
    n_packed = START.unpack(content[: START.size])[2]
    structure = json.loads(zlib.decompress(content[START.size : START.size + n_packed]))
    at = START.size + n_packed
    for _, fields in structure["ops"]:
        for name, value in fields.items():
            if type(value) is list and value and isinstance(value[0], str) and value[0] in TYPES:
                size = math.prod(value[2]) * np.dtype(value[1]).itemsize
                fields[name] = Raw(*value, content[at : at + size])
                at += size
    return structure


def put_together(structure, fingerprint=True, edit=None, lengths=None):
    """Return the file of a structure, with lengths, digest and, if it can be computed, fingerprint that fit."""
    pieces = []

    def plain(value):
        if isinstance(value, Raw):
            pieces.append(value.content)
            return [value.own, value.stored, value.shape]
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list) else value

    structure = plain(structure)
    arrays = b"".join(pieces)
    if fingerprint and isinstance(structure, dict):
        try:
            ops, classes = json.loads(json.dumps([structure["ops"], structure["classes"]]))
            program = _io._program_in(ops, _io._Arrays(arrays))
            structure["fingerprint"] = program.fingerprint(_io._labels_in(classes))
        except Exception:
            pass
    text = json.dumps(structure, separators=(",", ":")).encode()
    text = edit(text) if edit else text
    packed = zlib.compress(text, 1 if len(text) > 10**5 else 6)
    claims = {"protocol": 3, "n_packed": len(packed), "n_text": len(text), "n_arrays": len(arrays)} | (lengths or {})
    start = START.pack(MAGIC, *claims.values())
    return start + packed + arrays + hashlib.sha256(start + packed + arrays).digest()


def ops_of(structure):
    return [one for one in structure["ops"] if isinstance(one, list) and len(one) == 2 and isinstance(one[1], dict)]


def any_op(structure, rng, *names):
    found = [one for one in ops_of(structure) if not names or one[0] in names]
    return rng.choice(found)[1] if found else {}


def raws(structure):
    return [value for _, fields in ops_of(structure) for value in fields.values() if isinstance(value, Raw)]


def leaves(value, at=()):
    """Yield the containers and the keys of all that is not a Raw, below a value."""
    for key, one in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(one, dict | list):
            yield from leaves(one)


def any_value(rng):
    return copy.deepcopy(rng.choice([*STRANGE, rng.choice(INTEGERS), rng.choice(FLOATS), rng.choice(TEXTS)]))


def near(value, rng):
    """Return a value of the same type, or seldom of another."""
    if rng.random() < 0.1:
        return any_value(rng)
    if type(value) is int:
        return rng.choice([value - 1, value + 1, -value, ~value, value * 2, rng.choice(INTEGERS)])
    if type(value) is float:
        return rng.choice([-value, value * 1e30, value * 1e-30, math.nextafter(value, 9e99), rng.choice(FLOATS)])
    return rng.choice(TEXTS) if isinstance(value, str) else any_value(rng)


def change_numbers(structure, rng):
    one = rng.choice(raws(structure) or [None])
    values = one.values().copy() if one else np.empty(0)
    if values.size == 0:
        return
    flat, n = values.reshape(-1), max(values.size, 1)
    at = slice(None) if rng.random() < 0.15 else rng.randrange(n)
    with np.errstate(all="ignore"):
        if values.dtype.kind == "f":
            flat[at] = rng.choice([rng.choice(FLOATS), -flat[at], flat[at] * 1e20, flat[rng.randrange(n)]])
        elif values.dtype.kind == "b":
            flat[at] = not flat[at] if isinstance(at, int) else rng.random() < 0.5
        else:
            new = [int(flat[at if isinstance(at, int) else 0]) + step for step in (-1, 1)]
            new = rng.choice([*new, n - 1, n, n + 1, -n, -n - 1, rng.choice(INTEGERS), int(flat[rng.randrange(n)])])
            flat[at] = max(min(new, int(np.iinfo(values.dtype).max)), int(np.iinfo(values.dtype).min))
    one.put(values, one.own)


def change_shape(structure, rng):
    one = rng.choice(raws(structure) or [None])
    if one is None:
        return
    values, how = one.values(), rng.randrange(7)
    if how == 0:
        one.shape = one.shape[::-1]
    elif how == 1 and one.shape:
        one.shape = [*one.shape]
        one.shape[rng.randrange(len(one.shape))] = rng.choice([-1, 0, 1, 2, 2**31, 2**62, 1.0, True, "1", None])
    elif how == 2:
        one.shape = rng.choice([[], [1], [[1]], None, {}, "ab", 3, [1] * 40, [values.size], [1, values.size]])
    elif how == 3 and values.ndim:
        one.put(values[rng.randrange(2) :: rng.choice([1, 1, 2])], one.own)
    elif how == 4 and values.ndim:
        one.put(np.concatenate([values, values[-1:]]), one.own)
    elif how == 5 and values.ndim == 2:
        one.put(values[:, rng.randrange(2) :] if rng.random() < 0.5 else np.hstack([values, values[:, :1]]), one.own)
    elif values.ndim:
        one.put(values[rng.sample(range(len(values)), len(values))], one.own)


def change_type(structure, rng):
    one = rng.choice(raws(structure) or [None])
    if one is None:
        return
    if rng.random() < 0.5:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one.put(one.values().astype(rng.choice(TYPES)))
    elif rng.random() < 0.5:
        one.own = rng.choice(TYPES + ODD_TYPES)
    else:
        one.stored = rng.choice(TYPES + ODD_TYPES)


def change_field(structure, rng):
    """Change a value of a field that is not an array, deep inside or as a whole."""
    fields = any_op(structure, rng, *(["Columns"] if rng.random() < 0.6 else []))
    values = [(fields, key) for key, value in fields.items() if not isinstance(value, Raw)]
    if not values:
        return
    holder, key = rng.choice(values)
    while isinstance(holder[key], list | dict) and holder[key] and rng.random() < 0.85:
        holder = holder[key]
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key] = near(holder[key], rng)


def change_list(structure, rng):
    """Drop, double, swap or insert elements of a list, or do so to all fields of the columns that are as long."""
    fields = any_op(structure, rng, "Columns", "DateParts")
    lists = [value for value in fields.values() if isinstance(value, list) and value]
    if not lists:
        return
    chosen = rng.choice(lists)
    alike = [one for one in lists if len(one) == len(chosen)] if rng.random() < 0.4 else [chosen]
    at, to, how = rng.randrange(len(chosen)), rng.randrange(len(chosen)), rng.randrange(5)
    for one in alike:
        if how == 0:
            del one[at]
        elif how == 1:
            one.insert(to, copy.deepcopy(one[at]))
        elif how == 2:
            one[at], one[to] = one[to], one[at]
        elif how == 3:
            one[at] = copy.deepcopy(one[to])
        else:
            one.append(near(one[at], rng))


def change_texts(structure, rng):
    """Make names, levels, words, forms, labels and metadata texts that would be code where they are not escaped."""
    fields = any_op(structure, rng, "Columns")
    how = rng.randrange(6)
    if how == 5:
        structure["metadata"] = {"user": {rng.choice(TEXTS): any_value(rng)}, rng.choice(TEXTS): any_value(rng)}
    elif how == 0 and fields.get("names"):
        names = fields["names"]
        chosen = rng.sample(TEXTS, min(len(names), rng.randrange(1, 9)))
        fields["names"] = [*chosen, *names[len(chosen) :]]
    elif how == 1 and fields.get("levels"):
        keys = rng.choice(fields["levels"])[0]
        if keys:
            keys[rng.randrange(len(keys))] = rng.choice([*TEXTS, *INTEGERS, *FLOATS, True, None])
    elif how == 2 and fields.get("words"):
        fields["words"][rng.randrange(len(fields["words"]))] = rng.choice([*TEXTS, "ab", "é", "A", "a b", "a.*"])
    elif how == 3 and "kinds" in fields:
        fields["forms"] = [rng.choice(FORMS) for _ in fields["kinds"]]
    elif isinstance(structure.get("classes"), list):
        kind, labels = structure["classes"]
        new = rng.choice([rng.sample(TEXTS, len(labels)), [near(one, rng) for one in labels], labels[::-1], labels * 2])
        new = rng.choice([new, [*labels[:-1], labels[0]], [*labels[:-1], near(labels[-1], rng)]])
        structure["classes"] = [rng.choice([kind, kind, "<U", "|O", rng.choice(TYPES)]), new]
    else:
        structure["classes"] = rng.choice([["<U", ["a", "b"]], ["|O", [1, "a"]], ["<i8", [0, 1]], [], None])


def change_columns(structure, rng):
    """Change what has to be consistent so that it is: columns that are not read, kinds, sizes."""
    fields = any_op(structure, rng, "Columns", "Bound")
    n = fields.get("n_columns")
    if type(n) is not int:
        return
    more = rng.choice([1, 2, 1000, 2**15, 2**17, 2**20, 2**24, 3 * 10**8])
    how = rng.randrange(4)
    if how == 0:
        fields["n_columns"] = n + more
        if fields.get("names"):
            fields["names"] = None if more > 1000 else fields["names"] + [f"new {at}" for at in range(more)]
        if fields.get("unused") and more <= 1000:
            fields["unused"] = fields["unused"] + [rng.choice(["text", "number"])] * more
    elif how == 1 and fields.get("kinds"):
        at = rng.randrange(len(fields["kinds"]))
        fields["kinds"][at] = rng.choice(["number", "datetime", "word", "rank", "category"])
    elif how == 2 and fields.get("names"):
        fields["names"], fields["numbered"] = None, [rng.choice(INTEGERS) + at for at in range(n)]
    elif how == 3 and fields.get("sources"):
        fields["sources"] = [rng.choice(fields["sources"]) for _ in fields["sources"]]


def change_ops(structure, rng):
    ops = structure["ops"]
    if not ops:
        return
    at, to, how = rng.randrange(len(ops)), rng.randrange(len(ops)), rng.randrange(7)
    if how == 0:
        del ops[at]
    elif how == 1:
        ops.insert(to, copy.deepcopy(ops[at]))
    elif how == 2:
        ops[at], ops[to] = ops[to], ops[at]
    elif how == 3:
        other = taken_apart(real_files()[rng.choice(sorted(real_files()))])["ops"]
        ops[at] = rng.choice(other)
    elif how == 4 and isinstance(ops[at], list) and ops[at]:
        ops[at][0] = rng.choice(["Relu", "Tanh", "Silu", "Softmax", "Unstandardize", "Op", "os.system", 3, None, ["a"]])
    elif how == 5:
        ops.insert(to, rng.choice([["Relu", {}], ["Tanh", {}], ["Softmax", {}], [], None, ["Silu"], "Relu"]))
    else:
        fields = any_op(structure, rng)
        if fields and rng.random() < 0.5:
            del fields[rng.choice(list(fields))]
        else:
            fields[rng.choice(["scale", "more", "lower", "numbered", "", TEXTS[0]])] = any_value(rng)


def change_json(structure, rng):
    holder, key = rng.choice(list(leaves(structure)))
    how = rng.randrange(4)
    if how == 0:
        holder[key] = any_value(rng)
    elif how == 1:
        holder[key] = [holder[key]]
    elif how == 2:
        holder[key] = {"a": holder[key]}
    else:
        del holder[key]


def change_size(structure, rng):
    """Put in what costs much for its bytes."""
    fields, how, n = any_op(structure, rng, "Columns"), rng.randrange(9), rng.choice([5000, 5000, 30_000, 100_000])
    if how == 0:
        structure["ops"][1:1] = [["Relu", {}] for _ in range(n)]
    elif how == 1 and fields.get("levels"):
        step = rng.choice([1, 2**61 - 1, 2**40])
        fields["levels"][0] = [[step * at for at in range(n)], [0] * n]
    elif how == 2:
        structure["versions"] = [[] for _ in range(5 * n)]
    elif how == 3 and "sources" in fields:
        for name in ("sources", "kinds"):
            fields[name] = fields[name] + [fields[name][-1]] * n if fields[name] else []
    elif how == 4 and "numbered" in fields:
        fields["numbered"] = [(2**61 - 1) * at for at in range(n)]
        fields["n_columns"] = n
    elif how == 5:
        fields = any_op(structure, rng, "DateParts")
        for name in fields:
            fields[name] = fields[name] * min(n, 10**6 // len(fields[name]))
    elif how == 6:
        last = copy.deepcopy(next((one for one in reversed(structure["ops"]) if one[0] == "Affine"), ["Tanh", {}]))
        one = np.ones((1, 1), np.float32)
        for name, value in last[1].items():
            if isinstance(value, Raw):
                value.put(one if name == "weight" else one[0])
        structure["ops"][-1:-1] = [copy.copy(last) for _ in range(rng.choice([10, 990, 5000]))]
    elif how == 8 and structure["classes"]:
        structure["classes"] = ["<U", [str(at) for at in range(rng.choice([1, n]))] + ["a" * 10 * n]]
    else:
        tree = any_op(structure, rng, "Tree")
        if tree:
            nodes, depth = np.arange(n), rng.choice([1, 2])
            for name, values in {
                "left": (nodes + 1) % n if depth == 1 else np.minimum(2 * nodes + 1, n - 1),
                "right": ~nodes,
                "columns": nodes * 0,
                "thresholds": np.zeros(n, np.float32),
                "missing_left": nodes >= 0,
                "values": np.zeros((n + 1, tree["values"].shape[1]), np.float32),
            }.items():
                if name == "left":
                    values[-1] = ~n
                tree[name].put(values, tree[name].own)


def change_tree(structure, rng):
    tree = any_op(structure, rng, "Tree")
    one = tree.get(rng.choice(["left", "right", "columns"]))
    if isinstance(one, Raw) and one.own == "<i8" and one.content:
        values = one.values().copy()
        at = rng.randrange(len(values))
        values[at] = rng.choice([at, 0, at + 1, len(values), ~len(values), -1, values[at] + 1, values[0], 10**6])
        one.put(values)


CHANGES = {
    change_numbers: 5,
    change_shape: 3,
    change_type: 2,
    change_field: 5,
    change_list: 3,
    change_texts: 6,
    change_columns: 3,
    change_ops: 2,
    change_json: 2,
    change_size: 1,
    change_tree: 2,
}


def edit_text(rng):
    """Return a change of the text of the JSON, which no structure has."""

    def again(text):
        key = rng.choice(re.findall(rb'"\w+":', text) or [b""])
        return text.replace(key, key + rng.choice([b"0,", b"[],", b'"a",']) + key, 1)

    def number(text):
        new = rng.choice([b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"1" + b"0" * 400, b"-0", b"1.0", b"01", b"1E2"])
        return re.sub(rb"(?<=[\[,:])\d+(?=[\],}])", lambda _: new, text, count=1)

    return rng.choice(
        [
            again,
            again,
            number,
            number,
            lambda text: rng.choice(
                [b"[" * 10**5, b'{"a":' * 10**5, b"[[],", b"", b"\xef\xbb\xbf" + text, text + b" "]
            ),
            lambda text: text[: rng.randrange(len(text))],
            lambda text: text.decode().encode(rng.choice(["utf-16", "utf-32", "utf-8-sig"])),
            lambda text: b" " * rng.choice([10**5, 10**7]) + text,
        ]
    )


def mutant(seed, number):
    """Return the name of a real file, and a mutant of it, the same for the same numbers."""
    rng = random.Random(f"{seed} {number}")
    name = rng.choice(sorted(real_files()))
    structure = taken_apart(real_files()[name])
    chosen = rng.choices(list(CHANGES), list(CHANGES.values()), k=rng.choice([1, 1, 2, 3]))
    for change in chosen:
        try:
            change(structure, rng)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError):
            # an earlier change has left nothing to change here
            continue
    keep, edit, lengths = rng.random() < 0.1, None, {}
    if rng.random() < 0.05:
        edit = edit_text(rng)
    if rng.random() < 0.03:
        what = rng.choice(["protocol", "n_packed", "n_text", "n_arrays"])
        lengths[what] = rng.choice([0, 1, 2, 3, 100, 2**31, 2**32 - 1])
    content = put_together(structure, not keep, edit, lengths)
    if rng.random() < 0.01:
        at = rng.randrange(len(content))
        content = rng.choice([content[:at], content + b"a", content[:at] + b"a" + content[at + 1 :]])
    return name, " ".join(one.__name__.removeprefix("change_") for one in chosen), content


# ------------------------------------------------------------------------------------ the checks


class Failed(Exception):  # noqa: N818
    """What a mutant has done that it must not."""


class Slow(BaseException):
    """A step has taken too long."""


def on_alarm(*_):
    raise Slow


def is_ours(error):
    """Tell whether skdistill itself has raised an error, one that its documentation names, with a printable message."""
    if not isinstance(error, TypeError | ValueError) or isinstance(error, UnicodeError):
        return False
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno).strip()
    return line.startswith("raise") and "skdistill" in Path(last.filename).parts


def memory(what):
    return int(re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


#: Whether steps are measured.
limited = False


class Step:
    """One step of a mutant, of limited seconds and megabytes; an error of ours is kept, any other is a failure."""

    refused = None

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        if limited:
            Path("/proc/self/clear_refs").write_text("5")
            self.before, self.start = memory("VmRSS"), time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
        return self

    def __exit__(self, kind, error, _):
        if limited:
            signal.setitimer(signal.ITIMER_PROF, 0)
            if kind is Slow or time.process_time() - self.start > SECONDS:
                raise Failed(f"hang in {self.name}") from error
            if (used := memory("VmHWM") - self.before) > MEGABYTES:
                raise Failed(f"{used:.0f} MB in {self.name}") from error
        if error is None or isinstance(error, Failed):
            return False
        if not is_ours(error):
            raise Failed(f"crash in {self.name}: {kind.__name__}: {str(error)[:200]!r}") from error
        if not str(error).isprintable():
            raise Failed(f"foreign text in the message of {self.name}: {str(error)!r}") from error
        self.refused = f"{kind.__name__}: {error}"
        return True


def rows_for(entry, rng):
    """Return rows that an entry can read, mostly of cells that it knows, as `predict` takes them and as an array."""
    if isinstance(entry, Bound):
        X = sparse.random(N_ROWS, entry.n_columns, 0.02, "csr", random_state=np.random.RandomState(0))
        return X, X
    if entry.names is None and entry.all_numbers:
        X = np.random.default_rng(0).normal(0, 50, (N_ROWS, entry.n_columns))
        X[::7] = np.nan
        X[::9] *= 1e12
        return X, X
    # a Date of JavaScript has no microseconds
    millisecond, start = datetime.timedelta(milliseconds=1), datetime.datetime(2020, 1, 1)
    makers = {}
    for source, kind, read in entry.reads:
        if kind == "word":
            makers.setdefault(source, lambda: f"a {rng.choice(entry.words)}, é" if rng.random() < 0.7 else None)
        elif read is not None:
            keys = [key for key in read.levels if key is not None and "\0" not in str(key)]
            makers.setdefault(source, lambda keys=keys: rng.choice([*keys[:40], None, "unseen"]))
        elif kind == "datetime":
            makers[source] = lambda: rng.choice([None, start + millisecond * rng.randrange(-(10**12), 10**12)])
        else:
            makers[source] = lambda: rng.choice([None, rng.gauss(0, 50), rng.gauss(0, 1e12), float(rng.randrange(5))])
    X = np.full((N_ROWS, entry.n_columns), None, dtype=object)
    for source, make in makers.items():
        X[:, source] = [make() for _ in range(N_ROWS)]
    if entry.names is None:
        return X, X
    return [dict(zip(entry.names, row, strict=True)) for row in X.tolist()], X


ALLOWED = re.compile(r"[A-Za-z0-9_\s{}()\[\]*=;,.+\-<>?:!&|~/%#^\"']*")


def check_c_text(text):
    """Check that what a C file holds outside strings and comments can be ours alone."""
    for ours in FUNCTIONS.values():
        text = text.replace(ours.replace("PREFIX", "M"), "")
    if "??" in text or "\\\n" in text or "\r" in text:
        raise Failed("foreign text in C: a trigraph or a line that goes on")
    bare = re.sub(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', " ", text, flags=re.DOTALL)
    if "@" in bare or "$" in bare or "/*" in bare or "//" in bare or '"' in bare or "'" in bare:
        raise Failed("foreign text in C")
    if not ALLOWED.fullmatch(bare) or re.search(rf"\bsystem\s*\(|\b{CANARY}\b\s*\(", bare, re.IGNORECASE):
        raise Failed("foreign text in C")
    directives = re.findall(r"^\s*#\s*(.*)", bare, re.MULTILINE)
    known = r"error|include|define|ifndef|ifdef|if|elif|else|endif|pragma|undef"
    if not all(re.match(known, line) and CANARY not in line.lower() for line in directives):
        raise Failed("foreign text in C: a directive")


def check_python_text(text):
    if not re.search(f"{CANARY}|system|__import__|\\$", text, re.IGNORECASE):
        return
    for one in tokenize.generate_tokens(io.StringIO(text).readline):
        if one.type in (token.NAME, token.COMMENT, token.OP, token.NUMBER, token.ERRORTOKEN) and (
            CANARY in one.string.lower() or one.string in ("system", "__import__", "$", "@$")
        ):
            raise Failed(f"foreign text in Python: {one.string}")


def _printed(function):
    """Return a pattern of a function in a module, where names may be letters and some parts may be left out."""
    shorter = function.replace("&&!x.getTime?.call", "").replace("(t,T=Float32Array)=>new T", "t=>new Float32Array")
    shorter = shorter.replace(',held="numbers"', "").replace("${held}", "numbers")
    names = "|".join([*JAVASCRIPT, "run"])
    # from the start of a word, as long words would take a square of their length
    word = r"\\b\\w{1,12}\\b"
    return re.compile("|".join(re.sub(rf"\b({names})\b", word, re.escape(one)) for one in (function, shorter)))


#: The longest first: `let row` could be within others.
PRINTED = [_printed(function) for function in sorted(JAVASCRIPT.values(), key=len, reverse=True)]


def check_javascript_text(text):
    """Check that what a module holds outside the literals and the functions of ours can be ours alone."""
    for ours in PRINTED:
        text = ours.sub("", text)
    if not all(char.isprintable() or char == "\n" for char in text) or "</" in text:
        raise Failed("foreign text in JavaScript: a character that is not escaped")
    bare = re.sub(r'"(?:[^"\\\n]|\\.)*"', " ", text)
    if re.search(f"{CANARY}|system|[$@#`\"']", bare, re.IGNORECASE):
        raise Failed("foreign text in JavaScript")


#: What reads rows and prints answers.
JAVASCRIPT_MAIN = """
import * as m from "./m.mjs";
import { readFileSync } from "node:fs";
const cell = (_, value) => (value?.special ? (value.date ? new Date(value.date) : Number(value.number)) : value);
const rows = JSON.parse(readFileSync("rows.json", "utf8"), cell);
console.log(JSON.stringify((m.predictProba ?? m.predict)(rows)));
"""


def run_javascript(cells, expected, folder):
    """Run the module in Node on rows, and compare its answers with numpy's."""

    def cell(value):
        if isinstance(value, datetime.datetime):
            return {"special": True, "date": value.isoformat() + "Z"}
        if isinstance(value, float) and not math.isfinite(value):
            return {"special": True, "number": str(value).replace("inf", "Infinity")}
        return value

    rows = cells.toarray() if sparse.issparse(cells) else cells
    (folder / "rows.json").write_text(json.dumps([[cell(value) for value in row] for row in rows.tolist()]))
    (folder / "main.mjs").write_text(JAVASCRIPT_MAIN)
    command = ["node", "main.mjs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, preexec_fn=without_limit)
    if done.returncode:
        raise Failed(f"JavaScript stops: {done.stderr[:600]}")
    found = np.array(json.loads(done.stdout), dtype=np.float64).reshape(expected.shape)
    return "" if same(found, expected) else "JavaScript differs"


def literal(text):
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode("utf-8", "surrogatepass")) + '"'


def c_number(value):
    value = float(value)
    return {"nan": "NAN", "inf": "INFINITY", "-inf": "-INFINITY"}.get(repr(value)) or value.hex()


def without_limit():
    # ASan reserves all addresses
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    # seconds of the processor, however busy the machine is
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


def run_c(model, cells, folder):
    """Compile the C with sanitizers, run it on rows, and compare its answers with numpy's."""
    entry, header, n_out = model.program_.ops[0], (folder / "m.h").read_text("utf-8"), None
    declared = dict(re.findall(r"M_(N_LOGITS|N_OUTPUTS) = (\d+)", header))
    n_out, is_regressor = int(next(iter(declared.values()))), "N_OUTPUTS" in declared
    struct_text = re.search(r"typedef struct m_row \{\n(.*?)\n\}", header, re.DOTALL)[1]
    members = re.findall(r"^    (.+?) (\*?)(\w+)(?:\[\d+\])?;", struct_text, re.MULTILINE)
    rows = cells.toarray() if sparse.issparse(cells) else cells
    sources = iter(())
    if members[0][2] != "x" or (isinstance(cells, np.ndarray) and cells.dtype == object):
        found = []
        for source in sorted(set(entry.sources)):
            kinds = [(kind, read) for at, kind, read in entry.reads if at == source]
            tables = [read for kind, read in kinds if kind in ("category", "rank")]
            words = any(kind == "word" for kind, _ in kinds)
            found += [source] * any(read is None for _, read in kinds)
            found += [source] * bool(tables and not (words and all(not table.levels for table in tables)))
            found += [source] * words
        sources = iter(found)
    lines = []
    pairs = [(member, next(sources, None)) for member in members]
    for row in rows[:12]:
        for (kind, star, name), source in pairs:
            if source is None and name == "x":
                values = ", ".join(map(c_number, row))
                lines.append(f"{{ static const double x[] = {{{values}}}; memcpy(row.x, x, sizeof x); }}")
            elif source is None:
                lines.append(f"row.{name} = 0;")
            elif kind.startswith("enum"):
                cell, lookup = row[source], f"m_{name}_from_"
                if isinstance(cell, bool | int | float) and f"{lookup}number" in header:
                    # integers of any size, which a double cannot always hold
                    level = cell if isinstance(cell, float) else min(max(cell, -(10**300)), 10**300)
                    lines.append(f"row.{name} = {lookup}number({c_number(level)});")
                else:
                    lines.append(f"row.{name} = {lookup}string({0 if cell is None else literal(str(cell))});")
            elif star:
                lines.append(f"row.{name} = {literal(row[source]) if isinstance(row[source], str) else 0};")
            else:
                cell = row[source]
                if isinstance(cell, datetime.datetime):
                    cell = (cell - datetime.datetime(1970, 1, 1)).total_seconds()
                lines.append(f"row.{name} = {c_number(cell if isinstance(cell, int | float) else math.nan)};")
        lines.append(f"m_{'predict' if is_regressor else 'logits'}(&row, out);")
        lines.append(f'for (int i = 0; i < {n_out}; i++) printf("%.17g ", (double)out[i]);')
        if not is_regressor:
            lines.append('m_predict_proba(&row, proba); printf("%d\\n", (int)strlen(m_classes[m_predict(&row)]));')
        else:
            lines.append('puts("");')
    kind = "double" if is_regressor else "float"
    proba = "" if is_regressor else "static float proba[M_N_CLASSES];"
    main = '#include <math.h>\n#include <stdio.h>\n#include <string.h>\n#include "m.h"\nint main(void) {\n'
    main += f"static m_row row; static {kind} out[{n_out}]; {proba}\n"
    (folder / "main.c").write_text(main + "\n".join(lines) + "\nreturn 0;\n}\n")
    # the texts of the rows may be long
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wno-overlength-strings", "-Werror"]
    flags += ["-O0", "-fsanitize=address,undefined"]
    command = ["gcc", *flags, "-fno-sanitize-recover=all", "main.c", "m.c", "-o", "m", "-lm"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", preexec_fn=without_limit
    )
    if done.returncode:
        raise Failed(f"C does not compile: {done.stderr[:400]}")
    done = subprocess.run([folder / "m"], capture_output=True, preexec_fn=without_limit)
    if done.returncode:
        raise Failed(f"C stops: {done.stderr[:600]!r}")
    numbers = [re.findall(rb"\S+", line)[:n_out] for line in done.stdout.split(b"\n")]
    found = np.array([line for line in numbers if len(line) == n_out][:12], dtype=np.float64)
    with np.errstate(all="ignore"):
        given = rows[:12] if not isinstance(entry, Bound) else np.asarray(rows[:12])
        expected = model.program_(given) if is_regressor else model.program_.logits(given)
    if found.shape != expected.shape:
        raise Failed(f"C prints {found.shape} numbers, not {expected.shape}")
    spread = np.maximum(np.abs(model.program_.ops[-1].scale), np.abs(expected)) if is_regressor else np.abs(expected)
    with np.errstate(all="ignore"):
        off = np.abs(found - expected) / np.maximum(1.0, spread)
    off = off[np.isfinite(found) & np.isfinite(expected)]
    return f"C differs by {off.max():.1g}" if off.size and off.max() > 1e-3 else ""


def examine(content, folder, compiled=False):
    """Put one file through everything; return what has become of it, and its fingerprint and answers if it was loaded.

    Raises Failed where it must not do what it does.
    """
    path = folder / "m.skd"
    path.write_bytes(content)
    rng = random.Random(0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with Step("load") as step:
            model = skdistill.load(path)
        if step.refused:
            return "refused", None, None
        notes = ["loaded"]
        entry = model.program_.ops[0]
        X, cells = rows_for(entry, rng)
        answers = None
        with Step("predict") as step:
            answers = [getattr(model, "predict_proba", model.predict)(X), model.predict(X), model.predict(X[:1])]
        if step.refused:
            notes.append("predict refuses")
        elif not np.isfinite(answers[0]).all():
            notes.append("answers that are not finite")
        with Step("export to .skd") as step:
            model.export(folder / "again.skd")
        if step.refused:
            raise Failed(f"a loaded file is not exported: {step.refused}")
        classes = getattr(model, "classes_", None)
        fingerprint = model.program_.fingerprint(classes)
        if skdistill.load(folder / "again.skd").program_.fingerprint(classes) != fingerprint:
            raise Failed("exported again it has another fingerprint")
        with Step("export to C") as step:
            model.export(folder / "m.c")
        if step.refused:
            notes.append(f"C refuses {step.refused.split()[0]}")
        else:
            check_c_text((folder / "m.c").read_text("ascii"))
            check_c_text((folder / "m.h").read_text("utf-8"))
        with Step("export to Python") as python:
            model.export(folder / "m.py")
        if python.refused:
            notes.append("Python refuses")
        else:
            source = (folder / "m.py").read_text("utf-8")
            check_python_text(source)
            made = {"__name__": "m"}
            with Step("run of the Python file") as running:
                exec(compile(source, "m.py", "exec"), made)
                found = made["predict"](X) if answers else None
            if running.refused or (answers and not same(found, answers[1])):
                raise Failed(f"the Python file answers otherwise: {running.refused}")
        with Step("export to JavaScript") as javascript:
            model.export(folder / "m.mjs")
        if javascript.refused:
            notes.append("JavaScript refuses")
        else:
            check_javascript_text((folder / "m.mjs").read_text("utf-8"))
            check_javascript_text((folder / "m.d.mts").read_text("utf-8"))
            if compiled and answers and shutil.which("node"):
                notes.append(run_javascript(cells, answers[0], folder))
        with Step("export to ONNX") as onnx:
            model.export(folder / "m.onnx")
        if onnx.refused:
            notes.append("ONNX refuses")
        for dialect in ("duckdb", "postgres", "sqlite"):
            with Step("export to SQL") as sql:
                model.export(folder / "m.sql", dialect=dialect)
            if sql.refused:
                notes.append("SQL refuses")
            elif (folder / "m.sql").stat().st_size < 20_000:
                # whatever the names are, it is one statement
                (statement,) = sqlglot.parse((folder / "m.sql").read_text("utf-8"), dialect=dialect)
                if not isinstance(statement, sqlglot.exp.Select):
                    raise Failed(f"the SQL is a {type(statement).__name__}")
        if compiled and not step.refused and answers:
            notes.append("compiled")
            notes.append(run_c(model, cells, folder))
    shown = None if answers is None else hashlib.sha256(repr([one.tolist() for one in answers]).encode()).hexdigest()
    return ", ".join(filter(None, notes)), fingerprint, shown


def same(found, expected):
    if expected.dtype.kind == "f":
        return bool(np.allclose(found, expected, rtol=1e-6, atol=1e-9, equal_nan=True))
    return found.tolist() == expected.tolist()


# --------------------------------------------------------------------------------------- the run


def work(pipe, seed, share):
    global limited
    limited = sys.platform == "linux"
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, on_alarm)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # what is imported and cached once belongs to no mutant
        for content in real_files().values():
            examine(content, folder)
        pipe.send(None)
        while (number := pipe.recv()) is not None:
            origin, changes, content = mutant(seed, number)
            try:
                compiled = random.Random(f"compile {seed} {number}").random() < share
                found = (*examine(content, folder, compiled), "")
            except Failed as failure:
                found = ("failed", None, None, str(failure))
            except Exception as error:
                found = ("failed", None, None, f"crash of a check: {type(error).__name__}: {error}")
            pipe.send((origin, changes, *found))


def start(seed, share):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=work, args=(there, seed, share), daemon=True)
    process.start()
    there.close()
    here.recv()
    return process, here


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first mutant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--compile", type=float, default=0.1, help="the share of the loaded mutants whose C is compiled"
    )
    parser.add_argument("--keep", type=Path, help="a folder for the files that fail")
    options = parser.parse_args()
    share = options.compile if shutil.which("gcc") else 0.0
    real_files()
    process, pipe = start(options.seed, share)
    counts, failures, known = Counter(), [], {}
    for number in range(options.first, options.first + options.mutants):
        pipe.send(number)
        try:
            origin, changes, what, fingerprint, answers, failure = pipe.recv() if pipe.poll(1200) else ()
        except (EOFError, ValueError):
            process.kill()
            origin, changes, what, fingerprint, answers, failure = "", "", "failed", None, None, "the process died"
            process, pipe = start(options.seed, share)
        if answers is not None and known.setdefault(fingerprint, answers) != answers:
            what, failure = "failed", "another answer under the same fingerprint"
        for one in what.split(", "):
            counts[one] += 1
        if "differs" in what:
            print(f"{number} ({origin}: {changes}): {what}", flush=True)
        if failure:
            failures.append(number)
            print(f"{number} ({origin}: {changes}): {failure}", flush=True)
            if options.keep and origin:
                options.keep.mkdir(exist_ok=True)
                (options.keep / f"{number}.skd").write_bytes(mutant(options.seed, number)[2])
        if (number + 1) % 1000 == 0:
            print(number + 1, dict(counts.most_common()), flush=True)
    pipe.send(None)
    print(
        f"{options.mutants} mutants, {len(known)} fingerprints, {len(failures)} failures:", dict(counts.most_common())
    )
    return bool(failures)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
