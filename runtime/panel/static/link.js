// The way to the program: one socket for state and pictures, requests for everything that changes something.

const QUIET_MS = 3000;

let socket = null;
let lastHeard = 0;

// What the program says went wrong, in English.
export class SaidError extends Error {}

export async function ask(action, content = {}) {
  const answer = await fetch(`/api/${action}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
  });
  const reply = await answer.json();
  if (!answer.ok) throw new SaidError(reply.error);
  return reply;
}

// onState gets every new state; onPicture a number and a Blob; onLink whether the program answers.
export function connect({ onState, onPicture, onLink }) {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => {
    lastHeard = performance.now();
    if (typeof event.data === "string") {
      onLink(true);
      onState(JSON.parse(event.data));
    } else {
      const number = new DataView(event.data).getUint32(0);
      onPicture(number, event.data.byteLength > 4 ? new Blob([new Uint8Array(event.data, 4)], { type: "image/jpeg" }) : null);
    }
  };
  socket.onclose = () => {
    onLink(false);
    setTimeout(() => connect({ onState, onPicture, onLink }), 1000);
  };
}

export const isOpen = () => socket !== null && socket.readyState === WebSocket.OPEN;
export const isQuiet = () => performance.now() - lastHeard > QUIET_MS;

export function wantPicture(after, width) {
  if (isOpen()) socket.send(JSON.stringify({ after, width }));
}
