// The page of a vote: a photograph, the results to choose from, one after the other.
"use strict";
const at = id => document.getElementById(id);
let session = localStorage.getItem("session"), state = null, busy = false;

async function ask(action, body) {
  const answer = await fetch("/api/" + action, { method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ session, ...body }) });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function show(part) { for (const id of ["welcome", "booth", "end"]) at(id).hidden = id !== part; }

function draw(next) {
  state = next;
  at("trouble").hidden = true;
  at("question").textContent = state.question;
  at("count").textContent = state.done + " of " + state.total;
  at("bar").max = state.total; at("bar").value = state.done;
  at("back").hidden = false;
  at("back").disabled = state.item === null ? state.total === 0 : state.item === 0;
  if (state.item === null) { show("end"); return; }
  at("source").src = "/picture/" + state.source;
  at("choices").replaceChildren(...state.choices.map((token, place) => {
    const button = document.createElement("button"), picture = document.createElement("img");
    picture.src = "/picture/" + token; picture.alt = "Result " + (place + 1);
    button.append(picture, String(place + 1));
    button.addEventListener("click", () => vote(place));
    return button;
  }));
  show("booth");
  for (const token of state.ahead) new Image().src = "/picture/" + token;
}

async function attempt(work) {
  if (busy) return;
  busy = true;
  try { draw(await work()); }
  catch (error) {
    if (/session/.test(error.message)) { session = null; localStorage.removeItem("session"); welcome(); }
    else { at("trouble").textContent = error.message; at("trouble").hidden = false; }
  } finally { busy = false; }
}

function vote(place) {
  const button = at("choices").children[place];
  if (busy || !button) return;
  button.classList.add("picked");
  attempt(() => ask("vote", { item: state.item, choice: state.choices[place] }))
    .then(() => button.classList.remove("picked"));
}

function back() {
  if (!state || at("back").disabled) return;
  attempt(() => ask("back", { item: (state.item === null ? state.total : state.item) - 1 }));
}

function welcome() { at("back").hidden = true; show("welcome"); at("name").focus(); }

at("who").addEventListener("submit", event => {
  event.preventDefault();
  attempt(async () => {
    const started = await ask("start", { name: at("name").value });
    session = started.session; localStorage.setItem("session", session);
    return started;
  });
});
at("back").addEventListener("click", back);
addEventListener("keydown", event => {
  if (event.target === at("name") || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[1-9]$/.test(event.key) && state && state.item !== null) { event.preventDefault(); vote(Number(event.key) - 1); }
  if (event.key === "Backspace") { event.preventDefault(); back(); }
});
if (session) attempt(() => ask("look", {})); else welcome();
