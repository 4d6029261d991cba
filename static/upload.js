// The form that takes a file: dropping onto it, its name and size, and a file over the limit is not even sent.
(() => {
  "use strict";

  const size = (n) => (n < 1 << 20 ? `${Math.ceil(n / 1024)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`);

  function chosen(form) {
    const input = form.querySelector("input[type=file]"), file = input.files[0];
    const error = form.querySelector("[data-upload-error]");
    const tooLarge = file && file.size > Number(form.dataset.upload);
    if (file) form.querySelector("[data-upload-name]").textContent = `${file.name}, ${size(file.size)}`;
    error.hidden = !tooLarge;
    if (tooLarge) error.querySelector("span").textContent = `The file has ${size(file.size)}; at most ${size(Number(form.dataset.upload))} are taken.`;
    input.setCustomValidity(tooLarge ? "The file is too large." : "");
  }

  // A file that was chosen before this ran: on a slow line, or kept by the browser when one goes back.
  for (const form of document.querySelectorAll("form[data-upload]")) chosen(form);

  document.addEventListener("change", (e) => {
    const form = e.target.closest?.("form[data-upload]");
    if (form) chosen(form);
  });

  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (e) => {
      const place = e.target.closest?.(".drop");
      if (!place) return;
      e.preventDefault();
      place.classList.toggle("over", kind === "dragover");
      if (kind !== "drop" || !e.dataTransfer.files.length) return;
      const form = place.closest("form");
      form.querySelector("input[type=file]").files = e.dataTransfer.files;
      chosen(form);
    });
  }
})();
