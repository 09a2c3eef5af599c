// A student that skdistill has written as ONNX: what its metadata say, and its answers for rows.
// It runs in a browser and under Node; `ort` is the module onnxruntime-web.

/** Read a student: a promise of what `predict` needs. `bytes` is a Uint8Array, the file. */
export async function load(ort, bytes) {
  const metadata = readMetadata(bytes);
  return {
    ort,
    session: await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }),
    columns: JSON.parse(metadata.columns),
    classes: JSON.parse(metadata.classes),
    missing: metadata.missing,
    fingerprint: metadata.fingerprint,
  };
}

/**
 * Answer rows: for each, its label and the probability of each class.
 *
 * A row is an object from a column's name to its cell: a number, a text, a Date; null, NaN or
 * nothing where the cell is missing.
 */
export async function predict(student, rows) {
  const { label, probabilities } = await student.session.run(feeds(student, rows));
  const width = student.classes.length;
  return rows.map((_, at) => ({
    label: label.type === "int64" ? Number(label.data[at]) : label.data[at],
    probabilities: Array.from(probabilities.data.slice(at * width, (at + 1) * width)),
  }));
}

function feeds({ ort, columns, missing }, rows) {
  const found = {};
  for (const input of new Set(columns.map((column) => column.input))) {
    // a column that the student does not read has no input
    if (input === "") continue;
    const members = columns.filter((column) => column.input === input);
    const cells = rows.flatMap((row) => members.map((column) => asCell(row[column.name], column, missing)));
    const { type } = members[0];
    const held = type === "string" ? cells : (type === "float64" ? Float64Array : Float32Array).from(cells);
    found[input] = new ort.Tensor(type, held, [rows.length, members.length]);
  }
  return found;
}

function asCell(value, { kind }, missing) {
  const gap = value == null || Number.isNaN(value);
  if (kind === "text") return gap ? missing : String(value);
  if (gap) return NaN;
  // a Date counts milliseconds, the student seconds
  return kind === "date" ? Number(value) / 1000 : Number(value);
}

// An ONNX file is a protocol buffer; onnxruntime-web does not give its metadata, field 14, away.
const METADATA = 14;

function readMetadata(bytes) {
  const text = new TextDecoder();
  const found = {};
  for (const [field, value] of readFields(bytes)) {
    if (field !== METADATA) continue;
    const entry = Object.fromEntries(readFields(value));
    found[text.decode(entry[1])] = text.decode(entry[2]);
  }
  if (!("columns" in found)) throw new Error("This model was not written by skdistill: it has no metadata.");
  return found;
}

function* readFields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, kind] = [Math.floor(key / 8), key % 8];
    // numbers are skipped: what is wanted here has a length
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else {
      const length = varint();
      yield [field, bytes.subarray(at, at + length)];
      at += length;
    }
  }
}
