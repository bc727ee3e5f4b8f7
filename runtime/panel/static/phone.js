// A phone as a second screen, over its cable: what to do, and an address that it opens once, as a QR code.

import { command, withCode } from "./advice.js";
import { $, el, put } from "./dom.js";
import { ask } from "./link.js";
import { number, t } from "./words.js";

let attempt = async (work) => work();
let timer = 0;

export function setUp(runSafely) {
  attempt = runSafely;
  $("phone-open").addEventListener("click", () => attempt(async () => { await renewCode(); $("phone").showModal(); }));
  $("phone-again").addEventListener("click", () => attempt(renewCode));
  $("phone").addEventListener("close", forget);
}

async function renewCode() {
  const { address, port, code, valid_s: validS } = await ask("phone");
  const steps = [t("phone.prepare"), t("phone.forward", { port }), t("phone.scan")];
  $("phone-steps").replaceChildren(...steps.map((step) => el("li", {}, el("div", {}, ...withCode(step)))));
  $("phone-commands").replaceChildren(command(`adb reverse tcp:${port} tcp:${port}`), command(`adb shell am start -a android.intent.action.VIEW -d "${address}"`));
  $("qr").setAttribute("viewBox", `0 0 ${code.length} ${code.length}`);
  $("qr-modules").setAttribute("d", code.flatMap((row, y) => [...row].map((module, x) => (module === "1" ? `M${x} ${y}h1v1h-1z` : ""))).join(""));
  show(t("phone.once", { n: number(validS / 60) }), false);
  clearTimeout(timer);
  timer = setTimeout(() => show(t("phone.gone"), true), 1000 * validS);
}

function show(text, isGone) {
  put($("qr-told"), text);
  $("qr").parentElement.classList.toggle("is-gone", isGone);
}

function forget() {
  clearTimeout(timer);
  $("qr-modules").removeAttribute("d");
  $("phone-commands").replaceChildren();
}
