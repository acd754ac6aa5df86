// Tests of photos: what of them is sent.

import { withoutNotes } from "../lib/photo.js";
import { equal, test } from "./check.js";

/** A segment of a JPEG. */
const segment = (marker, content) => [0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255, ...content];
const text = (t) => [...t].map((c) => c.charCodeAt(0));
const number = (n, bytes, little) => {
  const all = Array.from({ length: bytes }, (_, i) => (n >> (8 * (bytes - 1 - i))) & 255);
  return little ? all.reverse() : all;
};
/** Exif with an orientation and a position, as a camera writes it. */
function exif(orientation, little) {
  const entry = (tag, type, value) => [
    ...number(tag, 2, little),
    ...number(type, 2, little),
    ...number(1, 4, little),
    ...(type === 3 ? [...number(value, 2, little), 0, 0] : number(value, 4, little)),
  ];
  const entries = [...entry(0x0100, 4, 4000), ...entry(0x0112, 3, orientation), ...entry(0x8825, 4, 50)];
  const list = [...number(3, 2, little), ...entries, 0, 0, 0, 0, ...text("N52.52 E13.405")];
  return segment(0xe1, [...text(`Exif\0\0${little ? "II*\0" : "MM\0*"}`), ...number(8, 4, little), ...list]);
}
const begin = [0xff, 0xd8];
const end = [0xff, 0xd9];
const jfif = segment(0xe0, text("JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
const profile = segment(0xe2, text("ICC_PROFILE\0\x01\x01 colours"));
const tables = [...segment(0xdb, [0, 1, 2]), ...segment(0xc2, [8, 0, 4, 0, 4, 1])];
/** Two scans, as of a picture that comes in steps, with what looks like markers in them. */
const scans = [
  ...[...segment(0xda, [1, 2]), 1, 0xff, 0, 0xe1, 0xff, 0xd3, 0xff, 0, 9],
  ...[...segment(0xc4, [5]), ...segment(0xda, [3]), 7, 0xff, 0xff, 0],
];
const small = (orientation) => [
  ...[0xff, 0xe1, 0, 34, ...text("Exif\0\0MM\0*"), 0, 0, 0, 8],
  ...[0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0],
];

const photo = (...parts) =>
  new File([new Uint8Array(parts.flat())], "IMG_1.jpg", { type: "image/jpeg", lastModified: 7 });
const bytes = async (file) => [...new Uint8Array(await file.arrayBuffer())];

for (const little of [false, true]) {
  test(`a photo's position and time are left out, its turn and its colours stay${little ? ", in little-endian Exif" : ""}`, async () => {
    const notes = [
      segment(0xe1, text("http://ns.adobe.com/xap/1.0/\0<exif:GPSLatitude>52,31N")),
      segment(0xe2, text("MPF\0 a second picture")),
      segment(0xed, text("Photoshop 3.0\0 Berlin")),
      segment(0xfe, text("by alice")),
    ].flat();
    const second = [...begin, ...exif(1, little), ...end];
    const cleaned = await withoutNotes(
      photo(begin, jfif, exif(6, little), notes, profile, tables, scans, end, second, text("and a film")),
    );
    equal(await bytes(cleaned), [...begin, ...jfif, ...small(6), ...profile, ...tables, ...scans, ...end]);
    equal([cleaned.name, cleaned.type, cleaned.lastModified], ["IMG_1.jpg", "image/jpeg", 7]);
    const again = await withoutNotes(cleaned);
    equal(again === cleaned, true, "what is clean stays the same file");
  });
}

test("a photo that is not turned has no Exif then, nor one that ends early", async () => {
  const cleaned = await withoutNotes(photo(begin, exif(1, false), tables, scans));
  equal(await bytes(cleaned), [...begin, ...tables, ...scans]);
});

test("what is no photo, or a broken one, is sent as it is", async () => {
  const files = [
    photo(text("GIF89a")),
    photo(begin),
    photo(begin, [0xff, 0xe1, 0xff, 0xff, 1]),
    photo(begin, exif(6, false), [1, 2, 3]),
    new File([new Uint8Array([...begin, ...exif(6, false), ...tables, ...scans, ...end])], "a.png", {
      type: "image/png",
    }),
  ];
  for (const file of files) equal((await withoutNotes(file)) === file, true, `${await bytes(file)} is the same`);
});

test("Exif that is cut off, or points anywhere, does no harm", async () => {
  const whole = exif(6, true);
  for (let cut = 4; cut < whole.length; cut++) {
    const cleaned = await withoutNotes(photo(begin, segment(0xe1, whole.slice(4, cut)), tables, scans, end));
    const got = await bytes(cleaned);
    const without = [...begin, ...tables, ...scans, ...end];
    if (got.length !== without.length)
      equal(got, [...begin, ...small(6), ...tables, ...scans, ...end], `cut at ${cut}:`);
  }
  for (let at = 4; at < whole.length; at++) await withoutNotes(photo(begin, whole.with(at, 255), tables, scans, end));
});
