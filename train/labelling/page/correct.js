// The page on which labels are corrected: one picture after the other, outlines drawn over it.
"use strict";
const at = id => document.getElementById(id);
const ZOOM = 2.5, EDGE = 4;
// points: of the outline that is open. drafts: outlines that are not kept yet, by picture.
let state = null, outlines = [], points = [], kind = 0, drawn = 0, busy = false, view = { scale: 1, x: 0, y: 0 };
let pointer = null;
const drafts = new Map();

async function post(action, body) {
  let answer;
  try {
    answer = await fetch("/api/" + action, { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body) });
  } catch { throw new Error("The page is not served any more. Start the command again: what you drew is still here."); }
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}
const ask = async (action, body) => (await post(action, body)).json();

function show(part) { for (const id of ["desk", "end"]) at(id).hidden = id !== part; }
function tell(text) { at("trouble").textContent = text; at("trouble").hidden = !text; }
function node(name, values) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  return made;
}
const colourOf = name => state.kinds.find(one => one.kind === name).colour;
const joined = path => path.map(point => point.join(",")).join(" ");

// A picture.
function lay(next) {
  state = next;
  points = []; view = { scale: 1, x: 0, y: 0 };
  outlines = drafts.get(state.file) ?? state.outlines;
  tell("");
  at("count").textContent = state.done + " of " + state.total + " looked at";
  at("bar").max = state.total; at("bar").value = state.done;
  at("kept").hidden = !state.is_kept;
  at("file").textContent = state.file ?? "Correct labels";
  for (const line of document.querySelectorAll(".command")) line.textContent = state.command;
  if (state.file === null) { show("end"); return; }
  if (!at("kinds").children.length) makeKinds();
  at("back").disabled = state.place === 0;
  at("photo").src = "/photo/" + state.place;
  at("labels").removeAttribute("src");
  show("desk"); place(); refresh();
  snap().then(() => { if (state.ahead) ask("prepare", { file: state.ahead }).catch(() => {}); });
}

async function go(action, body) {
  if (busy) return;
  busy = true;
  try { lay(await ask(action, body)); } catch (error) { tell(error.message); } finally { busy = false; }
}

function save() {
  if (busy || state.file === null) return;
  if (points.length) { tell("An outline is open: Enter closes it, Escape drops it."); return; }
  const file = state.file, kept = outlines;
  go("save", { file, outlines: kept }).then(() => { if (state.file !== file) drafts.delete(file); });
}
function back() { if (state && state.place > 0) go("back", { file: state.file }); }

// Outlines.
function makeKinds() {
  at("kinds").replaceChildren(...state.kinds.map((one, number) => {
    const button = document.createElement("button"), swatch = document.createElement("span"), key = document.createElement("kbd");
    swatch.className = "swatch"; swatch.style.background = one.colour; key.textContent = number + 1;
    button.append(swatch, one.kind, key);
    button.addEventListener("click", () => choose(number));
    return button;
  }));
}
function choose(number) { kind = number; refresh(); }

function refresh() {
  [...at("kinds").children].forEach((button, number) => button.setAttribute("aria-pressed", String(number === kind)));
  const colour = state.kinds[kind].colour;
  at("line").setAttribute("points", joined(points)); at("line").setAttribute("stroke", colour);
  at("points").replaceChildren(...points.map(([x, y]) => node("line", { x1: x, y1: y, x2: x, y2: y, stroke: colour })));
  at("outlines").replaceChildren(...outlines.map(one => node("polygon", { points: joined(one.points), stroke: colourOf(one.kind) })));
  at("save").firstChild.textContent = outlines.length ? "Keep, next " : "All is right, next ";
  follow();
}

function follow() {
  const last = points.at(-1), line = at("next");
  line.style.display = last && pointer ? "" : "none";
  if (!last || !pointer) return;
  const [x, y] = placed(pointer);
  for (const [key, value] of Object.entries({ x1: last[0], y1: last[1], x2: x, y2: y, stroke: state.kinds[kind].colour }))
    line.setAttribute(key, value);
}

// The server snaps outlines to edges; an answer that comes after a newer question is not shown.
async function snap() {
  const number = ++drawn;
  try {
    const picture = await (await post("draw", { file: state.file, outlines })).blob();
    if (number !== drawn) return;
    const before = at("labels").src;
    at("labels").src = URL.createObjectURL(picture);
    if (before) URL.revokeObjectURL(before);
  } catch (error) { if (number === drawn) tell(error.message); }
}

function change(next) { outlines = next; drafts.set(state.file, outlines); refresh(); return snap(); }

function close() {
  if (!points.length) return;
  if (points.length < 3) { tell("An outline needs three points."); return; }
  const made = { kind: state.kinds[kind].kind, points };
  points = []; tell("");
  change([...outlines, made]);
}

function takeBack() {
  tell("");
  if (points.length) { points = points.slice(0, -1); refresh(); } else if (outlines.length) change(outlines.slice(0, -1));
}

function placed(where) {
  const box = at("pen").getBoundingClientRect();
  return [(where.x - box.left) / box.width, (where.y - box.top) / box.height].map(part =>
    Math.round(Math.min(Math.max(part, 0), 1) * 100 * (100 + 2 * EDGE)) / 100 - EDGE).map(value => Number(value.toFixed(2)));
}

// The view.
function place() { at("sheet").style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`; }
function move(x, y) {
  const side = at("stage").clientWidth, least = side * (1 - view.scale);
  view.x = Math.min(Math.max(x, least), 0); view.y = Math.min(Math.max(y, least), 0);
  place(); follow();
}
function zoom() {
  const box = at("stage").getBoundingClientRect(), middle = box.width / 2;
  const inside = pointer && pointer.x >= box.left && pointer.x <= box.right && pointer.y >= box.top && pointer.y <= box.bottom;
  const x = inside ? pointer.x - box.left : middle, y = inside ? pointer.y - box.top : middle;
  view.scale = view.scale === 1 ? ZOOM : 1;
  move(x * (1 - view.scale), y * (1 - view.scale));
}
const pan = (x, y) => () => move(view.x + x * at("stage").clientWidth * 0.15, view.y + y * at("stage").clientWidth * 0.15);

// Keys and clicks.
const KEYS = { " ": save, n: save, b: back, z: zoom, Enter: close, Backspace: takeBack,
  l: () => at("sheet").classList.toggle("bare"), Escape: () => { points = []; tell(""); refresh(); },
  ArrowLeft: pan(1, 0), ArrowRight: pan(-1, 0), ArrowUp: pan(0, 1), ArrowDown: pan(0, -1) };

addEventListener("keydown", event => {
  if (!state || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("button") && (event.key === "Enter" || event.key === " ")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key, number = Number(key) - 1;
  const act = state.kinds[number] && /^[1-9]$/.test(key) ? () => choose(number) : KEYS[key];
  if (!act || (state.file === null && key !== "b") || (event.repeat && !key.startsWith("Arrow"))) return;
  event.preventDefault();
  act();
});
at("pen").addEventListener("click", event => {
  // The second click of two closes the outline and is no point.
  if (event.detail > 1 || busy) return;
  points = [...points, placed({ x: event.clientX, y: event.clientY })];
  tell(""); refresh();
});
at("pen").addEventListener("dblclick", close);
addEventListener("pointermove", event => { pointer = { x: event.clientX, y: event.clientY }; if (points.length) follow(); });
// A click leaves no focus behind that would take Space and Enter.
addEventListener("mousedown", event => { if (event.target.closest("button")) event.preventDefault(); });
addEventListener("beforeunload", event => { if (drafts.size || points.length) event.preventDefault(); });
at("save").addEventListener("click", save);
at("back").addEventListener("click", back);
ask("open", {}).then(lay).catch(error => tell(error.message));
