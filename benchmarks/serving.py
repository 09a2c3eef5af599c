"""What it takes to serve: teachers as they are, through onnxruntime and as compiled C, and students in every format.

Run: ``python benchmarks/serving.py`` (some 20 minutes, most of them gcc's on the forest, which ``--no-c-forest`` leaves
out; ``--rows 4000`` for a quick look, ``--native`` for ``gcc -O3 -march=native``)

It needs ``pip install 'skdistill[export]' lightgbm onnxmltools treelite tl2cgen``, and gcc; a table of
what students take on a Cortex-M4 is printed where ``arm-none-eabi-gcc`` is installed (Debian:
``gcc-arm-none-eabi``, ``libnewlib-arm-none-eabi``).

Everything runs on one thread. C is timed from within a program in C, Python from within Python. The
time to the first prediction is that of a fresh process, its start included; its resident memory is
taken right after. Bytes on disk are those of the model alone, of C those of the whole program.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import skdistill
from _common import median_seconds, one_thread, print_header, print_table
from skdistill import DistilledClassifier, LinearStudent, MLPStudent, TreeStudent
from skdistill.compress import quantize
from skdistill.export import to_c
from tables import package

Array = NDArray[Any]

N_TREES, N_ROUNDS, N_COLUMNS, MANY = 500, 400, 10, 10_000
STARTS = 5
CORTEX_M4 = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-std=c99", "-Os"]

#: A process that serves: what it takes to load a model, and how it answers a row.
SERVE = """
import numpy as np
row = np.zeros((1, {n}))
{load}
answer = {predict}
print("ready", flush=True)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")), flush=True)
"""

#: The same in C; with an argument, a file of rows, it prints microseconds and milliseconds, and probabilities.
MAIN = r"""
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "HEADER"

enum { MANY = 10000, IN_A_ROW = 100, TIMES = 15 };
static ROW rows[MANY];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void predict_row(ROW *row, OUT *out)
{
    PREDICT;
}

int main(int argc, char **argv)
{
    static double one[TIMES * MANY / IN_A_ROW], many[TIMES];
    OUT out[16];
    char line[256];
    FILE *file;
    if (argc < 2) {
        predict_row(rows, out);
        printf("ready\n");
        fflush(stdout);
        file = fopen("/proc/self/status", "r");
        while (fgets(line, sizeof line, file)) if (strncmp(line, "VmRSS:", 6) == 0) printf("%s", line + 6);
        return 0;
    }
    file = fopen(argv[1], "rb");
    for (int i = 0; i < MANY; i++) {
        double x[N_COLUMNS];
        if (fread(x, sizeof x, 1, file) != 1) return 1;
        for (int j = 0; j < N_COLUMNS; j++) FILL;
    }
    for (int t = 0; t < TIMES; t++) {
        const double begun = now();
        for (int i = 0; i < MANY; i += IN_A_ROW) {
            const double start = now();
            for (int k = 0; k < IN_A_ROW; k++) predict_row(rows + i + k, out);
            one[(t * MANY + i) / IN_A_ROW] = (now() - start) / IN_A_ROW;
        }
        many[t] = now() - begun;
    }
    qsort(one, sizeof one / sizeof *one, sizeof *one, ascending);
    qsort(many, TIMES, sizeof *many, ascending);
    printf("%.9g %.9g\n", one[TIMES * MANY / IN_A_ROW / 2], many[TIMES / 2]);
    for (int i = 0; i < 100; i++) {
        predict_row(rows + i, out);
        printf("%.9g ", (double)SECOND);
    }
    return 0;
}
"""


@dataclass
class Served:
    """A row of the table."""

    name: str
    one: float
    many: float
    n_bytes: int
    memory: float
    start: float


def fresh(command: list[str]) -> tuple[float, float]:
    """Return the seconds to the first prediction and the resident memory in MB of a fresh process: medians."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    starts, memories = [], []
    for _ in range(STARTS + 1):
        begun = perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            starts.append(perf_counter() - begun)
            memories.append(float(process.stdout.readline().split()[0]) / 1024)
        if line.strip() != "ready" or process.returncode:
            raise RuntimeError(f"{command} did not serve.")
    # the first start finds nothing in the system's cache
    return median(starts[1:]), median(memories[1:])


def in_python(
    name: str, call: Callable[[Array], Any], X: Array, path: Path, load: str, predict: str, repeats: int = 400
) -> Served:
    """Time a model in Python: `call` here, and `load` and `predict` in a fresh process."""
    rows = cycle([X[i : i + 1] for i in range(200)])
    one, many = (
        median_seconds([lambda: call(next(rows))], repeats)[0],
        median_seconds([partial(call, X)], 5)[0],
    )
    code = SERVE.format(n=N_COLUMNS, load=load.format(path=str(path)), predict=predict)
    start, memory = fresh([sys.executable, "-c", code])
    return Served(name, one, many, path.stat().st_size, memory, start)


def in_c(
    name: str, sources: list[Path], words: dict[str, str], X: Array, proba: Array, folder: Path, flags: list[str]
) -> Served:
    """Compile a model and time it; `words` say how it is called. Its probabilities have to be `proba`."""
    main = MAIN
    for word, text in {**words, "N_COLUMNS": str(X.shape[1])}.items():
        main = re.sub(rf"\b{word}\b", text, main)
    (folder / "drive.c").write_text(main)
    program = folder / "serve"
    sources = [*sources, folder / "drive.c"]
    objects = [str(source.with_suffix(".o")) for source in sources]
    commands = [
        ["gcc", *flags, "-I", str(folder), "-c", str(source), "-o", target]
        for source, target in zip(sources, objects, strict=True)
        if str(source) != target
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(partial(subprocess.run, check=True), commands))
    subprocess.run(["gcc", "-s", *objects, "-o", program, "-lm"], check=True)
    (folder / "rows.bin").write_bytes(np.ascontiguousarray(X).tobytes())
    done = subprocess.run([program, folder / "rows.bin"], capture_output=True, text=True, check=True)
    timed, found = done.stdout.split("\n", 1)
    np.testing.assert_allclose(np.array(found.split(), dtype=float), proba[:100, 1], atol=1e-4)
    one, many = map(float, timed.split())
    start, memory = fresh([str(program)])
    return Served(name, one, many, program.stat().st_size, memory, start)


def onnx_call(path: Path, output: str) -> Callable[[Array], Any]:
    """Return what answers rows by onnxruntime."""
    runtime = package("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    dtype = np.float64 if "double" in session.get_inputs()[0].type else np.float32
    return lambda X: session.run([output], {name: X.astype(dtype)})[0]


ONNX_LOAD = """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession({path!r}, options, providers=["CPUExecutionProvider"])
entry = session.get_inputs()[0]
row = row.astype(np.float64 if "double" in entry.type else np.float32)
"""
ONNX_PREDICT = "session.run(None, {entry.name: row})"


def through_treelite(name: str, model: Any, X: Array, proba: Array, folder: Path, flags: list[str]) -> Served:
    """Have tl2cgen write a model of treelite's as C, compile it and time it."""
    package("tl2cgen").generate_c_code(model, folder, params={"parallel_comp": 100}, verbose=False)
    header = (folder / "header.h").read_text()
    prototype = re.search(r"void predict\(union Entry\* data, int pred_margin, (\w+)\* result\);", header)
    field = re.search(r"(float|double) fvalue;", header)
    if prototype is None or field is None:
        raise RuntimeError("tl2cgen's header has another form than the one that is known here.")
    words = {
        "HEADER": "entries.h",
        "ROW": "Entries",
        "OUT": prototype[1],
        # it adds to what is there
        "PREDICT": "memset(out, 0, 2 * sizeof *out); predict(*row, 0, out)",
        "FILL": f"rows[i][j].fvalue = ({field[1]})x[j]",
        "SECOND": "out[1]" if "MAX_N_CLASS 2" in header else "out[0]",
    }
    (folder / "entries.h").write_text(f'#include "header.h"\ntypedef union Entry Entries[{X.shape[1]}];\n')
    return in_c(name, sorted(folder.glob("*.c")), words, X, proba, folder, flags)


def teachers(
    X: Array, y: Array, rows: Array, folder: Path, flags: list[str], c_forest: bool
) -> tuple[list[Served], Any]:
    """Serve the teachers; return their rows of the table and the forest."""
    lightgbm, treelite = package("lightgbm"), package("treelite")
    served = []
    forest = RandomForestClassifier(N_TREES, random_state=0, n_jobs=1).fit(X, y)
    path = folder / "forest.pkl"
    joblib.dump(forest, path)
    load = "import joblib\nmodel = joblib.load({path!r})"
    served.append(
        in_python("forest, scikit-learn", forest.predict_proba, rows, path, load, "model.predict_proba(row)", 30)
    )
    path = folder / "forest.onnx"
    skl2onnx = package("skl2onnx")
    model = skl2onnx.to_onnx(forest, X[:1].astype(np.float32), options={"zipmap": False})
    path.write_bytes(model.SerializeToString())
    call = onnx_call(path, model.graph.output[1].name)
    np.testing.assert_allclose(call(rows[:100]), forest.predict_proba(rows[:100]), atol=1e-4)
    served.append(in_python("forest, onnxruntime", call, rows, path, ONNX_LOAD, ONNX_PREDICT))

    boosted = lightgbm.LGBMClassifier(n_estimators=N_ROUNDS, random_state=0, n_jobs=1, verbose=-1).fit(X, y)
    booster, path = boosted.booster_, folder / "lightgbm.txt"
    booster.save_model(path)
    load = "import lightgbm\nmodel = lightgbm.Booster(model_file={path!r})"
    call = partial(booster.predict, num_threads=1)
    served.append(in_python("LightGBM, itself", call, rows, path, load, "model.predict(row, num_threads=1)"))
    path = folder / "lightgbm.onnx"
    types = package("onnxmltools.convert.common.data_types")
    inputs = [("X", types.FloatTensorType([None, N_COLUMNS]))]
    model = package("onnxmltools").convert_lightgbm(boosted, initial_types=inputs, zipmap=False)
    path.write_bytes(model.SerializeToString())
    served.append(
        in_python(
            "LightGBM, onnxruntime", onnx_call(path, model.graph.output[1].name), rows, path, ONNX_LOAD, ONNX_PREDICT
        )
    )
    margin = booster.predict(rows)
    for name, model, proba in [
        ("LightGBM", treelite.frontend.from_lightgbm(booster), np.column_stack([1 - margin, margin])),
        *([("forest", treelite.sklearn.import_model(forest), forest.predict_proba(rows))] if c_forest else []),
    ]:
        inside = folder / name
        inside.mkdir()
        served.append(through_treelite(f"{name}, treelite in C", model, rows, proba, inside, flags))
    return served, forest


def students(fitted: dict[str, Any], rows: Array, folder: Path, flags: list[str]) -> list[Served]:
    """Serve each student in every format."""
    served = []
    for name, student in fitted.items():
        inside = folder / name
        inside.mkdir()
        path = inside / "student.skd"
        student.export(path)
        load = "import skdistill\nmodel = skdistill.load({path!r})"
        loaded = skdistill.load(path)
        assert isinstance(loaded, skdistill.LoadedClassifier)
        served += [
            in_python(
                f"{name}, load().predict_proba", loaded.predict_proba, rows, path, load, "model.predict_proba(row)"
            ),
            in_python(f"{name}, load().program_", loaded.program_, rows, path, load, "model.program_(row)"),
        ]
        path = inside / "student.py"
        student.export(path)
        load = f"import sys\nsys.path.insert(0, {str(inside)!r})\nimport student"
        module = runpy.run_path(str(path))
        served.append(
            in_python(f"{name}, .py", module["predict_proba"], rows, path, load, "student.predict_proba(row)")
        )
        path = inside / "student.onnx"
        student.export(path)
        call = onnx_call(path, "probabilities")
        served.append(in_python(f"{name}, .onnx", call, rows, path, ONNX_LOAD, ONNX_PREDICT))
        path = inside / "student.c"
        student.export(path)
        words = {
            "HEADER": "student.h",
            "ROW": "student_row",
            "OUT": "float",
            "PREDICT": "student_predict_proba(row, out)",
            "FILL": "rows[i].x[j] = x[j]",
            "SECOND": "out[1]",
        }
        proba = student.predict_proba(rows)
        served.append(in_c(f"{name}, C", [path], words, rows, proba, inside, flags))
    return served


def print_microcontroller(fitted: dict[str, Any], folder: Path) -> None:
    """Print what students take on a Cortex-M4: the file of C alone, and with all that it needs of libm and libc."""
    if shutil.which("arm-none-eabi-gcc") is None:
        print("What students take on a Cortex-M4 was not measured: arm-none-eabi-gcc is not installed.")
        return
    main = '#include "student.h"\nstatic student_row row;\nint main(void)\n{\n    return student_predict(&row);\n}\n'
    table = []
    for name, student in fitted.items():
        for dtype in ("float32", "float16", "int8"):
            small = student if dtype == "float32" else quantize(student, dtype=dtype)
            inside = folder / f"{name} {dtype}"
            inside.mkdir()
            to_c(small, inside / "student.c")
            (inside / "main.c").write_text(main)
            compile_ = partial(subprocess.run, cwd=inside, check=True, capture_output=True, text=True)
            compile_(["arm-none-eabi-gcc", *CORTEX_M4, "-c", "student.c", "-o", "student.o"])
            linked = ["student.c", "main.c", "-o", "whole", "-lm", "-Wl,--gc-sections", "--specs=nosys.specs"]
            compile_(["arm-none-eabi-gcc", *CORTEX_M4, *linked])
            alone, whole = (
                compile_(["arm-none-eabi-size", file]).stdout.splitlines()[1].split()[:3]
                for file in ("student.o", "whole")
            )
            header = (inside / "student.h").read_text()
            stated = [re.search(rf"{what}: (\d+) bytes", header) for what in ("ROM", "Stack")]
            table.append([f"{name}, {dtype}", *alone, *whole, *(found[1] if found else "" for found in stated)])
    print_table(
        ["student", "text", "data", "bss", "linked: text", "data", "bss", "header: ROM", "header: stack"], table
    )
    print(
        "\nBytes on a Cortex-M4, by arm-none-eabi-size: the .o alone, and linked with what it needs of libm and libc.\n"
        "header: what the header's comment states, constants and arrays on the stack.\n"
    )


def print_ratios(served: list[Served], fitted: dict[str, Any], accuracy: dict[str, float]) -> None:
    """Print the table's figures as ratios, each beside what is expected of it."""
    by_name = {one.name: one for one in served}
    forest = by_name["forest, scikit-learn"]
    compiled = [one for one in served if "treelite" in one.name]
    fastest = min(compiled, key=lambda one: one.one)
    fastest_many = min((one for one in served if one.name.split(",")[0] not in fitted), key=lambda one: one.many)
    table = []
    for name in fitted:
        c, skd, py = by_name[f"{name}, C"], by_name[f"{name}, load().predict_proba"], by_name[f"{name}, .py"]
        table.append(
            [
                name,
                f"{100 * accuracy[name]:.1f} %",
                f"{fastest.one / c.one:.1f}",
                f"{by_name['forest, onnxruntime'].one / c.one:.0f}",
                f"{fastest_many.many / c.many:.1f}",
                f"1/{forest.n_bytes / skd.n_bytes:.0f}",
                f"{max(skd.memory, py.memory):.0f} MB",
                f"{1e3 * max(skd.start, py.start):.0f} ms",
            ]
        )
    expected = ["expected", "", ">= 10", ">= 100", ">= 10", "<= 1/500", "< 60 MB", "< 300 ms"]
    header = ["student", "accuracy", "one row", "one row, forest in ORT", "10,000 rows", "bytes", "memory", "start"]
    print_table(header, [*table, expected])
    print(
        f"\nOne row: {fastest.name} over the student in C. 10,000 rows: {fastest_many.name} over the student in C.\n"
        "Bytes: the .skd over the pickled forest. Memory and start: of the process that loads the .skd, or of that\n"
        "which imports the .py, whichever takes more. "
        f"Accuracy on held-out rows: the forest has {100 * accuracy['forest']:.1f} %.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="What it takes to serve teachers and students.")
    parser.add_argument("--rows", type=int, default=16_000, help="rows that the teachers learn from")
    parser.add_argument("--no-c-forest", action="store_true", help="leave out the forest compiled by gcc")
    parser.add_argument("--native", action="store_true", help="compile with -march=native")
    arguments = parser.parse_args()
    flags = ["-O3", *(["-march=native"] if arguments.native else [])]
    X, y = make_classification(arguments.rows + MANY, N_COLUMNS, n_informative=7, random_state=0)
    # what a float32 holds, so that those who read float32 see the same rows
    X, rows, y, labels = train_test_split(X.astype(np.float32).astype(float), y, test_size=MANY, random_state=0)
    with one_thread(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        title = f"Serving, one thread, medians; teachers of {arguments.rows} rows, {N_COLUMNS} columns"
        print_header(
            f"{title}; gcc {' '.join(flags)}",
            "scikit-learn",
            "lightgbm",
            "onnxruntime",
            "skl2onnx",
            "onnxmltools",
            "treelite",
            "tl2cgen",
        )
        served, forest = teachers(X, y, rows, folder, flags, not arguments.no_c_forest)
        kinds = {
            "MLP 128-128": MLPStudent((128, 128), random_state=0),
            "linear": LinearStudent(),
            "tree": TreeStudent(),
        }
        proba = forest.predict_proba(X)
        fitted = {
            kind: DistilledClassifier(forest, student=student).fit(X, y, teacher_proba=proba)
            for kind, student in kinds.items()
        }
        accuracy = {
            kind: float(np.mean(one.predict(rows) == labels)) for kind, one in [*fitted.items(), ("forest", forest)]
        }
        served += students(fitted, rows, folder, flags)
        table = [
            [
                one.name,
                f"{1e6 * one.one:.1f}",
                f"{1e3 * one.many:.1f}",
                f"{one.n_bytes:,}",
                f"{one.memory:.1f}",
                f"{1e3 * one.start:.0f}",
            ]
            for one in served
        ]
        print_table(["served", "one row, us", "10,000 rows, ms", "bytes", "memory, MB", "first answer, ms"], table)
        print()
        print_ratios(served, fitted, accuracy)
        print_microcontroller(fitted, folder)


if __name__ == "__main__":
    main()
