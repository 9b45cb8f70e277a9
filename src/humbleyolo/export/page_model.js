"use strict";

// The model of a page that needs no server: the same answers as `humbleyolo serve` gives, computed here.
globalThis.humbleyolo = (() => {
  const data = (id) => document.getElementById(id).textContent;
  const facts = JSON.parse(data("facts"));
  let ready = null;

  async function unpack(id) {
    const packed = Uint8Array.from(atob(data(id)), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function begin() {
    const address = URL.createObjectURL(new Blob([await unpack("runtime")], { type: "text/javascript" }));
    const ort = await import(address);
    URL.revokeObjectURL(address);
    ort.env.wasm.wasmBinary = await unpack("wasm");
    ort.env.wasm.numThreads = 1; // more need a server that isolates the page
    const session = await ort.InferenceSession.create(await unpack("model-file"), { executionProviders: ["wasm"] });
    return { ort, session };
  }

  // Pillow's bilinear filter in its own whole numbers, along one axis: so every pixel is as Python has it.
  // `step` lies between pixels of the axis, `stride` between its `others` lines.
  function resize(source, from, to, step, stride, others) {
    const result = new Uint8ClampedArray(to * others * 3);
    const jump = step === 3 ? to * 3 : stride;
    const scale = from / to, support = Math.max(scale, 1);
    for (let out = 0; out < to; out++) {
      const centre = (out + 0.5) * scale;
      const first = Math.max(0, Math.trunc(centre - support + 0.5));
      const last = Math.min(from, Math.trunc(centre + support + 0.5));
      const weights = [];
      for (let place = first; place < last; place++) weights.push(Math.max(0, 1 - Math.abs((place - centre + 0.5) / support)));
      const sum = weights.reduce((a, b) => a + b, 0);
      const whole = weights.map((weight) => Math.trunc((weight / sum) * 2 ** 22 + 0.5));
      for (let other = 0; other < others; other++) {
        for (let channel = 0; channel < 3; channel++) {
          let value = 2 ** 21;
          for (let k = 0; k < whole.length; k++) value += whole[k] * source[(first + k) * step + other * stride + channel];
          result[out * step + other * jump + channel] = Math.floor(value / 2 ** 22);
        }
      }
    }
    return result;
  }

  function even(value) { // Python's round
    const low = Math.floor(value);
    return value - low === 0.5 ? low + (low % 2) : Math.round(value);
  }

  function letterbox(width, height) {
    let across = facts.width, down = facts.height;
    if (facts.height * width <= facts.width * height) across = Math.min(Math.max(even((width * down) / height), 1), across);
    else down = Math.min(Math.max(even((height * across) / width), 1), down);
    const x = Math.floor((facts.width - across) / 2), y = Math.floor((facts.height - down) / 2);
    return { across, down, x, y, scaleX: across / width, scaleY: down / height };
  }

  function see(picture, box) {
    const { width, height } = picture;
    const rgba = picture.getContext("2d").getImageData(0, 0, width, height).data;
    let rgb = new Uint8ClampedArray(width * height * 3);
    for (let pixel = 0; pixel < width * height; pixel++) rgb.set(rgba.subarray(4 * pixel, 4 * pixel + 3), 3 * pixel);
    if (box.across !== width) rgb = resize(rgb, width, box.across, 3, width * 3, height);
    if (box.down !== height) rgb = resize(rgb, height, box.down, box.across * 3, 3, box.across);
    const seen = new Uint8Array(facts.width * facts.height * 3).fill(facts.fill);
    for (let row = 0; row < box.down; row++) {
      seen.set(rgb.subarray(row * box.across * 3, (row + 1) * box.across * 3), ((row + box.y) * facts.width + box.x) * 3);
    }
    return seen;
  }

  async function detect(_body, picture) {
    if (!picture) return { error: "the picture: cannot be read; give PNG, JPEG, WebP, GIF or BMP" };
    const { ort, session } = await (ready ??= begin());
    const { width, height } = picture;
    const box = letterbox(width, height);
    const pixels = new ort.Tensor("uint8", see(picture, box), [1, facts.height, facts.width, 3]);
    const told = await session.run({ pixels });
    const out = (value, shift, scale, most) => Math.min(Math.max((value - shift) / scale, 0), most);
    const detections = [];
    for (let place = 0; place < told.count.data[0]; place++) {
      const edges = told.boxes.data.subarray(4 * place, 4 * place + 4);
      let found = [
        out(edges[0], box.x, box.scaleX, width), out(edges[1], box.y, box.scaleY, height),
        out(edges[2], box.x, box.scaleX, width), out(edges[3], box.y, box.scaleY, height),
      ];
      if (facts.whole_pixels) {
        const rounded = found.map(even);
        if (rounded[2] > rounded[0] && rounded[3] > rounded[1]) found = rounded;
      }
      if (!(found[2] > found[0] && found[3] > found[1])) continue;
      detections.push({ label: facts.names[told.labels.data[place]], score: told.scores.data[place], box: found });
    }
    const numbers = told.grid.dims[3], classes = facts.names.length, confidence = [];
    for (let cell = 0; cell < facts.rows * facts.cols; cell++) {
      let most = 0; // of the cell's boxes
      for (let at = classes + 4; at < numbers; at += 5) most = Math.max(most, told.grid.data[cell * numbers + at]);
      confidence.push(Math.min(most, 1));
    }
    const extent = [-box.x / box.scaleX, -box.y / box.scaleY, (facts.width - box.x) / box.scaleX, (facts.height - box.y) / box.scaleY];
    const full = told.count.data[0] === told.scores.dims[1]; // as many as the model gives
    const notes = full ? [`the image: ${told.count.data[0]} boxes found, which is the most; there may be more`] : [];
    return { width, height, grid: { rows: facts.rows, cols: facts.cols, extent, confidence }, detections, notes };
  }

  return { facts: async () => facts, detect, silent: "The model does not run in this browser" };
})();
