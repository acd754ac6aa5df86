// What a photo shows, without what a camera or an editor noted in it: where and when it was
// taken, with which device, and the picture before it was cut. The picture itself is the same to the last byte.
//
// A JPEG is a row of segments, each a marker and most with a length (ITU-T T.81, annex B).

/** Markers: the beginning and the end of the picture, and what stands between. */
const BEGIN = 0xd8;
const END = 0xd9;
const SCAN = 0xda;
const JFIF = 0xe0;
const EXIF = 0xe1;
const PROFILE = 0xe2;
const ADOBE = 0xee;
const LAST_APP = 0xef;
const COMMENT = 0xfe;
const FILL = 0xff;
/** Exif's tag of how the picture is to be turned. */
const ORIENTATION = 0x0112;

/**
 * @param {File} file
 * @returns {Promise<File>} the same where there is nothing to leave out, and where it is no JPEG, or a broken one
 */
export async function withoutNotes(file) {
  if (file.type !== "image/jpeg") return file;
  const data = new DataView(await file.arrayBuffer());
  if (data.byteLength < 4 || data.getUint16(0) !== (0xff << 8) + BEGIN) return file;
  /** @type {(Blob|Uint8Array<ArrayBuffer>)[]} */
  const kept = [file.slice(0, 2)];
  for (let at = 2, marker = BEGIN; marker !== END && at < data.byteLength; ) {
    const segment = segmentAt(data, at);
    if (!segment) return file;
    ({ marker } = segment);
    const turned = marker === EXIF ? orientationIn(data, at + 4, segment.end) : 1;
    if (isShown(data, marker, at)) kept.push(file.slice(at, segment.end));
    else if (turned > 1) kept.push(turning(turned));
    at = segment.end;
  }
  const photo = new File(kept, file.name, { type: file.type, lastModified: file.lastModified });
  return photo.size === file.size ? file : photo;
}

/**
 * @param {DataView} data
 * @param {number} at where it begins
 * @returns {{marker: number, end: number}|undefined} a scan ends where the next segment begins; undefined for what is broken
 */
function segmentAt(data, at) {
  if (at + 2 > data.byteLength || data.getUint8(at) !== 0xff) return undefined;
  const marker = data.getUint8(at + 1);
  if (marker === END) return { marker, end: at + 2 };
  if (marker === FILL) return { marker, end: at + 1 };
  // Those without a length stand in a scan only.
  if (marker < 0xc0 || (marker >= 0xd0 && marker <= BEGIN) || at + 4 > data.byteLength) return undefined;
  let end = at + 2 + data.getUint16(at + 2);
  if (marker === SCAN) while (end < data.byteLength && !isMarker(data, end)) end++;
  return end <= data.byteLength ? { marker, end } : undefined;
}

/**
 * Whether a scan ends here: in it a byte of ones is followed by a zero, or it is a mark to begin again.
 * @param {DataView} data
 * @param {number} at
 */
function isMarker(data, at) {
  if (data.getUint8(at) !== 0xff || at + 1 === data.byteLength) return false;
  const next = data.getUint8(at + 1);
  return next !== 0 && next !== FILL && (next < 0xd0 || next > 0xd7);
}

/**
 * Whether a segment is of what is shown: the picture, or how its colours are meant.
 * @param {DataView} data
 * @param {number} marker
 * @param {number} at
 */
function isShown(data, marker, at) {
  if (marker === PROFILE) return textAt(data, at + 4, 11) === "ICC_PROFILE";
  if (marker === JFIF || marker === ADOBE) return true;
  return marker < JFIF || (marker > LAST_APP && marker < COMMENT);
}

/**
 * @param {DataView} data
 * @param {number} at
 * @param {number} length
 */
function textAt(data, at, length) {
  if (at + length > data.byteLength) return "";
  return String.fromCharCode(...new Uint8Array(data.buffer, at, length));
}

/**
 * How Exif says that the picture is to be turned (Exif 3.0, 4.6.5.1.5): 1 to 8, 1 for not at all.
 * @param {DataView} data
 * @param {number} at
 * @param {number} end
 * @returns {number}
 */
function orientationIn(data, at, end) {
  const tiff = at + 6;
  if (end - tiff < 8 || textAt(data, at, 6) !== "Exif\0\0") return 1;
  const little = textAt(data, tiff, 2) === "II";
  const list = tiff + data.getUint32(tiff + 4, little);
  if (list + 2 > end) return 1;
  const count = data.getUint16(list, little);
  for (let entry = list + 2; entry < list + 2 + 12 * count && entry + 12 <= end; entry += 12) {
    if (data.getUint16(entry, little) !== ORIENTATION) continue;
    const turned = data.getUint16(entry + 8, little);
    return turned >= 1 && turned <= 8 ? turned : 1;
  }
  return 1;
}

/**
 * Exif that says nothing else.
 * @param {number} orientation
 */
function turning(orientation) {
  const exif = [
    ...new TextEncoder().encode("Exif\0\0MM\0*"),
    0,
    0,
    0,
    8,
    0,
    1,
    1,
    0x12,
    0,
    3,
    0,
    0,
    0,
    1,
    0,
    orientation,
  ];
  return new Uint8Array([0xff, EXIF, 0, 34, ...exif, 0, 0, 0, 0, 0, 0]);
}
