// The editor of script plugins: line numbers, Tab, saving while one types, and what a look at the draft found.
(() => {
  "use strict";

  const form = document.querySelector("form[data-draft]");
  if (!form) return;
  const state = document.querySelector("[data-save-state]");
  const areas = [...form.querySelectorAll("[data-editor] textarea")];
  const say = (text) => { if (state.textContent !== text) state.textContent = text; };

  // --- Line numbers ------------------------------------------------------------------------------------------------

  function number(area) {
    const gutter = area.previousElementSibling;
    const lines = area.value.split("\n").length;
    if (Number(gutter.dataset.lines) !== lines) {
      gutter.dataset.lines = lines;
      gutter.textContent = Array.from({ length: lines }, (_, i) => i + 1).join("\n") + "\n";
    }
    gutter.scrollTop = area.scrollTop;
  }

  // go puts the cursor onto a line and shows it.
  function go(file, line) {
    const area = form.querySelector(`[data-editor="${CSS.escape(file)}"] textarea`);
    if (!area) return;
    const lines = area.value.split("\n");
    const at = lines.slice(0, line - 1).reduce((n, text) => n + text.length + 1, 0);
    area.focus();
    area.setSelectionRange(at, at + (lines[line - 1] ?? "").length);
    area.scrollTop = (area.scrollHeight / lines.length) * Math.max(0, line - 4);
    number(area);
  }

  // --- Keys: Tab indents, Enter keeps the indentation; after Esc the next Tab leaves --------------------------------

  // insert goes the browser's own way, so that undo knows it.
  function insert(area, text) {
    if (!document.execCommand("insertText", false, text)) {
      area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  let leaving = false;
  function key(e) {
    const area = e.target;
    if (e.key === "Escape") {
      leaving = true;
      return;
    }
    if (e.key === "Tab" && !e.shiftKey && !e.ctrlKey && !e.altKey && !e.metaKey && !leaving) {
      e.preventDefault();
      insert(area, "  ");
    } else if (e.key === "Enter" && !e.isComposing && !e.ctrlKey && !e.metaKey) {
      const line = area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionStart);
      const indent = /^[ \t]*/.exec(line)[0];
      if (indent) {
        e.preventDefault();
        insert(area, "\n" + indent);
      }
    }
    if (e.key !== "Shift") leaving = false;
  }

  // --- Saving ------------------------------------------------------------------------------------------------------

  let typed = 0, saved = 0, timer = 0, stuck = false;
  let queue = Promise.resolve(); // one request at a time: each needs the revision that the one before it made

  async function post(url) {
    const response = await fetch(url, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "HX-Request": "true", "HX-Request-Type": "partial" },
    });
    const revision = response.headers.get("Octopus-Revision");
    if (revision) form.elements.revision.value = revision;
    return response;
  }

  async function save() {
    if (saved === typed || stuck) return;
    const now = typed;
    say("Saving …");
    try {
      const response = await post(`${form.dataset.draft}/save`);
      if (response.ok) {
        saved = now;
        say(saved === typed ? "Saved" : "Not saved yet");
        return;
      }
      const why = (await response.text()).trim();
      stuck = response.status === 412 || response.status === 404; // trying again would not help
      say(response.redirected || !why || why.startsWith("<") ? "Not saved. Are you still signed in?" : `Not saved: ${why}`);
    } catch {
      say("Not saved: the server did not answer. Trying again.");
      later(5000);
    }
  }

  function later(ms) {
    clearTimeout(timer);
    timer = setTimeout(() => { queue = queue.then(save); }, ms);
  }

  form.addEventListener("input", (e) => {
    if (!areas.includes(e.target)) return;
    number(e.target);
    typed++;
    if (!stuck) say("Not saved yet");
    later(800);
  });
  addEventListener("beforeunload", (e) => { if (saved !== typed && !submitting) e.preventDefault(); });

  // --- Looks: validate, test and try answer in place ----------------------------------------------------------------

  let looking = false, submitting = false;
  async function look(button) {
    const now = typed;
    clearTimeout(timer);
    looking = true;
    button.setAttribute("aria-busy", "true");
    const outcome = document.getElementById("outcome");
    outcome.setAttribute("aria-busy", "true");
    try {
      const response = await post(button.formAction);
      const text = await response.text();
      if (!text.trimStart().startsWith('<div id="outcome"')) throw new Error("no outcome");
      outcome.outerHTML = text;
      if (response.headers.get("Octopus-Revision")) {
        saved = now;
        if (saved === typed) say("Saved");
      }
      document.getElementById("outcome").scrollIntoView({ block: "nearest" });
    } catch {
      outcome.textContent = "The server did not answer. Try again in a moment.";
    } finally {
      looking = false;
      button.removeAttribute("aria-busy");
      document.getElementById("outcome").removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (e) => {
    if (e.submitter?.hasAttribute("data-look")) {
      e.preventDefault();
      if (!looking) queue = queue.then(() => look(e.submitter));
      return;
    }
    if (submitting) return;
    // What is being saved is finished first: the form would carry the revision before it.
    e.preventDefault();
    clearTimeout(timer);
    submitting = true;
    e.submitter?.setAttribute("aria-busy", "true");
    // Not before this event has ended: a form that is being sent ignores being asked again.
    queue = queue.then(() => setTimeout(() => form.requestSubmit(e.submitter)));
  });
  addEventListener("pageshow", () => { submitting = false; });

  document.addEventListener("click", (e) => {
    const button = e.target.closest?.("[data-goto]");
    if (!button) return;
    const [, file, line] = /^(.*):(\d+)$/.exec(button.dataset.goto);
    go(file, Number(line));
  });

  for (const area of areas) {
    area.addEventListener("keydown", key);
    area.addEventListener("blur", () => { leaving = false; });
    area.addEventListener("scroll", () => { area.previousElementSibling.scrollTop = area.scrollTop; });
    number(area);
  }
})();
