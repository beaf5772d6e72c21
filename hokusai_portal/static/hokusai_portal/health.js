"use strict";
/* Watches a check or a walk that is under way, and copies the diagnostics. Without it the page reloads by itself. */
(() => {
  const page = document.querySelector(".health");
  const answered = page.querySelector("[data-answered]");
  const bar = page.querySelector("progress");
  const steps = page.querySelector("[data-steps]");
  const copy = page.querySelector("[data-copy]");

  const watch = async () => {
    try {
      const reply = await fetch(page.dataset.progress, { headers: { Accept: "application/json" } });
      const state = await reply.json();
      if (!state.running) {
        window.location.reload();
        return;
      }
      answered.textContent = state.answered;
      bar.value = state.answered;
      if (steps) {
        // Written by the portal's own template, which escapes what servers say.
        steps.innerHTML = state.steps;
      }
    } catch {
      // The portal may be restarting: ask again.
    }
    window.setTimeout(watch, 1000);
  };
  if ("running" in page.dataset) {
    window.setTimeout(watch, 700);
  }

  if (!copy) {
    return;
  }
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    const text = document.getElementById(copy.dataset.copy);
    text.select();
    try {
      await navigator.clipboard.writeText(text.value);
    } catch {
      // Without https there is no clipboard: the text is selected, and the keyboard copies it.
      page.querySelector("[data-copied]").textContent = "Selected. Copy it with the keyboard.";
      return;
    }
    page.querySelector("[data-copied]").textContent = "Copied.";
  });
})();
