"use strict";

const SEEDS = 1e6;  // those that are drawn: they can be read on a phone, and said aloud; any other can be typed
const AROUND = 8;  // neighbours beside the image in the middle
const drawSeed = () => Math.floor(Math.random() * SEEDS);

let model = null;

// Showing: one picture holds all images of an answer

async function tiles(answer, count) {
  const sheet = await createImageBitmap(await answer.blob());
  const columns = Number(answer.headers.get("X-Columns"));
  const size = sheet.width / columns;
  return Array.from({length: count}, (_, number) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    canvas.getContext("2d").drawImage(
      sheet, (number % columns) * size, Math.floor(number / columns) * size, size, size, 0, 0, size, size,
    );
    return canvas;
  });
}

function tile(canvas, label, clicked) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tile";
  button.setAttribute("aria-label", label);
  button.append(canvas);
  if (clicked) button.addEventListener("click", clicked);
  else button.disabled = true;
  return button;
}

// Images of a seed

const settings = () => ({
  truncation: Number($("truncation").value),
  classes: Object.fromEntries([...$("classes").querySelectorAll("select")]
    .filter((menu) => menu.value).map((menu) => [menu.name, menu.value])),
});

const generate = latest("images", async (signal) => {
  if (!$("seed").reportValidity()) return;
  const seed = Number($("seed").value), count = Number($("count").value), set = settings();
  $("truncation-said").textContent = set.truncation;
  showScripts("scripts", [
    ["These images, as a ZIP:", curl("v1/images", {seed, count, format: "zip", ...chosen(set)}, `${fileName(seed)}.zip`)],
    model.generate_from && ["The same, without this server:", generateCommand(seed, count, set)],
  ]);
  history.replaceState(null, "", "#" + new URLSearchParams({seed, count, ...set, classes: JSON.stringify(set.classes)}));
  const made = await tiles(await draw("v1/images", {seed, count, format: "grid", ...set}, signal), count);
  layOut(innerWidth < 640 ? Math.min(4, Math.sqrt(count)) : Math.sqrt(count), count);
  $("images").replaceChildren(...made.map((canvas, number) =>
    tile(canvas, `image ${number} of seed ${seed}: walk around`, () => startWalk(seed, number))));
});

// As large as the window lets all of them be seen, where that is not too small.
function layOut(columns, count) {
  const rows = Math.ceil(count / columns), left = innerHeight - $("images").getBoundingClientRect().top - scrollY - 16;
  const side = Math.max(left / rows, 64);
  $("images").style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
  $("images").style.maxWidth = innerWidth < 640 ? "" : `${Math.floor(side * columns)}px`;
}

function newSeed(seed) {
  $("seed").value = seed;
  generate();
}

// Files are named after what they show
function fileName(seed) {
  const name = model.name.replace(/\.pt$/, "").replaceAll(/[^\p{L}\p{N}._-]+/gu, "_");
  return `${name}_seed_${seed}`;
}

function walkName() {
  const steps = place.path.map((step) => `_${step.seed}.${step.number}`).join("").slice(0, 80);
  return `${fileName(place.seed)}_image_${place.number}${steps && `_walk${steps}`}.png`;
}

// A walk from one of them

let place = null;  // {seed, number, path}: where the middle of the dialog is

function startWalk(seed, number) {
  place = {seed, number, path: []};
  $("walk").showModal();
  lookAround(drawSeed());
}

const lookAround = latest("around", async (signal, ways) => {
  place.ways = ways;
  const distance = Number($("distance").value), {seed, number, path} = place, set = settings();
  $("distance-said").textContent = Math.round(distance * 100) + " %";
  $("walk-name").textContent = `Image ${number} of seed ${seed}` + (path.length ? `, ${path.length} step${path.length > 1 ? "s" : ""} away` : "");
  $("back").disabled = !path.length;
  const only = {seed, number, ...(path.length ? {path} : {}), distance: 0, ...chosen(set)};
  showScripts("walk-scripts", [
    ["The image in the middle:", curl("v1/walk", only, walkName())],
    model.generate_from && !path.length &&
      [`Without this server; it is the last of ${number + 1}:`, generateCommand(seed, number + 1, set)],
  ]);
  const asked = {seed, number, path, direction_seed: ways, format: "grid", ...set};
  const [here, around] = await Promise.all([
    draw("v1/walk", {...asked, distance: 0, count: 1}, signal).then((answer) => tiles(answer, 1)),
    draw("v1/walk", {...asked, distance, count: AROUND}, signal).then((answer) => tiles(answer, AROUND)),
  ]);
  const made = around.map((canvas, way) => tile(canvas, `neighbour ${way}: go there`, () => {
    place.path = [...path, {seed: ways, number: way, distance}];
    lookAround(drawSeed());
  }));
  made.splice(AROUND / 2, 0, tile(here[0], "the image itself"));
  $("around").replaceChildren(...made);
});

// A picture in another domain

const translate = latest("translated", async (signal, file) => {
  const direction = $("direction").value;
  const answer = await ask(`v1/translate?${new URLSearchParams({direction})}`,
    {method: "POST", headers: {"Content-Type": file.type || "application/octet-stream"}, body: file, signal});
  const made = await answer.blob();
  show("source", file);
  show("result", made);
  $("result-said").textContent = direction;
  $("result-file").href = $("result").src;
  $("result-file").download = `${direction}.png`;
  $("translated").hidden = false;
});

function show(id, blob) {
  URL.revokeObjectURL($(id).src);
  $(id).src = URL.createObjectURL(blob);
}

// The beginning

function menu(name, classes) {
  const label = document.createElement("label"), select = document.createElement("select");
  select.name = name;
  select.append(new Option("any", ""), ...classes.map((one) => new Option(one)));
  label.append(name, select);
  select.addEventListener("change", () => generate());
  return label;
}

// An address may be typed, or cut when it was sent: what is wrong in it is taken as not given.
function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  $("seed").value = given.get("seed");
  if (!$("seed").checkValidity()) $("seed").value = drawSeed();
  if (given.has("count")) choose($("count"), given.get("count"), "16");
  const truncation = Number(given.get("truncation") || NaN);  // a slider takes what is no number as its middle
  if (given.has("truncation")) $("truncation").value = Number.isFinite(truncation) ? truncation : 1;
  const classes = classesOf(given.get("classes"));
  for (const select of $("classes").querySelectorAll("select")) choose(select, classes[select.name], "");
}

function choose(select, value, otherwise) {
  select.value = value ?? otherwise;
  if (select.selectedIndex < 0) select.value = otherwise;
}

function classesOf(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function listen() {
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("surprise").addEventListener("click", () => newSeed(drawSeed()));
  $("before").addEventListener("click", () => newSeed(Math.max(0, Number($("seed").value) - 1)));
  $("after").addEventListener("click", () => newSeed(Number($("seed").value) + 1));
  for (const id of ["seed", "count"]) $(id).addEventListener("change", () => generate());
  $("truncation").addEventListener("input", () => generate());
  addEventListener("hashchange", () => { fromAddress(); generate(); });
  $("zip").addEventListener("click", latest("zip", async (signal) => {
    const seed = Number($("seed").value);
    const answer = await draw("v1/images", {seed, count: Number($("count").value), format: "zip", ...settings()}, signal);
    download(await answer.blob(), `${fileName(seed)}.zip`);
  }));
  $("close").addEventListener("click", () => $("walk").close());
  $("distance").addEventListener("input", () => lookAround(place.ways));
  $("other").addEventListener("click", () => lookAround(drawSeed()));
  $("back").addEventListener("click", () => {
    const last = place.path.at(-1);
    place.path = place.path.slice(0, -1);
    lookAround(last.seed);
  });
  $("png").addEventListener("click", latest("png", async (signal) => {
    const {seed, number, path} = place, name = walkName();
    const answer = await draw("v1/walk", {seed, number, path, distance: 0, ...settings()}, signal);
    download(await answer.blob(), name);
  }));
}

function listenForPictures() {
  let file = null;
  const take = (given) => { file = given || file; if (file) translate(file); };
  $("picture").addEventListener("change", () => take($("picture").files[0]));
  $("direction").addEventListener("change", () => take());
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    $("drop").addEventListener(kind, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") take(event.dataTransfer.files[0]);
    });
  }
}

async function begin() {
  model = await (await ask("v1/model")).json();
  document.title = $("name").textContent = model.name;
  const fid = model.fid === null ? "" : `, FID ${model.fid.toFixed(1)}`;
  $("facts").textContent = `${model.image_size} × ${model.image_size} pixels, epoch ${model.epoch}${fid}`;
  $("facts").title = model.fid_protocol || "";
  if (model.directions.length) {
    $("direction").append(...model.directions.map((name) => new Option(name)));
    listenForPictures();
    $("translation").hidden = false;
    return;
  }
  $("classes").append(...Object.entries(model.classes).map(([name, classes]) => menu(name, classes)));
  fromAddress();
  listen();
  $("controls").hidden = false;
  await generate();
}

begin().catch((error) => say(error.message, true));
