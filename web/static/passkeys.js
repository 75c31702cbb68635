// Passkeys: only a script can ask the browser for one. Without it, the pages say so and offer the other ways.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// Only the newest browsers read the JSON of WebAuthn, level 3, by themselves.
function decoded(options) {
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const each of options.excludeCredentials ?? []) each.id = bytes(each.id);
  return options;
}

function encoded(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
}

async function ask(form) {
  const answer = await fetch(form.dataset.passkey, { method: "POST", body: new FormData(form) });
  const options = await answer.json();
  if (!answer.ok) throw new Error(`${options.message} ${options.next_step ?? ""}`);
  const given = { publicKey: decoded(options) };
  const credentials = navigator.credentials;
  return options.user ? credentials.create(given) : credentials.get(given);
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const said = document.querySelector("[data-passkey-says]");
  if (location.origin !== form.dataset.origin) {
    said.textContent = `Passkeys work at ${form.dataset.origin}, which is this site's own address.`;
    continue;
  }
  if (!window.PublicKeyCredential) {
    said.textContent = "This browser knows no passkeys.";
    continue;
  }
  said.textContent = "";
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      form.elements.credential.value = encoded(await ask(form));
      form.submit();
    } catch (error) {
      said.textContent = error.name === "Error"
        ? error.message
        : "The browser gave no passkey: it was not allowed, it took too long, or the device has one already.";
    }
  });
}
