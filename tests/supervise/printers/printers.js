// Prints each value as Node does. The values' names are the arguments.
const querystring = require("querystring");
const url = require("url");
const util = require("util");

const at = (change) => (v) => {
  const one = new URL("http://user@host/");
  change(one, v);
  return one.href;
};
const printers = {
  "console.log": (v) => util.format(v),
  "JSON.stringify": (v) => JSON.stringify(v),
  "JSON.stringify, indented": (v) => JSON.stringify({ a: { b: v } }, null, 2),
  "JSON in JSON": (v) => JSON.stringify({ a: JSON.stringify({ b: v }) }),
  "console.log of an object": (v) => util.inspect({ a: v }, { breakLength: Infinity }),
  "console.log of an object, 80 columns": (v) => util.inspect({ a: v }),
  "%j": (v) => util.format("%j", { a: v }),
  "%o": (v) => util.format("%o", v),
  "URL: password": at((one, v) => (one.password = v)),
  "URL: path": at((one, v) => (one.pathname = v)),
  "URL: query": at((one, v) => (one.search = v)),
  "URL: fragment": at((one, v) => (one.hash = v)),
  "URL: searchParams": at((one, v) => one.searchParams.set("a", v)),
  "url.format: auth": (v) => url.format({ host: "host", protocol: "http", auth: "user:" + v }),
  encodeURI: encodeURI,
  encodeURIComponent: encodeURIComponent,
  escape: escape,
  "querystring.stringify": (v) => querystring.stringify({ a: v }),
  "Buffer: base64": (v) => Buffer.from("a" + v).toString("base64"),
  "Buffer: base64url": (v) => Buffer.from(v).toString("base64url"),
  "Buffer: hex": (v) => Buffer.from(v).toString("hex"),
  "console.log of a Buffer": (v) => util.inspect(Buffer.from(v)),
  "Error: stack": (v) => new Error(v).stack.split("\n    at ")[0],
};
let out = "";
for (const name of process.argv.slice(2)) {
  for (const [printer, print] of Object.entries(printers)) {
    out += `\n=-=-=Node: ${printer} ${name}=-=-=\n` + print(process.env[name]);
  }
}
process.stdout.write(out);
