// The connection, in words.

import { announce, byId, el } from "./dom.js";

/** @typedef {import("../streamroom.js").ConnectionState} ConnectionState */

/** An interruption shorter than this is not worth a word (ms). */
const UNNOTICED = 600;

export class StatusView {
  #element = byId("connection", HTMLElement);
  #banner = byId("banner", HTMLElement);
  /** @type {ConnectionState} */
  #state = { name: "connecting" };
  #wasOnline = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #on;

  /** @param {() => void} tryNow */
  constructor(tryNow) {
    this.#on = tryNow;
  }

  /** @param {ConnectionState} state */
  show(state) {
    const before = this.#state.name;
    this.#state = state;
    clearTimeout(this.#timer);
    if (before === "online" && state.name !== "online") {
      this.#timer = setTimeout(() => this.#draw(), UNNOTICED);
      return;
    }
    if (state.name === "connecting" && this.#element.dataset.state === "online") {
      this.#timer = setTimeout(() => this.#draw(), UNNOTICED);
      return;
    }
    this.#draw();
  }

  /** Starts over, for another user. */
  reset() {
    clearTimeout(this.#timer);
    this.#wasOnline = false;
    this.#state = { name: "connecting" };
    this.#draw();
  }

  #draw() {
    clearTimeout(this.#timer);
    const { name } = this.#state;
    const words = this.#words();
    if (this.#element.dataset.words !== words) {
      this.#element.dataset.words = words;
      if (this.#wasOnline) announce(words);
    }
    this.#element.dataset.state = name;
    this.#element.replaceChildren(words);
    this.#banner.hidden = name === "online" || !this.#wasOnline;
    this.#banner.replaceChildren(`${words}. `, "What you write is sent as soon as the connection is back. ");
    if (name === "online") this.#wasOnline = true;
    if (name !== "waiting") return;

    const seconds = Math.ceil(((this.#state.retryAt ?? 0) - Date.now()) / 1000);
    if (seconds > 0) this.#element.append(`, again in ${seconds} s`);
    const button = el("button", { type: "button", class: "link", "data-testid": "try-now" }, "Try now");
    button.addEventListener("click", () => this.#on());
    this.#banner.append(button);
    this.#timer = setTimeout(() => this.#draw(), 1000);
  }

  #words() {
    switch (this.#state.name) {
      case "online":
        return "Connected";
      case "connecting":
        return this.#wasOnline ? "Reconnecting…" : "Connecting…";
      case "waiting":
        if (!navigator.onLine) return "You are offline";
        return this.#wasOnline ? "Connection lost" : "Can’t connect";
      default:
        return "Signed out";
    }
  }
}
