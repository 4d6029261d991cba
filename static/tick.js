// Rows that are ticked: all of them at once, how many, what the confirmation asks, and that a live update forgets none.
(() => {
  "use strict";

  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const boxes = (form) => $$(`input[type=checkbox][form="${form.id}"]`);
  const ticked = new WeakMap(); // form: the values that are ticked

  // words is what is ticked: "echo", "hello 1.0.0", "3 plugins".
  function words(form, on) {
    if (on.length === 1) return on[0].value.replace("@", " ");
    return `${on.length} ${form.dataset.many}`;
  }

  function show(form) {
    const all = boxes(form), on = all.filter((b) => b.checked);
    ticked.set(form, new Set(on.map((b) => b.value)));
    const count = `${on.length} ${on.length === 1 ? form.dataset.one : form.dataset.many}`;
    const place = form.querySelector("[data-ticked]");
    if (place.textContent !== count) place.textContent = count;
    for (const b of $$("[data-ask]", form)) b.dataset.confirm = b.dataset.ask.replace("%", words(form, on));
    for (const b of $$(`[data-tick-all="${form.id}"]`)) {
      b.checked = on.length > 0 && on.length === all.length;
      b.indeterminate = on.length > 0 && on.length < all.length;
    }
  }

  document.addEventListener("change", (e) => {
    const at = e.target;
    const every = at.dataset?.tickAll && document.getElementById(at.dataset.tickAll);
    if (every) for (const b of boxes(every)) b.checked = at.checked;
    const form = every || at.closest?.("input[type=checkbox][form]")?.form;
    if (form?.dataset.many) show(form);
  });
  document.addEventListener("reset", (e) => { if (e.target.dataset.many) setTimeout(() => show(e.target)); });

  // A swap may have drawn the rows anew, without what was ticked.
  function again() {
    for (const form of $$("form[data-many]")) {
      for (const b of boxes(form)) b.checked = ticked.get(form)?.has(b.value) ?? b.checked;
      show(form);
    }
  }
  document.addEventListener("htmx:after:swap", again);
  window.addEventListener("pageshow", again); // a browser that goes back keeps what was ticked
})();
