// COSE_Sign1 (RFC 9052) under P-256 keys: the key decides the algorithm, never the message.

const ALG = 1;
const CRIT = 2;
const X5CHAIN = 33;
const ES256 = [-7, -9];
const ALGORITHMS = { 17: [5, 6, 7], 18: [...ES256, -35, -51, -36, -52] };
const ENVELOPE_TAGS = (number) => [17, 18, 61].includes(number);

class CoseMessage {
  constructor(kind, protectedBytes, header, unprotected, payload, signature) {
    Object.assign(this, { kind, protectedBytes, header, unprotected, payload, signature });
  }

  /** The payload, authentic now. */
  async verify(key) {
    if (this.kind !== 18) refuse("it has a MAC and no signature");
    if (!ES256.includes(this.header.get(ALG))) refuse("its algorithm is not the key's, ES256");
    if (this.signature.length !== 64) refuse("its signature does not have 64 bytes");
    const signed = encodeCbor([
      "Signature1",
      this.protectedBytes,
      new Uint8Array(0),
      this.payload,
    ]);
    const rule = { name: "ECDSA", hash: "SHA-256" };
    if (!(await crypto.subtle.verify(rule, key, this.signature, signed))) {
      refuse("the signature is not of this key over this content");
    }
    return this.payload;
  }
}

function parseCose(bytes, { items = 4096, most = 64 * 1024, name }) {
  if (bytes.length > most) refuse(`${name} has ${bytes.length} bytes, at most ${most} are read`);
  const tagged = decodeCbor(bytes, { items, depth: 8, tags: ENVELOPE_TAGS });
  if (!(tagged instanceof CborTag) || tagged.number === 61) refuse(`${name} is not a COSE_Sign1`);
  const parts = list(tagged.value, name, 4);
  if (parts.length !== 4) refuse(`${name} is not an array of four elements`);
  const [protectedBytes, unprotected, payload, signature] = parts;
  for (const part of [protectedBytes, payload, signature]) {
    octetsUpTo(part, `a part of ${name}`, most);
  }
  mapping(unprotected, `the unprotected header of ${name}`);
  const header = protectedBytes.length
    ? mapping(decodeCbor(protectedBytes, { depth: 4 }), `the protected header of ${name}`)
    : new CborMap();
  checkHeaders(header, unprotected);
  if (!ALGORITHMS[tagged.number].includes(header.get(ALG))) refuse("alg is not known here");
  return new CoseMessage(tagged.number, protectedBytes, header, unprotected, payload, signature);
}

function checkHeaders(header, unprotected) {
  if ([...header.keys, ...unprotected.keys].some((label) => label instanceof Uint8Array)) {
    refuse("a header label is an integer or text");
  }
  if (header.keys.some((label) => unprotected.has(label))) {
    refuse("a header parameter is in both buckets");
  }
  // Unprotected, anybody could change it on the way.
  if (!header.has(ALG)) refuse("alg is not in the protected header");
  if (!isInteger(header.get(ALG))) refuse("alg is not an integer");
  if (unprotected.has(CRIT)) refuse("crit is not in the protected header");
  if (!header.has(CRIT)) return;
  const critical = header.get(CRIT);
  const known = (label) => [ALG, 3, 4].includes(label) && header.has(label);
  if (!Array.isArray(critical) || !critical.length || !critical.every(known)) {
    refuse("a critical header parameter is not known or not there");
  }
}

const P256_HEAD = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/** The P-256 key with this SubjectPublicKeyInfo, in the one form that is accepted. */
async function p256Key(der, name) {
  if (der.length !== 91 || hex(der.subarray(0, 27)) !== `${P256_HEAD}04`) {
    refuse(`${name} is not a P-256 key in the usual form`);
  }
  try {
    return await crypto.subtle.importKey(
      "spki",
      der,
      { name: "ECDSA", namedCurve: "P-256" },
      false,
      ["verify"],
    );
  } catch {
    return refuse(`${name} is not a point of P-256`);
  }
}
