"""The numpy functions that the ops of a Program call in an exported Python file; a file gets those that it needs."""

from __future__ import annotations

#: The text of each function by its name.
FUNCTIONS: dict[str, str] = {
    "with_date_parts": '''\
def with_date_parts(x, columns, parts):
    """Append one part of each of the given columns of dates."""
    return np.column_stack([x, *(date_part(x[:, column], part) for column, part in zip(columns, parts))])
''',
    "with_gaps": '''\
def with_gaps(x, columns):
    """Append a missing-value indicator for each of the given columns: 1.0 where the value is missing, else 0.0."""
    return np.concatenate([x, np.isnan(x[:, columns])], axis=1)
''',
    "standardized": '''\
def standardized(x, start, mean, scale, fill, limit):
    """Standardise the columns from `start` on; squash numbers beyond `limit` deviations; fill missing values."""
    factor = 1.0 / scale
    columns = x[:, start : start + len(mean)]
    with np.errstate(over="ignore"):
        z = (columns - mean) * factor
    z = np.clip(np.where(np.isnan(z), (fill - mean) * factor, z), -LARGEST, LARGEST)
    beyond = np.abs(z) - limit
    columns[:] = np.where(beyond > 0, np.copysign(limit + np.log1p(np.maximum(beyond, 0.0)), z), z)
    return x
''',
    "interpolated": '''\
def interpolated(x, start, knots, scores, fill):
    """Map each column from `start` on through the piecewise-linear curve from its knots to the scores."""
    for column, curve, number in zip(x.T[start:], knots, fill):
        column[:] = np.interp(np.where(np.isnan(column), number, column), curve, scores)
    return x
''',
    "with_bins": '''\
def with_bins(x, columns, lower, width):
    """Append how far a number reaches into each bin of its column, 0 to 1."""
    return np.concatenate([x, np.clip((x[:, columns] - lower) * (1.0 / width), 0.0, 1.0)], axis=1)
''',
    "looked_up": '''\
def looked_up(x, offsets, tables):
    """Return the sum of the table rows that the codes select; the codes are the first columns."""
    rows = x[:, : len(offsets)].astype(np.intp) + offsets
    return tables[rows].sum(axis=1)
''',
    "leaf_values": '''\
def leaf_values(x, offsets, ranks, columns, thresholds, missing_left, left, right, values):
    """Return the values of the decision tree's leaf that each row reaches."""
    for column, offset in enumerate(offsets):
        x[:, column] = ranks[offset + x[:, column].astype(np.intp)]
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    # a negative index is a leaf and ends the path
    at = np.full(len(x), 0 if len(columns) else ~0)
    rows = np.flatnonzero(at >= 0)
    while len(rows):
        nodes = at[rows]
        numbers = x[rows, columns[nodes]]
        goes_left = (numbers <= thresholds[nodes]) | (np.isnan(numbers) & missing_left[nodes])
        at[rows] = np.where(goes_left, left[nodes], right[nodes])
        rows = rows[at[rows] >= 0]
    return values[~at]
''',
    "silu": '''\
def silu(x):
    """Return ``x / (1 + exp(-x))``."""
    return x / (1.0 + np.exp(-np.maximum(x, -700.0)))
''',
}

#: Probabilities from logits, for two classes and for more.
SOFTMAX = (
    '''\
def softmax(x):
    """Return probabilities; the logits are (0, x)."""
    # the smaller probability is computed; the larger is one minus it
    small = np.exp(-np.abs(x))
    small /= 1.0 + small
    return np.where(x > 0, np.hstack([small, 1.0 - small]), np.hstack([1.0 - small, small]))
''',
    '''\
def softmax(x):
    """Return probabilities."""
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
''',
)

#: Reads rows for a Program whose entry is Bound.
READ_SPARSE = '''\
def read(rows):
    """Return rows as float64, clipped to finite numbers."""
    x = np.array(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != N_COLUMNS:
        raise ValueError(f"Rows have shape {x.shape}; needed is (n_rows, {N_COLUMNS}).")
    return np.nan_to_num(x, nan=0.0, posinf=LARGEST, neginf=-LARGEST).clip(-LARGEST, LARGEST)
'''

#: A shortcut for arrays of numbers.
READ_ARRAY = """\
if type(rows) is np.ndarray and rows.dtype.kind in "fiub" and rows.ndim == 2 and rows.shape[1] == N_COLUMNS:
        return rows[:, [column for column, _ in READ]].astype(np.float64, copy=False)
"""

#: Reads rows for a Program whose entry is Columns; FAST and READER are replaced by code for its columns.
READ_TABLE = '''\
def read(rows):
    """Return rows, in any container, as columns of codes and numbers: float64, NaN where a number is missing."""
    FAST
    n_rows, column_of = open_rows(rows)
    x = np.empty((n_rows, len(READ)))
    for at, (column, kind, *levels) in enumerate(READ):
        cells = column_of(column)
        try:
            x[:, at] = READER
        except (TypeError, ValueError) as error:
            name = column if COLUMNS is None else repr(COLUMNS[column])
            raise ValueError(f"Column {name} holds what it did not hold in fit: {error}.") from error
    return x


def open_rows(rows):
    """Return the number of rows, and a function from a column's index to the column as an array."""
    if isinstance(rows, dict):
        rows = [rows]
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        names = range(N_COLUMNS) if COLUMNS is None else COLUMNS
        for row in rows:
            if len(row) != N_COLUMNS or not all(name in row for name in names):
                raise _mismatch(list(row), names)
        return len(rows), lambda at: np.fromiter((row[names[at]] for row in rows), dtype=object, count=len(rows))
    if hasattr(rows, "toarray"):
        rows = rows.toarray()
    if not is_frame(rows):
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.shape[1] != N_COLUMNS:
            raise ValueError(f"Rows have shape {rows.shape}; needed is (n_rows, {N_COLUMNS}).")
        return len(rows), lambda at: rows[:, at]
    names = column_names(rows)
    wanted = names if COLUMNS is None else COLUMNS
    if len(names) != N_COLUMNS or set(names) != set(wanted):
        raise _mismatch(names, range(N_COLUMNS) if COLUMNS is None else COLUMNS)
    place = list(range(N_COLUMNS)) if COLUMNS is None else [names.index(name) for name in COLUMNS]
    if hasattr(rows, "iloc"):
        return rows.shape[0], lambda at: np.asarray(rows.iloc[:, place[at]])
    if hasattr(rows, "column_names"):
        return rows.shape[0], lambda at: np.asarray(rows.column(place[at]))
    return rows.shape[0], lambda at: np.asarray(rows[:, place[at]])
'''
