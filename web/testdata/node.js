// What the tests need of Node.js: a window that they can tell of the network.

import { readFile } from "node:fs/promises";

const page = new EventTarget();
Object.assign(globalThis, { window: page, document: page });

/**
 * @param {string} name
 * @returns {Promise<object[]>} docs/vectors/{name}.json
 */
export const readVectors = async (name) =>
  JSON.parse(await readFile(new URL(`../../docs/vectors/${name}.json`, import.meta.url), "utf8"));
