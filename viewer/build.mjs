/**
 * Builds the page: one file with its script and its style, and the same compressed. Equal sources give equal bytes.
 *
 *   node build.mjs [FOLDER]     writes FOLDER/viewer.html and viewer.html.gz; FOLDER is ../src/livelog/page
 *   node build.mjs --test DIR   writes what the tests of the pure parts run
 *
 * What the page may do, its server says: it knows the one script and the one style that are in it.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import zopfli from "@gfx/zopfli";
import { build, transform } from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const read = (name) => readFileSync(join(here, "src", name), "utf8");
/** Blanks between the elements of templates are for those who read the source. */
const templates = {
  name: "templates",
  setup: ({ onLoad }) => onLoad({ filter: /chrome\.ts$/ }, ({ path }) => ({
    contents: readFileSync(path, "utf8").replace(/>\n\s+</g, "><").replace(/(?<=html`[^`]*)\n\s+(?=[^`]*`)/g, " "), loader: "ts" })),
};

/**
 * Names that are nobody's but this program's, for the minifier to make short: those of its methods, and of what its constructors
 * keep, and of their fields, unless they are in quotes anywhere, or name a member of what comes from the server or is kept by the browser. Those that
 * browsers have, it leaves out.
 */
function ownNames() {
  const code = (names) => names.map(read).join("\n").replace(/\/\*[^]*?\*\/|\/\/ .*/g, ""); // what is in quotes in a comment is in none
  const source = code(readdirSync(join(here, "src")).filter((name) => name.endsWith(".ts")));
  const all = (pattern, text = source) => [...text.matchAll(pattern)].map(([, name]) => name);
  const methods = all(/^  (?:async |get |set )*(\w{4,})\(.*\{$/gm);
  const kept = all(/^    (?:private )?readonly (\w{4,}): .*,$/gm);
  const fields = all(/^  (?:readonly )?(\w{4,})(?:: [^=]+)? = .*$/gm);
  const others = new Set([...all(/^  (?:readonly )?(\w+)\??: .*;$/gm, code(["api.ts", "settings.ts", "address.ts"])), ...source.match(/(?<=["'`])\w+(?=["'`])/g)]);
  return [...new Set([...methods, ...kept, ...fields])].filter((name) => !others.has(name));
}

if (process.argv[2] === "--test") {
  const tests = readdirSync(join(here, "test")).filter((name) => name.endsWith(".test.ts")).map((name) => join(here, "test", name));
  await build({ entryPoints: tests, outdir: process.argv[3], bundle: true, platform: "node", format: "esm", outExtension: { ".js": ".mjs" },
    external: ["@xterm/headless", "@xterm/addon-unicode11"], absWorkingDir: here });
} else {
  const { outputFiles } = await build({ entryPoints: ["src/main.ts"], bundle: true, minify: true, plugins: [templates], write: false, format: "iife",
    target: ["chrome123", "firefox120", "safari17.5"], legalComments: "none", absWorkingDir: here, charset: "utf8",
    mangleProps: /^_\$[AC]/ }); // lit-html's own
  // What esbuild leaves long is a fiftieth of the page.
  const { code } = await minify(outputFiles[0].text, { ecma: 2022, toplevel: true,
    mangle: { properties: { regex: new RegExp(`^(?:${ownNames().join("|")})$`) } },
    compress: { passes: 3, unsafe_arrows: true, keep_fargs: false, pure_getters: true, inline: 1 } });
  const script = code.trim();
  if (script.includes("</script")) throw new Error("the script would end itself");
  const style = (await transform(read("theme.css"), { loader: "css", minify: true, target: ["chrome123", "firefox120", "safari17.5"] })).code.trim();
  const parts = { style, script };
  const page = read("page.html").replace(/\{(style|script)\}/g, (_, name) => parts[name]);
  const folder = process.argv[2] ?? join(here, "../src/livelog/page");
  // What zlib makes is a thirtieth larger.
  const packed = Buffer.from(await zopfli.gzipAsync(Buffer.from(page), { numiterations: 50 }));
  writeFileSync(join(folder, "viewer.html"), page);
  writeFileSync(join(folder, "viewer.html.gz"), packed);
  console.log(`${page.length} characters, ${packed.length} bytes compressed`);
}
