// The menu of a row: one a page for each kind of row, filled with the row's id and put beside its button.
(() => {
  "use strict";

  const $$ = (selector, from) => [...from.querySelectorAll(selector)];

  function fill(menu, id, is) {
    for (const el of $$("[data-to]", menu)) {
      const to = el.dataset.to.replace("ID", encodeURIComponent(id));
      el.setAttribute(el.tagName === "FORM" ? "action" : "href", to);
      el.hidden = Boolean(el.dataset.when) && el.dataset.when !== is;
    }
    for (const el of $$("[data-back]", menu)) el.value = location.pathname + location.search;
  }

  // place puts the menu below its button, or above it where there is no room.
  function place(menu, button) {
    const at = button.getBoundingClientRect(), w = menu.offsetWidth, h = menu.offsetHeight;
    const below = at.bottom + 4 + h <= innerHeight;
    menu.style.left = `${Math.max(8, Math.min(at.right - w, innerWidth - w - 8))}px`;
    menu.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - 4 - h)}px`;
  }

  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-menu]");
    const menu = button && document.getElementById(`menu-${button.dataset.menu}`);
    const id = button?.closest("[data-key]")?.dataset.key;
    if (!menu || !id) return;
    fill(menu, id, button.dataset.live !== undefined ? "live" : "ended");
    menu.showPopover();
    place(menu, button);
    entries(menu)[0]?.focus();
  });

  const entries = (menu) => $$("a,button", menu).filter((el) => el.checkVisibility());

  document.addEventListener("keydown", (e) => {
    const menu = e.target.closest?.(".menu-pop");
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!menu || !step) return;
    e.preventDefault();
    const all = entries(menu);
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length]?.focus();
  });

  // What scrolls away takes its menu along.
  addEventListener("scroll", () => { for (const menu of $$(".menu-pop:popover-open", document)) menu.hidePopover(); }, { passive: true });
})();
