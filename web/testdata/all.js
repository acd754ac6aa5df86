import { run } from "./check.js";
import "./unit.js";
import "./liveness.js";
import "./outbox.js";
import "./rooms.js";
import "./text.js";
import { addVectors } from "./vectors.js";

const { readVectors } = await import(typeof window === "undefined" ? "./node.js" : "./page.js");
addVectors(await readVectors());
await run();
