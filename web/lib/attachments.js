// Files on their way to a room: announced, uploaded to the bucket, and then part of a
// message. What is interrupted begins again, with a new announcement: a form is good for
// minutes, and what was announced and never sent ends after a day.

import { fullJitter } from "./clock.js";
import { Failure, isPassing } from "./failure.js";
import { withoutNotes } from "./photo.js";

/**
 * @typedef {import("./api.js").API} API
 * @typedef {import("./clock.js").Clock} Clock
 */

/**
 * A file of a message.
 * @typedef {object} Attachment
 * @property {string} attachmentId
 * @property {string} name
 * @property {string} contentType as its sender says
 * @property {number} size bytes
 * @property {number} [width] pixels of a picture, as its sender says
 * @property {number} [height]
 */

/**
 * A picture's size, in pixels.
 * @typedef {{width: number, height: number}} Pixels
 */

/**
 * A file on its way.
 * @typedef {object} Upload
 * @property {string} uploadId
 * @property {string} chatRoomId
 * @property {string} name
 * @property {string} contentType
 * @property {number} size bytes
 * @property {number} [width]
 * @property {number} [height]
 * @property {"waiting"|"uploading"|"uploaded"|"failed"} status
 * @property {number} sent bytes
 * @property {string} [attachmentId] once it is uploaded
 * @property {Failure} [failure] why, when failed
 * @property {File} [file] absent after a reload
 */

/**
 * Posts a form. Rejects with a Failure; one that was aborted may never end.
 * @callback Post
 * @param {string} url
 * @param {FormData} form
 * @param {{progress: (sent: number) => void, signal: AbortSignal}} on
 * @returns {Promise<number>} the status
 */

/** How many files a message may have. */
export const MAX_ATTACHMENTS = 10;
/** How many files are uploaded at a time. */
const AT_ONCE = 2;
/** How often one file is tried on working connections before its sender is asked. */
const TRIES = 5;
/** An upload that gets no further for this long is on a connection that is dead (ms). */
const STALLED = 60_000;

/**
 * An upload without what only its tab knows: as it is saved, and as a message has it.
 * @param {Upload} upload
 */
export const described = ({ attachmentId, name, contentType, size, width, height }) => ({
  attachmentId,
  name,
  contentType,
  size,
  width,
  height,
});

export class Attachments {
  /** @type {Map<string, Job>} by upload id, in the order of attaching */
  #jobs = new Map();
  #online = false;
  #count = 0;
  #api;
  #clock;
  #post;
  #changed;

  /**
   * @param {object} of
   * @param {API} of.api
   * @param {Clock} of.clock
   * @param {Post} of.post
   * @param {(upload: Upload) => void} of.changed its status or its progress
   */
  constructor({ api, clock, post, changed }) {
    this.#api = api;
    this.#clock = clock;
    this.#post = post;
    this.#changed = changed;
  }

  /**
   * Takes a file, and uploads it now or when there is a connection.
   * @param {string} chatRoomId
   * @param {File} file
   * @param {Pixels|Promise<Pixels|undefined>} [pixels] of a picture; the upload waits for them
   * @returns {Upload}
   */
  add(chatRoomId, file, pixels) {
    const upload = /** @type {Upload} */ ({
      uploadId: `u-${++this.#count}`,
      chatRoomId,
      name: file.name || "file",
      contentType: file.type || "application/octet-stream",
      size: file.size,
      status: "waiting",
      sent: 0,
      file,
    });
    this.#jobs.set(upload.uploadId, new Job(upload, pixels));
    this.#pump();
    return upload;
  }

  /** @param {string} uploadId */
  cancel(uploadId) {
    this.#jobs.get(uploadId)?.stop();
    this.#jobs.delete(uploadId);
    this.#pump();
  }

  /**
   * Tries a failed upload again.
   * @param {string} uploadId
   */
  retry(uploadId) {
    const job = this.#jobs.get(uploadId);
    if (job?.upload.status !== "failed" || !job.upload.file) return;
    job.tries = 0;
    delete job.upload.failure;
    this.#wait(job);
    this.#pump();
  }

  /** The connection is there: upload what waits. */
  online() {
    this.#online = true;
    for (const job of this.#jobs.values()) if (job.upload.status === "waiting") job.stop();
    this.#pump();
  }

  /** The connection is gone. What is being uploaded may still succeed. */
  offline() {
    this.#online = false;
  }

  /** Ends all uploads. */
  stop() {
    for (const job of this.#jobs.values()) job.stop();
    this.#jobs.clear();
  }

  /** @param {Job} job */
  #wait(job) {
    job.upload.status = "waiting";
    job.upload.sent = 0;
    this.#changed(job.upload);
  }

  #pump() {
    if (!this.#online) return;
    const jobs = [...this.#jobs.values()];
    let free = AT_ONCE - jobs.filter(({ upload }) => upload.status === "uploading").length;
    for (const job of jobs) {
      if (free <= 0) return;
      if (job.upload.status !== "waiting" || job.held) continue;
      free--;
      void this.#run(job);
    }
  }

  /** @param {Job} job */
  async #run(job) {
    const { upload } = job;
    const signal = job.begin();
    upload.status = "uploading";
    this.#changed(upload);
    try {
      if (job.pixels) Object.assign(upload, await job.pixels);
      if (upload.file) await this.#clean(upload, upload.file);
      if (signal.aborted) return;
      const attachmentId = await this.#upload(job, signal);
      if (signal.aborted) return;
      job.stop();
      upload.attachmentId = attachmentId;
      upload.status = "uploaded";
      upload.sent = upload.size;
      this.#jobs.delete(upload.uploadId);
      this.#changed(upload);
    } catch (err) {
      if (!signal.aborted) this.#failed(job, Failure.from(err));
    }
    this.#pump();
  }

  /**
   * Takes out of a photo what its sender may not know of.
   * @param {Upload} upload
   * @param {File} file
   */
  async #clean(upload, file) {
    try {
      upload.file = await withoutNotes(file);
      upload.size = upload.file.size;
    } catch {
      // It can't be read, which the upload tells.
    }
  }

  /**
   * @param {Job} job
   * @param {AbortSignal} signal
   * @returns {Promise<string>} the attachment's id
   */
  async #upload(job, signal) {
    const { upload } = job;
    const { chatRoomId, name, contentType, size, width, height, file } = upload;
    const { attachmentId, upload: form } = await this.#api.announce(chatRoomId, {
      name,
      contentType,
      size,
      width,
      height,
    });
    if (signal.aborted) return "";
    const data = new FormData();
    for (const [field, value] of Object.entries(form.fields)) data.append(field, String(value));
    data.append("file", /** @type {Blob} */ (file)); // last: what follows it is not read
    // A dead connection may never end by itself.
    const watch = () =>
      job.hold(this.#clock, STALLED, () => {
        this.#failed(job, new Failure("timeout", "The upload got stuck."));
        this.#pump();
      });
    watch();
    const progress = (/** @type {number} */ sent) => {
      if (signal.aborted) return;
      watch();
      upload.sent = Math.min(sent, size);
      this.#changed(upload);
    };
    const status = await this.#post(form.url, data, { progress, signal });
    if (status >= 200 && status < 300) return attachmentId;
    // 403 may be a form that is too old, for a clock that is wrong or an upload that waited.
    const code = status >= 500 || status === 403 ? "unavailable" : "invalid_request";
    throw new Failure(code, "The server did not take the file.", { status });
  }

  /**
   * @param {Job} job
   * @param {Failure} failure
   */
  #failed(job, failure) {
    job.stop();
    if (this.#online) job.tries++;
    if (isPassing(failure.code) && job.tries < TRIES) {
      job.hold(this.#clock, failure.retryAfter + fullJitter(this.#clock, job.tries, 500, 8_000), () => this.#pump());
      this.#wait(job);
      return;
    }
    job.upload.status = "failed";
    job.upload.failure = failure;
    this.#changed(job.upload);
  }
}

/** A file that is to be uploaded, and what it does or waits for. */
class Job {
  tries = 0;
  /** @type {AbortController|undefined} */
  #running;
  /** @type {(() => void)|undefined} */
  #cancel;

  /**
   * @param {Upload} upload
   * @param {Pixels|Promise<Pixels|undefined>} [pixels]
   */
  constructor(upload, pixels) {
    this.upload = upload;
    this.pixels = pixels;
  }

  /** Whether it waits: for its turn to be tried again, or for the upload to go on. */
  get held() {
    return this.#cancel !== undefined;
  }

  begin() {
    this.#running = new AbortController();
    return this.#running.signal;
  }

  /**
   * @param {Clock} clock
   * @param {number} ms
   * @param {() => void} call
   */
  hold(clock, ms, call) {
    this.#cancel?.();
    this.#cancel = clock.after(ms, () => {
      this.#cancel = undefined;
      call();
    });
  }

  stop() {
    this.#running?.abort();
    this.#running = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

/**
 * Posts a form, as fetch does, which does not tell of progress.
 * @type {Post}
 */
export function postForm(url, form, { progress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("load", () => resolve(request.status));
    request.addEventListener("error", () => void whyNot(form).then(reject));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/**
 * Why a form could not be posted. A browser says the same of a network that is gone and of
 * a file that it can't read: one that was changed or moved since it was chosen, or a folder.
 * @param {FormData} form
 * @returns {Promise<Failure>}
 */
async function whyNot(form) {
  try {
    await /** @type {Blob} */ (form.get("file")).slice(0, 1).arrayBuffer();
    return new Failure("network", "The server could not be reached.");
  } catch (cause) {
    const what = "It can’t be read: it was changed or moved since it was chosen. Attach it again.";
    return new Failure("unreadable", what, { cause });
  }
}
