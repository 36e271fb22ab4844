// Answers questions, one JSON object a line, with libraries that know nothing of the broker:
// RFC 9421 by http-message-signatures, Ed25519 by @noble/ed25519, RFC 8785 by canonicalize.
import { createInterface } from "node:readline";
import { createHash } from "node:crypto";
import * as ed from "@noble/ed25519";
import canonicalize from "canonicalize";
import { httpbis } from "http-message-signatures";

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const base64 = (data) => Buffer.from(data).toString("base64");
const plain = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

const answers = {
  // A request as an agent in JavaScript would sign it.
  async sign({ seed, keyid, method, url, body, created, lasts, nonce }) {
    const headers = body === null ? {} : {
      "Content-Type": "application/json",
      "Content-Digest": `sha-256=:${createHash("sha256").update(body).digest("base64")}:`,
    };
    const signed = await httpbis.signMessage({
      key: { id: keyid, alg: "ed25519", sign: async (data) => Buffer.from(await ed.signAsync(data, bytes(seed))) },
      name: "sig1",
      fields: ["@method", "@target-uri", ...(body === null ? [] : ["content-digest"])],
      params: ["created", "expires", "nonce", "keyid", "alg", "tag"],
      paramValues: {
        created: new Date(created * 1000),
        expires: new Date((created + lasts) * 1000),
        nonce,
        tag: "ainp",
      },
    }, { method, url, headers });
    return plain(signed.headers);
  },

  // A request as our SDK has signed it.
  async verify({ key, method, url, headers }) {
    return await httpbis.verifyMessage({
      keyLookup: async (parameters) => ({
        id: parameters.keyid,
        algs: ["ed25519"],
        verify: async (data, signature) => ed.verifyAsync(signature, data, bytes(key), { zip215: false }),
      }),
      requiredParams: ["created", "expires", "nonce", "keyid", "tag"],
      requiredFields: ["@method", "@target-uri"],
    }, { method, url, headers });
  },

  async canonical({ json }) {
    return canonicalize(JSON.parse(json));
  },

  // What an agent says, signed over its canonical JSON.
  async statement({ seed, members }) {
    return base64(await ed.signAsync(Buffer.from(canonicalize(members)), bytes(seed)));
  },

  async holds({ key, members, signature }) {
    const data = Buffer.from(canonicalize(members));
    return await ed.verifyAsync(Uint8Array.from(Buffer.from(signature, "base64")), data, bytes(key), { zip215: false });
  },

  // An envelope as the TypeScript SDK signs it: its own members sorted, the nested ones in their order.
  async envelope({ seed, members }) {
    const sorted = Object.fromEntries(Object.keys(members).sort().map((name) => [name, members[name]]));
    const signature = await ed.signAsync(Buffer.from(JSON.stringify(sorted)), bytes(seed));
    return JSON.stringify({ ...members, sig: base64(signature) });
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { ask, ...given } = JSON.parse(line);
  let said;
  try {
    said = { answer: await answers[ask](given) };
  } catch (error) {
    said = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
