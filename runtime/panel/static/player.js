// Before and after in one picture. The original is loaded only when the person asks to see it.

import { $, put } from "./dom.js";
import { ask } from "./link.js";
import { plainName, t } from "./words.js";

const FAR_S = 0.12;
const after = $("after");
const before = $("before");
let now = null;
let attempt = async (work) => work();

export function setUp(runSafely) {
  attempt = runSafely;
  $("play").addEventListener("click", () => (after.paused ? after.play() : after.pause()));
  for (const kind of ["play", "pause", "ended"]) after.addEventListener(kind, showPlaying);
  after.addEventListener("timeupdate", () => {
    if (after.duration) $("seek").value = after.currentTime / after.duration;
    follow();
  });
  $("seek").addEventListener("input", () => { if (after.duration) after.currentTime = $("seek").value * after.duration; follow(); });
  $("split").addEventListener("input", showSplit);
  for (const kind of ["pointerdown", "pointermove"]) $("compare").addEventListener(kind, dragSplit);
  $("reveal").addEventListener("click", () => attempt(reveal));
  for (const video of [after, before]) video.addEventListener("error", () => { if (video.src) $("compare-problem").hidden = false; });
  $("player").addEventListener("close", unload);
}

export function openPlayer(recording) {
  now = recording;
  put($("player-title"), plainName(recording.name));
  $("compare-problem").hidden = true;
  after.src = `/recordings/${recording.id}/after`;
  hideOriginal();
  showPlaying();
  $("player").showModal();
  $("play").focus();
}

async function reveal() {
  await ask("recordings/compare", { id: now.id });
  before.src = `/recordings/${now.id}/before`;
  before.hidden = $("divider").hidden = $("split-row").hidden = false;
  $("reveal-row").hidden = true;
  showSplit();
  before.addEventListener("loadedmetadata", follow, { once: true });
  if (!after.paused) before.play();
  $("split").focus();
}

function hideOriginal() {
  before.removeAttribute("src");
  before.hidden = $("divider").hidden = $("split-row").hidden = true;
  $("reveal-row").hidden = false;
}

function follow() {
  if (!before.src) return;
  if (Math.abs(before.currentTime - after.currentTime) > FAR_S) before.currentTime = after.currentTime;
}

function showPlaying() {
  $("play-icon").setAttribute("href", after.paused ? "#i-play" : "#i-pause");
  $("play").setAttribute("aria-label", t(after.paused ? "player.play" : "player.pause"));
  if (!before.src) return;
  if (after.paused) before.pause(); else before.play().catch(() => {});
}

function showSplit() {
  $("compare").style.setProperty("--split", `${$("split").value}%`);
}

// The divider follows a mouse or finger that is pressed in the picture.
function dragSplit(event) {
  if ($("divider").hidden || !(event.buttons & 1)) return;
  const frame = $("compare").getBoundingClientRect();
  $("compare").setPointerCapture(event.pointerId);
  $("split").value = (100 * (event.clientX - frame.left)) / frame.width;
  showSplit();
}

function unload() {
  for (const video of [after, before]) {
    video.pause();
    video.removeAttribute("src");
    video.load();
  }
  hideOriginal();
}
