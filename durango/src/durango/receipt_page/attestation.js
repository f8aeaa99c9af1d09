// The gate: Tabasco's result, then the isolate's token, each fact against the policy.

const EAR_PROFILE = "tag:ietf.org,2026:rats/ear#03";
const PSA_PROFILE = "tag:psacertified.org,2023:psa#tfm";
const LEEWAY_S = 30;
const MACHINE = -76004;
const TIERS = new Map([
  [0, "none"],
  [2, "affirming"],
  [32, "warning"],
  [96, "contraindicated"],
]);
const LIFECYCLES = [
  "unknown",
  "assembly_and_test",
  "psa_rot_provisioning",
  "secured",
  "non_psa_rot_debug",
  "recoverable_psa_rot_debug",
  "decommissioned",
];
// Keys that only tokens of other profiles have: with one of them, two readers could read two things.
const FOREIGN = [2397, ...Array.from({ length: 11 }, (_, index) => -75010 + index)];

function tierOf(claim) {
  if (claim >= -1 && claim <= 1) return 0;
  if (claim >= -32 && claim < 32) return 2;
  return claim >= -96 && claim < 96 ? 32 : 96;
}

/** An attestation result (EAR), its form checked; see draft-ietf-rats-ear-03. */
function readResult(members) {
  mapping(members, "the result");
  const time = (value, name) => integer(value, name, 0, Number.MAX_SAFE_INTEGER);
  if (required(members, 265, "the profile", (value, name) => words(value, name, 256))
    !== EAR_PROFILE) refuse("the result is of another profile");
  const issued = required(members, 6, "iat", time);
  const expires = required(members, 4, "exp", time);
  const verifier = required(members, 1004, "the verifier id", mapping);
  const text = (value, name) => words(value, name, 256);
  const found = {
    issued,
    expires,
    verifier: `${required(verifier, 0, "developer", text)} ${required(verifier, 1, "build", text)}`,
    submods: required(members, 266, "submods", readSubmods),
    nonce: optional(members, 10, "the nonce", nonceOf),
    evidence: optional(members, 1002, "the raw evidence", (value, name) =>
      octetsUpTo(value, name, 32 * 1024)),
    notBefore: optional(members, 5, "nbf", time) ?? issued,
  };
  if (expires <= issued) refuse("the result expires before it is issued");
  return found;
}

const nonceOf = (value, name) => octetsUpTo(value, name, 64, 8);

function readSubmods(value, name) {
  const { entries } = mapping(value, name);
  if (!entries.length || entries.length > 16) refuse(`there are ${entries.length} submods`);
  return entries.map(([key, part]) => [words(key, "a submod's name", 256, 1), readStatus(part),
    optional(part, MACHINE, "the machine", readMachine)]);
}

/** What hardware measured of the machine, by register. */
function readMachine(value, name) {
  const { entries } = mapping(value, name);
  if (!entries.length || entries.length > 32) refuse(`there are ${entries.length} registers`);
  return new Map(entries.map(([key, measured]) => {
    if (!isPrintable(words(key, "a register's name", 32, 1))) refuse("a register's name is none");
    return [key, hex(hashOf(measured, "a register's value"))];
  }));
}

function readStatus(part) {
  mapping(part, "an appraisal");
  const status = required(part, 1000, "status", (value, name) => integer(value, name, 0, 96));
  if (!TIERS.has(status)) refuse(`status ${status} is not a tier`);
  if (part.has(1001)) {
    const claims = mapping(part.get(1001), "the trust vector").entries.map(([key, claim]) => {
      integer(key, "a trust vector's key", 0, 7);
      return tierOf(integer(claim, "a claim", -128, 127));
    });
    if (!claims.length) refuse("the trust vector is empty");
    if (status < Math.max(...claims)) refuse("the status is better than its claims");
  }
  if (part.has(1003)) {
    const policies = list(part.get(1003), "policy ids", 64);
    if (!policies.length) refuse("the list of policy ids is empty");
    policies.forEach((each) => words(each, "a policy id", 256));
  }
  optional(part, 10, "the nonce", nonceOf);
  return status;
}

/** What a PSA token (RFC 9783) says about one runtime. */
async function readToken(bytes) {
  const message = parseCose(bytes, { items: 256, most: 8 * 1024, name: "the token" });
  const limits = { items: 1024, depth: 12, tags: ANY_TAG };
  const members = mapping(decodeCbor(message.payload, limits), "the token's claims");
  const long = (value, name) => words(value, name, 1024);
  if (required(members, 265, "the profile", long) !== PSA_PROFILE) {
    refuse("the token is of another profile");
  }
  if (FOREIGN.some((key) => members.has(key))) refuse("the token mixes two profiles");
  const client = required(members, 2394, "the client id", int32);
  if (client === 0) refuse("the client id is 0");
  const instance = required(members, 256, "the instance id", (value, name) =>
    octets(value, name, 33));
  if (instance[0] !== 1) refuse("the instance id is of another type");
  const lifecycle = required(members, 2395, "the lifecycle", (value, name) =>
    integer(value, name, 0, 0xffff));
  if (LIFECYCLES[lifecycle >> 12] === undefined || (lifecycle >> 8) & 0xf) {
    refuse(`lifecycle ${lifecycle} is not a state`);
  }
  optional(members, 268, "the boot seed", (value, name) => octetsUpTo(value, name, 32, 8));
  const reference = optional(members, 2398, "the certification reference", long);
  if (reference !== null && !/^[0-9]{13}-[0-9]{5}$/.test(reference)) {
    refuse("the certification reference does not have its form");
  }
  optional(members, 2400, "the verification service", long);
  const implementation = required(members, 2396, "the implementation id", digestOf);
  const platform = required(members, -76000, "the platform", (value, name) =>
    words(value, name, 64));
  if (!sameBytes(implementation, await implementationOf(platform))) {
    refuse("the implementation id is not that of the platform it names");
  }
  const component = onlyComponent(members);
  return {
    platform,
    ...component,
    certificate: required(members, -76001, "the certificate's digest", digestOf),
    policy: required(members, -76002, "the policy's digest", digestOf),
    isolation: optional(members, -76003, "the isolation", readLayers) ?? [],
    nonce: required(members, 10, "the nonce", hashOf),
    lifecycle: LIFECYCLES[lifecycle >> 12],
  };
}

function implementationOf(platform) {
  return sha256(utf8(`veracruz-platform:${platform}`));
}

function onlyComponent(members) {
  const text = (value, name) => words(value, name, 1024);
  const entries = required(members, 2399, "software components", (value, name) =>
    list(value, name, 64));
  if (entries.length !== 1) refuse("the token does not measure exactly one component");
  const component = mapping(entries[0], "a software component");
  const measurement = required(component, 2, "the measurement", hashOf);
  required(component, 5, "the signer id", hashOf);
  optional(component, 6, "a description", text);
  const version = required(component, 4, "the version", text);
  if (required(component, 1, "the component's type", text) !== "ARoT") {
    refuse("its component is not a runtime");
  }
  return { measurement, version };
}

function readLayers(value, name) {
  const layers = list(value, name, LAYERS.length).map((each) => words(each, "a layer", 64));
  if (layers.some((layer, index) => index > 0 && layers[index - 1] >= layer)) {
    refuse("the layers of isolation are not in order, each once");
  }
  const unknown = layers.find((layer) => !LAYERS.includes(layer));
  return unknown ? refuse(`${printable(unknown)} is not a layer of isolation`) : layers;
}

/** An attestation file: a challenge and the two answers to it. */
function readAttestation(bytes) {
  if (bytes.length > 64 * 1024) refuse("the attestation in the bundle is too large");
  const members = mapping(decodeCbor(bytes, { depth: 2 }), "the attestation");
  if (members.get("format") !== "veracruz-attestation-1" || members.size !== 5) {
    refuse("what the bundle has for an attestation is none");
  }
  const any = (value, name) => octetsUpTo(value, name, 64 * 1024);
  return {
    challenge: required(members, "challenge", "the challenge", any),
    token: required(members, "token", "the token", any),
    result: required(members, "result", "the result", any),
    at: required(members, "attested_at", "its time", (value, name) =>
      integer(value, name, 0, 2 ** 34 - 1)),
  };
}

/** The isolate that passed every check, and the checks, each with both of its sides. */
async function judge({ challenge, token, result, at }, policy, key) {
  const checks = [];
  const hold = (check, held, found, against) => {
    if (!held) refuse(`${check}: found ${found}, expected ${against}`);
    checks.push([check, found, against]);
  };
  const message = parseCose(result, { name: "the result" });
  const payload = await message.verify(key);
  const limits = { items: 2048, depth: 12, tags: ANY_TAG };
  const ear = readResult(decodeCbor(payload, limits));
  const pin = hex(await sha256(policy.tabascoKey));
  hold("result signature", true, `signed by ${printable(ear.verifier, 80)}`, `Tabasco's key ${pin}`);
  const times = `in force ${moment(ear.issued)} to ${moment(ear.expires)}`;
  const inForce = at - LEEWAY_S < ear.expires
    && at + LEEWAY_S >= Math.max(ear.issued, ear.notBefore);
  hold("result time", inForce, times, `the time it was relied on, ${moment(at)}`);
  const asked = hex(challenge);
  hold("result challenge", ear.nonce && sameBytes(ear.nonce, challenge),
    ear.nonce ? hex(ear.nonce) : "none", asked);
  const about = ear.evidence ? hex(await sha256(ear.evidence)) : "none";
  hold("result subject", ear.evidence && sameBytes(ear.evidence, token), `about token ${about}`,
    `token ${hex(await sha256(token))}`);
  const worse = ear.submods.find(([, status]) => status !== 2);
  hold("result status", !worse, worse
    ? `${TIERS.get(worse[1])} for ${printable(worse[0], 64)}`
    : `affirming: ${ear.submods.map(([name]) => printable(name, 64)).join(", ")}`, "affirming");
  const runtime = await readToken(token);
  hold("token challenge", sameBytes(runtime.nonce, challenge), hex(runtime.nonce), asked);
  const platform = policy.platforms.get(runtime.platform);
  hold("platform", platform, printable(runtime.platform),
    `${[...policy.platforms.keys()].join(" or ") || "none"}, which the policy names`);
  const measurement = hex(runtime.measurement);
  hold("measurement", platform.includes(measurement),
    `${measurement} (runtime ${printable(runtime.version, 40)})`,
    `${platform.slice(0, 8).join(" or ")}, which the policy names`);
  const machine = machineOf(ear);
  for (const [name, values] of policy.pinned.get(runtime.platform) ?? []) {
    hold("machine", values.includes(machine.get(name)),
      machine.has(name) ? `${name} ${machine.get(name)}` : `a result that does not tell ${name}`,
      `${name} ${values.slice(0, 8).join(" or ")}, which the policy names`);
  }
  hold("policy", sameBytes(runtime.policy, policy.digest), hex(runtime.policy),
    `${hex(policy.digest)}, the policy in the bundle`);
  hold("lifecycle", runtime.lifecycle === "secured", runtime.lifecycle, "secured");
  const layers = LAYERS.filter((layer) => runtime.isolation.includes(layer));
  hold("isolation", policy.isolation.every((layer) => layers.includes(layer)),
    layers.join(", ") || "no layer", `at least ${policy.isolation.join(", ") || "no layer"}`);
  hold("certificate", true, hex(runtime.certificate), "the one that receipts must be signed with");
  return { ...runtime, checks, expires: ear.expires, issued: ear.issued };
}

/** What hardware measured; told of two parts, it could be of two machines and counts for none. */
function machineOf(ear) {
  const told = ear.submods.map(([, , machine]) => machine).filter(Boolean);
  return told.length === 1 ? told[0] : new Map();
}

/** Seconds since 1970 as a time in UTC. */
function moment(seconds) {
  try {
    return new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
  } catch {
    return `${seconds} s after 1970`;
  }
}
