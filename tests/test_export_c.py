"""to_c: the code compiles without a warning, gives numpy's answers on wild rows, and is what its comment says it is."""

import platform
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from export_helpers import (
    assert_same_labels,
    assert_same_logits,
    cases,
    date_table,
    dates_of_all_times,
    expected_logits,
    fitted,
    mixed_table,
    numeric_table,
    skewed_table,
    text_table,
    wild_rows,
    with_texts_read,
)
from helpers import Optional
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from tables_helpers import as_it_is

from skdistill import LinearStudent, MLPStudent, TreeStudent
from skdistill.export import to_c
from skdistill.program import Program, ops

pd = Optional("pandas")
cffi = Optional("cffi")

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "NAME.h"

static char line[1 << 20];
static char bytes[1 << 20];
static size_t n_bytes;

/* the next cell: texts are written in hexadecimal, and none as - */
static const char *text(void)
{
    const char *cell = strtok(0, " \n");
    char *const found = bytes + n_bytes;
    if (strcmp(cell, "-") == 0) return 0;
    for (cell++; *cell; cell += 2) {
        char pair[3];
        pair[0] = cell[0];
        pair[1] = cell[1];
        pair[2] = 0;
        bytes[n_bytes++] = (char)strtol(pair, 0, 16);
    }
    bytes[n_bytes++] = 0;
    return found;
}

static double number(void)
{
    return strtod(strtok(0, " \n"), 0);
}

int main(void)
{
    while (fgets(line, sizeof line, stdin)) {
        NAME_row row;
        float out[NAME_CLASSES_AND_MORE];
        int i;
        (void)text;
        (void)number;
        n_bytes = 0;
        strtok(line, " \n");
        READ
        NAME_logits(&row, out);
        for (i = 0; i < LOGITS; i++) printf("%.9g ", (double)out[i]);
        printf("%d ", NAME_predict(&row));
        NAME_predict_proba(&row, out);
        for (i = 0; i < CLASSES; i++) printf("%.9g ", (double)out[i]);
        printf("%s\n", NAME_classes[NAME_predict(&row)]);
    }
    return 0;
}
"""


class Compiled:
    """An exported student, compiled with a driver that reads rows and prints all digits of the answers."""

    def __init__(self, student, folder, name="model", flags=("-O2",), columns=None):
        to_c(student, folder / f"{name}.c")
        self.student, self.folder, self.name, self.flags = student, folder, name, flags
        self.header = (folder / f"{name}.h").read_text()
        self.source = (folder / f"{name}.c").read_text()
        struct = re.search(r"typedef struct \w+_row \{\n(.*?)\n\}", self.header, re.DOTALL)[1]
        #: The type and name of each field, and what its comment quotes.
        self.fields = re.findall(r"^    (.+?) \*?(\w+(?:\[\d+\])?);(?: /\* (.*) \*/)?", struct, re.MULTILINE)
        #: The column that each field is read from; the levels that are looked up by a number.
        self.columns = columns
        self.numbers = set()

    def run(self, rows):
        """Return the logits, the indices of the classes, the probabilities and the names of the classes."""
        n_logits, n_classes = self.count("N_LOGITS"), self.count("N_CLASSES")
        read, cells = [], []
        for kind, name, _ in self.fields:
            if "[" in name:
                n = int(name.strip("x[]"))
                read.append(f"for (i = 0; i < {n}; i++) row.x[i] = number();")
                array = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
                cells += [list(map(hexadecimal, column)) for column in array.T]
            elif kind == "char":
                read.append(f"row.{name} = 0;")
            else:
                column = rows[self.columns[name]]
                as_text = kind == "const char" or (kind.startswith("enum") and name not in self.numbers)
                cell = "text()" if as_text else "number()"
                lookup = f"{self.name}_{name}_from_{'string' if as_text else 'number'}"
                read.append(f"row.{name} = {f'{lookup}({cell})' if kind.startswith('enum') else cell};")
                cells.append(list(map(written, column) if as_text else map(hexadecimal, in_seconds(column))))
        main = MAIN.replace("READ", "\n        ".join(read)).replace("NAME_CLASSES_AND_MORE", str(n_classes))
        main = main.replace("LOGITS", str(n_logits)).replace("CLASSES", str(n_classes)).replace("NAME", self.name)
        (self.folder / "main.c").write_text(main)
        self.compile("main.c", f"{self.name}.c", "-o", "driver", "-lm")
        lines = [" ".join(["row", *row]) for row in zip(*cells, strict=True)] if cells else ["row"] * len(rows)
        done = subprocess.run([self.folder / "driver"], input="\n".join(lines), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = [line.split(" ", n_logits + n_classes + 1) for line in done.stdout.splitlines()]
        figures = np.array([row[:-1] for row in found], dtype=np.float64)
        logits = figures[:, :n_logits]
        if n_logits == 1:
            logits = np.column_stack([np.zeros(len(logits)), logits])
        return logits, figures[:, n_logits].astype(int), figures[:, n_logits + 1 :], [row[-1] for row in found]

    def compile(self, *arguments):
        done = subprocess.run(
            ["gcc", *STRICT, *self.flags, *arguments], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def count(self, name):
        return int(re.search(rf"_{name} = (\d+)", self.header)[1])


def hexadecimal(value):
    return float(value).hex()


def written(text):
    return "x" + text.encode("utf-8", "surrogatepass").hex() if isinstance(text, str) else "-"


def in_seconds(column):
    if column.dtype.kind == "M":
        ticks = column.to_numpy(dtype="datetime64[us]")
        return np.where(np.isnat(ticks), np.nan, ticks.astype(np.int64) / 1e6)
    return column


MIXED = {
    "word": "word",
    "age": "age",
    "income_in": "income in €",
    "reading": "reading",
    "level": "level",
    "member": "member",
    "size": "size",
    "since": "since",
}


def check(compiled, rows, written=None):
    """Check the answers for rows, `written` as the struct has them."""
    student = compiled.student
    expected = expected_logits(student, rows)
    logits, best, proba, names = compiled.run(rows if written is None else written)
    assert_same_logits(logits, expected)
    assert_same_labels(student.classes_[best], expected, student.classes_)
    # logits of some hundreds are sums of float32
    assert_allclose(proba, student.program_(rows), atol=3e-5)
    assert_allclose(proba.sum(axis=1), 1.0, atol=1e-6)
    assert names == [str(student.classes_[index]) for index in best]


@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases())
def test_wild_rows_get_numpys_answers_without_a_fault(kind, numeric, n_classes, dtype, tmp_path):
    compiled = Compiled(fitted(kind, numeric, n_classes, dtype), tmp_path, flags=SANITIZE, columns=MIXED)
    X, _ = mixed_table()
    check(compiled, wild_rows(X))


@pytest.mark.parametrize("kind", ["linear", "mlp", "tree"])
def test_words_are_found_and_written_numbers_are_numbers(kind, tmp_path):
    student = fitted(kind, table="texts")
    rows = wild_rows(text_table()[0])
    names = {name: name for name in rows.columns} | {"signed_": "signed"}
    compiled = Compiled(student, tmp_path, flags=SANITIZE, columns=names)
    assert ("const char", "note") in {one[:2] for one in compiled.fields}
    check(compiled, rows, with_texts_read(rows))


@pytest.mark.parametrize("kind", ["linear", "mlp"])
@pytest.mark.parametrize("flags", [["-Os"], ["-O3"], ["-O3", "-march=native"]], ids=" ".join)
def test_every_level_of_optimisation_keeps_the_answers(kind, flags, tmp_path):
    compiled = Compiled(fitted(kind, "piecewise", 26, table="numbers"), tmp_path, flags=flags)
    assert re.search(r"double x\[5\];", compiled.header)
    check(compiled, wild_rows(numeric_table()[0]))


@pytest.mark.parametrize("n_bins", [2, 3])
def test_numbers_between_few_edges_and_beyond_them(n_bins, tmp_path):
    X, y = numeric_table()
    # a column of two values has no bins
    X = np.insert(X, 2, X[:, 0] > 0, axis=1)
    student = MLPStudent((8, 6), numeric="piecewise", n_bins=n_bins, max_epochs=20, random_state=0).fit(X, y)
    compiled = Compiled(student, tmp_path, flags=SANITIZE)
    assert ("middle[]" in compiled.source) == (n_bins == 2)
    check(compiled, wild_rows(X))


@pytest.mark.parametrize("n_bins", [2, "auto"])
def test_bins_that_float32_lays_over_each_other(n_bins, tmp_path):
    X, y = skewed_table()
    student = LinearStudent(numeric="piecewise", n_bins=n_bins, C=10.0).fit(X, y)
    check(Compiled(student, tmp_path), X)


def test_a_bin_whose_weight_dwarfs_the_others(tmp_path):
    X, y = numeric_table(300)
    student = MLPStudent((8,), numeric="piecewise", max_epochs=3, random_state=0).fit(X, y)
    bins, layer = (
        next(op for op in student.program_.ops if isinstance(op, kind)) for kind in (ops.Piecewise, ops.Affine)
    )
    weight = layer.weight.copy()
    # the second bin of the last column, which the lowest numbers do not reach
    weight[len(weight) - np.count_nonzero(bins.columns == bins.columns[-1]) + 1, 0] = 1e9
    student.program_ = Program([replace(op, weight=weight) if op is layer else op for op in student.program_.ops])
    check(Compiled(student, tmp_path), X[X[:, -1] < np.nanquantile(X[:, -1], 0.03)])


@pytest.mark.parametrize(("width", "clones"), [(24, {"avx2"}), (64, {"avx2", "avx512f"})])
def test_wide_registers_change_no_bit(width, clones, tmp_path):
    X, y = numeric_table(n_classes=26)
    student = MLPStudent((width, 16), numeric="piecewise", max_epochs=2, random_state=0).fit(X, y)
    rows = wild_rows(X)
    # compiled several times is what is optimised, unless the sanitiser of threads says that it is at work; the GNU
    # dialect would make one instruction of a product and a sum, if the code allowed it
    plain, wide = (
        Compiled(student, tmp_path, flags=["-O3", "-std=gnu99", *more]).run(rows)[0]
        for more in (["-D__SANITIZE_THREAD__"], [])
    )
    assert_array_equal(plain, wide)
    symbols = subprocess.run(["nm", tmp_path / "driver"], capture_output=True, text=True, check=True).stdout
    found = set(re.findall(r"model_logits\.(avx\w+)", symbols))
    assert found == (clones if platform.machine() == "x86_64" else set())


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_activations(activation, tmp_path):
    X, y = numeric_table()
    student = MLPStudent((24,), activation=activation, max_epochs=10, learning_rate=0.01, random_state=0).fit(X, y)
    check(Compiled(student, tmp_path, flags=SANITIZE), wild_rows(X))


@pytest.mark.parametrize("dense", [True, False])
def test_rows_that_were_sparse(dense, tmp_path):
    X, y = numeric_table(n_classes=26)
    X = np.nan_to_num(X)
    student = MLPStudent((24, 16), max_epochs=10, random_state=0).fit(sparse.csr_matrix(X), y)
    # of sums of large numbers, float leaves too few digits
    rng = np.random.default_rng(0)
    large = rng.choice([-1e30, 1e30], (2000, 5)) * rng.uniform(0.1, 1, (2000, 5))
    rows = np.vstack([np.clip(wild_rows(X), -1e30, 1e30), large])
    check(Compiled(student, tmp_path, flags=SANITIZE), rows if dense else sparse.csr_matrix(rows))


def test_dates_of_any_year(tmp_path):
    X, y = date_table()
    student = MLPStudent((8,), max_epochs=5, learning_rate=0.01, random_state=0).fit(X, y)
    compiled = Compiled(student, tmp_path, flags=SANITIZE, columns={name: name for name in X})
    check(compiled, dates_of_all_times())


def test_the_unit_of_time_spans_is_said(tmp_path):
    X = pd.DataFrame({"lasted": pd.to_timedelta(np.arange(50), "h"), "size": np.arange(50) % 7})
    y = np.arange(50) > 20
    named = Compiled(LinearStudent().fit(X, y), tmp_path).header
    assert '"lasted": a time span in seconds; NAN where missing' in named
    assert '"size": a number;' in named
    unnamed = Compiled(LinearStudent().fit(X.astype(object).to_numpy(), y), tmp_path).header
    assert "time spans, in seconds: 0 */" in unnamed


def test_a_users_encoder_that_has_become_ops(tmp_path):
    X, y = mixed_table()
    X = X[["word", "age", "reading", "level", "size"]].fillna({"word": "ann", "age": 0.0}).astype({"size": object})
    # a column may be read as a number and as levels, and as levels twice
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", max_categories=4), ["word"]),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=50), ["word", "size"]),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["size"]),
        (OneHotEncoder(handle_unknown="ignore"), ["level"]),
        (StandardScaler(), ["age", "level"]),
        (MinMaxScaler(), ["reading"]),
    )
    student = MLPStudent((16,), encoder=encoder, max_epochs=10, learning_rate=0.01, random_state=0).fit(X, y)
    compiled = Compiled(
        student, tmp_path, flags=SANITIZE, columns={name: name for name in X} | {"level_level": "level"}
    )
    assert "model_level_level_from_number(double value)" in compiled.header
    compiled.numbers = {"level_level"}
    check(compiled, wild_rows(X))


NAMES = [
    "int",
    "2 x",
    "a-b",
    "a b",
    "Größe",
    "日本",
    "",
    "*/ int",
    "NAN",
    "a??/",
    "x" * 200,
    "x" * 199 + "y",
    "linux",
    "é\\",
    "row",
]


def test_any_name_of_a_column_a_level_or_a_class_becomes_an_identifier(tmp_path):
    rng = np.random.default_rng(0)
    levels = [*NAMES, "OTHER", "missing", "a\0b", "\ud800", "x" * 5000, "??=", "/* \\"]
    frame = pd.DataFrame({name: rng.choice(np.array(levels, dtype=object), 900) for name in NAMES}, dtype=object)
    labels = [*NAMES, "y" * 5000]
    y = np.array(labels)[rng.integers(0, len(labels), 900)]
    student = LinearStudent().fit(frame, y)
    compiled = Compiled(student, tmp_path, flags=["-O0"])
    names = [name for _, name, _ in compiled.fields]
    assert len(set(names)) == len(NAMES)
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) for name in names)
    assert {"int_", "x2_x", "a_b", "a_b_2", "Grosse", "u65e5_u672c"} <= set(names)
    compiled.columns = dict(zip(names, NAMES, strict=True))
    frame = frame.replace({"a\0b": "ann", "\ud800": "ann"})
    expected = expected_logits(student, frame)
    logits, _, _, found = compiled.run(frame)
    assert_same_logits(logits, expected)
    assert set(found) <= set(labels)
    # a header of C is one of C++ too
    if shutil.which("g++"):
        (tmp_path / "main.cpp").write_text('#include "model.h"\nint main() { return 0; }\n')
        subprocess.run(["g++", "-Wall", "-Wextra", "-Werror", "-c", "main.cpp"], cwd=tmp_path, check=True)


def test_columns_named_as_what_the_code_names(tmp_path):
    names = ["END", "end", "MODEL_H", "MODEL_WIDE", "real", "position", "x", "h", "v", "at", "weight_1", "isnan"]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(300, len(names))), columns=names)
    student = MLPStudent((8,), max_epochs=3, learning_rate=0.01, random_state=0).fit(X, X["END"] > X["real"])
    compiled = Compiled(student, tmp_path, flags=["-O2"])
    compiled.columns = dict(zip([name for _, name, _ in compiled.fields], names, strict=True))
    check(compiled, X)


C99 = """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef
stdint stdio stdlib string time wchar wctype"""


def test_columns_named_as_macros(tmp_path):
    (tmp_path / "all.h").write_text("".join(f"#include <{name}.h>\n" for name in C99.split()))
    for_each = {"gcc": ["model.c"], "g++": ["-x", "c++", "model.h"]}
    if shutil.which("g++") is None:
        del for_each["g++"]
    macros = {"NAN", "M_PI", "HUGE_VALF", "__FILE__", "unix"}
    for compiler in for_each:
        listed = [compiler, "-dM", "-E", "-x", "c++" if compiler == "g++" else "c", "all.h"]
        found = subprocess.run(listed, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        macros |= set(re.findall(r"^#define (\w+)", found, re.MULTILINE))
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(12, len(macros))), columns=sorted(macros))
    to_c(LinearStudent().fit(X, X["NAN"] > 0), tmp_path / "model.c")
    for compiler, files in for_each.items():
        strict = [compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-include", "all.h"]
        subprocess.run([*strict, *files], cwd=tmp_path, check=True)
    # a prefix, a column and a level may spell a macro as well
    for name, column, levels in [("m", "pi", ["2", "4"]), ("uint", "fast8", ["max", "width"])]:
        X = pd.DataFrame({column: levels * 10})
        to_c(LinearStudent().fit(X, X[column] == levels[0]), tmp_path / f"{name}.c")
        subprocess.run(["gcc", "-fsyntax-only", "-include", "all.h", f"{name}.c"], cwd=tmp_path, check=True)


def test_options_that_know_no_nan_are_refused(tmp_path):
    to_c(fitted("linear"), tmp_path / "model.c")
    for option in ["-ffast-math", "-ffinite-math-only"]:
        command = ["gcc", "-fsyntax-only", option, "model.c"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode != 0
        assert "compile without -ffast-math" in done.stderr


def test_cffi_reads_the_header_and_asks_for_many_rows(tmp_path):
    rng = np.random.default_rng(0)
    X, y = text_table(n_classes=3)
    X = X[["note"]].assign(plan=rng.choice(np.array(["basic", "pro", None]), len(X)), age=rng.normal(size=len(X)))
    X.loc[::7, "age"] = np.nan
    student = LinearStudent().fit(X, y)
    compiled = Compiled(student, tmp_path, flags=["-shared", "-fPIC"])
    compiled.compile("model.c", "-o", "model.so", "-lm")
    ffi = cffi.FFI()
    ffi.cdef(subprocess.check_output(["gcc", "-E", "-P", "model.h"], cwd=tmp_path, text=True))
    lib = ffi.dlopen(str(tmp_path / "model.so"))
    rows, proba, best = (ffi.new(f"{kind}[]", len(X) * n) for kind, n in [("model_row", 1), ("float", 3), ("int", 1)])
    kept = []
    for at, (note, plan, age) in enumerate(zip(X["note"], X["plan"], X["age"], strict=True)):
        # of a missing cell nothing is written
        lib.model_set_missing(ffi.addressof(rows, at))
        if isinstance(note, str):
            kept.append(ffi.new("char[]", note.encode()))
            rows[at].note = kept[-1]
        if isinstance(plan, str):
            rows[at].plan = lib.model_plan_from_string(plan.encode())
        if not np.isnan(age):
            rows[at].age = age
    lib.model_predict_proba_rows(rows, len(X), proba)
    lib.model_predict_rows(rows, len(X), best)
    expected = student.predict_proba(X)
    assert_allclose(np.reshape(list(proba), expected.shape), expected, atol=1e-5)
    assert_array_equal(student.classes_[list(best)], student.predict(X))
    assert ffi.string(lib.model_classes[2]).decode() == str(student.classes_[2])


def test_levels_that_are_no_texts(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "whole": pd.Categorical(rng.choice([-1, 1, 20], 300)),
            "part": pd.Categorical(rng.choice([0.5, 1e-9], 300)),
            "truth": pd.Categorical(rng.choice([True, False], 300)),
        }
    )
    y = frame["whole"].astype(int).to_numpy() + frame["truth"].astype(int).to_numpy()
    student = LinearStudent(min_frequency=1).fit(frame, y)
    compiled = Compiled(student, tmp_path, columns={name: name for name in frame})
    assert {"MODEL_WHOLE_MINUS_1", "MODEL_WHOLE_20", "MODEL_TRUTH_TRUE"} <= set(re.findall(r"\w+", compiled.header))
    text = frame.astype(object).map(str)
    logits, best, _, names = compiled.run(text)
    assert_same_logits(logits, expected_logits(student, frame))
    assert names == [str(label) for label in student.classes_[best]]


def test_rom_and_stack_are_what_the_comment_says(tmp_path):
    for case in [("linear", "quantile", 26), ("mlp", "piecewise", 2)]:
        compiled = Compiled(fitted(*case), tmp_path, flags=["-O2", "-fstack-usage"])
        rom, stack = (int(re.search(rf"{name}: (\d+) bytes", compiled.header)[1]) for name in ("ROM", "Stack"))
        compiled.compile("-c", "model.c")
        sections = subprocess.run(["size", "-A", "model.o"], cwd=tmp_path, capture_output=True, text=True).stdout
        sizes = dict(re.findall(r"^(\S+)\s+(\d+)", sections, re.MULTILINE))
        constants = sum(int(size) for name, size in sizes.items() if name.startswith((".rodata", ".data.rel.ro")))
        n_pointers = int(sizes[".data.rel.ro.local"]) // 8
        # beside them the compiler aligns arrays, and has a few numbers of its own
        assert rom <= constants - 4 * n_pointers <= rom + 800
        assert int(sizes.get(".data", 0)) == int(sizes.get(".bss", 0)) == 0
        used = [int(line.split("\t")[1]) for line in (tmp_path / "model.su").read_text().splitlines()]
        assert stack <= max(used) + 4 * compiled.count("N_LOGITS") <= stack + 300


def test_the_same_student_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    student = fitted("mlp", "piecewise", 26)
    first = Compiled(student, tmp_path)
    assert student.program_.fingerprint(student.classes_) in first.source
    second = Compiled(student, tmp_path)
    assert (first.source, first.header) == (second.source, second.header)


def test_a_student_that_looks_at_nothing(tmp_path):
    student = LinearStudent().fit(pd.DataFrame({"a": np.ones(10)}), np.arange(10) % 2)
    compiled = Compiled(student, tmp_path)
    logits, *_ = compiled.run(pd.DataFrame({"a": np.ones(3)}))
    assert_same_logits(logits, expected_logits(student, pd.DataFrame({"a": np.ones(3)})))


def few_columns():
    """Return tables of which a student reads categories alone, numbers alone, or a single column."""
    rng = np.random.default_rng(0)
    plan, city = rng.choice(["a", "b", "c"], 200), rng.choice(["x", "y"], 200)
    age = np.where(plan == "a", 20.0, 50.0) + rng.normal(size=200)
    return {
        "categories": pd.DataFrame({"plan": plan, "city": city}),
        "one category": pd.DataFrame({"plan": plan}),
        "one ordered category": pd.DataFrame({"plan": pd.Categorical(plan, ordered=True)}),
        "one number": pd.DataFrame({"age": age}),
        "a number without a name": age[:, None],
        "nothing of use beside it": pd.DataFrame({"plan": plan, "constant": np.ones(200)}),
        "sparse rows": sparse.csr_matrix(np.column_stack([plan == "a", city == "x"]).astype(float)),
    }, plan == "a"


@pytest.mark.parametrize("model", [TreeStudent(random_state=0), LinearStudent()], ids=["tree", "linear"])
@pytest.mark.parametrize("table", few_columns()[0])
def test_tables_of_one_kind_of_column(model, table, tmp_path):
    tables, y = few_columns()
    X = tables[table]
    check(Compiled(clone(model).fit(X, y), tmp_path, columns={"plan": "plan", "city": "city", "age": "age"}), X)


@pytest.mark.parametrize("name", ["größe.c", "it's 2?.c"])
def test_a_name_of_other_characters_is_included(name, tmp_path):
    to_c(fitted("linear"), tmp_path / name)
    subprocess.run(["gcc", *STRICT, "-fsyntax-only", name], cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", ["model.txt", "model", "math.c", "String.c", 'a"b.c', "a\\b.c", "a\nb.c", "a??=.c"])
def test_a_path_that_is_none_of_a_file_of_c(name, tmp_path):
    with pytest.raises(ValueError, match="path must be a name "):
        to_c(fitted("linear"), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_leaves_nothing_behind(tmp_path):
    X, y = numeric_table()
    X = np.nan_to_num(X)
    with pytest.raises(NotFittedError):
        to_c(LinearStudent(), tmp_path / "model.c")
    with pytest.raises(TypeError, match="encoder of this LinearStudent"):
        to_c(LinearStudent(encoder=as_it_is(StandardScaler())).fit(X, y), tmp_path / "model.c")
    with pytest.raises(FileNotFoundError):
        to_c(fitted("linear"), tmp_path / "nowhere" / "model.c")
    assert not list(tmp_path.iterdir())
