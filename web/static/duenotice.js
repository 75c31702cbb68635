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

// The zone in which times are shown and asked for, where the account names none; districts' pages use their own.
if (!location.pathname.startsWith("/n/")) {
  const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone);
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=strict`;
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

// The server says the same, but only after all of it was sent. A file of agreements may be as large as a request.
for (const input of document.querySelectorAll("input[type=file]:not([data-any-size])")) {
  const said = document.createElement("p");
  Object.assign(said, { className: "problem", id: `${input.id}-too-large`, role: "alert" });
  input.addEventListener("change", () => {
    const large = [...input.files].find((file) => file.size > Number(document.body.dataset.largest));
    said.textContent = large ? `${large.name} is larger than ${document.body.dataset.largest / 2 ** 20} MiB. Choose a smaller file, or send it in parts.` : "";
    if (!large) return;
    input.value = "";
    input.before(said);
  });
}

// What a click would open is printed open, also by browsers whose style sheets cannot say so.
const opened = [];
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("main details:not([open])")) {
    if (details.closest(".act, .act-forms, .acts-panel")) continue;
    details.open = true;
    opened.push(details);
  }
});
addEventListener("afterprint", () => {
  for (const details of opened.splice(0)) details.open = false;
});

// A table that is wider than its place is scrolled by keys as well, also where nothing in it takes the focus.
for (const wide of document.querySelectorAll(".wide")) {
  if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
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
  const titles = JSON.parse(sending.dataset.titles);
  const [lines, over] = [sending.querySelector("[data-lines]"), sending.querySelector("[data-over]")];
  const pattern = lines.firstElementChild.cloneNode(true);
  const grouped = (number) => number.toLocaleString("en-US");
  const lineOf = (each) => {
    const key = `${each.clause} ${each.kind}`;
    let line = [...lines.children].find((known) => known.dataset.sent === key);
    if (!line) {  // a clause of which nothing was being sent before
      line = pattern.cloneNode(true);
      line.dataset.sent = key;
      line.querySelector("[data-name]").textContent = `${titles[each.clause] ?? each.clause}: ${each.kind}s`;
      lines.append(line);
    }
    return line;
  };
  const show = (found) => {
    const shown = new Set();
    for (const each of found) {
      const [line, given] = [lineOf(each), `${grouped(each.given)} of ${grouped(each.total)}`];
      Object.assign(line.querySelector("progress"), { max: each.total, value: each.given });
      line.querySelector("[data-given]").textContent = given;
      shown.add(line);
    }
    for (const line of lines.children) line.hidden = !shown.has(line);
    over.hidden = found.length > 0;
  };
  let quiet = 0;  // looks in a row that found nothing under way: between two batches, or because all have left
  const look = async () => {
    const found = await fetch(sending.dataset.progress).then((answer) => (answer.ok ? answer.json() : null), () => null);
    if (found) show(found);
    quiet = found?.length ? 0 : quiet + 1;
    if (quiet < 30) setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}
