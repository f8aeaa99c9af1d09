// JSON, read strictly (RFC 8259, RFC 7493): no name twice, whole numbers kept apart from others.
//
// Objects are Map, numbers with a fraction or an exponent CborFloat, large integers BigInt.

class JsonReader {
  constructor(text) {
    Object.assign(this, { text, at: 0 });
  }

  space() {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at += 1;
  }

  expect(sign) {
    if (this.text[this.at] !== sign) refuse(`is not JSON: ${sign} is missing`);
    this.at += 1;
  }

  matched(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  value(depth) {
    this.space();
    const found = this.bare(depth);
    this.space();
    return found;
  }

  bare(depth) {
    const sign = this.text[this.at];
    if (sign === "{" || sign === "[") {
      if (depth === 16) refuse("is nested deeper than 16");
      this.at += 1;
      return sign === "{" ? this.object(depth + 1) : this.array(depth + 1);
    }
    if (sign === '"') return this.string();
    const literal = this.matched(/true|false|null/y);
    if (literal) return JSON.parse(literal[0]);
    const number = this.matched(/-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y);
    if (!number) return refuse("is not JSON");
    if (number[1] === undefined && number[2] === undefined) {
      if (number[0].replace("-", "").length > 20) refuse("has an integer of over 20 digits");
      return narrow(BigInt(number[0]));
    }
    if (!Number.isFinite(Number(number[0]))) refuse("has a number beyond f64");
    return new CborFloat(Number(number[0]));
  }

  string() {
    // eslint-disable-next-line no-control-regex -- those are what may not stand there
    const found = this.matched(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/y);
    if (!found) refuse("is not JSON: a string does not end or has signs that have to be escaped");
    const text = JSON.parse(found[0]);
    if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)) {
      refuse("has text that is not Unicode");
    }
    return text;
  }

  object(depth) {
    const found = new Map();
    this.space();
    while (this.text[this.at] !== "}") {
      if (found.size) this.expect(",");
      this.space();
      const name = this.string();
      this.space();
      this.expect(":");
      if (found.has(name)) refuse(`has ${printable(name, 80)} twice in one object`);
      found.set(name, this.value(depth));
    }
    this.at += 1;
    return found;
  }

  array(depth) {
    const found = [];
    this.space();
    while (this.text[this.at] !== "]") {
      if (found.length) this.expect(",");
      found.push(this.value(depth));
    }
    this.at += 1;
    return found;
  }
}

function parseJson(text) {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  if (reader.at !== text.length) refuse("has something behind its value");
  return value;
}

/** JSON values of this page's own, as plain objects. */
function plain(value) {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, each]) => [name, plain(each)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

const KINDS = {
  object: (value) => value instanceof Map,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  integer: isInteger,
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
};

/** Refuse a value that does not fit a JSON Schema; the part of the language that ours use. */
function fit(value, schema, all, path = "$") {
  const problem = misfit(value, schema, all);
  if (problem) refuse(`${path}${problem.path}: ${problem.words}`);
}

function misfit(value, schema, all) {
  if (schema.$ref) return misfit(value, all.$defs[schema.$ref.split("/").pop()], all);
  const wrong = (words) => ({ path: "", words });
  if (schema.type && !KINDS[schema.type](value)) return wrong(`is not of type ${schema.type}`);
  if (schema.const !== undefined && value !== schema.const) return wrong(`is not ${schema.const}`);
  if (schema.enum && !schema.enum.includes(value)) {
    return wrong(`is none of ${schema.enum.join(", ")}`);
  }
  if (isInteger(value) && (value < schema.minimum || value > schema.maximum)) {
    return wrong("is out of range");
  }
  if (typeof value === "string" && schema.pattern
    && !new RegExp(schema.pattern, "u").test(value)) return wrong("does not have its form");
  return misfitOfParts(value, schema, all)
    ?? (schema.anyOf && misfitOfChoices(value, schema.anyOf, all))
    ?? (schema.allOf ?? []).map((each) => misfit(value, each, all)).find(Boolean)
    ?? (schema.not && !misfit(value, schema.not, all) ? wrong("is not allowed") : undefined)
    ?? (schema.if && !misfit(value, schema.if, all) ? misfit(value, schema.then, all) : undefined);
}

function misfitOfChoices(value, choices, all) {
  const problems = choices.map((each) => misfit(value, each, all));
  return problems.every(Boolean) ? problems[0] : undefined;
}

function misfitOfParts(value, schema, all) {
  if (value instanceof Map) return misfitOfMembers(value, schema, all);
  if (!Array.isArray(value)) return undefined;
  if (value.length < schema.minItems) return { path: "", words: "has too few entries" };
  if (schema.uniqueItems && new Set(value).size < value.length) {
    return { path: "", words: "has an entry twice" };
  }
  if (schema.contains) {
    const count = value.filter((each) => !misfit(each, schema.contains, all)).length;
    if (count < 1 || count > (schema.maxContains ?? count)) {
      return { path: "", words: "has too few or too many entries of a kind" };
    }
  }
  return within(schema.items ? value.map((each, index) => [`[${index}]`, each, schema.items]) : [],
    all);
}

function misfitOfMembers(value, schema, all) {
  const missing = (schema.required ?? []).find((name) => !value.has(name));
  if (missing !== undefined) return { path: "", words: `${missing} is missing` };
  if (value.size < schema.minProperties) return { path: "", words: "has too few members" };
  const known = schema.properties ?? {};
  const unknown = [...value.keys()].find((name) => !Object.hasOwn(known, name));
  if (schema.additionalProperties === false && unknown !== undefined) {
    return { path: "", words: `${printable(unknown, 80)} is not known` };
  }
  const named = [...value].filter(([name]) => Object.hasOwn(known, name));
  return within(named.map(([name, each]) => [`.${name}`, each, known[name]]), all);
}

function within(parts, all) {
  for (const [path, value, schema] of parts) {
    const problem = misfit(value, schema, all);
    if (problem) return { path: `${path}${problem.path}`, words: problem.words };
  }
  return undefined;
}
