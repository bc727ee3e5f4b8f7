// What to do, step by step: commands to type stand alone, each with a button that copies it.

import { el, icon, say } from "./dom.js";
import { t } from "./words.js";

const COPIED_MS = 2000;
// With `marks` around them or without; the terminal says the same texts.
const COMMAND = /`((?:sudo|pip) [^`]+)`|((?:(?:"[^"]*"|'[^']*'|\S+) -m |uv )?pip [^();`]+|(?:sudo|uv tool|uvx|pipx) [^();`]+)/;
const PLAIN_CODE = /`([^`]+)`|(https?:\/\/[^\s)）,，;]+)/;

// A list of steps where there are commands, a paragraph where there are none.
export function adviceOf(text, language = document.documentElement.lang) {
  const parts = text.split(COMMAND).filter((part) => part !== undefined);
  if (parts.length === 1) return el("p", { class: "todo" }, ...withCode(sentence(text, language)));
  const steps = [];
  // Texts and commands in turn, from a text on.
  for (let place = 0; place < parts.length; place += 2) {
    const told = sentence(parts[place], language);
    const commands = (parts[place + 1] ?? "").split("&&").map((one) => one.trim()).filter(Boolean);
    if (!told && !commands.length) continue;
    const words = told ? el("span", {}, ...withCode(told)) : null;
    steps.push(el("li", {}, el("div", {}, words, ...commands.map(command))));
  }
  return el("ol", { class: "howto todo" }, ...steps);
}

function sentence(text, language) {
  const bare = text.replace(/^[\s)）;,、。；]+|[\s(（]+$/gu, "").replace(/^[(（]/u, "");
  return language === "en" ? bare.charAt(0).toUpperCase() + bare.slice(1) : bare;
}

export function withCode(text) {
  // Text, code, address, in turn; what is not there is undefined.
  return text.split(PLAIN_CODE).map((part, place) => {
    if (!part || place % 3 === 0) return part;
    return place % 3 === 1 ? el("code", { dir: "ltr" }, part) : el("a", { href: part, target: "_blank", rel: "noreferrer noopener", dir: "ltr" }, part);
  }).filter(Boolean);
}

export function command(words) {
  const button = el("button", { type: "button", class: "round quiet", "aria-label": t("copy", { text: words }), title: t("copy", { text: words }) }, icon("copy"));
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(words);
    button.replaceChildren(icon("check"));
    say(t("copied"));
    setTimeout(() => button.replaceChildren(icon("copy")), COPIED_MS);
  });
  return el("div", { class: "command" }, el("code", { dir: "ltr" }, words), button);
}
