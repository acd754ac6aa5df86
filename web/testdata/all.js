import { run } from "./check.js";
import "./unit.js";
import "./rooms.js";

await run();
