// Texts of the page in the chosen language. Elements name theirs with data-t, data-t-label, data-t-title, data-t-placeholder.

const RIGHT_TO_LEFT = new Set(["ar"]);
const OWN_NAMES = { en: "English", de: "Deutsch", fr: "Français", es: "Español", pt: "Português", zh: "中文", ja: "日本語", hi: "हिन्दी", ar: "العربية", id: "Bahasa Indonesia" };

let table = {};
let language = "";

export const ownName = (code) => OWN_NAMES[code] ?? code;
export const has = (key) => key in table;

export function t(key, values = {}) {
  const text = table[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(language || "en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

// A name that others gave: what turns the direction of writing, or is no letter, is shown as such.
export const plainName = (name) => name.replace(/[\p{Cc}\p{Cs}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu, "\uFFFD");

export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return t("time.seconds", { n: number(whole) });
  if (whole < 3600) return t("time.minutes", { n: number(Math.ceil(whole / 60)) });
  return t("time.hours", { h: number(Math.floor(whole / 3600)), m: number(Math.ceil((whole % 3600) / 60)) });
}

// The wished language, or the first of the browser's that there is a table for.
export function chosen(wished, known) {
  if (known.includes(wished)) return wished;
  for (const one of navigator.languages ?? [navigator.language]) {
    const code = one.toLowerCase().split("-")[0];
    if (known.includes(code)) return code;
  }
  return "en";
}

export async function useLanguage(code) {
  if (code === language) return false;
  const answer = await fetch(`/languages/${code}`);
  if (!answer.ok) return false;
  table = await answer.json();
  language = code;
  document.documentElement.lang = code;
  document.documentElement.dir = RIGHT_TO_LEFT.has(code) ? "rtl" : "ltr";
  putWords(document);
  return true;
}

export function putWords(root) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of root.querySelectorAll("[data-t-title]")) node.title = t(node.dataset.tTitle);
  for (const node of root.querySelectorAll("[data-t-placeholder]")) node.placeholder = t(node.dataset.tPlaceholder);
}
