// Every page works without this file; it only saves looking and scrolling.
"use strict";

function distance(due, now) {
  const seconds = Math.trunc((due - now) / 1000);
  const minutes = Math.trunc(Math.abs(seconds) / 60);
  const hours = Math.trunc(minutes / 60);
  const days = Math.trunc(hours / 24);
  let span = "less than 1 min";
  if (days) span = `${days} d ${hours % 24} h`;
  else if (hours) span = `${hours} h ${minutes % 60} min`;
  else if (minutes) span = `${minutes} min`;
  return seconds >= 0 ? `${span} left` : `overdue by ${span}`;
}

function countDown() {
  const now = Date.now();
  for (const element of document.querySelectorAll("[data-due]")) {
    const due = Date.parse(element.dataset.due);
    element.textContent = distance(due, now);
    element.classList.toggle("late", due < now);
  }
}

function showKind(fieldset) {
  const chosen = fieldset.querySelector("input[type=radio]:checked")?.value;
  for (const part of fieldset.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== chosen;
}

countDown();
setInterval(countDown, 15000);

for (const time of document.querySelectorAll("time[datetime*=T]")) {
  time.title = `${new Date(time.dateTime).toLocaleString()} on this computer`;
}

for (const fieldset of document.querySelectorAll("[data-kinds]")) {
  showKind(fieldset);
  fieldset.addEventListener("change", () => showKind(fieldset));
}

const chosen = document.querySelector("[data-chosen]");
if (chosen) {
  const boxes = [...document.querySelectorAll("input[name=agreement]")];
  const count = () => boxes.filter((box) => box.checked).length;
  const elsewhere = Number(chosen.dataset.chosen) - boxes.filter((box) => box.defaultChecked).length;
  const say = () => { chosen.textContent = `${(elsewhere + count()).toLocaleString("en-US")} chosen`; };
  for (const box of boxes) box.addEventListener("change", say);
  say();
}

const sending = document.querySelector("[data-progress]");
if (sending) {
  const lines = [...sending.querySelectorAll("p")];
  const look = async () => {
    const answer = await fetch(sending.dataset.progress);
    const found = answer.ok ? await answer.json() : null;
    if (found?.length !== lines.length) {
      const link = document.createElement("a");
      link.href = location.pathname;
      link.textContent = "Look again";
      sending.append(found?.length ? "More is being sent. " : "All of these have left. ", link);
      return;
    }
    found.forEach((each, place) => {
      lines[place].querySelector("progress").value = each.given;
      const [given, total] = [each.given, each.total].map((number) => number.toLocaleString("en-US"));
      lines[place].querySelector("[data-given]").textContent = `${given} of ${total}`;
    });
    setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}
