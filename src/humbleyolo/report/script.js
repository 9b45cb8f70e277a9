"use strict";
// The report's only script: sorting, reading values off charts, and the gallery. Texts enter as text, never as HTML.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const STEP = 24; // images that are shown at a time
  const data = JSON.parse(document.getElementById("gallery-data").textContent);
  const find = (id) => document.getElementById(id);
  document.documentElement.classList.add("scripted");

  function svg(name, attributes, text) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function html(name, className, text) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  // --- Tables -------------------------------------------------------------------------------------------------

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      const button = head.querySelector("button");
      button.addEventListener("click", () => {
        const first = button.dataset.kind === "number" ? "descending" : "ascending";
        const other = first === "descending" ? "ascending" : "descending";
        const way = head.getAttribute("aria-sort") === first ? other : first;
        for (const one of heads) one.setAttribute("aria-sort", one === head ? way : "none");
        const sign = way === "ascending" ? 1 : -1;
        const value = (row) => row.cells[place].dataset.value;
        const compare = (a, b) => {
          if (button.dataset.kind !== "number") return sign * value(a).localeCompare(value(b));
          if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === ""); // undefined is last
          return sign * (Number(value(a)) - Number(value(b)));
        };
        table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
      });
    });
  }

  // Phones show no scroll bars, so a table that is wider than its place says it.
  function tellWide() {
    for (const place of document.querySelectorAll(".wide")) place.classList.toggle("more", place.scrollWidth > place.clientWidth + 1);
  }

  window.addEventListener("resize", tellWide);
  document.addEventListener("toggle", tellWide, true); // of details
  tellWide();

  // --- Charts -------------------------------------------------------------------------------------------------

  const short = (value) => String(Number(value.toPrecision(4)));

  function readLines(chart) {
    const area = chart.querySelector(".area");
    const pointer = chart.querySelector(".pointer");
    const words = chart.closest("figure").querySelector(".readout");
    const box = ["x", "y", "width", "height"].map((key) => Number(area.getAttribute(key)));
    const scale = { x: area.dataset.x.split(" ").map(Number), y: area.dataset.y.split(" ").map(Number) };
    const lines = [...chart.querySelectorAll(".line")].map((node) => ({
      node,
      points: node.dataset.points.split(" ").filter(Boolean).map((pair) => pair.split(",").map(Number)),
    }));
    const part = (value, [low, high, log]) =>
      Math.min(1, Math.max(0, log ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low)));
    const across = (value) => box[0] + part(value, scale.x) * box[2];
    const up = (value) => box[1] + box[3] - part(value, scale.y) * box[3];
    let now = null;

    const places = () => {
      const all = lines.filter((line) => !line.node.hasAttribute("hidden")).flatMap((line) => line.points.map((point) => point[0]));
      return [...new Set(all)].sort((a, b) => a - b);
    };

    function show(x) {
      now = x;
      pointer.replaceChildren(pointer.firstElementChild);
      pointer.removeAttribute("hidden");
      pointer.firstElementChild.setAttribute("x1", across(x));
      pointer.firstElementChild.setAttribute("x2", across(x));
      const said = [];
      for (const { node, points } of lines) {
        if (node.hasAttribute("hidden") || !points.length) continue;
        const near = points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best));
        pointer.append(svg("circle", { cx: across(near[0]), cy: up(near[1]), r: 4 }));
        said.push(`${node.dataset.name} ${short(near[1])}`);
      }
      words.textContent = `${chart.dataset.across || "at"} ${short(x)}: ${said.join(", ")}`;
    }

    const clear = () => {
      pointer.setAttribute("hidden", "");
      words.textContent = "";
      now = null;
    };
    chart.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
      const all = places();
      if (all.length) show(all.reduce((best, x) => (Math.abs(across(x) - at.x) < Math.abs(across(best) - at.x) ? x : best)));
    });
    chart.addEventListener("pointerleave", clear);
    chart.addEventListener("blur", clear);
    chart.addEventListener("keydown", (event) => {
      const all = places();
      const move = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
      if (move === undefined || !all.length) return;
      event.preventDefault();
      const from = now === null ? (move > 0 ? -1 : all.length) : all.indexOf(now);
      show(all[Math.min(all.length - 1, Math.max(0, from + move))]);
    });
  }

  function readColumns(chart) {
    const columns = [...chart.querySelectorAll(".column")];
    const words = chart.closest("figure").querySelector(".readout");
    let now = -1;
    const show = (place) => {
      now = place;
      columns.forEach((column, at) => column.classList.toggle("at", at === place));
      words.textContent = place < 0 ? "" : columns[place].dataset.words;
    };
    columns.forEach((column, at) => column.addEventListener("pointerenter", () => show(at)));
    chart.addEventListener("pointerleave", () => show(-1));
    chart.addEventListener("blur", () => show(-1));
    chart.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (move === undefined || !columns.length) return;
      event.preventDefault();
      show(Math.min(columns.length - 1, Math.max(0, now + move)));
    });
  }

  for (const chart of document.querySelectorAll(".chart")) {
    if (chart.dataset.kind === "lines") readLines(chart);
    else readColumns(chart);
  }

  find("curve-class").addEventListener("change", (event) => {
    for (const node of document.querySelectorAll("#curves [data-group]:not([data-group=''])")) {
      node.toggleAttribute("hidden", node.dataset.group !== event.target.value);
    }
  });

  // --- Gallery ------------------------------------------------------------------------------------------------

  const kinds = data.kinds;
  const [UNJUDGED, CORRECT] = [kinds.indexOf("unjudged"), kinds.indexOf("correct")];
  const isWrong = (kind) => kind !== UNJUDGED && kind !== CORRECT;
  const isMissed = (truth) => data.fates[truth[5]] === "missed";
  const controls = Object.fromEntries(
    ["of-class", "of-kind", "order", "colours", "least", "with-truth", "with-cells"].map((id) => [id, find(id)]),
  );
  const gallery = find("gallery");
  let room = STEP;

  const isUnmoved = () => Number(controls.least.value) === Number(controls.least.defaultValue); // "0.4" and "0.40"

  function choices() {
    return {
      label: controls["of-class"].value === "" ? null : Number(controls["of-class"].value),
      kind: controls["of-kind"].value,
      // the threshold itself, until the slider is moved: it has two digits alone
      least: Number(isUnmoved() ? controls.least.dataset.exact : controls.least.value),
      byClass: controls.colours.value === "class",
      truth: controls["with-truth"].checked,
      cells: controls["with-cells"].checked,
    };
  }

  function boxesOf(image, choice) {
    return {
      truths: image.t.filter((truth) => choice.label === null || truth[4] === choice.label),
      found: image.d.filter((one) => one[5] >= choice.least && (choice.label === null || one[4] === choice.label)),
    };
  }

  function isWanted(image, choice) {
    const { truths, found } = boxesOf(image, choice);
    if (choice.label !== null && !truths.length && !found.length) return false;
    if (!choice.kind) return true;
    const missed = truths.some(isMissed);
    if (choice.kind === "wrong") return missed || found.some((one) => isWrong(one[6]));
    if (choice.kind === "missed") return missed;
    return found.some((one) => kinds[one[6]] === choice.kind);
  }

  const iouOf = (one) => (one[7] ? `, IoU ${one[7].toFixed(2)}` : "");
  const wordsOf = (one) => {
    const kind = one[6] === UNJUDGED ? "not judged" : `${kinds[one[6]]}${iouOf(one)}`;
    return `${isolate(data.names[one[4]])} ${one[5].toFixed(2)}: ${kind}`;
  };

  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = '100px system-ui, "DejaVu Sans", sans-serif'; // that of tags
  const lengthOf = (text) => ruler.measureText(text).width / 100; // in its own height
  const isolate = (name) => `\u2068${name}\u2069`; // so that a name from right to left does not turn what is beside it
  const cut = (text, most) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}\u2026` : text);

  // How wide a picture is enlarged: it fits the window, and a photograph is not blurred by many times its own pixels.
  function largeWidth(image) {
    const held = image.w * Math.min(1, data.longest / Math.max(image.w, image.h));
    const sharp = image.w > 200 ? 1.5 * held : Infinity;
    return Math.min(640, sharp, 0.96 * window.innerWidth - 36, (0.7 * window.innerHeight * image.w) / image.h);
  }

  // Draws an image with its boxes; `px` is about how wide it is shown, `small` leaves out what would be too much.
  function view(image, choice, px, small) {
    const holder = html("span", image.w > 200 ? "view smooth" : "view");
    const picture = html("img");
    picture.src = image.src;
    picture.alt = "";
    picture.width = image.w;
    picture.height = image.h;
    const drawing = svg("svg", { viewBox: `0 0 ${image.w} ${image.h}`, "aria-hidden": "true" });
    const unit = image.w / px; // pixels of the image in one of the screen
    const { truths, found } = boxesOf(image, choice);
    if (choice.cells) drawCells(drawing, image, unit);
    const outline = (box, className, title, colour) => {
      const place = { x: box[0], y: box[1], width: Math.max(box[2], 0.01), height: Math.max(box[3], 0.01) };
      drawing.append(svg("rect", { class: "under", ...place }));
      const line = svg("rect", { class: `box ${className}`, ...place });
      if (colour) line.style.stroke = colour;
      line.append(svg("title", {}, title));
      drawing.append(line);
    };
    if (choice.truth) {
      for (const truth of truths) {
        outline(truth, isMissed(truth) ? "truth missed" : "truth", `ground truth: ${data.names[truth[4]]}, ${data.fates[truth[5]]}`);
      }
    }
    for (const one of [...found].reverse()) {
      const className = one[6] === UNJUDGED ? "unjudged" : isWrong(one[6]) ? "wrong" : "correct";
      outline(one, className, wordsOf(one), choice.byClass ? data.colours[one[4]] : "");
    }
    if (choice.cells) {
      writeCells(drawing, image, unit);
    } else if (found.length <= 40) {
      const high = 12 * unit;
      const tags = []; // their places, so that none is written over another on a thumbnail
      for (const one of found) {
        if (one[6] === UNJUDGED && small) continue;
        const text = `${isolate(cut(data.names[one[4]], 16))} ${one[5].toFixed(2)}`;
        const left = Math.max(0, Math.min(one[0], image.w - lengthOf(text) * high));
        const top = one[1] > high * 1.1 ? one[1] - 0.25 * high : Math.min(one[1] + one[3] + high, image.h - 0.2 * high);
        const right = left + lengthOf(text) * high;
        if (small && tags.some((tag) => left < tag.right && tag.left < right && Math.abs(tag.top - top) < 1.2 * high)) continue;
        tags.push({ left, right, top });
        drawing.append(svg("text", { class: "tag", x: left, y: top, "font-size": high, "stroke-width": 3 * unit }, text));
      }
    }
    holder.append(picture, drawing);
    return holder;
  }

  function drawCells(drawing, image, unit) {
    const { rows, cols } = data.grid;
    const [left, top, width, height] = image.over;
    const [across, down] = [width / cols, height / rows];
    const at = (cell) => ({ x: left + (cell % cols) * across, y: top + Math.floor(cell / cols) * down, width: across, height: down });
    const isFine = Math.min(across, down) < 16 * unit; // lines between such cells would hide the picture
    const [className, tint] = isFine ? ["cell fine", 0.95] : ["cell", 0.75];
    (image.cells || []).forEach((value, cell) => {
      const tile = svg("rect", { class: className, ...at(cell), "fill-opacity": (tint * value) / 100 });
      tile.append(svg("title", {}, `cell ${Math.floor(cell / cols) + 1}, ${(cell % cols) + 1}: confidence ${(value / 100).toFixed(2)}`));
      drawing.append(tile);
    });
    for (const cell of image.own) {
      const { x, y, width: wide, height: high } = at(cell);
      const inset = 2 * unit;
      drawing.append(svg("rect", { class: "own", x: x + inset, y: y + inset, width: Math.max(0, wide - 2 * inset), height: Math.max(0, high - 2 * inset) }));
    }
    for (const truth of image.t) {
      drawing.append(svg("circle", { class: "dot", cx: truth[0] + truth[2] / 2, cy: truth[1] + truth[3] / 2, r: 4 * unit }));
    }
  }

  // The confidence of each cell that has room for it, in the part of the cell that the picture shows.
  function writeCells(drawing, image, unit) {
    const { rows, cols } = data.grid;
    const [left, top, width, height] = image.over;
    const [across, down] = [width / cols, height / rows];
    if (across / unit < 34 || down / unit < 18) return;
    (image.cells || []).forEach((value, cell) => {
      const x = Math.max(0, left + (cell % cols) * across);
      const y = Math.max(0, top + Math.floor(cell / cols) * down);
      const place = { x: x + 4 * unit, y: y + 15 * unit, "font-size": 13 * unit, "stroke-width": 3 * unit };
      if (y < image.h && x < image.w) drawing.append(svg("text", { class: "tag", ...place }, (value / 100).toFixed(2)));
    });
  }

  function said(image, choice) {
    const { truths, found } = boxesOf(image, choice);
    const words = html("p", "said");
    words.append(html("bdi", "file", image.name));
    const wrong = found.filter((one) => isWrong(one[6]));
    const missed = truths.filter(isMissed);
    const right = found.filter((one) => one[6] === CORRECT).length;
    words.append(html("br"), truths.length || found.length ? `${right} right` : "no objects, no detections");
    for (const truth of missed.slice(0, 3)) words.append(", ", html("b", "", `missed ${isolate(cut(data.names[truth[4]], 30))}`));
    for (const one of wrong.slice(0, 3)) {
      words.append(", ", html("b", "", kinds[one[6]]), ` ${isolate(cut(data.names[one[4]], 30))} ${one[5].toFixed(2)}${iouOf(one)}`);
    }
    const more = Math.max(0, missed.length - 3) + Math.max(0, wrong.length - 3);
    if (more) words.append(` and ${more} more ${more === 1 ? "mistake" : "mistakes"}`);
    return words;
  }

  function redraw() {
    const choice = choices();
    find("least-words").textContent = isUnmoved() ? controls.least.dataset.words : choice.least.toFixed(2);
    let wanted = data.images.filter((image) => isWanted(image, choice));
    if (controls.order.value === "archive") wanted = [...wanted].sort((a, b) => a.id - b.id);
    const boxes = wanted.reduce((sum, image) => sum + boxesOf(image, choice).found.length, 0);
    const shown = wanted.slice(0, room);
    find("shown").textContent = `${wanted.length.toLocaleString("en")} of ${data.images.length.toLocaleString("en")} images, ${boxes.toLocaleString("en")} detections; ${shown.length} shown`;
    gallery.replaceChildren(
      ...shown.map((image) => {
        const item = html("li");
        const button = html("button", "open");
        button.type = "button";
        const { truths, found } = boxesOf(image, choice);
        button.setAttribute("aria-label", `${image.name}: ${truths.length} objects, ${found.length} detections; enlarge`);
        button.append(view(image, choice, 200, true));
        button.addEventListener("click", () => enlarge(image));
        item.append(button, said(image, choice));
        return item;
      }),
    );
    find("more").hidden = shown.length === wanted.length;
  }

  function enlarge(image) {
    const choice = choices();
    find("large-title").textContent = image.name;
    const { truths, found } = boxesOf(image, choice);
    const table = html("table");
    const head = table.createTHead().insertRow();
    for (const title of ["box", "class", "confidence", "IoU", "judged"]) {
      const cell = html("th", "", title);
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    const add = (...words) => {
      const row = body.insertRow();
      for (const word of words) row.insertCell().append(html("bdi", "", word));
    };
    for (const one of found) {
      const judged = one[6] === UNJUDGED ? "not judged" : kinds[one[6]];
      add("detection", data.names[one[4]], one[5].toFixed(3), one[7] ? one[7].toFixed(3) : "", judged);
    }
    for (const truth of truths) add("ground truth", data.names[truth[4]], "", "", data.fates[truth[5]]);
    const holder = html("div", "wide");
    holder.append(table);
    const width = largeWidth(image);
    const large = view(image, choice, width, false);
    large.style.maxWidth = `${width}px`;
    const parts = [large, holder];
    if (image.more) parts.push(html("p", "note", `${image.more.toLocaleString("en")} less confident detections are left out.`));
    if (choice.cells && !image.cells) parts.push(html("p", "note", "The grid has too many cells to be drawn."));
    find("large-body").replaceChildren(...parts);
    find("large").showModal();
    tellWide();
  }

  find("close").addEventListener("click", () => find("large").close());
  find("large").addEventListener("click", (event) => {
    if (event.target === find("large")) find("large").close();
  });
  find("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const control of Object.values(controls)) {
    control.addEventListener("input", () => {
      room = STEP;
      redraw();
    });
  }
  find("more").addEventListener("click", () => {
    room += STEP;
    redraw();
  });
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  redraw();
})();
