// Receipts: by the attested isolate, about this policy, none left out between two of them.

const RECEIPT = "veracruz-receipt-v2";
const RECEIPT_1 = "veracruz-receipt-v1";
const CONTENT_TYPE = "application/vnd.veracruz.receipt+cbor";
const DETAILS = "veracruz-details";
const MOST_BYTES = 256 * 1024;
const MOST_INPUTS = 4096;
const ENDS = ["finished", "trapped", "limit reached", "guest lost", "withheld", "error code"];
const RETURNED = ["finished", "withheld", "error code"];
const INPUT_KINDS = ["data", "stream"];
const BALANCE = ["epsilon spent", "epsilon left", "delta spent", "delta left"];
const OF_THE_ATTESTER = ["image-root", "separate-user"];

function parseReceipt(bytes) {
  const message = parseCose(bytes, { items: 64, most: MOST_BYTES, name: "a receipt" });
  const chain = required(message.unprotected, X5CHAIN, "the certificate", (value, name) =>
    octetsUpTo(value, name, MOST_BYTES - 1, 1));
  return { message, chain };
}

/** The receipt that the isolate with this certificate signed. */
async function readReceipt(bytes, certificate) {
  const { message, chain } = parseReceipt(bytes);
  // Before the key in it is used: everybody can sign with a certificate of their own making.
  const digest = await sha256(chain);
  if (!sameBytes(digest, certificate)) {
    refuse(`the receipt is by certificate ${hex(digest)}, attested is ${hex(certificate)}`);
  }
  const key = await p256Key(parseCertificate(chain).key.spki, "the key of the receipt");
  const limits = { items: 128 + 5 * MOST_INPUTS + 4096, depth: 4 };
  const members = mapping(decodeCbor(await message.verify(key), limits), "the receipt");
  const form = required(members, 0, "the format", (value, name) => words(value, name, 32));
  if (message.unprotected.keys.some((label) => ![X5CHAIN, DETAILS].includes(label))) {
    refuse("an unprotected header parameter is not known");
  }
  if (form === RECEIPT_1) return receiptOf1(members);
  if (form !== RECEIPT) refuse(`the format is ${printable(form)}, expected ${RECEIPT}`);
  const details = message.unprotected.has(DETAILS)
    ? await readDetails(message.unprotected.get(DETAILS), members)
    : null;
  const receipt = receiptOf(members, details);
  const header = statementHeader(certificate, receipt.policy);
  if (!sameBytes(message.protectedBytes, encodeCbor(header))) {
    refuse("the header does not name the certificate, the policy and the form of the receipt");
  }
  return receipt;
}

function statementHeader(certificate, policy) {
  return new CborMap([
    [ALG, ES256[0]],
    [3, CONTENT_TYPE],
    [15, new CborMap([[1, namedInformation(certificate)], [2, namedInformation(policy)]])],
    [34, [-16, certificate]],
  ]);
}

/** The URI of what has this digest (RFC 6920). */
function namedInformation(digest) {
  const text = btoa(String.fromCharCode(...digest));
  return `ni:///sha-256;${text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

/** SHA-256 of a receipt without its details, which is what the one after it names. */
async function closedDigest(bytes) {
  const { message, chain } = parseReceipt(bytes);
  const headers = new CborMap([[X5CHAIN, chain]]);
  const parts = [message.protectedBytes, headers, message.payload, message.signature];
  return sha256(encodeCbor(new CborTag(18, parts)));
}

function onlyKeys(members, most, what) {
  const known = (key) => isInteger(key) && key >= 0 && key <= most;
  if (!members.keys.every(known)) refuse(`${what} have a field that is not known`);
}

async function readDetails(pair, members) {
  const commitment = required(members, 9, "the commitment to the details", digestOf);
  const parts = list(pair, "the details", 2);
  if (parts.length !== 2) refuse("the details are not a salt and what it is for");
  const salt = digestOf(parts[0], "the salt of the details");
  const encoded = octetsUpTo(parts[1], "the details", 128);
  const found = await bindingDigest("veracruz-run-details-v1", salt, encoded);
  if (!sameBytes(found, commitment)) refuse("the details are not those that the receipt is about");
  const details = mapping(decodeCbor(encoded, { items: 16, depth: 2 }), "the details");
  onlyKeys(details, 3, "the details");
  return {
    code: optional(details, 0, "the return code", int32),
    output: optional(details, 1, "the output's digest", digestOf),
    runMs: optional(details, 2, "the duration", uint64),
    fuel: optional(details, 3, "the fuel", uint64),
  };
}

function receiptOf(members, details) {
  onlyKeys(members, 19, "receipts");
  required(members, 9, "the commitment to the details", digestOf);
  const found = {
    first: false,
    policy: required(members, 1, "the policy's digest", digestOf),
    program: required(members, 2, "the program's digest", digestOf),
    number: required(members, 3, "the number", fromOne),
    previous: optional(members, 4, "the receipt before", digestOf),
    round: required(members, 5, "the round", fromOne),
    attempt: required(members, 6, "the attempt", fromOne),
    inputs: required(members, 7, "the inputs", inputsOf),
    end: ENDS[required(members, 8, "the end", (value, name) => integer(value, name, 0, 5))],
    details,
    readers: required(members, 10, "the readers", (value, name) =>
      list(value, name, 4096).map((each) => uint32(each, "a reader"))),
    strategy: required(members, 11, "the strategy", (value, name) => plainWords(value, name, 32)),
    engine: required(members, 12, "the engine", (value, name) => plainWords(value, name, 64)),
    debug: required(members, 13, "debug", truth),
    isolation: required(members, 14, "the isolation", (value, name) =>
      list(value, name, 16).map((each) => plainWords(each, "a layer", 32))),
    measurement: required(members, 15, "the measurement", digestOf),
    seed: optional(members, 16, "the seed", digestOf),
    privacy: optional(members, 17, "the privacy budget", balanceOf),
    hostTime: required(members, 18, "the host's time", uint64),
    canonicalNans: !members.has(19),
  };
  if (members.has(19) && truth(members.get(19), "the bits of NaNs")) refuse("true is absent");
  if ((found.number === 1) !== (found.previous === null)) refuse("only the first has none before");
  if (details) checkEnd(found, details);
  return found;
}

function checkEnd({ end, privacy }, { code, output, runMs }) {
  const returned = RETURNED.includes(end);
  const hidden = privacy !== null;
  const held = ((code !== null) === returned || (hidden && end === "withheld"))
    && ((runMs !== null) === returned || (hidden && runMs === null))
    && (code === null || (code === 0) === ["finished", "withheld"].includes(end))
    && (output === null || end === "finished");
  if (!held) refuse("the details contradict how the run is said to have ended");
}

function inputsOf(value, name) {
  return list(value, name, MOST_INPUTS).map((entry) => {
    const parts = list(entry, "an input", 4);
    if (parts.length !== 4) refuse("an input does not have 4 members");
    return {
      client: uint32(parts[0], "a client id"),
      number: uint32(parts[1], "a package id"),
      kind: INPUT_KINDS[integer(parts[2], "a kind", 0, 1)],
      commitment: digestOf(parts[3], "a commitment"),
    };
  });
}

function balanceOf(value, name) {
  const members = mapping(value, name);
  onlyKeys(members, 3, "privacy budgets");
  if (members.size !== 4) refuse("the privacy budget does not have its four numbers");
  return BALANCE.map((each, key) => [each, plainWords(members.get(key), each, 64, 1)]);
}

function receiptOf1(members) {
  onlyKeys(members, 10, "receipts");
  const code = required(members, 5, "the return code", int32);
  const output = required(members, 4, "the output's digest", digestOf);
  return {
    first: true,
    policy: required(members, 1, "the policy's digest", digestOf),
    program: required(members, 2, "the program's digest", digestOf),
    inputs: required(members, 3, "the inputs", inputsOf),
    round: required(members, 6, "the round", fromOne),
    strategy: required(members, 7, "the strategy", (value, name) => plainWords(value, name, 32)),
    engine: required(members, 8, "the engine", (value, name) => plainWords(value, name, 64)),
    details: {
      code,
      // It has one for an error code as well, of what nobody got.
      output: code === 0 ? output : null,
      runMs: required(members, 9, "the duration", uint64),
      fuel: optional(members, 10, "the fuel", uint64),
    },
  };
}

/** Refuse a receipt that does not fit the policy, or the attestation of who signed it. */
function checkReceipt(receipt, isolate, policy) {
  const same = (what, found, expected) => {
    if (found !== expected) refuse(`the receipt's ${what} is ${found}, expected ${expected}`);
  };
  const clients = (kind) =>
    listed(receipt.inputs.filter((each) => each.kind === kind).map((each) => each.client));
  same("policy", hex(receipt.policy), hex(policy.digest));
  same("program", hex(receipt.program), policy.program);
  same("execution strategy", receipt.strategy, policy.strategy);
  same("order of data", clients("data"), listed(policy.dataOrder));
  same("order of streams", clients("stream"), listed(policy.streamOrder));
  if (receipt.first) return;
  same("measurement", hex(receipt.measurement), hex(isolate.measurement));
  same("readers", listed(receipt.readers), listed(policy.readers));
  same("debug", String(receipt.debug), String(policy.debug));
  if (policy.canonicalNans) same("bits of NaNs", nansOf(receipt.canonicalNans), nansOf(true));
  const attested = LAYERS.filter((layer) =>
    isolate.isolation.includes(layer) && !OF_THE_ATTESTER.includes(layer));
  const found = attested.filter((layer) => receipt.isolation.includes(layer));
  same("isolation", found.join(", ") || "no layer", attested.join(", ") || "no layer");
}

function listed(clients) {
  return clients.map((client) => `client ${client}`).join(", ") || "nobody";
}

function nansOf(canonical) {
  return canonical ? "the same everywhere" : "the processor's";
}
