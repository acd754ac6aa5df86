// The connection, in words.

import { announce, byId, el } from "./dom.js";

/** @typedef {import("../../lib/streamroom.js").ConnectionState} ConnectionState */

/** An interruption shorter than this is not worth a word (ms). */
const UNNOTICED = 600;

export class StatusView {
  #element = byId("connection", HTMLElement);
  #banner = byId("banner", HTMLElement);
  /** @type {ConnectionState} */
  #state = { name: "connecting" };
  #wasOnline = false;
  /** What was announced. */
  #said = "Connected";
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #bannerText = el("span");
  /** One for all: a button that is replaced each second loses the focus, and clicks. */
  #tryNow = el("button", { type: "button", class: "link", "data-testid": "try-now" }, "Try now");

  /** @param {() => void} tryNow */
  constructor(tryNow) {
    this.#tryNow.addEventListener("click", tryNow);
    this.#banner.replaceChildren(this.#bannerText, this.#tryNow);
  }

  /** @param {ConnectionState} state */
  show(state) {
    this.#state = state;
    clearTimeout(this.#timer);
    const unnoticed = this.#element.dataset.state === "online" && state.name !== "online";
    if (unnoticed) this.#timer = setTimeout(() => this.#draw(), UNNOTICED);
    else this.#draw();
  }

  /** The network came or went. */
  again() {
    this.#draw();
  }

  /** Starts over, for another user. */
  reset() {
    clearTimeout(this.#timer);
    this.#wasOnline = false;
    this.#said = "Connected";
    this.#state = { name: "connecting" };
    this.#draw();
  }

  #draw() {
    clearTimeout(this.#timer);
    const { name } = this.#state;
    const words = this.#words();
    if (this.#element.dataset.words !== words) {
      this.#element.dataset.words = words;
      // Each attempt to connect is no news to a user who was told that the connection is gone.
      if (this.#wasOnline && name !== "connecting" && words !== this.#said) {
        announce(words);
        this.#said = words;
      }
    }
    this.#element.dataset.state = name;
    this.#element.textContent = words;
    this.#showBanner(words);
    if (name === "online") this.#wasOnline = true;
    if (name === "waiting") this.#timer = setTimeout(() => this.#draw(), 1000);
  }

  /** @param {string} words */
  #showBanner(words) {
    const { name, retryAt = 0 } = this.#state;
    const waiting = name === "waiting";
    this.#banner.hidden = name === "online" || !(waiting || this.#wasOnline);
    if (this.#banner.hidden) return;
    const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    const state = waiting ? `${words}, trying again in ${seconds} s.` : words;
    this.#bannerText.textContent = `${state} What you write goes out when the connection is there. `;
    this.#tryNow.hidden = !waiting;
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
