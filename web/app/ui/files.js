// The files that a message will have: chosen, dropped or pasted, and on their way.

import { Failure, MAX_ATTACHMENTS } from "../../lib/streamroom.js";
import { isPicture } from "./attachment.js";
import { announce, arrange, byId, el, icon } from "./dom.js";
import { counted, describe, fileName, fileSize } from "./words.js";

/** @typedef {import("../../lib/streamroom.js").Upload} Upload */

export class FilesView {
  #list = byId("composer-files", HTMLElement);
  #attach = byId("composer-attach", HTMLButtonElement);
  #camera = byId("composer-camera", HTMLButtonElement);
  #target = byId("conversation", HTMLElement);
  #room = "";
  /** @type {Map<string, Upload[]>} by room */
  #uploads = new Map();
  /** @type {Map<Upload, Line>} */
  #lines = new Map();
  #enabled = true;
  #on;

  /**
   * @param {object} on
   * @param {(chatRoomId: string, file: File, pixels?: {width: number, height: number}) => Upload|undefined} on.attach
   * @param {(upload: Upload) => void} on.detach
   * @param {(upload: Upload) => void} on.again
   * @param {() => void} on.changed
   */
  constructor(on) {
    this.#on = on;
    for (const [button, id] of /** @type {const} */ ([
      [this.#attach, "composer-file"],
      [this.#camera, "composer-photo"],
    ])) {
      const input = byId(id, HTMLInputElement);
      button.addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        void this.add(input.files ?? []);
        input.value = ""; // the same file may be chosen again
      });
    }
    this.#listenForDrops();
  }

  #listenForDrops() {
    const over = (/** @type {DragEvent} */ event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // also where it is not taken: the browser would leave the page for the file
      const taken = this.#room !== "" && this.#enabled;
      event.dataTransfer.dropEffect = taken ? "copy" : "none";
      this.#target.classList.toggle("dropping", taken);
    };
    const end = () => this.#target.classList.remove("dropping");
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", (event) => !event.relatedTarget && end());
    window.addEventListener("drop", (event) => {
      end();
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (this.#enabled) void this.add(event.dataTransfer.files);
    });
  }

  /**
   * Attaches files to what is written in the room that is shown.
   * @param {Iterable<File>} files
   */
  async add(files) {
    const room = this.#room;
    if (!room) return;
    for (const file of [...files]) {
      const pixels = await pixelsOf(file);
      const uploads = this.#uploads.get(room) ?? [];
      if (uploads.length >= MAX_ATTACHMENTS) {
        announce(`A message can have ${MAX_ATTACHMENTS} files. ${fileName(file.name)} was not attached.`, true);
        break;
      }
      if (file.size === 0) {
        announce(`${fileName(file.name)} is empty, or a folder, and was not attached.`, true);
        continue;
      }
      const upload = this.#on.attach(room, file, pixels);
      if (!upload) return;
      this.#uploads.set(room, [...uploads, upload]);
      announce(`${fileName(file.name)} attached`);
      this.#draw();
    }
  }

  /**
   * @param {string} chatRoomId
   * @param {boolean} enabled while a message is edited, none are attached
   */
  show(chatRoomId, enabled) {
    this.#room = chatRoomId;
    this.#enabled = enabled;
    this.#attach.hidden = this.#camera.hidden = !enabled;
    this.#draw();
  }

  /** Those of the room that is shown. */
  get uploads() {
    return (this.#enabled && this.#uploads.get(this.#room)) || [];
  }

  /** How many are attached to what was not sent yet, in all rooms. */
  get count() {
    return [...this.#uploads.values()].flat().length;
  }

  /** They are in a message now. */
  sent() {
    this.#uploads.delete(this.#room);
    this.#draw();
  }

  clear() {
    this.#uploads.clear();
    this.#draw();
  }

  /** @param {Upload} upload that went on, or ended */
  changed(upload) {
    if (![...this.#uploads.values()].some((uploads) => uploads.includes(upload))) return;
    const line = this.#lines.get(upload);
    if (line?.status !== upload.status) {
      if (upload.status === "uploaded") announce(`${fileName(upload.name)} uploaded`);
      if (upload.status === "failed") announce(`${fileName(upload.name)} was not uploaded`);
    }
    line?.show();
    if (upload.status === "failed" || upload.status === "waiting") this.#on.changed();
  }

  /** @param {Upload} upload */
  #remove(upload) {
    const uploads = (this.#uploads.get(this.#room) ?? []).filter((u) => u !== upload);
    const had = this.#list.contains(document.activeElement);
    this.#uploads.set(this.#room, uploads);
    this.#on.detach(upload);
    announce(`${fileName(upload.name)} removed`);
    this.#draw();
    if (had) (this.#lines.get(this.uploads[0])?.cancel ?? this.#attach).focus();
  }

  #draw() {
    const { uploads } = this;
    for (const upload of this.#lines.keys()) if (!uploads.includes(upload)) this.#lines.delete(upload);
    for (const upload of uploads) {
      if (this.#lines.has(upload)) continue;
      this.#lines.set(
        upload,
        new Line(upload, { remove: () => this.#remove(upload), again: () => this.#on.again(upload) }),
      );
    }
    arrange(
      this.#list,
      uploads.flatMap((upload) => this.#lines.get(upload)?.element ?? []),
    );
    this.#list.hidden = uploads.length === 0;
    this.#list.setAttribute("aria-label", counted(uploads.length, "file attached", "files attached"));
    this.#on.changed();
  }
}

/** A file on its way. */
class Line {
  /** @type {Upload["status"]|undefined} what it shows */
  status;
  #upload;
  #state = el("span", { class: "upload-state" });
  #bar;
  #again = el("button", { type: "button", class: "link", "data-testid": "upload-again" }, "Try again");
  element;

  /**
   * @param {Upload} upload
   * @param {{remove: () => void, again: () => void}} on
   */
  constructor(upload, { remove, again }) {
    this.#upload = upload;
    const name = fileName(upload.name);
    this.#bar = el("progress", { max: upload.size, value: 0, "aria-label": `Upload of ${name}` });
    this.cancel = el(
      "button",
      {
        type: "button",
        class: "icon-button",
        title: "Remove",
        "aria-label": `Remove ${name}`,
        "data-testid": "upload-remove",
      },
      icon("close"),
    );
    this.cancel.addEventListener("click", remove);
    this.#again.addEventListener("click", again);
    this.element = el(
      "li",
      { class: "upload", "data-testid": "upload" },
      icon("file"),
      el("span", { class: "file-text" }, el("bdi", { class: "file-name" }, name), this.#state, this.#bar),
      this.#again,
      this.cancel,
    );
    this.show();
  }

  show() {
    const { status, sent, size, failure } = this.#upload;
    this.status = status;
    this.element.dataset.status = status;
    this.#bar.value = sent;
    this.#bar.hidden = status !== "uploading";
    this.#again.hidden = status !== "failed" || failure?.code === "too_large";
    const words = {
      waiting: "Waiting for the connection",
      uploading: `${fileSize(sent)} of ${fileSize(size)}`,
      uploaded: fileSize(size),
      failed: failure ? describe(failure.code === "too_large" ? tooLarge(size) : failure) : "",
    }[status];
    if (this.#state.textContent !== words) this.#state.textContent = words;
  }
}

/** @param {number} size */
const tooLarge = (size) => new Failure("file_too_large", `The file is too large: ${fileSize(size)}.`);

/**
 * A picture's size, so that its readers can leave room for it.
 * @param {File} file
 * @returns {Promise<{width: number, height: number}|undefined>} undefined for another file, and for what can't be read
 */
async function pixelsOf(file) {
  if (!isPicture({ contentType: file.type })) return undefined;
  try {
    const { width, height } = await createImageBitmap(file);
    return { width, height };
  } catch {
    return undefined;
  }
}
