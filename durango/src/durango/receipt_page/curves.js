// ECDSA on the curves that no browser has, for signatures that are public: y² = x³ + ax + b over p.

// By identifier: p, a, b, the base point (x, then y) and its order, as RFC 5639 and SEC 2 give them.
const OTHER_CURVES = {
  "2b8104000a": curveOf( // secp256k1
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
    "0",
    "7",
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
      "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
  ),
  "2b2403030208010107": curveOf( // brainpoolP256r1
    "a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
    "7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
    "26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
    "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262" +
      "547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
    "a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7",
  ),
  "2b240303020801010b": curveOf( // brainpoolP384r1
    "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53",
    "7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826",
    "04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11",
    "1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e" +
      "8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315",
    "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565",
  ),
  "2b240303020801010d": curveOf( // brainpoolP512r1
    "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
    "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca",
    "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723",
    "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822" +
      "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892",
    "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069",
  ),
};

function curveOf(p, a, b, base, order) {
  const [prime, first, second, n] = [p, a, b, order].map((each) => BigInt(`0x${each}`));
  const half = base.length / 2;
  const [x, y] = [base.slice(0, half), base.slice(half)].map((each) => BigInt(`0x${each}`));
  return { p: prime, a: first, b: second, base: { x, y }, n, size: half / 2 };
}

function numberOf(bytes) {
  return BigInt(`0x${hex(bytes) || "0"}`);
}

function modulo(number, by) {
  const rest = number % by;
  return rest < 0n ? rest + by : rest;
}

function inverse(number, by) {
  let [one, other, before, after] = [modulo(number, by), by, 1n, 0n];
  while (one) {
    const times = other / one;
    [one, other, before, after] = [other - times * one, one, after - times * before, before];
  }
  return modulo(after, by);
}

/** The point that a key says, of which a damaged one is on no curve. */
function pointOn({ p, a, b, size }, bits) {
  if (bits.length !== 1 + 2 * size || bits[0] !== 4) refuse("its key is damaged");
  const [x, y] = [bits.subarray(1, 1 + size), bits.subarray(1 + size)].map(numberOf);
  if (x >= p || y >= p || modulo(y * y - x * x * x - a * x - b, p)) refuse("its key is damaged");
  return { x, y };
}

/** The sum of two points; null is the one at infinity. */
function added({ p, a }, one, other) {
  if (!one || !other) return one ?? other;
  if (one.x === other.x && modulo(one.y + other.y, p) === 0n) return null;
  const slope = one.x === other.x
    ? (3n * one.x * one.x + a) * inverse(2n * one.y, p)
    : (other.y - one.y) * inverse(other.x - one.x, p);
  const x = modulo(slope * slope - one.x - other.x, p);
  return { x, y: modulo(slope * (one.x - x) - one.y, p) };
}

function times(curve, count, point) {
  let sum = null;
  for (const bit of count.toString(2)) {
    sum = added(curve, sum, sum);
    if (bit === "1") sum = added(curve, sum, point);
  }
  return sum;
}

/** Whether two numbers sign a digest (SEC 1 section 4.1.4); all orders here fill their bytes. */
function signs(curve, point, flat, digest) {
  const { n, size, base } = curve;
  const [r, s] = [flat.subarray(0, size), flat.subarray(size)].map(numberOf);
  if (r < 1n || r >= n || s < 1n || s >= n) return false;
  const by = inverse(s, n);
  const found = added(
    curve,
    times(curve, modulo(numberOf(digest.subarray(0, size)) * by, n), base),
    times(curve, modulo(r * by, n), point),
  );
  return found !== null && modulo(found.x, n) === r;
}
