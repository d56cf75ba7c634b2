"use strict";

// How the page asks the server, and says what it hears.

const $ = (id) => document.getElementById(id);

let token = sessionStorage.getItem("token");

async function ask(path, options = {}) {
  const headers = {...options.headers};
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, {...options, headers});
  if (answer.status === 401) {
    await askForToken();
    return ask(path, options);
  }
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer;
}

const draw = (path, body, signal) => ask(path, {
  method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body), signal,
});

function askForToken() {
  $("token").showModal();
  return new Promise((done) => {
    $("token").addEventListener("close", () => {
      token = $("token-text").value.trim();
      sessionStorage.setItem("token", token);
      done();
    }, {once: true});
  });
}

// The newest question alone is answered: a slider asks many. Meanwhile the element is marked as busy.
function latest(id, work) {
  let running = null;
  return async (...values) => {
    running?.abort();
    const mine = running = new AbortController();
    $(id).ariaBusy = "true";
    try {
      say("");
      await work(mine.signal, ...values);
    } catch (error) {
      if (error.name !== "AbortError") say(error.message, true);
    } finally {
      if (!mine.signal.aborted) $(id).ariaBusy = "false";
    }
  };
}

function say(text, wrong = false) {
  $("said").textContent = text;
  $("said").classList.toggle("wrong", wrong);
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
