// CBOR (RFC 8949), read strictly: no repeated key, nothing behind the item, no indefinite length.
//
// Integers beyond 2**53 are BigInt, floats are CborFloat so that 1.0 is never taken for 1, maps are
// CborMap, whose keys keep their types apart.

class CborFloat {
  constructor(value) {
    this.value = value;
  }
}

class CborTag {
  constructor(number, value) {
    this.number = number;
    this.value = value;
  }
}

/** A map with integers, texts and byte strings as keys. */
class CborMap {
  constructor(entries = []) {
    this.named = new Map();
    for (const [key, value] of entries) this.add(key, value);
  }

  static nameOf(key) {
    if (isInteger(key)) return `i${key}`;
    if (typeof key === "string") return `t${key}`;
    if (key instanceof Uint8Array) return `b${hex(key)}`;
    return refuse("a map key is neither an integer nor a string");
  }

  add(key, value) {
    const name = CborMap.nameOf(key);
    if (this.named.has(name)) refuse("a map key occurs twice");
    this.named.set(name, [key, value]);
  }

  has(key) {
    return this.named.has(CborMap.nameOf(key));
  }

  get(key) {
    return this.named.get(CborMap.nameOf(key))?.[1];
  }

  get size() {
    return this.named.size;
  }

  get keys() {
    return [...this.named.values()].map(([key]) => key);
  }

  get entries() {
    return [...this.named.values()];
  }
}

function isInteger(value) {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
}

class CborReader {
  constructor(bytes, { items = 4096, depth = 16, tags = () => false }) {
    Object.assign(this, { bytes, items, depth, tags, at: 0 });
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(size) {
    // Compared before anything is made: a length is a number that somebody wrote.
    if (BigInt(size) > BigInt(this.bytes.length - this.at)) refuse("truncated CBOR");
    const start = this.at;
    this.at += Number(size);
    return this.bytes.subarray(start, this.at);
  }

  argument(form) {
    if (form < 24) return form;
    if (form > 27) return refuse("an indefinite or reserved length in CBOR");
    const size = 1 << (form - 24);
    const from = this.at;
    this.take(size);
    if (size === 1) return this.view.getUint8(from);
    if (size === 2) return this.view.getUint16(from);
    if (size === 4) return this.view.getUint32(from);
    return narrow(this.view.getBigUint64(from));
  }

  charge(count) {
    if (BigInt(count) > BigInt(this.items)) refuse("too many data items in CBOR");
    this.items -= Number(count);
  }

  item(depth) {
    const [initial] = this.take(1);
    const major = initial >> 5;
    const form = initial & 0x1f;
    if (major === 7) return this.simple(form);
    const argument = this.argument(form);
    if (major === 0) return argument;
    if (major === 1) return narrow(-1n - BigInt(argument));
    if (major === 2) return this.take(argument).slice();
    if (major === 3) return textOf(this.take(argument), "a text in CBOR");
    if (depth >= this.depth) refuse("CBOR is nested too deep");
    if (major === 4) return this.list(argument, depth + 1);
    if (major === 5) return this.map(argument, depth + 1);
    if (!this.tags(argument)) refuse(`tag ${argument} is not expected here`);
    this.charge(1);
    return new CborTag(argument, this.item(depth + 1));
  }

  list(count, depth) {
    this.charge(count);
    return Array.from({ length: Number(count) }, () => this.item(depth));
  }

  map(count, depth) {
    this.charge(2n * BigInt(count));
    const found = new CborMap();
    for (let left = Number(count); left > 0; left -= 1) {
      const key = this.item(depth);
      CborMap.nameOf(key);
      found.add(key, this.item(depth));
    }
    return found;
  }

  simple(form) {
    if (form === 20 || form === 21) return form === 21;
    if (form === 22) return null;
    if (form < 25 || form > 27) return refuse("a value in CBOR that stands for nothing");
    const from = this.at;
    this.take(1 << (form - 24));
    if (form === 26) return new CborFloat(this.view.getFloat32(from));
    if (form === 27) return new CborFloat(this.view.getFloat64(from));
    return new CborFloat(NaN); // of two bytes: no member here is a float, so none is looked at
  }
}

function narrow(number) {
  const small = Number(number);
  return Number.isSafeInteger(small) ? small : number;
}

/** The one data item that `bytes` are, to the last. */
function decodeCbor(bytes, limits = {}) {
  const reader = new CborReader(bytes, limits);
  const value = reader.item(0);
  if (reader.at !== bytes.length) refuse("bytes follow the CBOR data item");
  return value;
}

const ANY_TAG = () => true;

/** Deterministic CBOR (RFC 8949 section 4.2.1) of integers, texts, bytes, lists, maps and tags. */
function encodeCbor(value) {
  if (isInteger(value)) {
    return value < 0 ? cborHead(1, -1n - BigInt(value)) : cborHead(0, BigInt(value));
  }
  if (value instanceof Uint8Array) return joined(cborHead(2, BigInt(value.length)), value);
  if (typeof value === "string") {
    const text = utf8(value);
    return joined(cborHead(3, BigInt(text.length)), text);
  }
  if (Array.isArray(value)) {
    return joined(cborHead(4, BigInt(value.length)), ...value.map(encodeCbor));
  }
  if (value instanceof CborTag) {
    return joined(cborHead(6, BigInt(value.number)), encodeCbor(value.value));
  }
  const entries = value.entries.map(([key, each]) => [encodeCbor(key), encodeCbor(each)]);
  entries.sort(([one], [other]) => (hex(one) < hex(other) ? -1 : 1));
  return joined(cborHead(5, BigInt(entries.length)), ...entries.flat());
}

function cborHead(major, number) {
  if (number < 24n) return Uint8Array.of((major << 5) | Number(number));
  const form = number < 1n << 8n ? 0 : number < 1n << 16n ? 1 : number < 1n << 32n ? 2 : 3;
  const head = new Uint8Array(1 + (1 << form));
  head[0] = (major << 5) | (24 + form);
  for (let index = head.length - 1, left = number; index > 0; index -= 1, left >>= 8n) {
    head[index] = Number(left & 0xffn);
  }
  return head;
}
