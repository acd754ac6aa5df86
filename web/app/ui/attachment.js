// One file of a message: a picture whose size is known is shown, any other is a card that
// saves the file. Links are asked for when they are needed, as each is good for minutes.

import { isPassing } from "../../lib/failure.js";
import { Failure } from "../../lib/streamroom.js";
import { announce, el, icon } from "./dom.js";
import { fileName, fileSize } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Attachment} Attachment
 * @typedef {import("../../lib/streamroom.js").Upload} Upload
 */

/**
 * Gets a link to a file.
 * @callback LinkTo
 * @param {Attachment|Upload} file
 * @returns {Promise<{url: string, expiresAt: number}>}
 */

/** Pictures that run nothing. SVG does, where it is opened; anything else isn't a picture. */
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
/** The largest that a picture is shown (px). */
const MOST = 320;
/** And the narrowest: a line can't be clicked. */
const LEAST = 48;
/** A link that ends sooner than this is asked for again (ms). */
const MARGIN = 30_000;
/** Before a link that could not be had is asked for again (ms). */
const RETRY = 3_000;
/** How far from view a picture is loaded (px). */
const NEAR = "600px";

/** @param {{contentType: string}} file */
export const isPicture = ({ contentType }) => PICTURES.has(contentType);

/** Loads pictures that come near. */
const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      waiting.get(target)?.();
    }
  },
  { rootMargin: NEAR },
);
/** @type {WeakMap<Element, () => void>} */
const waiting = new WeakMap();

export class AttachmentView {
  element = el("li", { class: "attachment" });
  /** @type {{url: string, expiresAt: number}|undefined} */
  #link;
  /** What the picture shows before the server has it; empty for nothing. */
  #own = "";
  #tries = 0;
  /** Whether it is shown as a picture, or could not be. */
  #pictured = false;
  #file;
  #linkTo;
  #failed;

  /**
   * @param {Attachment|Upload} file
   * @param {LinkTo} linkTo
   * @param {(err: unknown) => void} failed
   */
  constructor(file, linkTo, failed) {
    this.#file = file;
    this.#linkTo = linkTo;
    this.#failed = failed;
    this.#show();
  }

  #show() {
    const { width, height } = this.#file;
    this.#pictured = isPicture(this.#file) && width !== undefined && height !== undefined && width > 0 && height > 0;
    if (this.#pictured) this.#picture(width ?? 0, height ?? 0);
    else this.#card();
  }

  /**
   * The same file, as it is known now.
   * @param {Attachment|Upload} file
   */
  update(file) {
    this.#file = file;
    // The size of a picture may be known late.
    if (this.#pictured || !isPicture(file) || !file.width) return;
    this.element.replaceChildren();
    this.#show();
  }

  /** The picture's own data, which the page holds, is not needed any more. */
  end() {
    if (this.#own) URL.revokeObjectURL(this.#own);
    this.#own = "";
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #picture(width, height) {
    const scale = Math.min(1, MOST / width, MOST / height);
    const name = fileName(this.#file.name);
    const shown = [width, height].map((length) => Math.max(LEAST, Math.round(length * scale)));
    const image = el("img", {
      width: shown[0],
      height: shown[1],
      alt: name,
      decoding: "async",
      draggable: "false",
    });
    // Its own shape, once it is loaded, may be another one: of what is small, or said wrong.
    image.style.aspectRatio = shown.join(" / ");
    const button = el(
      "button",
      { type: "button", class: "picture", title: name, "aria-label": `Open ${name}`, "data-testid": "picture" },
      image,
    );
    button.addEventListener("click", () => void this.#open());
    image.addEventListener("load", () => {
      this.#tries = 0;
      image.dataset.loaded = "";
    });
    image.addEventListener("error", () => void this.#again(image));
    this.element.append(button);
    const data = "file" in this.#file ? this.#file.file : undefined;
    if (data) {
      this.#own = URL.createObjectURL(data);
      image.src = this.#own;
      return;
    }
    waiting.set(image, () => void this.#load(image));
    near.observe(image);
  }

  /** @param {HTMLImageElement} image */
  async #load(image) {
    try {
      image.src = (await this.#current()).url;
    } catch (err) {
      const { code, retryAfter } = Failure.from(err);
      if (!isPassing(code)) return this.#broken();
      // Where it is still near then.
      setTimeout(() => near.observe(image), RETRY * (1 + Math.random()) + retryAfter);
    }
  }

  /**
   * A picture didn't load: its link may have ended.
   * @param {HTMLImageElement} image
   */
  async #again(image) {
    this.#link = undefined;
    if (this.#own || this.#tries++ > 0) this.#broken();
    else await this.#load(image);
  }

  /** What is said to be a picture is none, or can't be read. */
  #broken() {
    this.end();
    this.element.replaceChildren();
    this.#card();
  }

  #card() {
    const name = fileName(this.#file.name);
    const size = fileSize(this.#file.size);
    const button = el(
      "button",
      { type: "button", class: "file", title: name, "data-testid": "file" },
      icon("file"),
      el("span", { class: "unseen" }, "Save "),
      el("span", { class: "file-text" }, el("bdi", { class: "file-name" }, name), " ", el("span", {}, size)),
    );
    button.addEventListener("click", () => void this.#open());
    this.element.append(button);
  }

  /** A link that is still good. */
  async #current() {
    if (!this.#link || this.#link.expiresAt - Date.now() < MARGIN) this.#link = await this.#linkTo(this.#file);
    return this.#link;
  }

  /** Opens a picture, or saves another file: the server says which, by the file's type. */
  async #open() {
    if (!this.#file.attachmentId) return;
    try {
      const { url } = await this.#current();
      // What is opened long after a click is taken for a pop-up, and not opened.
      if (navigator.userActivation?.isActive === false) {
        announce(`${fileName(this.#file.name)} is ready now: open it once more.`, true);
        return;
      }
      el("a", { href: url, target: "_blank", rel: "noopener noreferrer", download: true }).click();
    } catch (err) {
      this.#failed(err);
    }
  }
}
