// The whole page. Text of the server is only ever set as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const { aria, ...rest } = properties;
  const made = Object.assign(document.createElement(tag), rest);
  if (aria) made.setAttribute("aria-label", aria);
  made.append(...children);
  return made;
};
const fill = (id, children) => $(id).replaceChildren(...children);
const query = (parts) => "?" + new URLSearchParams(parts);
const level = (scope) => scope.split("/")[0];
const views = ["closed", "overview", "scope", "check", "readers"];

let state = { scopes: [], done: [] };
let view = "overview"; // what is shown, and of a scope's page which scope
let scope = "";
let shown = []; // the rows of the list that is shown
let turn = 0; // the number of the last question for a list: an older answer is dropped
let updated = null; // the name that the form updates; null where it adds one

// Asks the server. Every request has the session's secret, which no other page can read.
async function ask(method, path, parts = {}, body) {
  const headers = { "doorkey-session": sessionStorage.getItem("session") ?? "" };
  let answer;
  try {
    answer = await fetch(`/api/${path}${query(parts)}`, { method, headers, body });
  } catch {
    throw close("The program does not answer any more.");
  }
  const found = await answer.json();
  if (answer.status === 401) throw close(found.faults.join("\n"));
  if (!answer.ok) throw found;
  return found;
}

function close(why) {
  $("closed-why").textContent = why;
  for (const id of ["nav", "end"]) $(id).hidden = true;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  show("closed");
  return { field: "", faults: [] };
}

function show(name) {
  view = name;
  for (const one of views) $(one).hidden = one !== name;
  const title = $(name).querySelector("h1").textContent;
  document.title = `${title} · doorkey console`;
}

// Puts faults beside the field that they are about, or else beside the form's button.
function say(faults, fields, otherwise) {
  for (const field of fields) {
    $(`${field}-error`).textContent = "";
    $(field).removeAttribute("aria-invalid");
  }
  $(otherwise).textContent = "";
  if (!faults) return;
  const of = fields.includes(faults.field) ? faults.field : null;
  $(of ? `${of}-error` : otherwise).textContent = (faults.faults ?? [String(faults)]).join("\n");
  if (of) {
    $(of).setAttribute("aria-invalid", "true");
    $(of).focus();
  }
}

// Runs what a button does, one at a time; the faults are the handler's.
async function busy(button, work, failed) {
  if (button.disabled) return;
  button.disabled = true;
  try {
    await work();
  } catch (faults) {
    failed(faults);
  } finally {
    button.disabled = false;
  }
}

// Swedish writes a time as 2026-01-31 09:05, which every reader knows and which sorts.
const time = (text) =>
  text ? make("time", { dateTime: text, textContent: new Date(text).toLocaleString("sv", { dateStyle: "short", timeStyle: "short" }) }) : make("span", { className: "none", textContent: "–" });
const link = (href, text) => make("li", {}, make("a", { href, textContent: text }));

async function refresh() {
  state = await ask("GET", "state");
  $("store").textContent = state.store;
  $("readers-link").hidden = !state.readers;
  for (const one of document.querySelectorAll(".writes")) one.hidden = !state.writes;
  for (const id of ["nav", "end", "footer"]) $(id).hidden = false;
  for (const kind of ["project", "cluster"]) {
    const ids = state.scopes.filter((one) => level(one) === kind).map((one) => one.slice(kind.length + 1));
    if (level(scope) === kind && !state.scopes.includes(scope)) ids.push(scope.slice(kind.length + 1));
    const links = ids.map((id) => link(`#/scope/${kind}/${id}`, id));
    const more = make("button", { type: "button", textContent: "new…", aria: `New ${kind}`, onclick: () => open(kind) });
    fill(`${kind}s`, state.writes ? [...links, make("li", {}, more)] : links);
    for (const id of [kind, `check-${kind}`]) {
      const chosen = $(id).options.length ? $(id).value : state[kind];
      fill(id, ["", ...ids].map((one) => make("option", { value: one, textContent: one || "none" })));
      $(id).value = ids.includes(chosen) ? chosen : "";
    }
  }
  $("nothing").hidden = state.done.length > 0;
  fill("done", state.done.map((one) => make("li", {}, time(one.at), make("span", { textContent: one.what }))).reverse());
  for (const one of document.querySelectorAll("nav a")) {
    if (one.hash === (location.hash || "#/overview")) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
}

// Shows what the address says; again for what may have been changed elsewhere.
async function load(again = false) {
  const [, name, ...rest] = location.hash.split("/");
  scope = name === "scope" ? decodeURIComponent(rest.join("/")) : "";
  await refresh();
  const next = views.includes(name) && name !== "closed" ? name : "overview";
  if (!again) {
    $("said").textContent = "";
    $("scope-title").textContent = { team: "Team", project: "Project ", cluster: "Cluster " }[level(scope)] + scope.split("/").slice(1).join("/");
    edit(null);
    forget();
    // Another scope's names must not stand here, not for a moment.
    fill("scope-rows", []);
    $("scope-count").textContent = "";
  }
  show(next);
  await { overview, scope: list, readers, check: () => {} }[next]();
  if (!again) $("main").focus();
}

async function overview() {
  $("overview-error").textContent = "";
  const [project, cluster, mine] = [$("project").value, $("cluster").value, ++turn];
  try {
    const found = await ask("GET", "overview", { project, cluster });
    if (mine !== turn) return;
    const order = found.scopes.map((_, at) => at).reverse(); // from the team to the narrowest
    fill("overview-head", ["Name", ...order.map((at) => found.scopes[at])].map((text) => make("th", { scope: "col", textContent: text })));
    shown = found.rows;
    const row = ({ name, in: has }) => {
      const cell = (at) => {
        if (!has.includes(at)) return make("td", { className: "none", textContent: "–", ariaLabel: "not there" });
        if (has[0] === at) return make("td", {}, make("span", { className: "wins", textContent: "wins" }));
        return make("td", { className: "shadowed" }, make("s", { textContent: name }), make("small", { textContent: `shadowed by ${found.scopes[has[0]]}` }));
      };
      return make("tr", {}, make("th", { scope: "row", className: "name", textContent: name }), ...order.map(cell));
    };
    fill("overview-rows", shown.map(row));
    find("overview");
  } catch (faults) {
    say(faults, [], "overview-error");
  }
}

async function list() {
  $("scope-error").textContent = "";
  $("scope-lead").textContent = state.writes ? { team: "Every launch gets these names, unless its project or cluster has them too.", project: "These names win over those of a cluster and of the team.", cluster: "These names win over those of the team." }[level(scope)] ?? "" : "This store is read-only here.";
  const mine = ++turn;
  try {
    const { items } = await ask("GET", "scope", { scope });
    if (mine !== turn) return;
    shown = items;
    const row = ({ name, size, created, modified, trouble }) => {
      const button = (word, act) => make("button", { type: "button", textContent: word, aria: `${word} ${name}`, onclick: act });
      const buttons = make("div", { className: "buttons" }, button("Update", () => edit(name)), button("Delete", () => remove(name)));
      const facts = trouble ? [make("td", { className: "bad", colSpan: 3, textContent: trouble })] : [make("td", { className: "number", textContent: size }), make("td", {}, time(created)), make("td", {}, time(modified))];
      return make("tr", {}, make("th", { scope: "row", className: "name", textContent: name }), ...facts, ...(state.writes ? [make("td", {}, buttons)] : []));
    };
    fill("scope-rows", shown.map(row));
    find("scope");
  } catch (faults) {
    fill("scope-rows", []);
    say(faults, [], "scope-error");
  }
}

function find(which) {
  const wanted = $(`find-${which}`).value.trim().toLowerCase();
  const rows = [...$(`${which}-rows`).children];
  let count = 0;
  shown.forEach(({ name }, at) => {
    rows[at].hidden = !name.toLowerCase().includes(wanted);
    count += rows[at].hidden ? 0 : 1;
  });
  const all = shown.length === 1 ? "1 name" : `${shown.length} names`;
  $(`${which}-count`).textContent = wanted ? `${count} of ${all}` : shown.length ? all : "There are no names yet.";
}

// Turns the form to updating a name, or back to adding one.
function edit(name) {
  updated = name;
  $("write-title").textContent = name ? `Update ${name}` : "Add a secret";
  $("write-button").textContent = name ? "Update" : "Add";
  $("write-cancel").hidden = !name;
  $("name-hint").hidden = !!name;
  Object.assign($("name"), { value: name ?? "", readOnly: !!name });
  $("value").value = "";
  say(null, ["name", "value"], "write-error");
  if (name) $("value").focus();
}

async function store(event) {
  event.preventDefault();
  $("said").textContent = "";
  const [name, value] = [$("name").value.trim(), $("value").value];
  const parts = { scope, name, how: updated ? "update" : "create", raw: $("raw").checked ? "1" : "0" };
  const again = updated;
  await busy($("write-button"), async () => {
    const { done } = await ask("POST", "write", parts, value);
    edit(null);
    $("name").focus();
    await load(true);
    $("said").textContent = done;
  }, (faults) => {
    if (faults.field === "scope") faults.field = "";
    say(faults, ["name", "value"], "write-error");
  });
  // Whatever the answer was.
  if (again === updated) $("value").value = "";
}

async function remove(name) {
  const [dialog, from] = [$("delete"), scope];
  $("delete-what").textContent = `${name} is removed from ${from}.`;
  $("delete-after").textContent = "…";
  $("delete-error").textContent = "";
  dialog.showModal();
  $("delete-button").onclick = () => busy($("delete-button"), async () => {
    const { done } = await ask("POST", "delete", { scope: from, name });
    dialog.close();
    await load(true);
    $("said").textContent = done;
    $("main").focus();
  }, (faults) => say(faults, [], "delete-error"));
  try {
    const { scopes } = await ask("GET", "holders", { name });
    $("delete-after").textContent = afterwards(name, scopes.filter((one) => one !== scope));
  } catch (faults) {
    say(faults, [], "delete-error");
  }
}

// Says which scope a launch gets a name from once the one here is gone.
function afterwards(name, others) {
  const [team, clusters] = [others.includes("team"), others.filter((one) => level(one) === "cluster")];
  const rest = team ? "the team's wins" : `there is no ${name}, and a launch that refers to it fails`;
  if (level(scope) === "team") {
    const own = others.length ? ` ${others.join(", ")}: ${others.length === 1 ? "its own goes" : "their own go"} on winning.` : "";
    return `Afterwards the team has no ${name}.${own}`;
  }
  if (level(scope) === "cluster" || !clusters.length) return `Afterwards ${rest}.`;
  return `Afterwards the name of ${clusters.join(" or ")} wins in a launch there; in any other, ${rest}.`;
}

// Drops the text to import, and its names.
function forget() {
  $("text").value = "";
  $("plan").hidden = $("import-button").hidden = $("import-cancel").hidden = true;
  $("plan-button").hidden = false;
  say(null, ["text"], "text-error");
}

const ticked = (change) => [...$("plan-rows").querySelectorAll("input:checked")].filter((one) => one.dataset.change === change).map((one) => one.value);

function count() {
  const chosen = $("plan-rows").querySelectorAll("input:checked").length;
  $("import-button").textContent = chosen === 1 ? "Store 1 name" : `Store ${chosen} names`;
  for (const one of $("plan-rows").querySelectorAll("input")) {
    const word = one.parentElement.querySelector("span");
    word.textContent = one.checked ? one.dataset.change : "skipped";
    word.className = word.textContent;
  }
}

async function plan() {
  say(null, ["text"], "text-error");
  const { items } = await ask("POST", "plan", { scope }, $("text").value);
  if (!items.length) throw { field: "text", faults: ["there is no name in this text"] };
  fill("plan-rows", items.map(({ name, change }, at) => {
    const box = make("input", { type: "checkbox", id: `plan-${at}`, value: name, checked: change !== "skipped", disabled: change === "skipped", onchange: count });
    box.dataset.change = change;
    return make("li", {}, box, make("label", { htmlFor: box.id, textContent: name }), make("span", {}));
  }));
  count();
  $("plan").hidden = $("import-button").hidden = $("import-cancel").hidden = false;
  $("plan-button").hidden = true;
  $("import-button").focus();
}

const planned = () => busy($("plan-button"), plan, (faults) => {
  forget();
  say(faults, ["text"], "text-error");
});

const imported = () => busy($("import-button"), async () => {
  const parts = [["scope", scope], ...["create", "overwrite"].flatMap((change) => ticked(change).map((name) => [change, name]))];
  const { done } = await ask("POST", "import", parts, $("text").value);
  forget();
  await load(true);
  $("said").textContent = done;
  $("main").focus();
}, (faults) => {
  forget();
  say(faults, ["text"], "text-error");
});

async function checked(event) {
  event.preventDefault();
  const parts = { project: $("check-project").value, cluster: $("check-cluster").value, path: $("path").value };
  for (const id of ["check-said", "spec-error"]) $(id).textContent = "";
  await busy(event.submitter ?? $("spec"), async () => {
    const { rows, faults } = await ask("POST", "check", parts, $("spec").value);
    const cell = (text) => make("td", { textContent: text || "–" });
    const row = (one) => make("tr", {}, make("th", { scope: "row", className: "name", textContent: one.variable }), cell(one.reference), cell(one.scope), cell(one.shadows.join(", ")), make("td", { className: one.status === "exists" ? "" : "bad", textContent: one.status }));
    fill("check-rows", rows.map(row));
    $("check-table").hidden = !rows.length;
    fill("check-faults", faults.map((text) => make("li", { textContent: text })));
    $("check-said").textContent = faults.length ? "" : `${rows.length} references, no fault.`;
  }, (faults) => say(faults, ["spec"], "spec-error"));
}

async function readers() {
  try {
    const { lists } = await ask("GET", "readers");
    fill("reader-lists", lists.map((one) => make("div", { className: "panel readers" }, make("h2", { textContent: one.scope ? `${one.scope}, by a list of its own` : "The store" }), make("ul", {}, ...one.recipients.map((who) => make("li", { textContent: who }))))));
    $("readers-error").textContent = "";
  } catch (faults) {
    say(faults, [], "readers-error");
  }
}

// Asks for the id of a new project or cluster.
function open(kind) {
  $("new-title").textContent = `New ${kind}`;
  $("id").value = "";
  say(null, ["id"], "id-error");
  const go = () => {
    const id = $("id").value.trim();
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/.test(id)) {
      return say({ field: "id", faults: ["an id is letters, digits, '_', '.' and '-', the first a letter, digit or '_', at most 253"] }, ["id"], "id-error");
    }
    $("new").close();
    location.hash = `#/scope/${kind}/${id}`;
  };
  $("new-button").onclick = go;
  $("id").onkeydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    go();
  };
  $("new").showModal();
  $("id").focus();
}

// Takes a dropped file's text into a field.
function drops(id, then) {
  const field = $(id);
  const over = (on) => (event) => (event.preventDefault(), field.classList.toggle("over", on));
  field.addEventListener("dragover", over(true));
  field.addEventListener("dragleave", over(false));
  field.addEventListener("drop", async (event) => {
    over(false)(event);
    const [file] = event.dataTransfer.files;
    field.value = file ? await file.text() : event.dataTransfer.getData("text");
    then();
  });
}

async function begin() {
  const token = location.hash.slice(1);
  if (token && !token.startsWith("/")) {
    // The token leaves the address, and so the history.
    history.replaceState(null, "", "/");
    const answer = await fetch("/api/session", { method: "POST", headers: { "doorkey-token": token } });
    const found = await answer.json();
    if (!answer.ok) return close(found.faults.join("\n"));
    sessionStorage.setItem("session", found.session);
  }
  $("write").addEventListener("submit", store);
  $("import").addEventListener("submit", (event) => (event.preventDefault(), planned()));
  $("check-form").addEventListener("submit", checked);
  $("launch").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["project", "cluster"]) $(id).onchange = overview;
  for (const which of ["overview", "scope"]) $(`find-${which}`).oninput = () => find(which);
  $("write-cancel").onclick = () => (edit(null), $("name").focus());
  $("import-cancel").onclick = () => (forget(), $("text").focus());
  $("import-button").onclick = imported;
  $("skip").onclick = () => $("main").focus();
  $("end").onclick = () => ask("POST", "end").then(() => close("You have ended it."), () => {});
  drops("text", planned);
  drops("spec", () => {});
  addEventListener("hashchange", () => load().catch(() => {}));
  addEventListener("focus", () => view !== "closed" && !document.querySelector("dialog[open]") && load(true).catch(() => {}));
  await load();
}

begin().catch(() => {});
