// Bytes, digests and texts: what every other part stands on.

/** What does not hold, in words for people. */
class Refused extends Error {}

function refuse(words) {
  throw new Refused(words);
}

function hex(bytes) {
  return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}

function sameBytes(one, other) {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function utf8(text) {
  return new TextEncoder().encode(text);
}

function textOf(bytes, what) {
  try {
    // A mark at the beginning is a character like another, and not silently dropped.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse(`${what} is not UTF-8`);
  }
}

/** The bytes of one PEM block and nothing else. */
function pemBlock(text, label, what) {
  const block = new RegExp(
    `^-----BEGIN ${label}-----\\r?\\n([A-Za-z0-9+/=\\r\\n]+?)\\r?\\n-----END ${label}-----$`,
  ).exec(text);
  const body = block && block[1].replace(/[\r\n]/g, "");
  let decoded;
  try {
    decoded = block && atob(body);
  } catch {
    decoded = null;
  }
  // Stray bits behind the last character would give one key two forms.
  if (!decoded || btoa(decoded) !== body) refuse(`${what} is not exactly one PEM block`);
  return Uint8Array.from(decoded, (each) => each.charCodeAt(0));
}

/** Whether a text does nothing to whoever looks at it. */
function isPrintable(text) {
  return /^(?:[^\p{C}\p{Z}]| )*$/u.test(text);
}

/** Other people's words, cut, and without what is not to be seen. */
function printable(text, most = 120) {
  const cut = [...text].slice(0, most).join("");
  return isPrintable(cut) ? cut : JSON.stringify(cut).replace(/[\p{C}\p{Z}]/gu, "?");
}

/** SHA-256 of a label and parts, each after its length in 8 bytes, big-endian. */
async function bindingDigest(label, ...parts) {
  const elements = [utf8(label), ...parts].map((element) => {
    const size = new Uint8Array(8);
    new DataView(size.buffer).setBigUint64(0, BigInt(element.length));
    return joined(size, element);
  });
  return sha256(joined(...elements));
}
