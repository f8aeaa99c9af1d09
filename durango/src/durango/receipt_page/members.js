// Members of a decoded map: each function gives a value of one type, or refuses.

function mapping(value, name) {
  return value instanceof CborMap ? value : refuse(`${name} is not a map`);
}

function list(value, name, most) {
  if (!Array.isArray(value)) refuse(`${name} is not an array`);
  if (value.length > most) refuse(`${name} has ${value.length} entries, at most ${most} are read`);
  return value;
}

function integer(value, name, least, most) {
  if (!isInteger(value)) refuse(`${name} is not an integer`);
  if (value < least || value > most) refuse(`${name} is ${value}, which is out of range`);
  return value;
}

function octets(value, name, ...sizes) {
  if (!(value instanceof Uint8Array)) refuse(`${name} is not a byte string`);
  if (!sizes.includes(value.length)) {
    refuse(`${name} has ${value.length} bytes, expected ${sizes.join(" or ")}`);
  }
  return value;
}

function octetsUpTo(value, name, most, least = 0) {
  if (!(value instanceof Uint8Array)) refuse(`${name} is not a byte string`);
  if (value.length < least || value.length > most) refuse(`${name} has ${value.length} bytes`);
  return value;
}

function words(value, name, most, least = 0) {
  if (typeof value !== "string") refuse(`${name} is not text`);
  const size = [...value].length;
  if (size < least || size > most) refuse(`${name} has ${size} characters`);
  return value;
}

function plainWords(value, name, most, least = 0) {
  const found = words(value, name, most, least);
  if (!isPrintable(found)) refuse(`${name} has characters that are not printable`);
  return found;
}

function truth(value, name) {
  return typeof value === "boolean" ? value : refuse(`${name} is not a boolean`);
}

/** The member `key`, read by `read(value, name)`; `refuse` if it is not there. */
function required(members, key, name, read) {
  return members.has(key) ? read(members.get(key), name) : refuse(`${name} is missing`);
}

function optional(members, key, name, read) {
  return members.has(key) ? read(members.get(key), name) : null;
}

const UINT32 = 2 ** 32 - 1;
const UINT64 = 2n ** 64n - 1n;
const digestOf = (value, name) => octets(value, name, 32);
const hashOf = (value, name) => octets(value, name, 32, 48, 64);
const uint32 = (value, name) => integer(value, name, 0, UINT32);
const fromOne = (value, name) => integer(value, name, 1, UINT32);
const int32 = (value, name) => integer(value, name, -(2 ** 31), 2 ** 31 - 1);
const uint64 = (value, name) => integer(value, name, 0, UINT64);
