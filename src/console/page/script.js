// The whole page. Text of the server is only ever appended as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);
const all = (css, within = document) => [...within.querySelectorAll(css)];

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Puts elements into another. What is the same already stays; what is made anew keeps the focus.
function fill(place, made) {
  const old = place.children;
  if (made.length === old.length && made.every((one, at) => one.isEqualNode(old[at]))) return;
  const focus = place.contains(document.activeElement) && document.activeElement.ariaLabel;
  place.replaceChildren(...made);
  if (focus) all("[aria-label]", place).find((one) => one.ariaLabel === focus)?.focus();
}

let state = { scopes: [], done: [] };
let view = ""; // what is shown, and of a scope's page which scope
let scope = "";
let data = {}; // what the server says of it
let turn = 0; // the number of the last question for it: an older answer is dropped
let updated = ""; // the name that the form updates; empty where it adds one
const busy = new Set(); // what is being done
const dropped = new Map(); // the files on fields, which are sent byte for byte
const content = (field) => dropped.get(field) ?? $(field).value;
const level = (one) => one.split("/")[0];
const id = (one) => one.split("/")[1];
const LEADS = {
  team: "Every launch gets these names, unless its project or cluster has them too.",
  cluster: "These names win over those of the team.",
  project: "These names win over those of a cluster and of the team.",
};
const LARGEST = 256 * 1024; // of a file, in bytes
const TOO_LARGE = "that is too large: a value is at most 64 KiB, a file 256 KiB";

// Asks the server. Every request has the session's secret, which no other page can read.
async function ask(method, path, parts = {}, content = "", token = "") {
  const session = sessionStorage.getItem("session") ?? "";
  const headers = token ? { "doorkey-token": token } : { "doorkey-session": session };
  const body = method === "POST" ? new Blob([content]) : undefined;
  if (body?.size > 2 * LARGEST) throw { faults: [TOO_LARGE] };
  const url = `/api/${path}?${new URLSearchParams(parts)}`;
  const answer = await fetch(url, { method, headers, body }).catch(lost);
  const found = await answer.json();
  if (answer.status === 401) throw close(found.faults[0], "This page has no session");
  if (!answer.ok) throw found;
  return found;
}

// Tells the end of the program from a request that was lost on its way.
async function lost() {
  const runs = await fetch("/style.css").catch(() => false);
  if (runs) throw { faults: ["The request was lost; try again."] };
  throw close("The program does not answer any more.");
}

// Ends the page, and forgets what was typed.
function close(why, title = "This console has ended") {
  $("closed-title").textContent = title;
  $("closed-why").textContent = why;
  for (const one of ["nav", "end", "fault"]) $(one).hidden = true;
  for (const one of all("dialog[open]")) one.close();
  for (const one of all("form")) one.reset();
  for (const one of ["value", "text", "spec"]) drops(one);
  show("closed");
  return { faults: [] };
}

function show(name) {
  view = name;
  for (const one of all("main > section")) one.hidden = one.id !== name;
  document.title = `${$(name).querySelector("h1").textContent} · doorkey console`;
}

// Puts faults beside the field that they are about, or else at the end of the form or page.
function say(form, faults) {
  for (const one of all(".error", form)) one.textContent = "";
  for (const one of all("[aria-invalid]", form)) one.removeAttribute("aria-invalid");
  if (!faults) return;
  const field = form.elements?.namedItem(faults.field || "otherwise");
  const place = field ? $(`${field.id}-error`) : form.querySelector(".otherwise") ?? $("fault");
  place.textContent = (faults.faults ?? [String(faults)]).join("\n");
  field?.setAttribute("aria-invalid", "true");
  field?.focus();
}

// Does what a button or a form is for, but not twice at a time.
async function act(name, from, value) {
  if (busy.has(name)) return;
  const form = from.closest("form, section") ?? $("main");
  busy.add(name);
  from.setAttribute("aria-busy", "true");
  say(form);
  try {
    await actions[name](value);
  } catch (faults) {
    say(form, faults);
  }
  from.removeAttribute("aria-busy");
  busy.delete(name);
}

// Shows what the address says; again for what may have changed, here or elsewhere.
async function load(again = false) {
  const [, name, first, ...rest] = location.hash.split("/");
  const mine = ++turn;
  if (!again) {
    scope = name === "scope" && first in LEADS ? [first, ...rest].join("/") : "";
    data = {};
    for (const one of all("dialog[open]")) one.close();
    const title = { project: "Project ", cluster: "Cluster " }[first] ?? "Team";
    $("scope-title").textContent = title + rest.join("/");
    $("said").textContent = "";
    actions.edit("");
    actions.forget();
    show(scope ? "scope" : ["check", "readers"].includes(name) ? name : "overview");
  }
  try {
    state = await ask("GET", "state");
    draw();
    const project = { project: $("project").value, cluster: $("cluster").value };
    const parts = { overview: project, scope: { scope }, readers: {} }[view];
    const found = parts ? await ask("GET", view, parts) : {};
    if (mine !== turn) return;
    data = found;
    $("fault").textContent = "";
  } catch (faults) {
    if (mine !== turn || view === "closed") return;
    data = {};
    say($("main"), faults);
  }
  for (const one of ["nav", "end", "footer", "fault"]) $(one).hidden = false;
  draw();
  if (!again) $("main").focus();
}

// Swedish writes a time as 2026-01-31 09:05, which every reader knows and which sorts.
const FORM = { dateStyle: "short", timeStyle: "short" };
const time = (at) => at && make("time", { datetime: at }, new Date(at).toLocaleString("sv", FORM));
const none = () => make("span", { class: "none" }, "–");
const cell = (content, kind = "") => make("td", { class: kind }, content || none());
const head = (name) => make("th", { scope: "row", class: "name" }, name);
const button = (action, word, name) =>
  make("button", { type: "button", "data-do": action, value: name, "aria-label": `${word} ${name}` }, word);

const ROWS = {
  overview({ name, in: has }) {
    const wins = data.scopes[has[0]];
    const of = data.scopes.map((_, at) => {
      if (!has.includes(at)) return cell();
      if (has[0] === at) return cell(make("span", { class: "wins" }, "wins"));
      const why = make("small", {}, `shadowed by ${wins}`);
      return make("td", { class: "shadowed" }, make("s", {}, name), why);
    });
    return make("tr", {}, head(name), ...of.reverse()); // from the team to the narrowest
  },
  scope({ name, size, created, modified, trouble }) {
    const facts = trouble
      ? [make("td", { class: "bad", colspan: 3 }, trouble)]
      : [cell(String(size ?? ""), "number"), cell(time(created)), cell(time(modified))];
    const buttons = [button("edit", "Update", name), button("remove", "Delete", name)];
    const last = state.writes ? [make("td", {}, make("div", { class: "buttons" }, ...buttons))] : [];
    return make("tr", {}, head(name), ...facts, ...last);
  },
};

// Draws all that depends on the store.
function draw() {
  $("store").textContent = state.store;
  $("readers-link").hidden = !state.readers;
  for (const one of all(".writes")) one.hidden = !state.writes;
  const lead = state.writes ? LEADS[level(scope)] : "This store is read-only here.";
  $("scope-lead").textContent = lead ?? "";
  for (const kind of ["project", "cluster"]) {
    const known = [...state.scopes, scope].filter((one) => level(one) === kind).map(id);
    const ids = [...new Set([...known, state[kind]])].filter(Boolean).sort();
    const links = ids.map((one) => make("a", { href: `#/scope/${kind}/${one}` }, one));
    const more = make("button", { type: "button", "data-do": "ask", value: kind }, "new…");
    more.ariaLabel = `New ${kind}`;
    fill($(`${kind}s`), [...links, ...(state.writes ? [more] : [])].map((one) => make("li", {}, one)));
    for (const select of [$(kind), $(`check-${kind}`)]) {
      const chosen = select.options.length ? select.value : state[kind];
      fill(select, ["", ...ids].map((one) => make("option", { value: one }, one || "none")));
      select.value = ids.includes(chosen) ? chosen : "";
    }
  }
  for (const one of all("nav a")) {
    const here = one.hash === (view === "overview" ? "#/overview" : location.hash);
    one.ariaCurrent = here ? "page" : null;
  }
  $("nothing").hidden = state.done.length > 0;
  const done = state.done.map((one) => make("li", {}, time(one.at), make("span", {}, one.what)));
  fill($("done"), done.reverse());

  const columns = ["Name", ...[...(data.scopes ?? [])].reverse()];
  fill($("overview-head"), columns.map((one) => make("th", { scope: "col" }, one)));
  for (const name of Object.keys(ROWS)) {
    const rows = (name === view && data.rows) || [];
    const wanted = $(`find-${name}`).value.trim().toLowerCase();
    const found = rows.filter((one) => one.name.toLowerCase().includes(wanted));
    fill($(`${name}-rows`), found.map(ROWS[name]));
    const count = rows.length === 1 ? "1 name" : `${rows.length} names`;
    const words = rows.length ? count : "There are no names yet.";
    $(`${name}-count`).textContent = wanted ? `${found.length} of ${count}` : data.rows ? words : "";
    $(`${name}-table`).hidden = !found.length;
  }
  fill($("reader-lists"), (data.lists ?? []).map(({ scope: own, recipients }) => {
    const title = make("h2", {}, own ? `${own}, by a list of its own` : "The store");
    const list = make("ul", {}, ...recipients.map((one) => make("li", {}, one)));
    return make("div", { class: "panel readers" }, title, list);
  }));
}

// Tells which scope a launch gets a name from once the one in a scope is gone.
function afterwards(name, from, others) {
  const are = (kind) => others.filter((one) => level(one) === kind);
  const or = (some) => [...some.slice(0, 5), ...(some.length > 5 ? ["others"] : [])].join(" or ");
  const wider = level(from) === "project" ? are("cluster") : [];
  const below = { team: ["cluster", "project"], cluster: ["project"], project: [] }[level(from)];
  const narrower = below.flatMap(are);
  const where = wider.length ? `the name of ${or(wider)} wins in a launch there; in any other, ` : "";
  const fails = `there is no ${name}, and a launch that refers to it fails`;
  const kept = narrower.length ? ` A launch in ${or(narrower)} goes on with its own.` : "";
  return `Afterwards ${where}${others.includes("team") ? "the team's wins" : fails}.${kept}`;
}

// Shows a change, with the list as it is now.
async function did({ done }, focus) {
  await load(true);
  $("said").textContent = done;
  focus.focus();
}

// What the names to store become.
function count() {
  for (const one of all("#plan-rows input")) {
    const word = one.parentElement.querySelector("span");
    word.textContent = word.className = one.checked ? one.value : "skipped";
  }
  const chosen = all("#plan-rows input:checked").length;
  $("import-button").textContent = chosen === 1 ? "Store 1 name" : `Store ${chosen} names`;
}

function unplan() {
  fill($("plan-rows"), []);
  for (const one of ["plan", "import-button", "import-cancel"]) $(one).hidden = true;
  $("plan-button").hidden = false;
}

// What the buttons and forms do, by their `data-do`. A fault that is thrown is said beside them.
const actions = {
  skip: () => $("main").focus(),
  cancel: () => all("dialog[open]").forEach((one) => one.close()),
  end: () => ask("POST", "end").then(() => close("You have ended it.")),

  // Turns the form to updating a name, or back to adding one.
  edit(name) {
    updated = name;
    $("write").reset();
    drops("value");
    say($("write"));
    $("write-title").textContent = name ? `Update ${name}` : "Add a secret";
    $("write-button").textContent = name ? "Update" : "Add";
    $("write-cancel").hidden = !name;
    $("name-hint").hidden = !!name;
    Object.assign($("name"), { value: name, readOnly: !!name });
    if (view === "scope") $(name ? "value" : "name").focus();
  },

  async write() {
    const [again, value, raw] = [updated, content("value"), $("raw").checked ? "1" : "0"];
    const parts = { scope, name: $("name").value.trim(), how: again ? "update" : "create", raw };
    $("said").textContent = "";
    try {
      const done = await ask("POST", "write", parts, value);
      actions.edit("");
      await did(done, $("name"));
    } catch (faults) {
      if (again === updated) drops("value");
      throw faults;
    }
  },

  remove(name) {
    const from = scope;
    say($("delete"));
    $("delete-what").textContent = `${name} is removed from ${from}.`;
    $("delete-after").textContent = "…";
    $("delete-button").value = name;
    $("delete").showModal();
    const isShown = () => $("delete-button").value === name && scope === from;
    ask("GET", "holders", { name }).then(({ scopes }) => {
      const others = scopes.filter((one) => one !== from);
      if (isShown()) $("delete-after").textContent = afterwards(name, from, others);
    }).catch((faults) => isShown() && say($("delete"), faults));
  },

  async delete(name) {
    const done = await ask("POST", "delete", { scope, name });
    actions.cancel();
    await did(done, $("main"));
  },

  async plan() {
    const { items } = await ask("POST", "plan", { scope }, content("text"));
    if (!items.length) throw { field: "text", faults: ["there is no name in this text"] };
    fill($("plan-rows"), items.map(({ name, change }, at) => {
      const box = make("input", { type: "checkbox", id: `plan-${at}`, value: change, name });
      box.disabled = !(box.checked = change !== "skipped");
      return make("li", {}, box, make("label", { for: box.id }, name), make("span"));
    }));
    count();
    $("plan").hidden = $("import-button").hidden = $("import-cancel").hidden = false;
    $("plan-button").hidden = true;
    $("import-button").focus();
  },

  async import() {
    const chosen = (change) => all(`#plan-rows input[value=${change}]:checked`).map((one) => one.name);
    const choice = { create: chosen("create"), overwrite: chosen("overwrite") };
    const body = new Blob([JSON.stringify(choice), "\n", content("text")]);
    const done = await ask("POST", "import", { scope }, body).finally(actions.forget);
    await did(done, $("main"));
  },

  // Drops the text to import, and its names.
  forget() {
    drops("text");
    unplan();
  },

  async check() {
    const parts = { project: $("check-project").value, cluster: $("check-cluster").value };
    $("check-said").textContent = "";
    const { rows, faults } = await ask("POST", "check", { ...parts, path: $("path").value }, content("spec"));
    const row = (one) => {
      const cells = [one.reference, one.scope, one.shadows.join(", ")].map((text) => cell(text));
      const status = cell(one.status, one.status === "exists" ? "" : "bad");
      return make("tr", {}, head(one.variable), ...cells, status);
    };
    fill($("check-rows"), rows.map(row));
    $("check-table").hidden = !rows.length;
    fill($("check-faults"), faults.map((text) => make("li", {}, text)));
    const words = rows.length === 1 ? "1 reference" : `${rows.length} references`;
    $("check-said").textContent = faults.length ? "" : `${words}, no fault.`;
  },

  // Asks for the id of a new project or cluster.
  ask(kind) {
    $("new-title").textContent = `New ${kind}`;
    $("new-form").reset();
    say($("new-form"));
    $("new-button").value = kind;
    $("new").showModal();
    $("id").focus();
  },

  go() {
    const id = $("id").value.trim();
    const rule = "an id is letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253";
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/.test(id)) throw { field: "id", faults: [rule] };
    location.hash = `#/scope/${$("new-button").value}/${id}`;
  },
};

// Shows the page of the address. A link's token leaves the address, and so the history.
async function arrive() {
  const token = location.hash.slice(1);
  if (token && !token.startsWith("/")) {
    history.replaceState(null, "", "/");
    try {
      sessionStorage.setItem("session", (await ask("POST", "session", {}, "", token)).session);
    } catch ({ faults }) {
      // Whoever follows a link a second time may have its session.
      if (!sessionStorage.getItem("session")) return close(faults[0], "This link does not work");
    }
  }
  await load();
}

// Puts a file on a field, or nothing.
function drops(field, bytes, words = "") {
  dropped.delete(field);
  if (bytes) dropped.set(field, bytes);
  Object.assign($(field), { value: "", placeholder: words });
}

// Takes a dropped file's bytes. Elsewhere than on a field for it, a file must not be opened.
async function drop(event) {
  const [file] = event.dataTransfer.files;
  over({});
  if (!file) return;
  event.preventDefault();
  const field = event.target.closest(".drop");
  if (!field) return;
  if (file.size > LARGEST) return say(field.form, { field: field.id, faults: [TOO_LARGE] });
  const bytes = await file.arrayBuffer();
  drops(field.id, bytes, `${file.name}, ${file.size} bytes`);
  if (field.id === "spec") field.value = new TextDecoder().decode(bytes);
  say(field.form);
  if (field.id === "text") act("plan", $("plan-button"));
}

function over(event) {
  if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  for (const one of all(".drop")) one.classList.toggle("over", one === event.target);
}

addEventListener("click", (event) => {
  const from = event.target.closest("[data-do]");
  if (from?.matches("button")) act(from.dataset.do, from, from.value);
});
addEventListener("submit", (event) => {
  event.preventDefault();
  const name = event.target.dataset.do;
  if (name) act(name, event.submitter ?? event.target);
});
addEventListener("input", ({ target }) => {
  if (dropped.delete(target.id)) target.placeholder = "";
  if (target.type === "search") draw();
  if (target.type === "checkbox") count();
  if (target.id === "text") unplan();
});
addEventListener("change", ({ target }) => target.matches("#launch select") && load(true));
addEventListener("dragover", over);
addEventListener("drop", drop);
addEventListener("hashchange", arrive);
addEventListener("focus", () => view !== "closed" && !all("dialog[open]").length && load(true));
setInterval(() => view !== "closed" && fetch("/style.css").catch(lost).catch(() => {}), 5000);
arrive();
