// The global policy, as far as a verdict depends on it.
//
// Its form is judged as the isolate judged it, but for the types of inputs and results, which say
// nothing about a receipt: whoever writes a policy that no isolate takes has none that attests it.

const NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_ .&'()-]{0,62}[\p{L}\p{N}_.)])?$/u;
const RESERVED = /^(?:nobody|everybody|all|any|none|client[ -]?[0-9]+)$/i;
const SCHEMA = plain(parseJson(SCHEMA_TEXT));
const SCHEMA_2021 = schemaOf2021();
const PLACE_ROLES = ["DataProvider", "StreamProvider"];

/** The shape of policies of 2021, in which fields that are not known are passed over. */
function schemaOf2021() {
  const text = { type: "string" };
  const up = (maximum) => ({ type: "integer", minimum: 0, maximum });
  const fields = (properties, required = Object.keys(properties)) => ({
    type: "object",
    properties,
    required,
  });
  const order = { type: "array", items: { type: "integer", minimum: 0 } };
  const principal = fields({
    id: up(UINT32),
    certificate: text,
    roles: { type: "array", items: { enum: SCHEMA.$defs.Role.enum } },
  });
  const measurement = { anyOf: [text, { type: "null" }] };
  const measurements = PLATFORMS_2021.map(([, field]) => [field, measurement]);
  const own = {
    identities: { type: "array", items: principal },
    sinaloa_url: text,
    tabasco_url: text,
    ciphersuite: text,
    data_provision_order: order,
    streaming_order: order,
    debug: { type: "boolean" },
    execution_strategy: SCHEMA.$defs.Strategy,
    enclave_cert_expiry: fields({
      year: up(UINT32),
      month: up(255),
      day: up(255),
      hour: up(255),
      minute: up(255),
    }),
    pi_hash: text,
  };
  return fields({ ...own, ...Object.fromEntries(measurements) }, Object.keys(own));
}

async function parsePolicy(raw) {
  if (raw.length > 2 ** 20) refuse("the policy has over 1 MiB");
  const document = parseJson(textOf(raw, "the policy"));
  if (!(document instanceof Map)) refuse("the policy is not a JSON object");
  const current = document.has("policy_version");
  const schema = current ? SCHEMA : SCHEMA_2021;
  fit(document, schema, schema);
  const form = plain(document);
  const identities = await readIdentities(form.identities);
  checkOrders(form, identities);
  ["sinaloa_url", "tabasco_url"].forEach((name) => checkAddress(form[name], name));
  const own = current ? ownTerms(form, identities) : ownTermsOf2021(form);
  const readers = identities.filter((each) => each.roles.includes("ResultReader"));
  return {
    raw,
    digest: await sha256(raw),
    current,
    identities,
    readers: readers.map((each) => each.id).sort((one, other) => one - other),
    dataOrder: form.data_provision_order,
    streamOrder: form.streaming_order,
    debug: form.debug,
    strategy: form.execution_strategy,
    ...own,
    named: (id) => identities.find((each) => each.id === id)?.name || `client ${id}`,
  };
}

async function readIdentities(entries) {
  const found = [];
  for (const [index, { id, certificate, roles, name = "" }] of entries.entries()) {
    const where = `certificate of client ${id}`;
    const der = pemBlock(certificate, "CERTIFICATE", `the policy's ${where}`);
    await checkCertificate(der, where);
    const path = `$.identities[${index}]`;
    if (RESERVED.test(name) || (name && !NAME.test(name))) refuse(`${path}.name is not a name`);
    for (const other of found) {
      if (name && other.name === name) refuse(`${path}: ${name} appears twice`);
      if (other.id === id) refuse(`${path}: client ${id} appears twice`);
      if (sameBytes(other.der, der)) refuse(`${path}: two clients have the same certificate`);
    }
    if (!roles.length) refuse(`${path}: client ${id} has no role`);
    found.push({ id, der, roles, name });
  }
  const programs = found.filter((each) => each.roles.includes("PiProvider"));
  if (programs.length !== 1) refuse(`${programs.length} principals are PiProvider, expected one`);
  if (!found.some((each) => each.roles.includes("ResultReader"))) refuse("nobody is ResultReader");
  return found;
}

function checkOrders(form, identities) {
  for (const [name, roles] of [
    ["data_provision_order", PLACE_ROLES.slice(0, 1)],
    ["streaming_order", PLACE_ROLES],
  ]) {
    const senders = identities.filter((each) => each.roles.some((role) => roles.includes(role)));
    const stranger = form[name].find((id) => !senders.some((each) => each.id === id));
    if (stranger !== undefined) refuse(`$.${name}: client ${stranger} may not send`);
  }
}

function checkAddress(text, name) {
  const form = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([^[\]:]{1,253})):([1-9][0-9]{0,4})$/.exec(text);
  if (!form || Number(form[3]) > 65535 || !isHost(form[1] ?? form[2], form[1] !== undefined)) {
    refuse(`$.${name} is not an address`);
  }
}

function isHost(host, bracketed) {
  if (bracketed) return host.includes(":") && URL.canParse(`http://[${host}]/`);
  if (/^[0-9.]+$/.test(host)) {
    const octet = "(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])";
    return new RegExp(`^${octet}(?:\\.${octet}){3}$`).test(host);
  }
  const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
  return new RegExp(`^${label}(?:\\.${label})*$`).test(host);
}

function ownTerms(form, identities) {
  const end = new Date(form.expires_at);
  if (form.expires_at < "0001" || Number.isNaN(end.valueOf())
    || `${end.toISOString().slice(0, 19)}Z` !== form.expires_at) refuse("$.expires_at is no time");
  const platforms = new Map();
  const pinned = new Map();
  const lower = (values) => values.map((each) => each.toLowerCase());
  for (const { name, measurements, machine = {} } of form.platforms) {
    if (platforms.has(name)) refuse(`$.platforms: ${name} appears twice`);
    platforms.set(name, lower(measurements));
    pinned.set(name, Object.entries(machine).map(([each, values]) => [each, lower(values)]));
  }
  checkConduct(form, identities);
  return {
    tabascoKey: pemBlock(form.tabasco_key, "PUBLIC KEY", "$.tabasco_key"),
    program: form.program_digest,
    platforms,
    pinned,
    isolation: LAYERS.filter((layer) => (form.isolation ?? RUNTIME_LAYERS).includes(layer)),
    canonicalNans: form.deterministic ?? false,
  };
}

function ownTermsOf2021(form) {
  const { year, month, day, hour, minute } = form.enclave_cert_expiry;
  const time = new Date(Date.UTC(2000, month - 1, day, hour, minute));
  time.setUTCFullYear(year, month - 1, day);
  const parts = [time.getUTCFullYear(), time.getUTCMonth() + 1, time.getUTCDate(),
    time.getUTCHours(), time.getUTCMinutes()];
  if (year < 1 || year > 9999 || String(parts) !== String([year, month, day, hour, minute])) {
    refuse("$.enclave_cert_expiry is no time");
  }
  const digest = /^[0-9a-f]{64}$/;
  if (!digest.test(form.pi_hash)) refuse("$.pi_hash is not a digest");
  const platforms = new Map();
  for (const [name, field, size] of PLATFORMS_2021) {
    const text = form[field] ?? null;
    if (text === null) continue;
    if (text.length !== 2 * size || !/^[0-9a-fA-F]+$/.test(text)) {
      refuse(`$.${field} is not a measurement`);
    }
    platforms.set(name, [text.toLowerCase()]);
  }
  if (!SUITES_2021.includes(form.ciphersuite)) refuse("$.ciphersuite cannot be used");
  return {
    tabascoKey: null,
    program: form.pi_hash,
    platforms,
    pinned: new Map(),
    isolation: [],
    canonicalNans: true,
  };
}

function checkConduct(form, identities) {
  const everybody = identities.map((each) => each.id);
  const readers = identities.filter((each) => each.roles.includes("ResultReader"));
  const ids = new Map(identities.filter((each) => each.name).map((each) => [each.name, each.id]));
  checkAgreement(form.next_round ?? "any", readers.map((each) => each.id), ids, "$.next_round");
  checkAgreement(form.consent ?? "any", everybody, ids, "$.consent");
  const { inputs = null, streams = null, result = {} } = form;
  checkPlaces(inputs, form.data_provision_order, "$.inputs");
  checkPlaces(streams, form.streaming_order, "$.streams");
  if (!isPrintable(result.type ?? "opaque")) refuse("$.result.type has line ends or tabs");
  const givers = new Set([...form.data_provision_order, ...form.streaming_order]);
  if ((result.contributors ?? 0) > givers.size) refuse("$.result.contributors can never be met");
  if (result.privacy) checkPrivacy(result.privacy);
}

function checkAgreement(form, pool, ids, path) {
  if (form === "any" || form === "all") return;
  const named = Array.isArray(form) ? form : form.of;
  const found = new Set(named.map((who) => (typeof who === "string" ? ids.get(who) : who)));
  if (found.size !== named.length) refuse(`${path}: somebody appears twice`);
  if ([...found].some((id) => !pool.includes(id))) refuse(`${path}: somebody has no say`);
  if (!Array.isArray(form) && form.least > found.size) refuse(`${path} can never be met`);
}

function checkPlaces(entries, order, path) {
  if (entries === null) return;
  if (entries.length !== order.length) refuse(`${path} has ${entries.length} entries`);
  const names = entries.map((each) => each.name ?? "").filter(Boolean);
  if (new Set(names).size !== names.length || !names.every((name) => NAME.test(name))) {
    refuse(`${path} has a name that is none, or one twice`);
  }
  if (!entries.every((each) => isPrintable(each.type ?? "opaque"))) {
    refuse(`${path} has a type with line ends or tabs`);
  }
}

function checkPrivacy(form) {
  const numbers = Object.fromEntries(
    ["epsilon", "delta", "total_epsilon", "total_delta", "sensitivity"].map((name) => [
      name,
      decimalOf(form[name] ?? "0"),
    ]),
  );
  const gaussian = form.mechanism === "gaussian";
  const one = 10n ** SCALE;
  const held = numbers.epsilon > 0n && numbers.sensitivity > 0n
    && numbers.delta > 0n === gaussian && numbers.delta < one
    && numbers.epsilon <= numbers.total_epsilon && numbers.delta <= numbers.total_delta;
  if (!held) refuse("$.result.privacy can never be met");
}

const SCALE = 120n;

/** A decimal number such as 1e-6, times 10 to the power of `SCALE`. */
function decimalOf(text) {
  const [, whole, fraction = "", power = "0"] = /^([0-9]+)(?:\.([0-9]+))?(?:e-([0-9]+))?$/.exec(text);
  const scale = SCALE - BigInt(fraction.length) - BigInt(power);
  const number = BigInt(whole + fraction) * 10n ** scale;
  if (number % 10n ** (SCALE - 40n)) refuse("a number has more than 40 decimal places");
  return number;
}
