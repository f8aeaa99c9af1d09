// What no page can do without a script: hand in the word of the link, and say that nobody answers.
// Everything else is htmx, by the attributes in the pages.
const KEY = "veracruz-key";

function tell(what) {
  const note = document.querySelector(".lost");
  note.hidden = !what;
  note.textContent = what ? note.dataset[what] : "";
}

async function enter() {
  const word = location.hash.slice(1);
  if (word && word !== "view") {
    history.replaceState(null, "", location.pathname);
    const answer = await fetch("/enter", { method: "POST", body: word });
    if (answer.ok) localStorage.setItem(KEY, await answer.text());
  }
  htmx.trigger(document.body, "entered");
}

document.body.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-Veracruz-Key"] = localStorage.getItem(KEY) ?? "";
});
document.body.addEventListener("htmx:sendError", () => tell("lost"));
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) tell("");
});
document.body.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 403) tell("out");
});
document.addEventListener("DOMContentLoaded", enter);
