// The live picture: the next one is asked for when this one is painted, so a slow page never lags behind.

import { $ } from "./dom.js";
import { isOpen, wantPicture } from "./link.js";

const MOST_PER_SECOND = 20;
const view = $("view");
const brush = view.getContext("2d");
let shown = 0;
let isWaiting = false;
let isWanted = false;
let lastPaint = 0;

function next() {
  if (isWaiting || !isWanted || document.hidden || !isOpen()) return;
  isWaiting = true;
  const pause = Math.max(0, 1000 / MOST_PER_SECOND - (performance.now() - lastPaint));
  setTimeout(() => wantPicture(shown, Math.round(view.clientWidth * Math.min(window.devicePixelRatio || 1, 1.5)) || 640), pause);
}

export function watch(wanted) {
  if (wanted && !isWanted) { shown = 0; isWaiting = false; }
  isWanted = wanted;
  next();
}

export function linkChanged() {
  isWaiting = false;
  shown = 0;
  next();
}

export async function paint(number, blob) {
  isWaiting = false;
  shown = number;
  if (blob) {
    const picture = await createImageBitmap(blob);
    if (view.width !== picture.width || view.height !== picture.height) {
      view.width = picture.width;
      view.height = picture.height;
    }
    brush.drawImage(picture, 0, 0);
    picture.close();
    lastPaint = performance.now();
  }
  next();
}

export function wipe() {
  brush.clearRect(0, 0, view.width, view.height);
}

document.addEventListener("visibilitychange", () => { isWaiting = false; next(); });
