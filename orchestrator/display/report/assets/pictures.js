"use strict";
/* The image wall, the winner's grid and the view of one trial. */
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const trials = read("trials"), pictures = read("pictures");
  const urls = new Map();

  /* Base64 as a URL of bytes that are decoded once, however often they are shown. */
  function url(name, text) {
    if (!urls.has(name)) {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      urls.set(name, URL.createObjectURL(new Blob([bytes], { type: "image/webp" })));
    }
    return urls.get(name);
  }

  const share = (place, count) => (count > 1 ? `${(100 * place) / (count - 1)}%` : "0%");

  function paint(element, source, across, down, place, tiles) {
    element.style.backgroundImage = `url(${source})`;
    element.style.backgroundSize = `${across * 100}% ${down * 100}%`;
    element.style.backgroundPosition = `${share(place % across, across)} ${share(Math.floor(place / across), down)}`;
    element.style.aspectRatio = `${tiles[0]} / ${tiles[1]}`;
    element.style.setProperty("--columns", tiles[0]);
    element.style.setProperty("--rows", tiles[1]);
  }

  /* The crop of a trial at one of its epochs. */
  function showCrop(element, key, place) {
    const own = pictures[key];
    paint(element, url(key, own.wall), own.across, own.down, place, own.tiles);
  }

  /* The whole grid where the page has it, else the crop; returns whether it is whole. */
  function showGrid(element, key, place) {
    const own = pictures[key], epoch = own.epochs[place], whole = own.grids[epoch];
    if (whole === undefined) {
      showCrop(element, key, place);
      return false;
    }
    paint(element, url(`${key}/${epoch}`, whole), 1, 1, 0, own.grid);
    return true;
  }

  /* Place of the newest epoch that is not after `epoch`; -1 where there is none. */
  const placeAt = (key, epoch) => pictures[key].epochs.findLastIndex((one) => one <= epoch);

  for (const slider of document.querySelectorAll("input.epochs")) {
    const epochs = JSON.parse(slider.dataset.epochs);
    const section = slider.closest("section"), shown = section.querySelector(".sticky output");
    const cards = [...section.querySelectorAll(".card")];
    const draw = () => {
      const epoch = epochs[slider.valueAsNumber];
      shown.textContent = epoch;
      for (const card of cards) {
        const key = card.dataset.key, place = Math.max(0, placeAt(key, epoch)), own = pictures[key].epochs;
        showCrop(card.querySelector(".pic"), key, place);
        card.querySelector(".shown").textContent = `epoch ${own[place]}`;
        card.classList.toggle("past", own[place] !== epoch);
      }
    };
    slider.addEventListener("input", draw);
    draw();
  }

  for (const figure of document.querySelectorAll("figure.grid")) {
    const key = figure.dataset.key, own = pictures[key], trial = trials[key];
    if (own === undefined) {
      figure.querySelector("figcaption").textContent = "This page has no pictures of it.";
      figure.querySelector(".pic").hidden = true;
      continue;
    }
    const best = trial.best_epoch === null ? own.epochs.length - 1 : Math.max(0, placeAt(key, trial.best_epoch));
    const whole = showGrid(figure.querySelector(".pic"), key, best);
    figure.querySelector("figcaption").textContent =
      `Samples of trial ${trial.label} at epoch ${own.epochs[best]}${whole ? "" : ", a part of them"}. Click for its other epochs.`;
  }

  const viewer = document.getElementById("viewer"), part = (name) => viewer.querySelector(name);
  const order = Object.keys(trials).filter((key) => key in pictures);
  const slider = part("input");
  let current = null;

  function drawViewer() {
    const own = pictures[current], trial = trials[current], place = slider.valueAsNumber, epoch = own.epochs[place];
    const whole = showGrid(part(".pic"), current, place);
    const fid = trial.fids[epoch] === undefined ? "" : ` · ${trial.measure} ${trial.fids[epoch]}`;
    part("output").textContent = `epoch ${epoch}${fid}${whole ? "" : " · crop"}`;
  }

  function open(key) {
    const trial = trials[key];
    current = key in pictures ? key : null;
    part(".label").textContent = `Trial ${trial.label}`;
    part(".verdict").textContent = `${trial.measure} ${trial.fid}${trial.objective ? ` measured again, ${trial.objective} in training` : ""} · ${trial.verdict}`;
    part(".detail").textContent = trial.detail;
    part(".serve").hidden = trial.serve === "";
    part(".serve code").textContent = trial.serve;
    part(".facts").replaceChildren(
      ...trial.params.flatMap(([name, value]) => {
        const term = document.createElement("dt"), text = document.createElement("dd");
        term.textContent = name;
        text.textContent = value;
        return [term, text];
      })
    );
    part(".picture").hidden = part(".controls").hidden = current === null;
    if (current !== null) {
      const own = pictures[key];
      slider.max = own.epochs.length - 1;
      slider.value = trial.best_epoch === null ? own.epochs.length - 1 : Math.max(0, placeAt(key, trial.best_epoch));
      drawViewer();
    }
    if (!viewer.open) viewer.showModal();
    slider.focus();
  }

  function step(epochs, others) {
    if (current === null) return;
    if (epochs) {
      slider.value = slider.valueAsNumber + epochs;
      drawViewer();
    }
    const next = order[order.indexOf(current) + others];
    if (others && next !== undefined) open(next);
  }

  slider.addEventListener("input", drawViewer);
  part(".before").addEventListener("click", () => step(-1, 0));
  part(".after").addEventListener("click", () => step(1, 0));
  part(".close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  viewer.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    step(...move);
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener !== null) open(opener.dataset.open);
  });
  window.openTrial = open;
})();
