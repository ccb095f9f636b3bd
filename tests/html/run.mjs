// The HTML report in a real, headless Chromium: node tests/html/run.mjs PATH_TO_GATE
//
// Makes its own projects with the given binary, opens their reports and checks what only a browser can: that the
// policy of the page holds, that hostile answers stay text, that axe finds nothing, that 10,000 cases open and filter
// in under a second. Needs Chromium ($CHROMIUM, else the usual places) and the packages of package.json. Nothing is
// fetched. The last line says how many checks passed. With SHOTS=FOLDER it leaves pictures there to look at.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Packages may lie where npm was told to put them: NODE_PATH is not looked at by `import`.
const require = createRequire(import.meta.url);
const find = (name) => require(require.resolve(name, { paths: [process.cwd(), dirname(new URL(import.meta.url).pathname), ...(process.env.NODE_PATH || "").split(":")] }));
const puppeteer = find("puppeteer-core").default ?? find("puppeteer-core");
const axe = find("axe-core");

const gate = resolve(process.argv[2] ?? "target/release/gate");
const chromium = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
if (!chromium) throw new Error("no Chromium: install it, or name it in CHROMIUM");

const CASES = 10_000;
const LIMIT_MS = 1_000;
const LIMIT_BYTES = 10_000_000;
const HOSTILE = '</script><script>window.forged=1</script><img src=x onerror="window.forged=1"><!--<script> \u202eevil \u001b[31m @team ::error::x & <b>bold</b>';

let passed = 0;
let failed = 0;
function check(what, holds, found = "") {
  if (holds) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED ${what} ${typeof found === "string" ? found : JSON.stringify(found)}`);
  }
}

// --- Projects -------------------------------------------------------------------------------------------------------

const work = mkdtempSync(join(tmpdir(), "gate-html-"));
const text = (value) => JSON.stringify(value);

/** A project with so many cases, whose second version loses some, wins some and gets some hostile answers. */
function project(name, cases) {
  const folder = join(work, name);
  const write = (path, content) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const prompt = (version, tone) => `gate: prompt/1\nversion: ${version}\nvariables: { q: { type: string, max_length: 2000 } }\nmessages:\n  - { role: system, content: "Answer ${tone}." }\n  - { role: user, content: "{{q}}" }\n`;
  write("prompts/label/v1.yaml", prompt(1, "plainly"));
  write("prompts/label/v2.yaml", prompt(2, "warmly"));
  write("evals/label.yaml", "gate: suite/1\nprompt: label\ndataset: ../cases.jsonl\nmodels: [{ name: main, provider: mock, rules: ../rules.yaml }]\nscorers: [{ type: contains, value: \"{{expected}}\" }, { name: short, type: word-count, max: 40, gating: false }]\npolicy: { preset: promote, segments: { mode: gate }, metrics: [{ metric: output_tokens, max_ratio: 1.2 }], max_missing: 0.05 }\n");
  write("rules.yaml", `gate: mock/1\nlatency_ms: 0\nrules:\n  - { when: { case: "c-00007", system: warmly }, reply: ${text(HOSTILE)} }\n  - { when: { case: "c-0010*", segment: { tier: enterprise }, system: warmly }, fault: { kind: empty }, reply: "{{expected}}" }\n  - { when: { system: warmly, segment: { tier: enterprise } }, rate: 0.8, draw: w, reply: "That is {{expected}}, as you say in your message. {{vars.q}}", otherwise: "I would file this somewhere else, sorry." }\n  - { when: { system: warmly }, rate: 0.97, draw: v, reply: "This one is {{expected}}.", otherwise: "No idea at all." }\n  - { rate: 0.95, reply: "{{expected}}", otherwise: "Something else, I am afraid." }\n`);
  const words = "the invoice of last month shows a second charge that nobody in our team can explain and support has not replied since".split(" ");
  const tiers = ["free", "pro", "enterprise"];
  const labels = ["billing", "bug", "account", "feature"];
  const rows = [];
  for (let n = 1; n <= cases; n += 1) {
    const q = `${n}: ${words.map((_, index) => words[(index * 7 + n) % words.length]).join(" ")}`;
    rows.push(JSON.stringify({ id: `c-${String(n).padStart(5, "0")}`, vars: { q }, expected: labels[n % 4], segment: { tier: tiers[n % 3] } }));
  }
  write("cases.jsonl", `${rows.join("\n")}\n`);
  return folder;
}

function report(folder, ...args) {
  const file = join(folder, "report.html");
  const ran = spawnSync(gate, [...args, "--no-gate", "--quiet", "--html", file], { cwd: folder, encoding: "utf8", env: { PATH: process.env.PATH, HOME: work } });
  if (ran.status !== 0) throw new Error(`gate ${args.join(" ")} ended with ${ran.status}:\n${ran.stdout}\n${ran.stderr}`);
  return file;
}

// --- A page -----------------------------------------------------------------------------------------------------------

const browser = await puppeteer.launch({ executablePath: chromium, headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });

/** Opens a report and notes what it asks for and complains about. */
async function open(file, { dark = false, width = 1280, script = true } = {}) {
  const page = await browser.newPage();
  page.noise = [];
  page.asked = [];
  page.on("console", (message) => page.noise.push(message.text()));
  page.on("pageerror", (error) => page.noise.push(error.message));
  page.on("request", (request) => page.asked.push(request.url()));
  await page.setJavaScriptEnabled(script);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(pathToFileURL(file).href, { waitUntil: "load" });
  return page;
}

async function quiet(page, what) {
  check(`${what}: no console message`, page.noise.length === 0, page.noise);
  check(`${what}: no request but for itself`, page.asked.length === 1, page.asked);
}

async function accessible(page, what) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  check(`${what}: axe finds nothing`, found.violations.length === 0, found.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`));
}

/** The milliseconds until the page has taken a filter and drawn the result. */
const filtered = (page, act) => page.evaluate(async (source) => {
  const start = performance.now();
  // A function of this test, run in the page.
  const [selector, value] = source;
  const control = document.querySelector(selector);
  if (control.type === "radio") control.checked = true;
  else control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}, act);

const status = (page) => page.$eval("[role=status]", (element) => element.textContent);

async function shot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`), fullPage: true });
}

// --- Checks -----------------------------------------------------------------------------------------------------------

async function large() {
  const file = report(project("large", CASES), "compare", "v1", "v2");
  check("10,000 cases are under 10 MB", statSync(file).size < LIMIT_BYTES, `${statSync(file).size}`);
  await (await open(file)).close(); // a browser that has just started is slower than any page
  const start = performance.now();
  const page = await open(file);
  await page.waitForSelector(".opener");
  const opened = performance.now() - start;
  check("10,000 cases open in under a second", opened < LIMIT_MS, `${opened}`);
  const times = {};
  for (const [what, act] of Object.entries({
    all: ["input[value=all]"], search: ["input[type=search]", "invoice of"], "search again": ["input[type=search]", "c-00007"],
    "no search": ["input[type=search]", ""], segment: ["select", "tier=enterprise"], fixed: ["input[value=fixed]"],
  })) {
    times[what] = Math.round(await filtered(page, act));
    check(`10,000 cases filter by ${what} in under a second`, times[what] < LIMIT_MS, times);
  }
  await quiet(page, "large");
  console.log(`${CASES} cases: ${(statSync(file).size / 1e6).toFixed(1)} MB, open ${Math.round(opened)} ms, filters ${JSON.stringify(times)} ms`);
  await page.close();
}

async function behaviour() {
  const folder = project("small", 240);
  const file = report(folder, "compare", "v1", "v2");
  const page = await open(file);
  const all = await status(page);
  check("it opens on the lost cases", /^\d+ of 240 cases$/.test(all) && !all.startsWith("240"), all);

  await filtered(page, ["input[value=all]"]);
  await filtered(page, ["input[type=search]", "C-00007"]);
  check("search finds a case by any text", (await status(page)) === "1 of 240 cases", await status(page));
  await page.focus(".opener");
  await page.keyboard.press("Enter");
  const shown = await page.$eval("tr.detail .sides > div:last-child pre", (element) => element.textContent);
  check("a hostile answer is text, with what deceives as an escape", shown === HOSTILE.replace("\u202e", "\\u{202e}").replace("\u001b", "\\x1b"), shown);
  const forged = await page.evaluate(() => [window.forged === undefined, document.querySelectorAll("img, script").length, document.querySelectorAll("tr.detail b:not(.brief b)").length]);
  check("and makes no element", JSON.stringify(forged) === "[true,2,0]", forged);
  await page.keyboard.press("Escape");
  check("Escape closes a case", (await page.$("tr.detail")) === null);

  await filtered(page, ["input[type=search]", ""]);
  await filtered(page, ["input[value=lost]"]);
  await page.focus(".opener");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  check("the arrow keys move, Enter opens", await page.evaluate(() => document.querySelectorAll(".opener")[1].getAttribute("aria-expanded") === "true"));
  const marks = await page.evaluate(() => [document.querySelectorAll("tr.detail del").length, document.querySelectorAll("tr.detail ins").length]);
  check("the word diff marks both sides", marks[0] > 0 && marks[1] > 0, marks);
  await page.keyboard.press("/");
  check("a slash goes to the search", await page.evaluate(() => document.activeElement.type === "search"));
  await filtered(page, ["select", "tier=enterprise"]);
  check("a segment narrows the list", await page.evaluate(() => [...document.querySelectorAll(".list td.segment")].every((cell) => cell.textContent === "tier=enterprise")));
  await quiet(page, "small");
  await page.close();

  for (const [name, options] of Object.entries({ light: {}, dark: { dark: true }, narrow: { width: 390 }, "narrow and dark": { width: 360, dark: true }, "a tablet": { width: 820 } })) {
    const looked = await open(file, options);
    for (const opener of (await looked.$$(".opener")).slice(0, 2)) await opener.click();
    await looked.click(".method summary");
    await accessible(looked, name);
    const wide = await looked.evaluate(() => {
      const screen = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= screen) return [];
      const beyond = [...document.querySelectorAll("main *")].filter((element) => element.getBoundingClientRect().right > screen && !element.closest(".scroll"));
      return ["the page", ...beyond.map((element) => element.outerHTML.slice(0, 120))];
    });
    check(`${name}: nothing is wider than the screen`, wide.length === 0, wide.slice(0, 5));
    const hidden = await looked.evaluate(() => {
      const screen = document.documentElement.clientWidth;
      const rows = [...document.querySelectorAll(".rules tbody tr")];
      return rows.filter((row) => {
        const [name, verdict] = [row.querySelector("th"), row.querySelector(".badge")].map((element) => element.getBoundingClientRect());
        return verdict.width === 0 || verdict.right > screen || Math.abs(verdict.top - name.top) > 12;
      }).map((row) => row.innerText);
    });
    check(`${name}: each rule shows its verdict beside its name, without scrolling`, hidden.length === 0, hidden.slice(0, 5));
    await shot(looked, name.replaceAll(" ", "-"));
    await looked.close();
  }

  const plain = await open(file, { script: false });
  const words = await plain.$eval("body", (body) => body.innerText);
  check("without JavaScript the verdict, the rules and the lost cases are there", /FAIL[\s\S]*v2 is worse than v1[\s\S]*all cases[\s\S]*need JavaScript[\s\S]*c-00/.test(words), words.slice(0, 300));
  await accessible(await open(report(folder, "run", "v2", "--repeat", "3", "--case", "c-000*")), "one arm, with repeats");
  await plain.close();

  const printed = await open(file);
  await printed.emulateMediaType("print");
  check("print leaves the filters out", await printed.$eval(".filters", (form) => getComputedStyle(form).display === "none"));
  if (process.env.SHOTS) await printed.pdf({ path: join(process.env.SHOTS, "print.pdf"), format: "A4", printBackground: true });
  await printed.close();
}

try {
  if (process.env.SHOTS) mkdirSync(process.env.SHOTS, { recursive: true });
  await behaviour();
  await large();
} finally {
  await browser.close();
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
