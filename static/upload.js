// The form that takes a file: dropping onto it, its name and size, and a file over the limit is not even sent. While it
// is sent the form says how far it is, and can be stopped; what is wrong is said in place, and the file stays chosen.
(() => {
  "use strict";

  const size = (n) => (n < 1 << 20 ? `${Math.ceil(n / 1024)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`);
  const part = (form, name) => form.querySelector(`[data-upload-${name}]`);

  function chosen(form) {
    const input = form.querySelector("input[type=file]"), file = input.files[0];
    const tooLarge = file && file.size > Number(form.dataset.upload);
    if (file) part(form, "name").textContent = `${file.name}, ${size(file.size)}`;
    say(form, tooLarge ? `The file has ${size(file.size)}; at most ${size(Number(form.dataset.upload))} are taken.` : "");
    input.setCustomValidity(tooLarge ? "The file is too large." : "");
  }

  function say(form, sentence) {
    const error = part(form, "error");
    error.hidden = !sentence;
    error.querySelector("span").textContent = sentence;
  }

  // shown switches between the form's buttons and what is said while the file is on its way.
  function shown(form, sending) {
    part(form, "progress").hidden = !sending;
    part(form, "actions").hidden = sending;
    form.querySelector("input[type=file]").disabled = sending;
  }

  const underWay = new WeakMap(); // form → its request

  function send(form) {
    const request = new XMLHttpRequest(), bar = form.querySelector("progress");
    const stage = part(form, "stage"), bytes = part(form, "bytes"), body = new FormData(form);
    const ended = (sentence) => {
      underWay.delete(form);
      shown(form, false);
      say(form, sentence);
    };
    request.upload.addEventListener("progress", (e) => {
      if (!e.lengthComputable) return;
      bar.value = e.loaded / e.total;
      bytes.textContent = `${size(e.loaded)} of ${size(e.total)}`;
    });
    request.upload.addEventListener("load", () => {
      bar.removeAttribute("value");
      stage.textContent = "Checking\u2026";
      bytes.textContent = "";
    });
    request.addEventListener("load", () => {
      const to = request.getResponseHeader("HX-Redirect");
      if (to) {
        location.assign(to);
        return;
      }
      ended("");
      const problem = form.parentElement.querySelector("[data-upload-problem]");
      problem.innerHTML = request.responseText; // a fragment of this server's, escaped there
      problem.focus();
    });
    request.addEventListener("error", () => ended("The connection broke before the file had arrived, and nothing of it was kept. Try again: it is still chosen."));
    request.addEventListener("abort", () => ended("Stopped. Nothing of the file was kept."));
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.setRequestHeader("HX-Request-Type", "partial");
    underWay.set(form, request);
    form.parentElement.querySelector("[data-upload-problem]").replaceChildren();
    say(form, "");
    bar.value = 0;
    stage.textContent = "Uploading\u2026";
    bytes.textContent = "";
    shown(form, true);
    request.send(body);
  }

  // A file that was chosen before this ran: on a slow line, or kept by the browser when one goes back.
  for (const form of document.querySelectorAll("form[data-upload]")) chosen(form);

  // The page as the browser kept it while another was shown.
  addEventListener("pageshow", (e) => {
    if (e.persisted) for (const form of document.querySelectorAll("form[data-upload]")) shown(form, false);
  });

  document.addEventListener("change", (e) => {
    const form = e.target.closest?.("form[data-upload]");
    if (form) chosen(form);
  });

  document.addEventListener("submit", (e) => {
    if (!e.target.matches("form[data-upload]")) return;
    e.preventDefault();
    if (!underWay.has(e.target)) send(e.target);
  });

  document.addEventListener("click", (e) => {
    const form = e.target.closest?.("[data-upload-stop]")?.closest("form");
    if (form) underWay.get(form)?.abort();
  });

  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (e) => {
      const place = e.target.closest?.(".drop");
      if (!place) return;
      e.preventDefault();
      const form = place.closest("form");
      place.classList.toggle("over", kind === "dragover" && !underWay.has(form));
      if (kind !== "drop" || !e.dataTransfer.files.length || underWay.has(form)) return;
      form.querySelector("input[type=file]").files = e.dataTransfer.files;
      chosen(form);
    });
  }
})();
