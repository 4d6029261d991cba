// json-transform takes JSON through steps: get, filter, map, pick, drop,
// rename, sort, unique, flatten, limit and group. README.md tells the
// expressions that they are given.

const MOST = 16 << 20; // bytes of a file
const SHOWN = 1 << 20; // characters of a value in the result

/** A mistake in the parameters, or in the data, that the caller can mend. */
class Mistake extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export async function transform({ params, octopus }) {
  try {
    let value = await input(params, octopus);
    (params.steps ?? []).forEach((step, i) => {
      value = at(`step ${i + 1}`, () => apply(step, value));
    });
    return answer(params, octopus, value);
  } catch (e) {
    if (e instanceof Mistake) return octopus.fail(e.code === "invalid_params" ? 400 : 422, e.message).withCode(e.code).withRetry(false);
    throw e;
  }
}

async function input(params, octopus) {
  const given = ["input", "text", "path"].filter((name) => params[name] !== undefined);
  if (given.length !== 1) throw new Mistake("invalid_params", "Give one of input, text and path.");
  if (given[0] === "input") return params.input;
  const text = params.text ?? (await read(params.path, octopus));
  try {
    if (!params.lines) return JSON.parse(text);
  } catch (e) {
    throw new Mistake("no_json", `${params.path ?? "The text"} is no JSON: ${e.message}. For a value in each line set lines.`);
  }
  return text.split("\n").flatMap((line, i) => {
    try {
      return line.trim() === "" ? [] : [JSON.parse(line)];
    } catch (e) {
      throw new Mistake("no_json", `${params.path ?? "The text"}, line ${i + 1} is no JSON: ${e.message}.`);
    }
  });
}

async function read(path, octopus) {
  const pieces = [];
  for (let offset = 0, end = false; !end; ) {
    const page = await octopus.call("file.read", { path, offset, max_bytes: 1 << 20 });
    if (page.size > MOST) throw new Mistake("too_large", `${path} has ${page.size} bytes; at most ${MOST} are read.`);
    if (page.body_base64) throw new Mistake("no_json", `${path} is no UTF-8 text.`);
    pieces.push(page.body ?? "");
    offset += page.bytes;
    end = page.eof || page.bytes === 0;
  }
  return pieces.join("").replace(/^\ufeff/, "");
}

function answer(params, octopus, value) {
  const count = Array.isArray(value) ? value.length : value === null || value === undefined ? 0 : 1;
  const written = JSON.stringify(value ?? null, null, 2) + "\n";
  const result = { value: value ?? null, count };
  if (written.length > SHOWN && !params.save_as) throw new Mistake("too_large", `The value has ${written.length} characters. Take less of it, or keep it in a file with save_as.`);
  if (written.length > SHOWN) delete result.value;
  let response;
  if (count < (params.at_least ?? 0)) response = octopus.fail(502, `${count} of at least ${params.at_least} values.`).withCode("too_few").withRetry(false);
  else if (count > (params.at_most ?? Infinity)) response = octopus.fail(502, `${count} values, more than ${params.at_most}.`).withCode("too_many").withRetry(false);
  else response = octopus.ok(`${count} value${count === 1 ? "" : "s"}${params.save_as ? `, saved as ${params.save_as}` : ""}.`);
  if (params.save_as) response = response.withFile(params.save_as, written);
  return response.withResult(result).withMetric("count", count);
}

// ---- Steps ----

function apply(step, value) {
  const names = Object.keys(step ?? {});
  const run = names.length === 1 && Object.hasOwn(steps, names[0]) ? steps[names[0]] : null;
  if (!run) throw new Mistake("invalid_params", `a step has one of: ${Object.keys(steps).join(", ")}; this one has ${names.join(", ") || "none"}.`);
  return at(names[0], () => run(step[names[0]], value));
}

/** Runs something, and says where a mistake in it is. */
function at(where, run) {
  try {
    return run();
  } catch (e) {
    throw e instanceof Mistake ? new Mistake(e.code, `${where}: ${e.message}`) : e;
  }
}

const steps = {
  get: (text, value) => compile(text)(value),
  filter: (text, value) => {
    const test = compile(text);
    return list(value).filter((v) => truth(test(v)));
  },
  map: (what, value) => {
    const make = shape(what);
    return Array.isArray(value) ? value.map((v) => make(v)) : make(value);
  },
  pick: (paths, value) => each(value, (v) => Object.fromEntries(names(paths).map((p) => [p.split(".").at(-1), compile(p)(v)]).filter((m) => m[1] !== undefined))),
  drop: (keys, value) => each(value, (v) => Object.fromEntries(Object.entries(v).filter(([k]) => !names(keys).includes(k)))),
  rename: (to, value) => each(value, (v) => Object.fromEntries(Object.entries(v).map(([k, w]) => [Object.hasOwn(to, k) ? String(to[k]) : k, w]))),
  sort: (how, value) => {
    const by = compile(typeof how === "string" ? how : how?.by);
    const sign = how?.descending ? -1 : 1;
    return list(value).map((v) => [by(v), v]).sort((a, b) => sign * compare(a[0], b[0])).map((pair) => pair[1]);
  },
  unique: (text, value) => {
    const by = compile(text === true ? "@" : text);
    const seen = new Set();
    return list(value).filter((v) => {
      const key = JSON.stringify(by(v)) ?? "";
      return seen.has(key) ? false : seen.add(key);
    });
  },
  flatten: (_, value) => list(value).flat(),
  limit: (n, value) => list(value).slice(0, whole(n)),
  group: ({ by, into } = {}, value) => {
    const key = compile(by);
    const make = shape(into ?? { key: by, count: "count()" });
    const groups = new Map();
    for (const v of list(value)) {
      const name = JSON.stringify(key(v)) ?? "null";
      groups.has(name) ? groups.get(name).push(v) : groups.set(name, [v]);
    }
    return [...groups.values()].map((members) => make(members[0], members));
  },
};

function list(value) {
  if (!Array.isArray(value)) throw new Mistake("wrong_type", `it needs a list, and found ${kind(value)}. Go to one with get.`);
  return value;
}

function each(value, change) {
  if (Array.isArray(value)) return value.map((v) => each(v, change));
  if (kind(value) !== "an object") throw new Mistake("wrong_type", `it needs objects, and found ${kind(value)}.`);
  return change(value);
}

function names(value) {
  const all = typeof value === "string" ? [value] : value;
  if (!Array.isArray(all) || !all.every((v) => typeof v === "string")) throw new Mistake("invalid_params", "it takes a list of names.");
  return all;
}

function whole(n) {
  if (!Number.isInteger(n) || n < 0) throw new Mistake("invalid_params", "it takes a whole number.");
  return n;
}

const kind = (v) => (v === null || v === undefined ? "nothing" : Array.isArray(v) ? "a list" : typeof v === "object" ? "an object" : `a ${typeof v}`);

/** What map and group make: one value, or an object of some. */
function shape(what) {
  if (kind(what) !== "an object") return compile(what);
  const members = Object.entries(what).map(([name, text]) => [name, at(name, () => compile(text))]);
  return (v, group) => Object.fromEntries(members.map(([name, make]) => [name, make(v, group) ?? null]));
}

// ---- Expressions ----

const TOKEN = /\s*(?:(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<name>[A-Za-z_$][\w$]*)|(?<sign>==|!=|<=|>=|[-+*\/%<>~()[\].,@]))/y;

function tokens(text) {
  if (typeof text !== "string" || text.trim() === "") throw new Mistake("invalid_params", "it takes an expression, such as price > 10.");
  const found = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.trimEnd().length; ) {
    const from = TOKEN.lastIndex;
    const m = TOKEN.exec(text);
    if (!m) throw new Mistake("invalid_params", `${text}: character ${from + 1} is no part of an expression.`);
    const [type, raw] = Object.entries(m.groups).find(([, v]) => v !== undefined);
    found.push({ type, raw, at: TOKEN.lastIndex - raw.length });
  }
  return found;
}

/** Compiles an expression to a function of a value and, in group, its group. */
function compile(text) {
  const all = tokens(text);
  let i = 0;
  const depth = { now: 0 };
  const peek = () => all[i]?.raw;
  const is = (raw) => all[i]?.raw === raw && all[i].type !== "string";
  const eat = (raw) => is(raw) && ++i > 0;
  const wrong = (what) => new Mistake("invalid_params", `${text}: ${what} at character ${(all[i]?.at ?? text.length) + 1}.`);
  const need = (raw) => {
    if (!eat(raw)) throw wrong(`${raw} is missing`);
  };
  const binary = (next, operators) => () => {
    let left = next();
    while (i < all.length && all[i].type !== "string" && Object.hasOwn(operators, peek())) {
      const o = operators[all[i++].raw];
      const [a, b] = [left, next()];
      left = (v, g) => o(a, b, v, g);
    }
    return left;
  };
  const primary = () => {
    const t = all[i];
    if (!t) throw wrong("something is missing");
    if (++depth.now > 100) throw wrong("it is nested too deep");
    try {
      if (eat("(")) {
        const inner = expression();
        need(")");
        return follow(inner);
      }
      if (eat("-")) {
        const inner = primary();
        return (v, g) => -number(inner(v, g));
      }
      i++;
      if (t.type === "number") return () => Number(t.raw);
      if (t.type === "string") return constant(unquote(t.raw));
      if (t.raw === "@") return follow((v) => v);
      if (t.type !== "name") throw (i--, wrong(`${t.raw} is not expected`));
      if (is("(")) return follow(call(t.raw));
      if (Object.hasOwn(WORDS, t.raw)) return constant(WORDS[t.raw]);
      return follow((v) => member(v, t.raw));
    } finally {
      depth.now--;
    }
  };
  const constant = (c) => () => c;
  // follow is what may follow a value: .name, [2] and ["name"].
  const follow = (from) => {
    for (;;) {
      const inner = from;
      if (eat(".")) {
        const name = all[i++];
        if (name?.type !== "name") throw (i--, wrong("a name is missing"));
        from = (v, g) => member(inner(v, g), name.raw);
      } else if (eat("[")) {
        const key = expression();
        need("]");
        from = (v, g) => member(inner(v, g), key(v, g));
      } else return from;
    }
  };
  const call = (name) => {
    const run = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : null;
    if (!run) throw (i--, wrong(`there is no function ${name}; there are ${Object.keys(FUNCTIONS).join(", ")},`));
    need("(");
    const args = [];
    while (!is(")")) {
      args.push(expression());
      if (!eat(",")) break;
    }
    need(")");
    return (v, g) => run(args, v, g);
  };
  const product = binary(primary, PRODUCTS);
  const sum = binary(product, SUMS);
  const relation = binary(sum, RELATIONS);
  const negation = () => {
    if (!eat("not")) return relation();
    const inner = negation();
    return (v, g) => !truth(inner(v, g));
  };
  const both = binary(negation, { and: (a, b, v, g) => truth(a(v, g)) && truth(b(v, g)) });
  const expression = binary(both, { or: (a, b, v, g) => truth(a(v, g)) || truth(b(v, g)) });
  const made = expression();
  if (i < all.length) throw wrong(`${peek()} is not expected`);
  return made;
}

const WORDS = { true: true, false: false, null: null };

const unquote = (raw) => raw.slice(1, -1).replace(/\\(.)/g, (_, c) => ({ n: "\n", t: "\t" })[c] ?? c);

const truth = (v) => v !== undefined && v !== null && v !== false && v !== 0 && v !== "";

const same = (a, b) => a === b || ((a ?? null) === null && (b ?? null) === null) || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));

function member(v, key) {
  if (Array.isArray(v)) {
    if (typeof key === "number") return v.at(key);
    return v.map((e) => member(e, key)).filter((e) => e !== undefined);
  }
  return kind(v) === "an object" && Object.hasOwn(v, key) ? v[key] : undefined;
}

function number(v) {
  if (typeof v === "number") return v;
  const n = typeof v === "string" && v.trim() !== "" ? Number(v) : NaN;
  if (Number.isNaN(n)) throw new Mistake("wrong_type", `${JSON.stringify(v ?? null)} is no number.`);
  return n;
}

/** Orders nothing before numbers, those before texts, and others last. */
function compare(a, b) {
  const rank = (v) => (v === undefined || v === null ? 0 : typeof v === "number" ? 1 : typeof v === "string" ? 2 : 3);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) === 3) [a, b] = [JSON.stringify(a), JSON.stringify(b)];
  return a < b ? -1 : a > b ? 1 : 0;
}

const text = (v) => (v === undefined || v === null ? "" : typeof v === "string" ? v : JSON.stringify(v));

function matcher(source) {
  try {
    return new RegExp(text(source), "u");
  } catch (e) {
    throw new Mistake("invalid_params", `${source} is no regular expression: ${e.message}.`);
  }
}

const SUMS = {
  "+": (a, b, v, g) => {
    const [x, y] = [a(v, g), b(v, g)];
    return typeof x === "number" && typeof y === "number" ? x + y : text(x) + text(y);
  },
  "-": (a, b, v, g) => number(a(v, g)) - number(b(v, g)),
};

const PRODUCTS = {
  "*": (a, b, v, g) => number(a(v, g)) * number(b(v, g)),
  "/": (a, b, v, g) => number(a(v, g)) / number(b(v, g)),
  "%": (a, b, v, g) => number(a(v, g)) % number(b(v, g)),
};

// Values of different types are never less or greater: a comparison is false.
const ordered = (test) => (a, b, v, g) => {
  const [x, y] = [a(v, g), b(v, g)];
  return typeof x === typeof y && (typeof x === "number" || typeof x === "string") && test(compare(x, y));
};

const RELATIONS = {
  "==": (a, b, v, g) => same(a(v, g), b(v, g)),
  "!=": (a, b, v, g) => !same(a(v, g), b(v, g)),
  "<": ordered((c) => c < 0),
  "<=": ordered((c) => c <= 0),
  ">": ordered((c) => c > 0),
  ">=": ordered((c) => c >= 0),
  "~": (a, b, v, g) => matcher(b(v, g)).test(text(a(v, g))),
  in: (a, b, v, g) => {
    const [x, all] = [a(v, g), b(v, g)];
    return Array.isArray(all) && all.some((e) => same(e, x));
  },
};

/** The values of an argument: for each of a group, else of a list. */
function several([argument], v, g) {
  if (g) return g.map((e) => argument(e)).filter((e) => e !== undefined && e !== null);
  const found = argument(v);
  return (Array.isArray(found) ? found : [found]).filter((e) => e !== undefined && e !== null);
}

const total = (all) => all.reduce((n, e) => n + number(e), 0);
const best = (sign) => (args, v, g) => several(args, v, g).reduce((m, e) => (m === undefined || sign * compare(e, m) < 0 ? e : m), undefined);
const first = (f) => (args, v, g) => f(...args.map((a) => a(v, g)));

const FUNCTIONS = {
  count: (args, v, g) => (args.length > 0 ? several(args, v, g).length : (g ?? list(v)).length),
  sum: (args, v, g) => total(several(args, v, g)),
  avg: (args, v, g) => {
    const all = several(args, v, g);
    return all.length > 0 ? total(all) / all.length : null;
  },
  min: best(1),
  max: best(-1),
  list: (args, v, g) => several(args, v, g),
  first: (args, v, g) => several(args, v, g)[0],
  length: first((x) => (typeof x === "string" ? [...x].length : Array.isArray(x) ? x.length : kind(x) === "an object" ? Object.keys(x).length : 0)),
  lower: first((x) => text(x).toLowerCase()),
  upper: first((x) => text(x).toUpperCase()),
  trim: first((x) => text(x).trim()),
  string: first(text),
  number: first(number),
  round: first((x, places = 0) => Number(number(x).toFixed(Math.min(Math.max(places, 0), 20)))),
  contains: first((x, y) => (Array.isArray(x) ? x.some((e) => same(e, y)) : text(x).includes(text(y)))),
  starts_with: first((x, y) => text(x).startsWith(text(y))),
  ends_with: first((x, y) => text(x).endsWith(text(y))),
  replace: first((x, y, z) => text(x).replace(new RegExp(matcher(y).source, "gu"), text(z))),
  split: first((x, y) => text(x).split(text(y))),
  join: first((x, y = ", ") => list(x).map(text).join(text(y))),
  keys: first((x) => (kind(x) === "an object" ? Object.keys(x) : [])),
  values: first((x) => (kind(x) === "an object" ? Object.values(x) : [])),
  default: first((x, y) => x ?? y),
  if: (args, v, g) => (truth(args[0]?.(v, g)) ? args[1]?.(v, g) : args[2]?.(v, g)),
};
