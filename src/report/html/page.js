"use strict";
// Shows the cases. Every text of a case becomes a text node: nothing in it is ever markup.

const KINDS = {
  lost: ["fail", "✕ lost", "✕ fails"],
  fixed: ["pass", "✓ fixed", "✓ fixed"],
  known: ["quiet", "✕ fails on both", "✕ fails"],
  missing: ["undecided", "! no result", "! no result"],
  quarantined: ["quiet", "~ quarantined", "~ quarantined"],
  kept: ["quiet", "✓ passes on both", "✓ passes"],
};
const CHUNK = 60;

/** An element with attributes and children; a string is a text. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** The trial that explains a side: the first that failed, else that errored, else the first. */
function telling(trials) {
  for (const outcome of ["failed", "errored"]) {
    const found = trials.findIndex((trial) => trial.outcome === outcome);
    if (found >= 0) return found;
  }
  return 0;
}

/** Why a trial did not pass, in one line. */
function why(trial, head) {
  if (!trial || trial.outcome === "passed") return "";
  if (trial.note) return trial.note;
  const lost = (trial.scores || []).find((score) => !score[1] && score[3]);
  return lost ? `${head.scorers[lost[0]]}${lost[4] ? `: ${lost[4]}` : ""}` : "";
}

/** Everything of a case that a search looks at, in lower case. */
function haystack(item) {
  if (item.hay === undefined) {
    const texts = [item.id, ...(item.segment || []), ...(item.input || []).flat(), item.expected || ""];
    for (const trial of item.sides.flat()) {
      texts.push(trial.text || "", trial.note || "", ...(trial.calls || []));
      for (const score of trial.scores || []) texts.push(score[4]);
    }
    item.hay = texts.join("\n").toLowerCase();
  }
  return item.hay;
}

// ---------------------------------------------------------------------------------------------------------------------
// Word diff: the longest common subsequence of words, between the first and the last difference.

const LARGEST = 4e6;

function words(text) {
  return text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) || [];
}

/** Two lists of [is it only here, text]: the parts of both texts. */
function diff(before, after) {
  const [a, b] = [words(before), words(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const same = [new Array(left.length).fill(false), new Array(right.length).fill(false)];
  if (left.length * right.length <= LARGEST) common(left, right, same);
  const parts = (all, changed, flags) => [
    [false, all.slice(0, start).join("")],
    ...runs(changed, flags),
    [false, all.slice(all.length - end).join("")],
  ].filter((part) => part[1] !== "");
  return [parts(a, left, same[0]), parts(b, right, same[1])];
}

function common(left, right, same) {
  const width = right.length + 1;
  const lengths = new Uint32Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = left[i] === right[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      same[0][i] = same[1][j] = true;
      i += 1;
      j += 1;
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i += 1;
    else j += 1;
  }
}

function runs(tokens, flags) {
  const parts = [];
  tokens.forEach((token, index) => {
    const last = parts[parts.length - 1];
    if (last && last[0] === !flags[index]) last[1] += token;
    else parts.push([!flags[index], token]);
  });
  return parts;
}

/** A text whose words that the other lacks are marked. */
function marked(parts, tag) {
  return parts.map(([only, text]) => (only ? make(tag, {}, text) : text));
}

// ---------------------------------------------------------------------------------------------------------------------
// One case

function score([scorer, pass, value, gating, reason], head) {
  const label = `${pass ? "✓" : "✕"} ${head.scorers[scorer]}`;
  const number = Number.isInteger(value) ? "" : ` ${value.toFixed(2)}`;
  const watched = gating ? "" : " (does not decide)";
  const badge = make("span", { class: `badge ${pass ? "pass" : "fail"}` }, label);
  return make("li", {}, badge, `${number}${watched} ${reason}`);
}

function facts(trial) {
  const parts = [];
  if (trial.ms !== undefined) parts.push(`${Math.round(trial.ms).toLocaleString("en")} ms`);
  if (trial.usd !== undefined) parts.push(`${trial.usd.toFixed(6)} USD`);
  if (trial.finish !== undefined) parts.push(`ended: ${trial.finish}`);
  if (trial.cached) parts.push("from the cache");
  return parts.join(" · ");
}

function side(name, trials, chosen, choose, parts, tag, head) {
  const trial = trials[chosen];
  const heading = make("h3", {}, `${name}, ${trial ? trial.outcome : "no trial"}`);
  if (trials.length > 1) {
    const repeats = trials.map((repeat, index) => make("button", {
      type: "button",
      "aria-pressed": String(index === chosen),
      "aria-label": `${name}, repeat ${index + 1}, ${repeat.outcome}`,
      onclick: () => choose(index),
    }, `${index + 1} ${{ passed: "✓", failed: "✕" }[repeat.outcome] || "!"}`));
    heading.append(make("span", { class: "repeats" }, ...repeats));
  }
  const box = make("div", {}, heading);
  if (!trial) return box;
  if (trial.text !== undefined) {
    const shown = parts ? marked(parts, tag) : [trial.text];
    box.append(make("pre", { tabindex: "0", role: "group", "aria-label": `Answer of ${name}` }, ...(trial.text === "" ? ["(empty)"] : shown)));
  }
  for (const call of trial.calls || []) box.append(make("pre", { tabindex: "0", role: "group", "aria-label": `Tool call of ${name}` }, call));
  if (trial.note) box.append(make("p", {}, trial.note));
  if (trial.scores) box.append(make("ul", { class: "scores" }, ...trial.scores.map((entry) => score(entry, head))));
  box.append(make("p", { class: "facts" }, facts(trial)));
  return box;
}

/** Both answers side by side; a single arm is held against what was expected. */
function sides(item, head) {
  const chosen = item.sides.map(telling);
  const box = make("div", { class: item.sides.length > 1 ? "sides" : "sides one" });
  const draw = () => {
    const texts = item.sides.map((trials, index) => (trials[chosen[index]] || {}).text);
    let parts = [];
    if (item.sides.length > 1 && texts[0] !== undefined && texts[1] !== undefined) parts = diff(texts[0], texts[1]);
    else if (item.sides.length === 1 && texts[0] !== undefined && item.expected !== undefined && item.kind === "lost") parts = [diff(item.expected, texts[0])[1]];
    const drawn = item.sides.map((trials, index) => {
      const choose = (repeat) => {
        chosen[index] = repeat;
        draw();
        box.children[index].querySelectorAll(".repeats button")[repeat].focus();
      };
      const tag = index === item.sides.length - 1 ? "ins" : "del";
      return side(head.arms[index], trials, chosen[index], choose, parts[index], tag, head);
    });
    box.replaceChildren(...drawn);
  };
  draw();
  return box;
}

/** A value of the dataset: beside its name where it is short. */
function value(name, text) {
  if (text.length <= 80 && !text.includes("\n")) return [make("p", { class: "brief" }, make("b", {}, name), " ", make("code", {}, text === "" ? "(empty)" : text))];
  return [make("h3", {}, name), make("pre", { tabindex: "0", role: "group", "aria-label": name }, text)];
}

function detail(item, head, columns) {
  const cell = make("td", { colspan: String(columns) });
  const place = [`line ${item.line} of the dataset`, ...(item.segment || [])];
  if (item.must) place.push("must pass");
  if (item.flaky) place.push("flaky: its repeats disagree");
  cell.append(make("p", { class: "facts" }, place.join(" · ")));
  for (const [name, text] of item.input || []) cell.append(...value(name, text));
  if (item.expected !== undefined) cell.append(...value("expected", item.expected));
  const left = item.sides.flat().every((trial) => trial.text === undefined && trial.note === undefined);
  if (left) cell.append(make("p", {}, "The texts of this case are left out here for size."));
  cell.append(sides(item, head));
  if (/^[\w.:/@%+=,][\w.:/@%+=,-]*$/.test(item.id)) {
    cell.append(make("p", { class: "facts" }, "All of it: ", make("code", {}, `gate show ${head.run} ${item.id}`)));
  }
  return make("tr", { class: "detail" }, cell);
}

// ---------------------------------------------------------------------------------------------------------------------
// The list

function list(section) {
  const source = document.getElementById(section.dataset.cases);
  const [head, ...items] = JSON.parse(source.textContent);
  const form = section.querySelector("form");
  const listing = section.querySelector(".listing");
  const body = section.querySelector("tbody");
  const status = section.querySelector("[role=status]");
  const more = section.querySelector("[data-more]");
  const search = form.querySelector("input[type=search]");
  const segment = form.querySelector("select");
  const columns = 4 + head.arms.length;
  let found = [];
  let drawn = 0;

  const toggle = (opener, item, open) => {
    const row = opener.closest("tr");
    if ((opener.getAttribute("aria-expanded") === "true") === open) return;
    opener.setAttribute("aria-expanded", String(open));
    if (open) row.after(detail(item, head, columns));
    else row.nextElementSibling.remove();
  };
  const line = (item) => {
    const [tone, both, alone] = KINDS[item.kind];
    const opener = make("button", {
      class: "opener",
      type: "button",
      "aria-expanded": "false",
      onclick: () => toggle(opener, item, opener.getAttribute("aria-expanded") !== "true"),
    }, item.id);
    opener.item = item;
    const outcomes = item.sides.map((trials) => make("td", { class: "side" }, trials.length === 1
      ? trials[0].outcome
      : `${trials.filter((trial) => trial.outcome === "passed").length} of ${trials.length} passed`));
    const last = item.sides[item.sides.length - 1];
    let reason = why(last[telling(last)], head);
    if (!reason && item.kind !== "kept") reason = why(item.sides[0][telling(item.sides[0])], head);
    return make("tr", {},
      make("th", { scope: "row" }, opener),
      make("td", {}, make("span", { class: `badge ${tone}` }, head.arms.length > 1 ? both : alone)),
      make("td", { class: "segment" }, (item.segment || []).join(", ")),
      ...outcomes,
      make("td", {}, make("span", { class: "short" }, reason.slice(0, 300))));
  };
  const draw = () => {
    body.append(...found.slice(drawn, drawn + CHUNK).map(line));
    drawn = Math.min(found.length, drawn + CHUNK);
    more.hidden = drawn === found.length;
  };
  const filter = () => {
    const kind = form.querySelector("input[type=radio]:checked").value;
    const wanted = search.value.trim().toLowerCase();
    const place = segment ? segment.value : "";
    found = items.filter((item) =>
      (kind === "all" || item.kind === kind || (kind === "flaky" && item.flaky) || (kind === "errors" && item.error))
      && (place === "" || (item.segment || []).includes(place))
      && (wanted === "" || haystack(item).includes(wanted)));
    body.replaceChildren();
    drawn = 0;
    draw();
    status.textContent = `${found.length.toLocaleString("en")} of ${items.length.toLocaleString("en")} cases`;
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  more.addEventListener("click", () => {
    const next = drawn;
    draw();
    const opener = body.querySelectorAll(".opener")[next];
    if (opener) opener.focus({ preventScroll: true });
  });
  section.querySelector("[data-open]").addEventListener("click", () => {
    for (const opener of body.querySelectorAll(".opener")) toggle(opener, opener.item, true);
  });
  body.addEventListener("keydown", (event) => {
    const opener = event.target.closest(".opener");
    const openers = [...body.querySelectorAll(".opener")];
    const at = openers.indexOf(opener);
    const move = (to) => {
      event.preventDefault();
      if (openers[to]) openers[to].focus();
    };
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape") {
      const row = event.target.closest("tr");
      const near = opener || row.previousElementSibling.querySelector(".opener");
      near.focus();
      toggle(near, near.item, false);
    } else if (opener && event.key === "ArrowDown") move(at + 1);
    else if (opener && event.key === "ArrowUp") move(at - 1);
    else if (opener && event.key === "Home") move(0);
    else if (opener && event.key === "End") move(openers.length - 1);
  });
  new IntersectionObserver((seen) => {
    if (seen.some((entry) => entry.isIntersecting) && drawn > CHUNK && !more.hidden) draw();
  }, { rootMargin: "600px" }).observe(more);
  form.hidden = listing.hidden = false;
  filter();
}

for (const section of document.querySelectorAll("[data-cases]")) list(section);
