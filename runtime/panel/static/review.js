// A look before the file is made: doubtful pictures of a recording, and regions drawn over what nobody should see.

import { $, el, icon, put, renew } from "./dom.js";
import { ask } from "./link.js";
import { has, number, plainName, t } from "./words.js";

const LEAST_PART = 0.015;
const STEP_PART = 0.01;
const SAVE_MS = 250;
// A state that was on its way while something was drawn does not undo it.
const OWN_MS = 1500;
const MARGIN_S = 0.5;
let attempt = async (work) => work();
let id = "";
let doubts = [];
let place = 0;
let regions = [];
let drag = null;
let timer = 0;
let saving = Promise.resolve();
let changedAt = -Infinity;

export function setUp(runSafely) {
  attempt = runSafely;
  $("review-previous").addEventListener("click", () => go(place - 1));
  $("review-next").addEventListener("click", () => go(place + 1));
  $("review-add").addEventListener("click", () => add({ left: 0.35, top: 0.25, right: 0.65, bottom: 0.75 }, true));
  $("review-make").addEventListener("click", () => attempt(make));
  $("review-picture").addEventListener("load", showRegions);
  const stage = $("review-stage");
  stage.addEventListener("pointerdown", begin);
  stage.addEventListener("pointermove", move);
  for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, end);
  $("review").addEventListener("close", () => { attempt(save); $("review-picture").removeAttribute("src"); id = ""; });
}

export async function openReview(recording) {
  ({ doubts } = await ask("recordings/doubts", { id: recording.id }));
  id = recording.id;
  regions = recording.covers.map((one) => ({ ...one }));
  place = 0;
  put($("review-title"), t("review.title"));
  put($("review-name"), plainName(recording.name));
  showStrip();
  go(0);
  if (!$("review").open) $("review").showModal();
  $("review-next").focus();
}

// Another tab may have drawn, or made the file.
export function show(state) {
  if (!id) return;
  const recording = state.recordings.items.find((one) => one.id === id);
  if (recording?.status !== "review") {
    $("review").close();
    return;
  }
  if (drag || performance.now() - changedAt < OWN_MS) return;
  if (JSON.stringify(recording.covers) !== JSON.stringify(regions)) {
    regions = recording.covers.map((one) => ({ ...one }));
    showRegions();
  }
}

const now = () => doubts[place];
const isHere = (region) => region.from_s <= now().time_s && region.to_s >= now().time_s;
const picture = (which) => `/recordings/${id}/doubts/${which}`;
const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
const tenth = (seconds) => Math.round(10 * Math.max(0, seconds)) / 10;

function go(wanted) {
  place = Math.max(0, Math.min(doubts.length - 1, wanted));
  const where = t("review.place", { n: number(place + 1), all: number(doubts.length), time: clock(now().time_s) });
  const reason = has(`doubt.${now().reason}`) ? t(`doubt.${now().reason}`) : now().reason;
  $("review-picture").src = picture(place);
  $("review-picture").alt = `${where}. ${reason}`;
  put($("review-place"), where);
  put($("review-reason"), reason);
  $("review-previous").disabled = place === 0;
  $("review-next").disabled = place === doubts.length - 1;
  [...$("review-strip").children].forEach((item, which) => {
    const button = item.firstElementChild;
    if (which === place) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
    if (which === place) item.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  showRegions();
}

function showStrip() {
  $("review-strip").replaceChildren(...doubts.map((one, which) => el("li", {},
    el("button", { type: "button", "aria-label": t("review.place", { n: number(which + 1), all: number(doubts.length), time: clock(one.time_s) }), on: { click: () => go(which) } },
      el("img", { src: picture(which), alt: "", loading: "lazy" }), el("span", {}, clock(one.time_s))))));
}

function showRegions() {
  const here = regions.map((region, which) => which).filter((which) => isHere(regions[which]));
  renew($("review-regions"), [id, here, t("review.region")], () => here.map((which) => el("button",
    { type: "button", class: "region", "data-key": `region-${which}`, "data-region": which, "aria-describedby": "review-keys", on: { keydown: (event) => moveByKey(event, which) } },
    el("span", { class: "region-name", "aria-hidden": "true" }, number(which + 1)), el("span", { class: "region-corner", "aria-hidden": "true" }))));
  for (const node of $("review-regions").children) placeRegion(node, regions[node.dataset.region]);
  showList();
  put($("review-count"), regions.length ? t("review.covered", { n: number(regions.length) }) : t("review.none"));
}

function size() {
  return [$("review-picture").naturalWidth || 1, $("review-picture").naturalHeight || 1];
}

function placeRegion(node, region) {
  const [width, height] = size();
  const [left, top, right, bottom] = region.box;
  const parts = { left: left / width, top: top / height, width: (right - left) / width, height: (bottom - top) / height };
  const told = {};
  for (const [name, part] of Object.entries(parts)) {
    node.style[name] = `${100 * part}%`;
    told[name] = number(Math.round(100 * part));
  }
  node.setAttribute("aria-label", t("review.region.place", { n: number(Number(node.dataset.region) + 1), ...told }));
}

function showList() {
  renew($("review-list"), [id, regions.map(({ from_s, to_s }) => [from_s, to_s]), place, t("review.from")], () => regions.map((region, which) => {
    const field = (name, label) => el("label", {}, el("span", {}, t(label)), el("input", { type: "number", min: 0, step: 0.1, value: region[name], required: true, "data-key": `${name}-${which}`, on: { change: (event) => setTime(event.target, region, name) } }));
    return el("li", { class: isHere(region) ? "is-here" : "" },
      el("h3", {}, t("review.region", { n: number(which + 1) })), field("from_s", "review.from"), field("to_s", "review.to"),
      el("button", { type: "button", class: "round", "aria-label": t("remove", { name: t("review.region", { n: number(which + 1) }) }), "data-key": `remove-${which}`, on: { click: () => remove(which) } }, icon("trash")));
  }));
}

function setTime(input, region, name) {
  const value = Number(input.value);
  const isWhole = input.value !== "" && Number.isFinite(value) && value >= 0;
  if (!isWhole) { input.value = region[name]; return; }
  region[name] = value;
  // The other end gives way: a stretch never ends before it begins.
  if (region.from_s > region.to_s) region[name === "from_s" ? "to_s" : "from_s"] = value;
  changed();
}

function add(parts, takesFocus) {
  const [width, height] = size();
  const box = [parts.left * width, parts.top * height, parts.right * width, parts.bottom * height].map(Math.round);
  regions.push({ from_s: tenth(now().time_s - MARGIN_S), to_s: tenth(now().until_s + MARGIN_S), box });
  changed();
  if (takesFocus) $("review-regions").querySelector(`[data-region="${regions.length - 1}"]`)?.focus();
}

function remove(which) {
  regions.splice(which, 1);
  changed();
  $("review-add").focus();
}

function changed() {
  changedAt = performance.now();
  showRegions();
  clearTimeout(timer);
  timer = setTimeout(() => attempt(save), SAVE_MS);
}

async function save() {
  clearTimeout(timer);
  if (!timer || !id) return;
  timer = 0;
  saving = ask("recordings/cover", { id, covers: regions });
  await saving;
}

// The regions go with the word to make the file: nothing that was drawn can come too late.
async function make() {
  clearTimeout(timer);
  timer = 0;
  await saving.catch(() => {});
  await ask("recordings/finish", { id, covers: regions });
  $("review").close();
}

// A box shifted or resized by parts of the picture, inside of it. Edges: which of left, top, right, bottom follow.
function shifted(box, byX, byY, edges) {
  const [width, height] = size();
  const limits = [width, height, width, height];
  const by = [byX * width, byY * height, byX * width, byY * height];
  let moved = box.map((value, edge) => (edges.includes(edge) ? value + by[edge] : value));
  if (edges.length === 4) {
    // The whole box: it stops at the border and keeps its size.
    const back = [0, 1].map((axis) => Math.min(0, moved[axis]) + Math.max(0, moved[axis + 2] - limits[axis]));
    moved = moved.map((value, edge) => value - back[edge % 2]);
  }
  const least = [LEAST_PART * width, LEAST_PART * height];
  return moved.map((value, edge) => Math.round(edge < 2 ? Math.max(0, value) : Math.min(limits[edge], Math.max(value, moved[edge - 2] + least[edge - 2]))));
}

function moveByKey(event, which) {
  if (event.key === "Delete" || event.key === "Backspace") {
    event.preventDefault();
    remove(which);
    return;
  }
  const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
  if (!x && !y) return;
  event.preventDefault();
  regions[which].box = shifted(regions[which].box, x * STEP_PART, y * STEP_PART, event.shiftKey ? [2, 3] : [0, 1, 2, 3]);
  changed();
}

function pointOf(event) {
  const frame = $("review-picture").getBoundingClientRect();
  const inside = (value) => Math.max(0, Math.min(1, value));
  return [inside((event.clientX - frame.left) / frame.width), inside((event.clientY - frame.top) / frame.height)];
}

function begin(event) {
  if (event.button !== 0 || !$("review-picture").naturalWidth) return;
  const node = event.target.closest(".region");
  const start = pointOf(event);
  $("review-stage").setPointerCapture(event.pointerId);
  if (node) {
    const which = Number(node.dataset.region);
    const isCorner = event.target.classList.contains("region-corner");
    drag = { which, start, box: [...regions[which].box], edges: isCorner ? [2, 3] : [0, 1, 2, 3] };
    node.focus();
  } else {
    drag = { start, sketch: el("span", { class: "region is-sketch" }) };
    $("review-regions").append(drag.sketch);
  }
  event.preventDefault();
}

function corners(event) {
  const [[x1, y1], [x2, y2]] = [drag.start, pointOf(event)];
  return { left: Math.min(x1, x2), top: Math.min(y1, y2), right: Math.max(x1, x2), bottom: Math.max(y1, y2) };
}

function move(event) {
  if (!drag) return;
  if (drag.sketch) {
    const { left, top, right, bottom } = corners(event);
    Object.assign(drag.sketch.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%` });
    return;
  }
  const [x, y] = pointOf(event);
  regions[drag.which].box = shifted(drag.box, x - drag.start[0], y - drag.start[1], drag.edges);
  placeRegion($("review-regions").querySelector(`[data-region="${drag.which}"]`), regions[drag.which]);
}

function end(event) {
  if (!drag) return;
  const { sketch } = drag;
  const drawn = sketch ? corners(event) : null;
  drag = null;
  sketch?.remove();
  if (!drawn) changed();
  else if (event.type === "pointerup" && drawn.right - drawn.left > LEAST_PART && drawn.bottom - drawn.top > LEAST_PART) add(drawn, true);
}
