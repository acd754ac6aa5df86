// What the tests need of Node.js: a window that they can tell of the network.

import { readFile } from "node:fs/promises";

const page = new EventTarget();
Object.assign(globalThis, { window: page, document: page });

/** @returns {Promise<object[]>} docs/vectors/recovery.json */
export const readVectors = async () =>
  JSON.parse(await readFile(new URL("../../docs/vectors/recovery.json", import.meta.url), "utf8"));
