// The script of TestEngine. Line numbers are expected there.
export async function greet({ params, octopus }) {
  console.warn("hi", params, 12n);
  return octopus.ok(`Hello, ${params.name} ü€𝄞.`);
}

export const checkAll = () => ({ status_code: 200, message: "camel" });

export async function everything({ octopus }) {
  const n = (await octopus.kv.get("a")) + 1;
  const answer = await octopus.http.fetch("https://example.com/");
  const text = octopus.text(octopus.unbase64("aMOkbA=="));
  const gone = (await octopus.kv.get("b")) === undefined;
  return octopus.ok(`${n} ${answer.json().x} ${text} ${octopus.base64("häl")} ${gone}`);
}

export const plain = () => ({ status_code: 201, message: "made" });

export function boom() {
  return nothere.x;
}

export function throws() {
  throw "a string";
}

async function inner() {
  throw new TypeError("later");
}

export async function later() { await inner(); }
export async function floating() { Promise.reject(new TypeError("lost")); return plain(); }
export async function hangs() { await new Promise(() => {}); }

export function deep() {
  return deep() + 1;
}

export function hog() {
  const kept = [];
  for (;;) {
    kept.push(new Array(1000).fill(1));
  }
}

export async function denied({ octopus }) {
  await octopus.secret.get("a")
    .then(() => {});
}

export async function caught({ octopus }) {
  try {
    await octopus.http.fetch("https://example.org/");
  } catch (e) {
    return octopus.failWith(e);
  }
}

export function nothing() {}
export const word = () => "done";
export const nostatus = () => ({ status: 200 });
export const big = () => ({ status_code: 200, message: "x", result: 1n });

export function garbage() {
  for (let i = 0; i < 5e4; i++) {
    const a = {};
    a.b = { a, text: "x".repeat(400) + i };
  }
  return { status_code: 200, message: "swept" };
}

export const bare = () => ({
  status_code: 200,
  message: [typeof setTimeout, typeof require, typeof process, typeof fetch].join(" "),
});
