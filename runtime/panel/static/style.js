// The page "Style": cards with the person's own face, sliders, background, undo, named looks.

import { $, el, icon, put, renew, say } from "./dom.js";
import { identityAt } from "./identity.js";
import { SaidError, ask } from "./link.js";
import { has, number, t } from "./words.js";

const WAIT_MS = 180;
// A round takes half a second of one core; seldomer takes less of it, and the faces on the cards move less.
const SAMPLE_EVERY_MS = 6000;
let now = null;
let attempt = async (work) => work();
let timer = 0;
let sampledAt = -Infinity;

export function setUp(runSafely) {
  attempt = runSafely;
  $("undo").addEventListener("click", () => attempt(() => ask("look/undo")));
  $("reset").addEventListener("click", () => attempt(() => ask("look/reset")));
  $("sample").addEventListener("click", () => attempt(() => ask("camera/sample")));
  $("background").addEventListener("change", () => attempt(async () => {
    const [file] = $("background").files;
    if (!file) return;
    const answer = await fetch(`/background?name=${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
    $("background").value = "";
    if (!answer.ok) throw new SaidError((await answer.json()).error);
  }));
  $("preset-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("preset-name").value;
    attempt(async () => { await ask("presets/save", { name }); $("preset-name").value = ""; });
  });
}

function change(changes) {
  // The next change may come before the page is told of this one.
  now = { ...now, look: { ...now.look, ...changes } };
  const { look } = now;
  return attempt(() => ask("look/set", { look }));
}

export function show(state, isShown) {
  now = state;
  const isLive = state.camera.phase === "running" && state.camera.is_loaded && !state.camera.hidden;
  $("sample").disabled = !isLive;
  $("styles-hint").hidden = isLive;
  $("undo").disabled = !state.can_undo;
  if (isShown && isLive && !document.hidden && performance.now() - sampledAt > SAMPLE_EVERY_MS) {
    sampledAt = performance.now();
    ask("camera/sample").catch(() => {});
  }
  showCards(state);
  const card = state.styles.find((one) => one.name === state.look.style) ?? { sliders: [], backgrounds: [], extents: [], regions: [] };
  showSliders(state.look, card);
  showChoices(state, card);
  showPresets(state);
}

export const styleName = (name) => (has(`style.${name}`) ? t(`style.${name}`) : name);

function showCards(state) {
  const rounds = state.camera.thumbnails;
  renew($("styles"), [state.styles.map((one) => [one.name, one.name in rounds]), state.look.style, t("styles")], () => state.styles.map((one) => el("label", { class: "style", title: one.description },
    el("input", { type: "radio", name: "style", value: one.name, checked: one.name === state.look.style, "data-key": `style-${one.name}`, on: { change: () => change({ style: one.name, sliders: {} }) } }),
    rounds[one.name] ? el("img", { "data-style": one.name, alt: "" }) : el("span", { class: "blank" }, icon("style")),
    el("span", { class: "name" }, styleName(one.name)), tick())));
  // Only the address changes with each round: the picture before stays until the next is there.
  for (const image of $("styles").querySelectorAll("img")) {
    const name = image.dataset.style;
    const address = `/styles/${encodeURIComponent(name)}/picture?round=${rounds[name]}`;
    if (name in rounds && image.getAttribute("src") !== address) image.src = address;
  }
}

function tick() {
  const mark = icon("check");
  mark.setAttribute("class", "icon tick");
  return mark;
}

// How far a recogniser knows people at this likeness, in words.
function knownText(card, likeness) {
  const found = identityAt(card.identity, likeness);
  if (!found) return t("known.none");
  const { strangers, same } = now.similarity;
  return t("known", { median: number(found.median, 2), most: number(found.p95, 2), strangers: number(strangers, 2), same: number(same, 1) });
}

function showSliders(look, card) {
  $("sliders-card").hidden = card.sliders.length === 0;
  const isHeld = $("sliders").contains(document.activeElement) && document.activeElement.matches(":active");
  if (isHeld) return;
  renew($("sliders"), [card.sliders, card.identity, look.sliders, t("sliders")], () => card.sliders.map((one) => {
    const value = look.sliders[one.name] ?? one.usual;
    const id = `slider-${one.name}`;
    const percent = (v) => number((100 * (v - one.low)) / (one.high - one.low));
    const told = el("output", { htmlFor: id }, percent(value));
    const known = one.name === "likeness" ? el("p", { class: "hint", id: "known" }, knownText(card, value)) : null;
    return el("div", { class: "slider" }, el("label", { htmlFor: id }, t(`slider.${one.name}`)), told,
      el("input", { type: "range", id, min: one.low, max: one.high, step: (one.high - one.low) / 50, value, "data-key": id, ...(known && { "aria-describedby": known.id }), on: {
        input: (event) => {
          const chosen = Number(event.target.value);
          told.textContent = percent(chosen);
          if (known) put(known, knownText(card, chosen));
          clearTimeout(timer);
          timer = setTimeout(() => {
            if (known) say(known.textContent);
            change({ sliders: { ...now.look.sliders, [one.name]: chosen } });
          }, WAIT_MS);
        } } }), known);
  }));
}

function showChoices(state, card) {
  const { look } = state;
  renew($("choices"), [look.background, look.extent, look.region, look.motion, card, t("more")], () => {
    const groups = [];
    if (card.extents.length) groups.push(segments("extent", card.extents, look.extent, (extent) => change({ extent })));
    if (card.regions.length) groups.push(segments("region", card.regions, look.region, (region) => change({ region })));
    if (card.backgrounds.length) {
      const isColour = look.background.startsWith("#");
      const isPicture = !isColour && !["drawn", "blur", "keep"].includes(look.background);
      groups.push(segments("background", card.backgrounds, isColour ? "colour" : isPicture ? "picture" : look.background,
        (one) => (one === "picture" ? $("background").click() : change({ background: one === "colour" ? state.swatches[0] : one }))));
      if (isPicture) groups.push(el("button", { type: "button", class: "plain", "data-key": "background-choose", on: { click: () => $("background").click() } }, t("background.choose")));
      if (isColour) groups.push(swatches(state.swatches, look.background));
    }
    groups.push(segments("motion", ["steady", "responsive"], look.motion, (motion) => change({ motion })));
    return groups;
  });
}

export function segments(name, values, chosen, choose) {
  return el("fieldset", { class: "group" }, el("legend", {}, t(name)), el("div", { class: "segments" }, ...values.map((value) => el("label", {},
    el("input", { type: "radio", name, value, checked: value === chosen, "data-key": `${name}-${value}`, on: { change: () => choose(value) } }), el("span", {}, t(`${name}.${value}`))))));
}

function swatches(colours, chosen) {
  return el("fieldset", { class: "group" }, el("legend", {}, t("colour")), el("div", { class: "swatches" }, ...colours.map((colour, place) => {
    const label = el("label", {}, el("input", { type: "radio", name: "swatch", value: colour, checked: colour === chosen, "aria-label": t("colour.number", { n: number(place + 1) }), "data-key": `swatch-${colour}`, on: { change: () => change({ background: colour }) } }));
    label.style.setProperty("--swatch", colour);
    return label;
  })));
}

function showPresets(state) {
  renew($("presets"), [state.presets, t("presets")], () => state.presets.map((name) => el("li", {},
    el("button", { type: "button", "data-key": `preset-${name}`, on: { click: () => attempt(() => ask("presets/use", { name })) } }, name),
    el("button", { type: "button", class: "round", "aria-label": t("presets.delete", { name }), "data-key": `delete-${name}`, on: { click: () => attempt(() => ask("presets/delete", { name })) } }, icon("close")))));
}
