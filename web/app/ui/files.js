// The files that a message will have: chosen, dropped or pasted, and on their way.

import { Failure, MAX_ATTACHMENTS } from "../../lib/streamroom.js";
import { isPicture } from "./attachment.js";
import { announce, arrange, byId, el, icon } from "./dom.js";
import { counted, describe, fileName, fileSize, listed } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Pixels} Pixels
 * @typedef {import("../../lib/streamroom.js").Upload} Upload
 */

/**
 * Uploads a file.
 * @callback Attach
 * @param {string} chatRoomId
 * @param {File} file
 * @param {Promise<Pixels|undefined>} pixels
 * @returns {Upload|undefined}
 */

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
   * @param {Attach} on.attach
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
        this.#add([...(input.files ?? [])]);
        input.value = ""; // the same file may be chosen again
      });
    }
    this.#listenForDrops();
  }

  #listenForDrops() {
    const over = (/** @type {DragEvent} */ event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // also where it is not taken: the browser would leave the page for the file
      event.dataTransfer.dropEffect = this.#taken ? "copy" : "none";
      this.#target.classList.toggle("dropping", this.#taken);
    };
    const end = () => this.#target.classList.remove("dropping");
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", (event) => !event.relatedTarget && end());
    window.addEventListener("drop", (event) => {
      end();
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (this.#taken) this.addFrom(event.dataTransfer);
    });
  }

  /** Whether what is dropped is attached: a dialog hides where that would be seen. */
  get #taken() {
    return this.#room !== "" && this.#enabled && !this.#attach.form?.hidden && !document.querySelector("dialog[open]");
  }

  /**
   * Attaches what is dropped or pasted.
   * @param {DataTransfer} data
   */
  addFrom(data) {
    const items = [...data.items].filter(({ kind }) => kind === "file");
    // A browser gives a folder a size, as if it were a file, and can't read it.
    const folders = items.flatMap((item) => {
      const entry = item.webkitGetAsEntry?.();
      return entry?.isDirectory ? entry.name : [];
    });
    const files = items.flatMap((item) => (item.webkitGetAsEntry?.()?.isDirectory ? [] : (item.getAsFile() ?? [])));
    this.#add(files, folders);
  }

  /**
   * Attaches files to what is written in the room that is shown.
   * @param {File[]} files
   * @param {string[]} [folders] names of those that can't be
   */
  #add(files, folders = []) {
    const room = this.#room;
    if (!room) return;
    const uploads = [...(this.#uploads.get(room) ?? [])];
    const full = files.filter(({ size }) => size > 0);
    const taken = full.slice(0, MAX_ATTACHMENTS - uploads.length);
    for (const file of taken) {
      // At once: who presses Enter now means these files, too.
      const upload = this.#on.attach(room, file, pixelsOf(file));
      if (!upload) return;
      uploads.push(upload);
      announce(`${fileName(file.name)} attached`);
    }
    this.#uploads.set(room, uploads);
    this.#draw();
    const empty = files.filter(({ size }) => size === 0);
    const problems = [
      leftOut(folders, "is a folder", "are folders"),
      leftOut(namesOf(empty), "is empty, or a folder", "are empty, or folders"),
      leftOut(
        namesOf(full.slice(taken.length)),
        "is one too many",
        "are too many",
        `: a message can have ${MAX_ATTACHMENTS} files`,
      ),
    ];
    const problem = problems.filter(Boolean).join(" ");
    if (problem) announce(problem, true);
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
    this.#bar.max = size; // that of a photo is known late
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

/** @param {File[]} files */
const namesOf = (files) => files.map(({ name }) => name);

/**
 * Says what was not attached.
 * @param {string[]} names
 * @param {string} is what is wrong with it
 * @param {string} are or with them
 * @param {string} [because]
 * @returns {string} empty for no names
 */
function leftOut(names, is, are, because = "") {
  if (names.length === 0) return "";
  const one = names.length === 1;
  return `${listed(names.map(fileName), 3)} ${one ? is : are}, and ${one ? "was" : "were"} not attached${because}.`;
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
