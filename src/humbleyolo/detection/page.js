"use strict";

const SHOWN_PX = 512; // the longer side of what is shown, at least

// The answers come from `humbleyolo serve`, or from a model in the page itself (`humbleyolo export --to html`).
const source = globalThis.humbleyolo ?? {
  silent: "The server does not answer; is `humbleyolo serve` still running?",
  facts: async () => (await fetch("model")).json(),
  detect: async (body) => {
    const response = await fetch("detect", { method: "POST", body });
    const told = await response.json();
    return response.ok ? told : { error: told.error };
  },
};

const find = (id) => document.getElementById(id);
const canvas = find("canvas");
const brush = canvas.getContext("2d");
const picture = document.createElement("canvas"); // the pixels that the model sees
const ink = picture.getContext("2d", { willReadFrequently: true });

let model = null;
let answer = null;
let asked = 0; // requests are numbered, so that a late answer does not replace a newer one
let last = null; // where a stroke was

function say(text, wrong = false) {
  find("message").textContent = text;
  find("message").classList.toggle("wrong", wrong);
}

function colour(label) {
  return model.colours[Math.max(0, model.names.indexOf(label))];
}

function setPicture(width, height) {
  picture.width = width;
  picture.height = height;
  const scale = Math.max(1, Math.floor(SHOWN_PX / Math.max(width, height)));
  canvas.width = width * scale;
  canvas.height = height * scale;
  answer = null;
  asked++; // what was asked before is of another picture
}

function blank() {
  setPicture(model.width, model.height);
  ink.fillStyle = "#000";
  ink.fillRect(0, 0, picture.width, picture.height);
  show();
  say("");
}

// Pixels of the canvas in one of the screen, so that texts and lines have one size on every picture and screen.
function unitOf() {
  return canvas.width / (canvas.clientWidth || canvas.width);
}

function show() {
  const scale = canvas.width / picture.width;
  brush.imageSmoothingEnabled = false;
  brush.clearRect(0, 0, canvas.width, canvas.height);
  brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const rows = find("found");
  rows.replaceChildren();
  if (!answer) {
    find("count").textContent = "";
    return;
  }
  if (find("grid").checked) showGrid(scale);
  const slider = find("threshold"); // of two digits; the model's own threshold counts until it is moved
  const least = slider.dataset.moved ? Number(slider.value) : model.threshold;
  const shown = answer.detections.filter((one) => one.score >= least);
  for (const one of [...shown].reverse()) showBox(one, scale);
  for (const one of shown) {
    const row = rows.insertRow();
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = colour(one.label);
    row.insertCell().append(swatch, one.label);
    row.insertCell().textContent = one.score.toFixed(3);
    row.insertCell().textContent = one.box.map((value) => value.toFixed(1)).join(", ");
  }
  find("count").textContent = `${shown.length} shown, ${answer.detections.length - shown.length} of lower score`;
}

function showGrid(scale) {
  const [left, top, right, bottom] = answer.grid.extent.map((value) => value * scale);
  showConfidence(left, top, (right - left) / answer.grid.cols, (bottom - top) / answer.grid.rows);
  brush.strokeStyle = "rgba(128, 128, 128, 0.8)";
  const unit = unitOf();
  brush.lineWidth = unit;
  brush.setLineDash([4 * unit, 4 * unit]);
  brush.beginPath();
  for (let col = 1; col < answer.grid.cols; col++) {
    const x = left + ((right - left) * col) / answer.grid.cols;
    brush.moveTo(x, top);
    brush.lineTo(x, bottom);
  }
  for (let row = 1; row < answer.grid.rows; row++) {
    const y = top + ((bottom - top) * row) / answer.grid.rows;
    brush.moveTo(left, y);
    brush.lineTo(right, y);
  }
  brush.stroke();
  brush.setLineDash([]);
}

function showConfidence(left, top, wide, high) {
  const unit = unitOf();
  brush.font = `${11 * unit}px system-ui, sans-serif`;
  for (const [cell, value] of (answer.grid.confidence ?? []).entries()) {
    const x = left + (cell % answer.grid.cols) * wide, y = top + Math.floor(cell / answer.grid.cols) * high;
    brush.fillStyle = `rgba(140, 90, 255, ${0.5 * value})`; // no class has it
    brush.fillRect(x, y, wide, high);
    const seen = [Math.max(0, x), Math.max(0, y)]; // the part of the cell that is on the picture begins here
    const room = [Math.min(canvas.width, x + wide) - seen[0], Math.min(canvas.height, y + high) - seen[1]];
    if (room[0] < 40 * unit || room[1] < 16 * unit) continue; // too little for the number
    const place = [value.toFixed(2), seen[0] + 3 * unit, seen[1] + 12 * unit];
    brush.lineWidth = 3 * unit;
    brush.strokeStyle = "#000"; // around the letters: a photograph may be light
    brush.lineJoin = "round";
    brush.strokeText(...place);
    brush.fillStyle = "#fff";
    brush.fillText(...place);
  }
}

function showBox(one, scale) {
  const [left, top, right, bottom] = one.box.map((value) => value * scale);
  const text = `${one.label} ${one.score.toFixed(2)}`;
  const unit = unitOf();
  brush.lineWidth = 2 * unit;
  brush.strokeStyle = colour(one.label);
  brush.strokeRect(left, top, right - left, bottom - top);
  brush.font = `${14 * unit}px system-ui, sans-serif`;
  const width = brush.measureText(text).width + 6 * unit;
  const above = top >= 18 * unit ? top - 18 * unit : Math.min(bottom, canvas.height - 18 * unit);
  const start = Math.max(0, Math.min(left, canvas.width - width));
  brush.fillStyle = colour(one.label);
  brush.fillRect(start, above, width, 18 * unit);
  brush.fillStyle = model.ink;
  brush.fillText(text, start + 3 * unit, above + 13.5 * unit);
}

async function ask(body, shown = picture) {
  const number = ++asked;
  say("Looking …");
  try {
    const told = await source.detect(body, shown);
    if (number !== asked) return false;
    if (told.error) {
      say(told.error, true);
      return false;
    }
    answer = told;
    say((told.notes ?? []).join("; "));
    show();
    return true;
  } catch (error) {
    if (number === asked) say(source.silent, true);
    return false;
  }
}

async function open(file) {
  if (file.size > model.max_bytes) {
    asked++; // what was asked before is of no interest now
    say(`${file.name} has more than ${model.max_bytes / 2 ** 20} MiB`, true);
    return;
  }
  let image;
  try {
    image = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch (error) {
    await ask(file, null); // the answer says what is wrong with it
    return;
  }
  setPicture(image.width, image.height);
  ink.fillStyle = "#000"; // what is transparent lies on black, as for the model
  ink.fillRect(0, 0, image.width, image.height);
  ink.drawImage(image, 0, 0);
  show();
  await ask(file);
}

function look() {
  picture.toBlob((blob) => ask(blob), "image/png");
}

function drawable() { // a model of words, or a page that does not know
  return model?.draws ?? true;
}

function place(event) {
  const rect = canvas.getBoundingClientRect();
  return [
    ((event.clientX - rect.left) * picture.width) / rect.width,
    ((event.clientY - rect.top) * picture.height) / rect.height,
  ];
}

function press(event) {
  if (!drawable()) return;
  const [x, y] = place(event);
  const word = find("word").value;
  answer = null;
  if (word) {
    ink.fillStyle = "#fff";
    ink.font = `${find("size").value}px "DejaVu Sans", Verdana, sans-serif`;
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    ink.fillText(word, x, y);
    show();
    look();
    return;
  }
  last = [x, y];
  canvas.setPointerCapture(event.pointerId);
  stroke(event);
}

function stroke(event) {
  if (!last) return;
  const now = place(event);
  ink.strokeStyle = "#fff";
  ink.lineWidth = Math.max(1, Number(find("size").value) / 8);
  ink.lineCap = "round";
  ink.beginPath();
  ink.moveTo(...last);
  ink.lineTo(now[0] + 0.01, now[1]); // a click without a move is a dot
  ink.stroke();
  last = now;
  show();
}

function release() {
  if (!last) return;
  last = null;
  look();
}

async function start() {
  try {
    model = await source.facts();
  } catch (error) {
    say(source.silent, true);
    return;
  }
  find("model").textContent = `Finds ${model.names.join(", ")} on ${model.width} x ${model.height} pixels`;
  find("threshold").value = model.threshold;
  find("threshold").title = `${model.threshold}: ${model.threshold_from}`;
  find("threshold-shown").textContent = Number(find("threshold").value).toFixed(2);
  for (const tool of document.querySelectorAll(".drawing")) tool.hidden = !drawable();
  canvas.classList.toggle("drawn", drawable());
  blank();
  if (model.has_sample) await open(await (await fetch("sample")).blob());
  document.body.dataset.ready = "yes";
}

find("threshold").addEventListener("input", (event) => {
  event.target.dataset.moved = "yes";
  find("threshold-shown").textContent = Number(event.target.value).toFixed(2);
  show();
});
find("size").addEventListener("input", (event) => (find("size-shown").textContent = event.target.value));
find("grid").addEventListener("change", show);
globalThis.addEventListener("resize", () => model && show());
find("blank").addEventListener("click", blank);
find("file").addEventListener("change", (event) => {
  if (event.target.files.length) open(event.target.files[0]);
  event.target.value = "";
});
canvas.addEventListener("pointerdown", press);
canvas.addEventListener("pointermove", stroke);
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    find("stage").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });
}
start();
