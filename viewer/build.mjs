/**
 * Builds the page of a log: one file with its script and its style, the scripts that it loads when they are used, and the same compressed;
 * the list of logs, one file; and several logs on one page, one file. Equal sources give equal bytes.
 *
 *   node build.mjs [FOLDER]     writes FOLDER/viewer.html, list.html, several.html, a file .js for each of PARTS, and each of them as .gz, and what they were built from,
 *                               viewer.sources; FOLDER is ../src/livelog/page
 *   node build.mjs --test DIR   writes what the tests of the pure modules run
 *
 * What the page may do, its server says: it knows the scripts and the one style.
 */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import zopfli from "@gfx/zopfli";
import { build, transform } from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const read = (name) => readFileSync(join(here, "src", name), "utf8");
/** Blanks between the elements of templates are for those who read the source. */
const templates = {
  name: "templates",
  setup: ({ onLoad }) => onLoad({ filter: /(cards|chrome|copying|help|searchbar|panel)\.ts$/ }, ({ path }) => ({
    contents: readFileSync(path, "utf8").replace(/>\n\s+</g, "><").replace(/(?<=html`[^`]*)\n\s+(?=[^`]*`)/g, " "), loader: "ts" })),
};

/**
 * Names that are nobody's but this program's, for the minifier to make short: those of its methods, and of what its constructors
 * keep, and of their fields, unless they are in quotes anywhere, or name a member of what comes from the server or is kept by the browser. Those that
 * browsers have, it leaves out.
 */
function ownNames(folder = "") {
  const code = (names) => names.map(read).join("\n").replace(/\/\*[^]*?\*\/|\/\/ .*/g, ""); // what is in quotes in a comment is in none
  const sources = (inside) => readdirSync(join(here, "src", inside)).filter((name) => name.endsWith(".ts")).map((name) => join(inside, name));
  const source = code([...sources(""), ...(folder && sources(folder)), ...(folder && sources("list"))]);
  const all = (pattern, text = source) => [...text.matchAll(pattern)].map(([, name]) => name);
  const methods = all(/^  (?:async |get |set )*(\w{4,})\(.*\{$/gm);
  const kept = all(/^    (?:private )?readonly (\w{4,}): .*,$/gm);
  const fields = all(/^  (?:readonly )?(\w{4,})(?:: [^=]+)? = .*$/gm);
  const others = new Set([...all(/^  (?:readonly )?(\w+)\??: .*;$/gm, code(["api.ts", "settings.ts", "address.ts", "list/logs.ts", "list/watch.ts", "list/sse.ts"])), ...source.match(/(?<=["'`])\w+(?=["'`])/g)]);
  for (const [, members] of source.matchAll(/\bas \{ ([^}]+)\}/g)) for (const name of all(/(\w+)\??:/g, members)) others.add(name); // parts of answers
  return [...new Set([...methods, ...kept, ...fields])].filter((name) => !others.has(name));
}

/** The scripts that are loaded when they are used: entry points in src/, with a style of the same name, if there is one. What they export is what the page gets. */
const PARTS = ["cards", "finding", "copying", "timing", "help", "soon", "panel", "structure", "terminal"];
/** Their styles, where those are not one of the same name. */
const STYLES = { help: ["help", "menu"], soon: ["soon", "problems"], panel: ["panel", "newlines"] };
const TARGETS = { target: ["chrome123", "firefox120", "safari17.5"], charset: "utf8" };

/** The pages beside that of a log: their folders in src/, and their styles. */
const OTHERS = { list: ["theme", "cards", "help", "list/list"], several: ["theme", "cards", "help", "finding", "problems", "panel", "several/several"] };

async function bundle(entry, plugins, rest = {}) {
  const options = { entryPoints: [`src/${entry}.ts`], bundle: true, minify: true, plugins: [templates, ...plugins], write: false, metafile: true, format: "iife",
    ...TARGETS, legalComments: "none", absWorkingDir: here, mangleProps: /^_\$[AC]/, ...rest }; // the properties are lit-html's own
  const { outputFiles, metafile } = await build(options);
  return { code: outputFiles[0].text, sources: Object.keys(metafile.inputs).map((path) => path.replace(/^.*\//, "").replace(/\.(ts|js)$/, "")) };
}

/** Modules of the first page are in no other script: what is imported from them there is handed over, in the order of `names`. */
function borrowing(owned, names) {
  const namespace = "first-page";
  return {
    name: namespace,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^(\.\/[\w-]+\.js|lit-html)$/ }, ({ path }) => {
        const module = path.replace(/^\.\/|\.js$/g, "");
        return owned.has(module) ? { path: module, namespace } : undefined;
      });
      onLoad({ filter: /.*/, namespace }, ({ path }) => ({ loader: "js",
        contents: names.flatMap((name, at) => (name.startsWith(`${path}:`) ? `export const ${name.split(":")[1]} = handed[${at}];` : [])).join("\n") }));
    },
  };
}

/** In the first page: the list of what others borrow. */
function lending(names) {
  return {
    name: "lending",
    setup: ({ onLoad }) => onLoad({ filter: /lent\.ts$/ }, () => ({ loader: "ts", resolveDir: join(here, "src"), contents:
      names.map((name, at) => `import { ${name.split(":")[1]} as _${at} } from "${name.startsWith("lit-html") ? "lit-html" : `./${name.split(":")[0]}.js`}";`).join("\n")
      + `\nexport const lent = () => [${names.map((_, at) => `_${at}`).join()}];` })),
  };
}

/** What these sources import from modules that the first page has: `module:name`, sorted. */
function borrowed(sources, owned) {
  const names = sources.flatMap((source) => [...read(`${source}.ts`).matchAll(/^import (?!type )([^;]+?) from "(?:\.\/)?([\w-]+)(?:\.js)?";$/gms)]
    .filter(([, , module]) => owned.has(module))
    .flatMap(([whole, list, module]) => {
      if (!list.startsWith("{")) throw new Error(`${source}.ts: name what is borrowed: ${whole}`);
      return list.replace(/[{}\s]+/g, " ").split(",").map((name) => name.trim()).filter((name) => name && !name.startsWith("type ")).map((name) => `${module}:${name}`);
    }));
  return [...new Set(names)].sort();
}

// What esbuild leaves long is a fiftieth of the page.
const squeeze = async (files, nameCache, folder) => (await minify(files, { ecma: 2022, toplevel: true, nameCache,
  mangle: { properties: { regex: new RegExp(`^(?:${ownNames(folder).join("|")})$`) } },
  compress: { passes: 3, unsafe_arrows: true, keep_fargs: false, pure_getters: true, inline: 1 } })).code.trim();

const css = async (name) => (await transform(read(`${name}.css`), { loader: "css", minify: true, target: TARGETS.target })).code.trim();

const styled = async (names) => (await Promise.all(names.map(css))).join("");

/** The files to be written, by their names. */
async function pageAndParts() {
  const { sources } = await bundle("main", [lending([])]);
  const owned = new Set(sources);
  const own = new Set();
  const collect = (source) => {
    if (own.has(source) || owned.has(source)) return;
    own.add(source);
    for (const [, module] of read(`${source}.ts`).matchAll(/^(?:import|export) (?!type )[^;]+? from "\.\/([\w-]+)\.js";$/gms)) collect(module);
  };
  PARTS.forEach(collect);
  const names = borrowed([...own], owned);
  const first = await bundle("main", [lending(names)]);
  const codes = {};
  for (const part of PARTS) {
    const { code } = await bundle(part, [borrowing(owned, names)], { globalName: "made" });
    const style = await styled((STYLES[part] ?? [part]).filter((name) => existsSync(join(here, `src/${name}.css`))));
    codes[part] = `livelog.style=${JSON.stringify(style)};livelog.made=(handed=>{${code};return made})(livelog.lent())`;
  }
  // All scripts have the same short names for the program's own properties: they are given to all of them at once.
  const cache = {};
  await squeeze({ main: first.code, ...codes }, cache);
  const props = () => ({ props: cache.props });
  const files = {};
  for (const part of PARTS) files[`${part}.js`] = await squeeze(codes[part], props());
  const addresses = PARTS.map((part) => [part, `${part}-${createHash("sha256").update(files[`${part}.js`]).digest("hex").slice(0, 16)}.js`]);
  const script = (await squeeze(first.code, props())).replace(/\bSCRIPTS\b/, JSON.stringify(Object.fromEntries(addresses)));
  if (script.includes("</script")) throw new Error("the script would end itself");
  const style = await styled(["theme", "log"]);
  const parts = { style, script };
  files["viewer.html"] = read("page.html").replace(/\{(style|script)\}/g, (_, name) => parts[name]);
  return files;
}

/** One of OTHERS. */
async function other(name) {
  const { code } = await bundle(`${name}/main`, []);
  const script = await squeeze(code, {}, name);
  if (script.includes("</script")) throw new Error("the script would end itself");
  const parts = { style: await styled(OTHERS[name]), script };
  return { [`${name}.html`]: read(`${name}/page.html`).replace(/\{(style|script)\}/g, (_, name) => parts[name]) };
}

/** The SHA-256 of all that a page is built from: a quick test sees by it that the committed pages are old. A name and a content, each with a NUL behind it. */
function digestOfSources() {
  const sources = readdirSync(join(here, "src"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => relative(here, join(entry.path, entry.name)));
  const digest = createHash("sha256");
  for (const name of [...sources, "build.mjs", "package-lock.json"].sort()) digest.update(`${name}\0`).update(readFileSync(join(here, name))).update("\0");
  return digest.digest("hex");
}

if (process.argv[2] === "--test") {
  const tests = readdirSync(join(here, "test")).filter((name) => name.endsWith(".test.ts")).map((name) => join(here, "test", name));
  await build({ entryPoints: tests, outdir: process.argv[3], bundle: true, platform: "node", format: "esm", outExtension: { ".js": ".mjs" },
    external: ["@xterm/headless", "@xterm/addon-unicode11"], absWorkingDir: here });
} else {
  const folder = process.argv[2] ?? join(here, "../src/livelog/page");
  for (const [name, content] of Object.entries({ ...(await pageAndParts()), ...Object.assign({}, ...(await Promise.all(Object.keys(OTHERS).map(other)))) })) {
    // What zlib makes is a thirtieth larger.
    const packed = Buffer.from(await zopfli.gzipAsync(Buffer.from(content), { numiterations: 50 }));
    writeFileSync(join(folder, name), content);
    writeFileSync(join(folder, `${name}.gz`), packed);
    console.log(`${name}: ${content.length} characters, ${packed.length} bytes compressed`);
  }
  writeFileSync(join(folder, "viewer.sources"), `${digestOfSources()}\n`);
}
