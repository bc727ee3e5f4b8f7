// The page "Recordings": dropping and choosing files, the queue, the leak report in plain words.

import { $, el, icon, put, renew, say } from "./dom.js";
import { ask } from "./link.js";
import { openPlayer } from "./player.js";
import * as review from "./review.js";
import { segments, styleName } from "./style.js";
import { duration, number, plainName, t } from "./words.js";

const uploads = new Map();
let shownFolder = "";
let attempt = async (work) => work();
let spoken = new Map();
let fresh = new Map();
let chain = Promise.resolve();

export function setUp(runSafely) {
  attempt = runSafely;
  $("choose-files").addEventListener("click", () => $("files").click());
  $("choose-folder").addEventListener("click", () => $("folder").click());
  for (const id of ["files", "folder"]) {
    $(id).addEventListener("change", () => { take([...$(id).files]); $(id).value = ""; });
  }
  $("choose-here").addEventListener("click", () => attempt(() => browse("")));
  $("browse-all").addEventListener("click", () => addPath(shownFolder));
  review.setUp(runSafely);
  $("looks-first").addEventListener("change", () => attempt(() => ask("settings", { looks_first: $("looks-first").checked })));
  $("pause").addEventListener("click", () => attempt(() => ask("recordings/pause", { paused: $("pause").dataset.paused !== "true" })));
  for (const kind of ["dragover", "dragenter"]) document.addEventListener(kind, (event) => { event.preventDefault(); $("drop").classList.add("is-over"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("is-over"); });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    $("drop").classList.remove("is-over");
    location.hash = "/recordings";
    const entries = [...(event.dataTransfer?.items ?? [])].map((one) => one.webkitGetAsEntry?.()).filter(Boolean);
    take((await Promise.all(entries.map(filesOf))).flat());
  });
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}

const VIDEOS = /\.(3gp|avi|flv|m2ts|m4v|mkv|mov|mp4|mpeg|mpg|mts|ogv|ts|vob|webm|wmv)$/i;

function take(files) {
  const videos = files.filter((file) => VIDEOS.test(file.name) && !file.name.startsWith("."));
  if (!videos.length) return attempt(async () => { throw new Error(t("drop.none")); });
  for (const file of videos) {
    const key = `${file.name}-${file.size}-${uploads.size}-${performance.now()}`;
    uploads.set(key, { name: file.name, part: 0, problem: "" });
    chain = chain.then(() => send(key, file));
  }
  showUploads();
  return undefined;
}

// XMLHttpRequest and not fetch: it tells how much has been sent.
function send(key, file) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/upload?name=${encodeURIComponent(file.name)}`);
    request.upload.onprogress = (event) => { uploads.get(key).part = event.loaded / Math.max(1, event.total); showUploads(); };
    request.onloadend = () => {
      if (request.status === 200) uploads.delete(key);
      else {
        let problem = "";
        try { problem = JSON.parse(request.responseText).error; } catch { problem = t("drop.broken"); }
        uploads.set(key, { name: file.name, part: 0, problem });
      }
      showUploads();
      done();
    };
    request.send(file);
  });
}

function showUploads() {
  renew($("uploads"), [[...uploads].map(([key, one]) => [key, Math.round(100 * one.part), one.problem]), t("drop.sending")], () => [...uploads].map(([key, one]) => el("li", { class: "item" },
    el("div", {}, el("h3", { dir: "auto" }, plainName(one.name)), el("p", { class: "said" }, one.problem || t("drop.sending"))),
    one.problem ? el("button", { type: "button", class: "round", "aria-label": t("remove", { name: plainName(one.name) }), on: { click: () => { uploads.delete(key); showUploads(); } } }, icon("close")) : null,
    one.problem ? null : el("progress", { value: one.part, max: 1, "aria-label": plainName(one.name) }))));
}

async function browse(path) {
  const folder = await ask("folder", { path });
  shownFolder = folder.path;
  put($("browse-path"), plainName(folder.path));
  const inside = (name) => folder.path.endsWith(folder.separator) ? folder.path + name : folder.path + folder.separator + name;
  const entry = (label, kind, act, extra) => el("li", {}, el("button", { type: "button", on: { click: act } }, icon(kind), el("span", {}, label), extra ? el("small", {}, extra) : null));
  const rows = [];
  if (folder.parent) rows.push(entry(t("browse.up"), "undo", () => attempt(() => browse(folder.parent))));
  for (const name of folder.folders) rows.push(entry(plainName(name), "folder", () => attempt(() => browse(inside(name)))));
  for (const { name, size_mb: size } of folder.videos) rows.push(entry(plainName(name), "film", () => addPath(inside(name)), t("megabytes", { n: number(size, size < 10 ? 1 : 0) })));
  $("entries").replaceChildren(...rows);
  put($("browse-all"), t("browse.all"));
  if (!$("browse").open) $("browse").showModal();
}

function addPath(path) {
  attempt(async () => {
    const { added } = await ask("recordings/add", { path });
    $("browse").close();
    say(t("browse.added", { n: number(added) }));
  });
}

export function show(state) {
  const queue = state.recordings;
  const isPending = queue.items.some((one) => one.status === "waiting" || one.status === "converting");
  $("queue-head").hidden = !isPending;
  $("pause").dataset.paused = queue.paused;
  put($("pause-text"), t(queue.paused ? "queue.resume" : "queue.pause"));
  $("pause-icon").setAttribute("href", queue.paused ? "#i-play" : "#i-pause");
  put($("queue-hint"), queue.paused ? t("queue.paused") : queue.held ? t("queue.held") : t("queue.output", { folder: queue.output }));
  renew($("sound"), [state.sound, t("sound")], () => [
    segments("sound", ["keep", "disguise", "drop"], state.sound, (sound) => attempt(() => ask("settings", { sound }))),
    el("p", { class: "hint" }, t(`sound.${state.sound}.hint`))]);
  if (document.activeElement !== $("looks-first")) $("looks-first").checked = state.looks_first;
  const left = queue.items.filter((one) => ["waiting", "converting", "review"].includes(one.status)).length;
  $("queue-count").hidden = left === 0;
  put($("queue-count"), number(left));
  put($("drop-look"), t("drop.look", { style: styleName(state.look.style) }));
  renew($("queue"), [queue.items.map(({ done, fps, left_s, total, covers, ...rest }) => rest), queue.paused, queue.held, t("queue.pause")], () => queue.items.map((one) => row(one, queue)));
  for (const one of queue.items) if (one.status === "converting") showProgress(one);
  speakChanges(queue.items);
  review.show(state);
}

function row(one, queue) {
  const act = (name, label, kind, run) => el("button", { type: "button", class: kind === "primary" ? "primary" : "plain", "data-key": `${name}-${one.id}`, on: { click: run } }, label);
  const isDone = one.status === "done" || one.status === "partial";
  const [name, result] = [plainName(one.name), plainName(one.result)];
  const buttons = [];
  if (isDone) buttons.push(act("look", t("queue.look"), "primary", () => openPlayer(one)), act("reveal", t("queue.folder"), "", () => attempt(() => ask("recordings/reveal", { id: one.id }))));
  if (one.status === "review") buttons.push(act("review", t("review.look"), "primary", () => attempt(() => review.openReview(fresh.get(one.id)))));
  if (one.status === "failed") buttons.push(act("again", t("queue.again"), "primary", () => attempt(() => ask("recordings/again", { id: one.id }))));
  buttons.push(el("button", { type: "button", class: "round", "data-key": `remove-${one.id}`, "aria-label": t("remove", { name }), title: t("remove", { name }), on: { click: () => attempt(() => ask("recordings/remove", { id: one.id })) } }, icon("trash")));
  const said = { waiting: t(queue.paused ? "status.paused" : "status.waiting"), converting: t("status.converting"), review: t("status.review", { n: number(one.doubts) }), done: t("status.done", { name: result }), partial: t("status.partial", { name: result }), failed: t("status.failed") }[one.status];
  return el("li", { class: "item", id: `recording-${one.id}` },
    el("div", {}, el("h3", { dir: "auto" }, name), el("p", { class: "said" }, said),
      details(one.problem ? [one.problem] : one.notes, Boolean(one.problem))),
    el("div", { class: "row" }, ...buttons),
    one.status === "converting" ? el("progress", { "aria-label": name, max: 1 }) : null,
    isDone || one.status === "review" ? report(one) : null);
}

// What the program says in English, as the terminal does.
function details(texts, isOpen) {
  return texts.length ? el("details", { open: isOpen }, el("summary", {}, t("details")), ...texts.map((text) => el("p", { lang: "en", dir: "ltr" }, text))) : null;
}

// The leak report in plain words: what was counted, nothing more.
function report(one) {
  const count = (name) => one.states[name] ?? 0;
  const words = [t("leak.frames", { n: number(one.frames) }), t("leak.protected", { n: number(count("protected")) })];
  if (count("holding")) words.push(t("leak.holding", { n: number(count("holding")) }));
  if (count("covered")) words.push(t("leak.covered", { n: number(count("covered")) }));
  if (one.covers.length) words.push(`${t("review.covered", { n: number(one.covers.length) })}.`);
  const isSafe = count("exposed") === 0;
  words.push(isSafe ? t("leak.none") : t("leak.exposed", { n: number(count("exposed")) }));
  return el("p", { class: isSafe ? "report" : "report is-bad" }, icon(isSafe ? "shield" : "alert"), el("span", {}, words.join(" ")));
}

function showProgress(one) {
  const node = $(`recording-${one.id}`);
  if (!node) return;
  const bar = node.querySelector("progress");
  if (one.total > 0) bar.value = one.done / one.total; else bar.removeAttribute("value");
  const left = one.left_s === null || one.left_s === undefined ? "" : t("status.left", { time: duration(one.left_s) });
  put(node.querySelector(".said"), one.total > 0 ? t("status.progress", { n: number(Math.floor((100 * one.done) / one.total)), left, fps: number(one.fps) }) : t("status.opening"));
}

function speakChanges(items) {
  fresh = new Map(items.map((one) => [one.id, one]));
  for (const one of items) {
    const before = spoken.get(one.id);
    if (before && before !== one.status && ["review", "done", "partial", "failed"].includes(one.status)) say(`${plainName(one.name)}: ${t(`spoken.${one.status}`)}`);
  }
  spoken = new Map(items.map((one) => [one.id, one.status]));
}
