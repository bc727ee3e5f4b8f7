// The page "Camera": what the others see, Hide, the devices, what is missing, and how to choose it in a call.

import { adviceOf } from "./advice.js";
import { $, el, put, renew, say } from "./dom.js";
import { ask } from "./link.js";
import { watch, wipe } from "./preview.js";
import { has, number, t } from "./words.js";

const ICONS = { off: "off", protected: "shield", holding: "hold", covered: "hidden", unknown: "alert", exposed: "alert" };
const SLOW_FPS = 12;
// Above this the machine does not keep up; from here on lips and sound are seen to fall apart.
const BUSY_MS = 400;
const APART_MS = 100;
let now = null;
let spokenState = "";
let wasHidden = false;
let app = "zoom";
let attempt = async (work) => work();
let toast = () => {};

export function setUp(runSafely, showToast) {
  attempt = runSafely;
  toast = showToast;
  $("start").addEventListener("click", () => attempt(() => ask("camera/start", chosenDevices())));
  $("stop").addEventListener("click", () => attempt(() => ask("camera/stop")));
  $("hide").addEventListener("click", toggleHidden);
  $("mirror").addEventListener("click", () => attempt(() => ask("settings", { is_mirrored: !now.is_mirrored })));
  $("first-done").addEventListener("click", () => attempt(() => ask("settings", { is_known: true })));
  for (const id of ["camera", "output"]) {
    $(id).addEventListener("change", () => { if (now.camera.phase !== "off") attempt(() => ask("camera/start", chosenDevices())); });
    $(id).addEventListener("pointerdown", () => ask("devices").catch(() => {}));
  }
  $("check").addEventListener("click", () => attempt(() => ask("check")));
  $("shortcut").addEventListener("click", () => attempt(async () => { await ask("shortcut"); toast(t("shortcut.done")); }));
  for (const tab of $("call-tabs").children) {
    tab.addEventListener("click", () => choose(tab.dataset.app));
    tab.addEventListener("keydown", moveTab);
  }
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, textarea, button, summary, dialog, [role=tab]");
    const isElsewhere = isTyping && event.target !== $("hide");
    if (event.code !== "Space" || event.repeat || isElsewhere || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (now?.camera.phase !== "off") toggleHidden();
  });
  // The button answers to the key above; its own answer would undo it.
  $("hide").addEventListener("keyup", (event) => { if (event.code === "Space") event.preventDefault(); });
}

const chosenDevices = () => ({ camera: $("camera").value, output: $("output").value });

function toggleHidden() {
  attempt(() => ask("camera/hide", { hidden: !now.camera.hidden }));
}

function choose(name) {
  app = name;
  if (now) showHowTo(now);
}

function moveTab(event) {
  const tabs = [...$("call-tabs").children];
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -tabs.length, End: tabs.length }[event.key];
  if (!step) return;
  event.preventDefault();
  const turned = document.documentElement.dir === "rtl" && Math.abs(step) === 1 ? -step : step;
  const place = Math.abs(step) === 1 ? (tabs.indexOf(event.target) + turned + tabs.length) % tabs.length : step > 0 ? tabs.length - 1 : 0;
  tabs[place].focus();
  choose(tabs[place].dataset.app);
}

export function show(state, isShown) {
  now = state;
  const camera = state.camera;
  const isOn = camera.phase === "starting" || camera.phase === "running";
  document.body.dataset.phase = camera.phase;
  $("stage").classList.toggle("is-mirrored", state.is_mirrored);
  $("mirror").setAttribute("aria-pressed", state.is_mirrored);
  $("mirror").hidden = !isOn;
  $("stage-off").hidden = camera.phase !== "off";
  $("start").disabled = camera.phase !== "off" || Boolean(camera.is_lost);
  $("start").hidden = Boolean(camera.is_lost);
  $("stop").disabled = !isOn;
  $("hide").disabled = !isOn;
  $("hide").setAttribute("aria-pressed", camera.hidden);
  put($("hide-text"), t(camera.hidden ? "show" : "hide"));
  $("hide-icon").setAttribute("href", camera.hidden ? "#i-eye" : "#i-hidden");
  put($("off-title"), t(camera.trouble ? "off.trouble" : "off.title"));
  put($("off-text"), camera.trouble ? troubleWords(camera.trouble).what : t("off.text"));
  watch(isOn && isShown);
  if (!isOn) wipe();
  showState(camera, isOn);
  showNumbers(camera);
  showTroubles(state);
  showDevices(state);
  showHowTo(state);
  showFirst(state);
  showCheckup(state);
}

function showCheckup({ camera, checkup }) {
  $("check").disabled = checkup.running || camera.phase !== "off";
  $("check-spinner").hidden = !checkup.running;
  put($("check-text"), t(checkup.running ? "check.running" : "check.run"));
  const told = checkup.found.filter((one) => one.verdict !== "ok");
  $("check-good").hidden = checkup.running || checkup.found.length === 0 || told.some((one) => one.verdict === "fault");
  renew($("checks"), [told, t("check.note")], () => told.map((one) => el("li", { class: one.verdict },
    el("strong", {}, t(`check.${one.verdict}`)), " ",
    el("span", { lang: "en", dir: "ltr" }, `${one.name}: ${one.found}`),
    one.advice ? checkedAdvice(one) : null)));
}

// In the person's language where the table has it.
function checkedAdvice(one) {
  const key = `advice.${now.system}.${one.known}`;
  return one.known && has(key) ? adviceOf(t(key)) : el("div", { lang: "en", dir: "ltr" }, adviceOf(one.advice, "en"));
}

function showState(camera, isOn) {
  const word = isOn ? camera.state ?? "covered" : "off";
  $("pill").dataset.state = word;
  $("pill-icon").setAttribute("href", `#i-${ICONS[word]}`);
  put($("pill-text"), camera.phase === "stopping" ? t("phase.stopping") : t(`state.${word}`));
  const why = isOn ? (camera.hidden ? t("why.hidden") : camera.why ? t(`why.${camera.why}`) : word === "protected" ? t("why.protected") : "") : "";
  put($("why"), why);
  $("view").setAttribute("aria-label", `${t("stage.title")}: ${t(`state.${word}`)}. ${why}`);
  const isWaiting = isOn && !camera.hidden && (camera.phase === "starting" || !camera.is_loaded || camera.why === "changing");
  $("stage-wait").hidden = !isWaiting;
  if (isWaiting) put($("wait-text"), t("phase.starting"));
  const spoken = `${t(`state.${word}`)}. ${why}`;
  if (spoken !== spokenState && !isWaiting) {
    spokenState = spoken;
    if (word === "unknown") put($("alarm"), spoken); else say(spoken);
  }
}

function showNumbers(camera) {
  const isRunning = camera.phase === "running" && camera.is_loaded;
  put($("fps"), isRunning ? number(camera.fps) : "–");
  put($("latency"), isRunning && camera.latency_ms > 0 ? t("ms", { n: number(camera.latency_ms) }) : "–");
  put($("faces"), isRunning ? number(camera.faces) : "–");
}

// What is wrong and what to do, in the person's language where the table has it; the whole text is kept below.
function troubleWords(trouble, kind = "camera") {
  const advice = trouble.advice ? `advice.${now.system}.${trouble.advice}` : "";
  const what = trouble.advice ? t(`trouble.${trouble.advice}`) : t(`trouble.${kind}`);
  return { what, advice: advice && has(advice) ? t(advice) : "", text: trouble.text };
}

function warnings(state) {
  const { camera } = state;
  const found = [];
  if (camera.trouble) found.push(troubleWords(camera.trouble, "camera"));
  if (camera.virtual_trouble) found.push(troubleWords(camera.virtual_trouble, "output"));
  if (camera.phase === "running") {
    const kind = !camera.is_connected ? "unplugged" : !camera.is_loaded ? "" : camera.latency_ms > BUSY_MS ? "slow"
      : camera.camera_fps > 0 && camera.camera_fps < SLOW_FPS ? "dark" : camera.latency_ms >= APART_MS ? "sound" : "";
    if (kind) found.push({ what: t(`trouble.${kind}`), advice: t(`todo.${kind}`, { n: number(10 * Math.round(camera.latency_ms / 10)) }), text: "" });
  }
  return found;
}

function showTroubles(state) {
  const found = warnings(state);
  $("troubles").hidden = found.length === 0;
  renew($("trouble-list"), [found, t("troubles")], () => found.map(({ what, advice, text }) => el("li", {},
    el("h3", {}, what), advice ? adviceOf(advice) : null,
    text ? el("details", {}, el("summary", {}, t("details")), el("p", { lang: "en", dir: "ltr" }, text)) : null)));
}

function options(select, pairs, preferred) {
  const made = renew(select, pairs, () => pairs.map(([value, text]) => el("option", { value }, text)));
  const value = pairs.some(([one]) => one === preferred) ? preferred : pairs[0][0];
  if (made || document.activeElement !== select) select.value = value;
}

function showDevices(state) {
  const { camera, cameras, virtuals, preferred } = state;
  const running = camera.phase === "off" ? null : camera.choice;
  const named = cameras.map((one) => [one.wish, one.name || t("camera.number", { n: number(Number(one.wish) + 1) })]);
  options($("camera"), [["", t(cameras.length ? "camera.first" : "camera.none")], ...named], running ? running.camera : preferred.camera);
  options($("output"), [["", t("output.auto")], ...virtuals.map((one) => [one.wish, `${one.name} (${one.wish})`]), ["none", t("output.none")]], running ? running.output : preferred.output);
  const hint = camera.virtual ? t("output.on", { name: callName(state) }) : camera.phase === "running" ? t("output.off") : "";
  put($("output-hint"), hint);
}

const callName = (state) => {
  const device = state.camera.virtual;
  const named = state.virtuals.find((one) => one.wish === device);
  return named?.name ?? (state.system === "linux" ? "Toonfilter" : "OBS Virtual Camera");
};

function showHowTo(state) {
  for (const tab of $("call-tabs").children) {
    const isChosen = tab.dataset.app === app;
    tab.setAttribute("aria-selected", isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
  }
  $("call-panel").setAttribute("aria-labelledby", `call-${app}`);
  const steps = [1, 2, 3].map((step) => `call.${app}.${step}`).filter(has);
  renew($("howto"), [app, steps.map((key) => t(key)), callName(state)], () => steps.map((key) => el("li", {}, el("span", {}, t(key, { name: callName(state) })))));
}

function showFirst(state) {
  const { camera } = state;
  $("first").hidden = state.is_known;
  if (state.is_known) return;
  wasHidden ||= camera.hidden;
  const isMissing = camera.virtual_trouble?.advice === "no_virtual_camera";
  put($("step-choose").querySelector("p"), t(isMissing ? "first.choose.missing" : "first.choose.text"));
  $("step-see").classList.toggle("is-done", camera.state === "protected" || $("step-see").classList.contains("is-done"));
  $("step-choose").classList.toggle("is-done", Boolean(camera.virtual));
  $("step-hide").classList.toggle("is-done", wasHidden);
}
