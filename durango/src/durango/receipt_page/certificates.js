// X.509 as far as a receipt and a policy need it: the key, and a certificate's own signature.

class DerReader {
  constructor(bytes) {
    Object.assign(this, { bytes, at: 0 });
  }

  get done() {
    return this.at === this.bytes.length;
  }

  /** The next element: its tag, its content, and all of it. */
  next(tag) {
    const { bytes } = this;
    const start = this.at;
    if (start + 2 > bytes.length) refuse("truncated DER");
    const found = bytes[start];
    if ((found & 0x1f) === 0x1f) refuse("DER with a long tag");
    let size = bytes[start + 1];
    let from = start + 2;
    if (size > 0x7f) {
      const count = size & 0x7f;
      if (count === 0 || count > 4 || from + count > bytes.length) refuse("DER without a length");
      size = bytes.subarray(from, from + count).reduce((sum, each) => sum * 256 + each, 0);
      if (size < 0x80 || bytes[from] === 0) refuse("DER with a length in a longer form");
      from += count;
    }
    if (from + size > bytes.length) refuse("truncated DER");
    if (tag !== undefined && found !== tag) refuse("DER of another kind than expected");
    this.at = from + size;
    return {
      tag: found,
      content: bytes.subarray(from, this.at),
      whole: bytes.subarray(start, this.at),
    };
  }

  get nextTag() {
    return this.bytes[this.at];
  }
}

const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
const OID = 0x06;
const CURVES = { "2a8648ce3d030107": "P-256", "2b81040022": "P-384", "2b81040023": "P-521" };
const SIGNATURES = {
  "2a8648ce3d040302": { kind: "EC", hash: "SHA-256" },
  "2a8648ce3d040303": { kind: "EC", hash: "SHA-384" },
  "2a8648ce3d040304": { kind: "EC", hash: "SHA-512" },
  "2a864886f70d01010b": { kind: "RSA", hash: "SHA-256" },
  "2a864886f70d01010c": { kind: "RSA", hash: "SHA-384" },
  "2a864886f70d01010d": { kind: "RSA", hash: "SHA-512" },
  "2b6570": { kind: "Ed25519" },
};
const RSA_PSS = "2a864886f70d01010a";
const HASHES = {
  "608648016503040201": "SHA-256",
  "608648016503040202": "SHA-384",
  "608648016503040203": "SHA-512",
};
const RSA = "2a864886f70d010101";
const EC = "2a8648ce3d0201";
const ED25519 = "2b6570";

function bitsOf(element) {
  if (element.content[0] !== 0) refuse("a bit string with unused bits");
  return element.content.subarray(1);
}

/** Refuse what is no DER, down to the last part of every part. */
function walkDer(bytes) {
  const parts = new DerReader(bytes);
  while (!parts.done) {
    const { tag, content } = parts.next();
    if (tag & 0x20) walkDer(content);
  }
}

/** The parts of a certificate (RFC 5280 section 4.1) that are looked at. */
function parseCertificate(der) {
  walkDer(der);
  const outer = new DerReader(der);
  const parts = new DerReader(outer.next(SEQUENCE).content);
  if (!outer.done) refuse("bytes follow the certificate");
  const signed = parts.next(SEQUENCE);
  const rule = parts.next(SEQUENCE);
  const signature = bitsOf(parts.next(BIT_STRING));
  if (!parts.done) refuse("a certificate of more than three parts");
  const fields = new DerReader(signed.content);
  if (fields.nextTag === 0xa0) fields.next();
  fields.next(0x02);
  if (!sameBytes(fields.next(SEQUENCE).whole, rule.whole)) {
    refuse("a certificate that names two algorithms for its signature");
  }
  const issuer = fields.next(SEQUENCE).whole;
  fields.next(SEQUENCE);
  const subject = fields.next(SEQUENCE).whole;
  const key = fields.next(SEQUENCE);
  return {
    signed: signed.whole,
    rule: rule.content,
    signature,
    selfIssued: sameBytes(issuer, subject),
    key: parseKey(key),
  };
}

function parseKey({ content, whole }) {
  const parts = new DerReader(content);
  const rule = new DerReader(parts.next(SEQUENCE).content);
  const kind = hex(rule.next(OID).content);
  const bits = bitsOf(parts.next(BIT_STRING));
  if (kind === ED25519) return { kind: "Ed25519", spki: whole, size: 32 };
  if (kind === RSA) {
    const modulus = new DerReader(new DerReader(bits).next(SEQUENCE).content).next(0x02).content;
    const number = modulus[0] === 0 ? modulus.subarray(1) : modulus;
    const size = number.length * 8 - Math.clz32(number[0]) + 24;
    if (size < 2048 || size > 8192) refuse(`an RSA key of ${size} bits`);
    return { kind: "RSA", spki: whole, size };
  }
  if (kind !== EC) return refuse("a key of another kind than RSA, ECDSA and Ed25519");
  const named = hex(rule.next(OID).content);
  const curve = CURVES[named];
  if (curve) return { kind: "EC", curve, spki: whole, size: (bits.length - 1) / 2 };
  const other = OTHER_CURVES[named];
  if (!other) return refuse("a key on a curve that is not accepted");
  return { kind: "EC", other, point: pointOn(other, bits), size: other.size };
}

/** Refuse a policy's certificate that could not be used: see `Policy.parse`. */
async function checkCertificate(der, where) {
  let certificate;
  try {
    certificate = parseCertificate(der);
    await checkPoint(certificate.key);
    if (certificate.selfIssued) await checkOwnSignature(certificate);
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    refuse(`the policy's ${where} is no certificate that can be used: ${problem.message}`);
  }
}

/** Refuse a key of a browser's curve that is no point on it. */
async function checkPoint({ curve, spki }) {
  if (!curve) return;
  try {
    await crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: curve }, false, ["verify"]);
  } catch (problem) {
    throw refusedBy(problem);
  }
}

async function checkOwnSignature({ key, rule, signature, signed }) {
  const { kind, ...how } = ruleOf(rule);
  // What cannot be checked here is not believed: the command knows a few more hashes.
  if (!kind) refuse("it is signed in a way that browsers do not know: use durango receipt verify");
  if (kind !== key.kind) refuse("it is signed in another way than its key can");
  let held;
  try {
    const flat = kind === "EC" ? flatSignature(signature, key.size) : signature;
    held = key.other
      ? signs(key.other, key.point, flat, await hashed(how.hash, signed))
      : await heldByBrowser(key, { name: NAMES[kind], ...how }, flat, signed);
  } catch (problem) {
    throw refusedBy(problem);
  }
  if (!held) refuse("it names itself as its issuer, but its signature does not verify");
}

const NAMES = { RSA: "RSASSA-PKCS1-v1_5", EC: "ECDSA", Ed25519: "Ed25519" };

async function heldByBrowser({ curve, spki }, how, signature, signed) {
  const rule = { ...how, namedCurve: curve };
  const public_ = await crypto.subtle.importKey("spki", spki, rule, false, ["verify"]);
  return crypto.subtle.verify(rule, public_, signature, signed);
}

async function hashed(hash, bytes) {
  return new Uint8Array(await crypto.subtle.digest(hash, bytes));
}

/** How a certificate says that it is signed; nothing where browsers do not know that. */
function ruleOf(content) {
  const parts = new DerReader(content);
  const named = hex(parts.next(OID).content);
  if (named !== RSA_PSS) return SIGNATURES[named] ?? {};
  // RFC 4055 section 3.1; what is left out there is SHA-1, or a salt for it.
  const given = {};
  if (parts.done) return {};
  const fields = new DerReader(parts.next(SEQUENCE).content);
  while (!fields.done) {
    const { tag, content: inner } = fields.next();
    given[tag] = inner;
  }
  if (!given[0xa0] || !given[0xa1] || !given[0xa2]) return {};
  const hash = hashNamed(given[0xa0]);
  const mask = new DerReader(new DerReader(given[0xa1]).next(SEQUENCE).content);
  const salt = new DerReader(given[0xa2]).next(0x02).content;
  if (hex(mask.next(OID).content) !== MGF1 || !hash) return {};
  if (mask.done || hashNamed(mask.next(SEQUENCE).whole) !== hash) return {};
  return { kind: "RSA", name: "RSA-PSS", hash, saltLength: Number(numberOf(salt)) };
}

const MGF1 = "2a864886f70d010108";

function hashNamed(whole) {
  return HASHES[hex(new DerReader(new DerReader(whole).next(SEQUENCE).content).next(OID).content)];
}

function refusedBy(problem) {
  return problem instanceof Refused ? problem : new Refused("its key is damaged");
}

/** A signature of two DER numbers as two numbers of `size` bytes. */
function flatSignature(der, size) {
  const parts = new DerReader(new DerReader(der).next(SEQUENCE).content);
  return joined(...[0, 1].map(() => {
    const number = parts.next(0x02).content;
    const digits = number[0] === 0 ? number.subarray(1) : number;
    if (digits.length > size) refuse("its signature has a number that is too long");
    return joined(new Uint8Array(size - digits.length), digits);
  }));
}
