"use strict";

// What to type in a shell for the images that are shown, with a button that copies it.

const quoted = (text) => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

function curl(path, body, file) {
  const bearer = token ? [`-H "Authorization: Bearer $TOKEN"`] : [];
  const json = "Content-Type: application/json";
  return ["curl", quoted(new URL(path, document.baseURI).href), ...bearer, "-H", quoted(json), "-d",
    quoted(JSON.stringify(body)), "-o", quoted(file)].join(" ");
}

// Settings without those that are as they are anyway.
const chosen = ({truncation, classes}) => ({
  ...(truncation === 1 ? {} : {truncation}), ...(Object.keys(classes).length ? {classes} : {}),
});

function generateCommand(seed, count, settings) {
  const {truncation, classes = {}} = chosen(settings);
  return ["gan-sweep generate", model.generate_from, "--seed", seed, "--count", count,
    ...(truncation === undefined ? [] : ["--truncation", truncation]),
    ...Object.entries(classes).flatMap(([name, one]) => ["--classes", quoted(`${name}=${one}`)]),
    "--out images"].join(" ");
}

// Commands, each with a line that says what it makes; null: there is none.
function showScripts(id, commands) {
  const boxes = commands.filter((one) => one).map(([said, command]) => {
    const box = document.createElement("div"), line = document.createElement("p");
    const button = document.createElement("button"), text = document.createElement("pre");
    box.className = "command";
    line.textContent = said;
    text.textContent = command;
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      button.textContent = await copied(text) ? "Copied" : "Press Ctrl-C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    box.append(line, button, text);
    return box;
  });
  $(id).replaceChildren($(id).firstElementChild, ...boxes);
  $(id).hidden = false;
}

// Browsers keep the clipboard from pages without TLS that come from another machine: there the old way, by selection.
async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}

// What opens below the edge of the window or of the dialog is brought into sight.
for (const details of document.querySelectorAll(".scripts")) {
  details.addEventListener("toggle", () => { if (details.open) details.scrollIntoView({block: "nearest"}); });
}
