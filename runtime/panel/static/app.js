// The page as a whole: which part is shown, the language, the link to the program, what went wrong.

import * as camera from "./camera.js";
import { $, el, put, renew } from "./dom.js";
import { SaidError, ask, connect, isQuiet } from "./link.js";
import * as phone from "./phone.js";
import * as player from "./player.js";
import * as preview from "./preview.js";
import * as recordings from "./recordings.js";
import * as style from "./style.js";
import { chosen, ownName, t, useLanguage } from "./words.js";

const PAGES = ["camera", "style", "recordings"];
let state = null;
let isLinked = false;
let hasQuit = false;
let problemTimer = 0;

// "#/camera", and not "#camera", which is an element that the browser would scroll to.
const page = () => PAGES.find((one) => location.hash === `#/${one}`) ?? "camera";

// Runs what a button does; what goes wrong is shown and spoken.
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error instanceof SaidError) showProblem(t("problem"), error.message);
    else showProblem(error instanceof TypeError ? t("lost.title") : error.message);
  }
}

// Good news, for a moment.
function toast(text) {
  put($("toast"), text);
  $("toast").hidden = false;
  setTimeout(() => { $("toast").hidden = true; }, 5000);
}

// detail: what the program said, in English.
function showProblem(text, detail = "") {
  clearTimeout(problemTimer);
  put($("lost").querySelector("strong"), text);
  tell(detail, detail ? "en" : "");
  $("lost").hidden = false;
  problemTimer = setTimeout(showLink, 8000);
}

function tell(text, language = "") {
  const node = $("lost").querySelector("span");
  put(node, text);
  node.lang = language || document.documentElement.lang;
}

function showLink() {
  const isLost = !isLinked;
  $("lost").hidden = !isLost;
  document.body.classList.toggle("is-lost", isLost);
  // Closed as the person wished: no alarm.
  $("lost").classList.toggle("is-calm", isLost && hasQuit);
  $("lost-icon").setAttribute("href", isLost && hasQuit ? "#i-check" : "#i-alert");
  if (!isLost) return;
  put($("lost").querySelector("strong"), t(hasQuit ? "closed.title" : "lost.title"));
  tell(t(hasQuit ? "closed.text" : "lost.text"));
}

function show() {
  if (!state) return;
  const now = page();
  for (const button of document.querySelectorAll("[data-page]")) {
    if (button.dataset.page === now) button.setAttribute("aria-current", "page"); else button.removeAttribute("aria-current");
  }
  $("studio").hidden = now === "recordings";
  $("page-camera").hidden = now !== "camera";
  $("page-style").hidden = now !== "style";
  $("page-recordings").hidden = now !== "recordings";
  document.title = `${t(`page.${now}`)} · Toonfilter`;
  camera.show(state, now !== "recordings");
  style.show(state, now === "style");
  recordings.show(state);
}

async function onState(fresh) {
  state = fresh;
  const code = chosen(state.language, state.languages);
  await useLanguage(code);
  renew($("language"), state.languages, () => state.languages.map((one) => el("option", { value: one, lang: one }, ownName(one))));
  if (document.activeElement !== $("language")) $("language").value = code;
  show();
}

function onLink(linked) {
  if (linked === isLinked) return;
  isLinked = linked;
  if (!linked && state) {
    // Without the program nothing is known: nothing is claimed.
    onState({ ...state, camera: { ...state.camera, phase: "off", trouble: null, virtual: "", state: null, is_lost: true } });
  }
  preview.linkChanged();
  showLink();
  if (linked) ask("devices").catch(() => {});
}

function leave() {
  attempt(async () => {
    hasQuit = true;
    await ask("quit");
    $("leave").close();
  });
}

async function begin() {
  await useLanguage(chosen("", ["en", "de", "fr", "es", "pt", "zh", "ja", "hi", "ar", "id"]));
  for (const part of [camera, style, recordings, player, phone]) part.setUp(attempt, toast);
  for (const button of document.querySelectorAll("[data-page]")) button.addEventListener("click", () => { location.hash = `/${button.dataset.page}`; });
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  window.addEventListener("hashchange", () => { show(); window.scrollTo(0, 0); });
  $("language").addEventListener("change", () => attempt(() => ask("settings", { language: $("language").value })));
  $("quit").addEventListener("click", () => $("leave").showModal());
  $("leave-yes").addEventListener("click", leave);
  // A socket can be open while the program hangs; the state comes at least as often as something is measured.
  setInterval(() => { if (isLinked && state?.camera.phase === "running" && isQuiet()) showProblem(t("lost.title")); }, 2000);
  connect({ onState, onPicture: preview.paint, onLink });
}

begin();
