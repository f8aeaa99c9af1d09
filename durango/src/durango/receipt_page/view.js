// What is seen. Everything that a bundle says is text, never markup.

function element(name, { text, className, children = [] } = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function table(head, rows, caption) {
  const cell = (name) => (text) => element(name, { text: String(text) });
  const rowOf = (cells) => {
    const [first, ...others] = cells.map((each, index) => cell(index ? "td" : "th")(each));
    first.scope = "row";
    return element("tr", { children: [first, ...others] });
  };
  const titles = head.map((text) => {
    const made = cell("th")(text);
    made.scope = "col";
    return made;
  });
  const parts = [element("caption", { text: caption })];
  if (head.length) {
    parts.push(element("thead", { children: [element("tr", { children: titles })] }));
  }
  parts.push(element("tbody", { children: rows.map(rowOf) }));
  const frame = element("div", {
    className: "wide",
    children: [element("table", { children: parts })],
  });
  frame.tabIndex = 0; // so that the keyboard can move what is wider than the page
  return frame;
}

function receiptRows(receipt, policy) {
  const { details } = receipt;
  const rows = [
    ["round", receipt.round],
    ["program", hex(receipt.program)],
    ["engine", `${receipt.engine}, ${receipt.strategy}`],
  ];
  if (!receipt.first) {
    rows.unshift(["ended", receipt.end]);
    rows.push(
      ["attempt", receipt.attempt],
      ["may have the result", receipt.readers.map(policy.named).join(", ")],
      ["measurement", hex(receipt.measurement)],
      ["isolation", receipt.isolation.join(", ") || "no layer"],
      ["debugging", receipt.debug ? "on: the program's provider learns what it says" : "off"],
      ["bits of NaNs", nansOf(receipt.canonicalNans)],
      ["the host's clock said", `${moment(receipt.hostTime)} (nobody vouches for it)`],
    );
    if (receipt.seed) rows.push(["seed", hex(receipt.seed)]);
    if (receipt.privacy) rows.push(...receipt.privacy.map(([name, each]) => [name, each]));
  }
  if (details === null) {
    rows.push(["return code, result, duration", "not told: the receipt is closed"]);
    return rows;
  }
  if (details.code !== null) rows.push(["return code", details.code]);
  rows.push(["result (SHA-256)", details.output ? hex(details.output) : "none"]);
  if (details.runMs !== null) rows.push(["duration", `${details.runMs} ms`]);
  if (details.fuel !== null) rows.push(["fuel", details.fuel]);
  return rows;
}

function receiptView(receipt, policy) {
  const name = receipt.first ? `Round ${receipt.round}` : `Receipt ${receipt.number}`;
  const inputs = receipt.inputs.map((each) => [
    policy.named(each.client),
    `${each.kind} ${each.number}`,
    hex(each.commitment),
  ]);
  const parts = [table([], receiptRows(receipt, policy), "What the isolate did")];
  if (inputs.length) {
    parts.push(table(["from", "input", "commitment"], inputs, "What the program saw, in order"));
  }
  return element("details", { children: [element("summary", { text: name }), ...parts] });
}

async function trustLines(found, own) {
  const lines = [];
  if (!own.policy) {
    lines.push(`policy ${hex(found.policy.digest)}, as the bundle has it. Compare this digest with `
      + "the policy that you agreed to, or choose your own policy file above.");
  }
  if (!own.tabascoKey && !(own.policy && found.policy.current)) {
    lines.push(`Tabasco's key ${hex(await sha256(found.policy.tabascoKey))}, as the bundle has it. `
      + "Compare this digest with what the attestation service publishes, or choose its key above.");
  }
  if (found.isolate.platform === "linux-software-root") lines.push(`an isolate on ${SOFTWARE_ROOT}.`);
  const [first] = found.receipts;
  if (first.number > 1) {
    lines.push(`nothing about receipts before number ${first.number}, which are not in the bundle.`);
  }
  return lines;
}

async function verdictView(found, own) {
  const count = found.receipts.length;
  const receipts = `${count} receipt${count === 1 ? "" : "s"}`;
  const parts = [
    element("h2", { text: `${receipts} verified: all of it fits together`, className: "good" }),
    element("p", {
      text: `The isolate that was attested for this policy signed ${count === 1 ? "it" : "them"}, `
        + "and no receipt is missing between the first and the last.",
    }),
  ];
  for (const line of found.held) {
    parts.push(element("p", { text: `Also found in it: ${line}.`, className: "good" }));
  }
  const lines = await trustLines(found, own);
  if (lines.length) {
    parts.push(
      element("h3", { text: "This rests on" }),
      element("ul", { children: lines.map((text) => element("li", { text })) }),
    );
  }
  parts.push(
    element("h3", { text: "What it does not prove" }),
    element("ul", { children: NOT_PROVEN.map((text) => element("li", { text })) }),
    element("h3", { text: "Receipts" }),
    ...found.receipts.map((each) => receiptView(each, found.policy)),
    element("h3", { text: "The isolate" }),
    table(["check", "found", "compared with"], found.isolate.checks, "Attestation, step by step"),
  );
  return parts;
}

const NOT_PROVEN = [
  "that an input is true: only that its provider sent exactly this one.",
  "when the runs were: the host's clock is nobody's word but the host's.",
  "that Tabasco is honest: its key signed what is said of the isolate.",
  "that there were no runs after the last of these receipts.",
];

function refusalView(problem) {
  const words = problem instanceof Refused
    ? problem.message
    : `this page failed: ${problem.name}`;
  return [
    element("h2", { text: "Not verified", className: "bad" }),
    element("p", { text: `${words.slice(0, 1).toUpperCase()}${words.slice(1)}.` }),
    element("p", { text: "Believe nothing that the file says." }),
  ];
}

const inputs = Object.fromEntries(
  ["bundle", "policy", "key", "result", "openings"].map((name) => [
    name,
    document.getElementById(name),
  ]),
);

async function bytesOf(input) {
  const [file] = input.files;
  return file ? new Uint8Array(await file.arrayBuffer()) : undefined;
}

async function readOwn() {
  const openings = await Promise.all([...inputs.openings.files].map((file) => file.arrayBuffer()));
  return {
    policy: await bytesOf(inputs.policy),
    tabascoKey: await bytesOf(inputs.key),
    result: await bytesOf(inputs.result),
    openings: openings.map((each) => new Uint8Array(each)),
  };
}

let turn = 0;

async function show() {
  const verdict = document.getElementById("verdict");
  const mine = (turn += 1);
  verdict.replaceChildren();
  if (!inputs.bundle.files.length) return;
  verdict.setAttribute("aria-busy", "true");
  let parts;
  try {
    if (!globalThis.crypto?.subtle) refuse("this browser has no WebCrypto for files: take another");
    const own = await readOwn();
    parts = await verdictView(await verifyBundle(await bytesOf(inputs.bundle), own), own);
  } catch (problem) {
    parts = refusalView(problem);
  }
  if (mine !== turn) return; // another file was chosen meanwhile
  verdict.replaceChildren(...parts);
  verdict.setAttribute("aria-busy", "false");
  verdict.focus();
}

Object.values(inputs).forEach((input) => input.addEventListener("change", show));
