// Bundles: all that it takes to verify receipts, in one file. Nothing in one is believed.

const BUNDLE = "veracruz-bundle-1";
const MOST_BUNDLE_BYTES = 72 * 2 ** 20;
const MOST_RECEIPTS = 65536;

function readBundle(bytes) {
  if (bytes.length > MOST_BUNDLE_BYTES) refuse("the file is larger than any bundle");
  if (bytes[0] === 0xd2) {
    refuse("the file is a receipt by itself: `durango receipt get` makes a bundle of it, which has "
      + "the policy and the attestation as well");
  }
  const members = decodeCbor(bytes, { items: MOST_RECEIPTS + 16, depth: 3 });
  const notOne = "not a bundle of receipts: `durango receipt get` makes one";
  if (!(members instanceof CborMap) || members.get("format") !== BUNDLE) refuse(notOne);
  const hasKey = members.has("tabasco_key");
  if (members.size !== (hasKey ? 5 : 4)) refuse(notOne);
  const any = (most) => (value, name) => octetsUpTo(value, name, most);
  const receipts = list(members.get("receipts"), "what the bundle has for receipts", MOST_RECEIPTS);
  return {
    receipts: receipts.map((each) => octetsUpTo(each, "a receipt", MOST_BYTES)),
    attestation: readAttestation(
      required(members, "attestation", "the attestation", any(64 * 1024)),
    ),
    policy: required(members, "policy", "the policy", any(2 ** 20)),
    tabascoKey: hasKey ? any(256)(members.get("tabasco_key"), "the key of Tabasco") : null,
  };
}

/**
 * What a bundle's receipts say, where all of it holds together.
 *
 * `own` is what the reader has: `policy` (bytes), `tabascoKey` (PEM), `result` (bytes) and
 * `openings` (a list of bytes); each may be absent.
 */
async function verifyBundle(bytes, own = {}) {
  const bundle = readBundle(bytes);
  const policy = await parsePolicy(bundle.policy);
  if (own.policy) await parsePolicy(own.policy);
  if (own.policy && !sameBytes(await sha256(own.policy), policy.digest)) {
    refuse(`the bundle's policy is ${hex(policy.digest)}, yours is `
      + `${hex(await sha256(own.policy))}: take the policy of that computation`);
  }
  if ((bundle.tabascoKey === null) === (policy.tabascoKey === null)) {
    refuse("the bundle says no key of Tabasco, or says it beside a policy that names one");
  }
  policy.tabascoKey ??= bundle.tabascoKey;
  const key = await p256Key(policy.tabascoKey, "the key of Tabasco");
  if (own.tabascoKey) {
    const text = textOf(own.tabascoKey, "your key of Tabasco").trim();
    const given = pemBlock(text, "PUBLIC KEY", "your key of Tabasco");
    if (!sameBytes(given, policy.tabascoKey)) {
      refuse(`your key of Tabasco is ${hex(await sha256(given))}, the bundle's is `
        + `${hex(await sha256(policy.tabascoKey))}`);
    }
  }
  const isolate = await judge(bundle.attestation, policy, key);
  if (!bundle.receipts.length) refuse("there is no receipt in the bundle, kept before a run");
  const receipts = [];
  for (const signed of bundle.receipts) {
    const receipt = await readReceipt(signed, isolate.certificate);
    checkReceipt(receipt, isolate, policy);
    receipts.push(receipt);
  }
  await checkChain(bundle.receipts, receipts);
  const held = await checkOwn(receipts, own);
  return { receipts, isolate, policy, held };
}

async function checkChain(signed, receipts) {
  for (let index = 1; index < receipts.length; index += 1) {
    const [before, after] = [receipts[index - 1], receipts[index]];
    if (before.first || after.first) refuse("receipts of the first format are in no order");
    if (after.number !== before.number + 1) {
      refuse(`receipt ${after.number} comes after receipt ${before.number}: one is missing between, `
        + "or they are out of order");
    }
    if (!sameBytes(after.previous, await closedDigest(signed[index - 1]))) {
      refuse(`receipt ${after.number} names another receipt ${before.number} than there is here`);
    }
  }
}

/** The reader's own files that are in one of the receipts, in words; `refuse` if one is not. */
async function checkOwn(receipts, own) {
  const held = [];
  if (own.result) {
    const digest = hex(await sha256(own.result));
    const fits = receipts.some((each) => each.details?.output && hex(each.details.output) === digest);
    if (!fits) {
      refuse(receipts.every((each) => each.details === null)
        ? "the receipts are closed and say nothing of a result: take those that a reader got"
        : `no receipt is about your result, ${digest}: take the file of this very run`);
    }
    held.push(`your result, ${digest}`);
  }
  for (const bytes of own.openings ?? []) held.push(await checkOpening(receipts, bytes));
  return held;
}

async function checkOpening(receipts, bytes) {
  if (bytes.length > 4096) refuse("not an opening file");
  const members = parseJson(textOf(bytes, "the opening"));
  fit(members, OPENING, OPENING);
  const { client_id: client, package_id: number, kind, digest, salt } = plain(members);
  const made = await bindingDigest("veracruz-input-commitment-v1", fromHex(salt), fromHex(digest));
  const what = `${kind} package ${number} of client ${client}`;
  const inputs = receipts.flatMap((each) => each.inputs).filter((each) =>
    each.client === client && each.number === number && each.kind === kind);
  if (!inputs.length) refuse(`the receipts know nothing of ${what}: the program did not see it`);
  if (!inputs.some((each) => sameBytes(each.commitment, made))) {
    refuse(`the commitment to ${what} is of another send, or of what was replaced since`);
  }
  return `your input, ${what}`;
}

const hexadecimal = { type: "string", pattern: "^[0-9a-f]{64}$" };
const number32 = { type: "integer", minimum: 0, maximum: UINT32 };
const OPENING = {
  type: "object",
  required: ["client_id", "package_id", "kind", "digest", "salt"],
  additionalProperties: false,
  properties: {
    client_id: number32,
    package_id: number32,
    kind: { enum: INPUT_KINDS },
    digest: hexadecimal,
    salt: hexadecimal,
  },
};

function fromHex(text) {
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}
