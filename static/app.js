// Octopus in the browser: the few things that markup and htmx cannot do. No dependencies, no eval, no inline code.
(() => {
  "use strict";

  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const live = () => $("#live");

  // --- Time: relative words, ticking durations, absolute titles in the user's zone ------------------------------

  let skew = 0; // server's clock minus ours, in ms; each beat of the stream corrects it
  const now = () => Date.now() + skew;
  const zone = root.dataset.zone || "UTC";
  const absolute = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: zone });
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, timeZone: zone });

  function span(ms) {
    if (ms < 0) ms = 0;
    if (ms < 1000) return `${Math.round(ms)} ms`;
    const s = ms / 1000;
    if (s < 10) return `${s.toFixed(1)} s`;
    if (s < 60) return `${Math.floor(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  }

  function relative(ms) {
    const future = ms < 0;
    let s = Math.abs(ms) / 1000;
    // What is to come is rounded to its unit: a day is "in 1 d", not at once "in 23 h".
    if (future) s += s < 60 ? 0.5 : s < 3600 ? 30 : s < 86400 ? 1800 : 43200;
    let text;
    if (s < 5) return "just now";
    if (s < 60) text = `${Math.floor(s)} s`;
    else if (s < 3600) text = `${Math.floor(s / 60)} min`;
    else if (s < 86400) text = `${Math.floor(s / 3600)} h`;
    else text = `${Math.floor(s / 86400)} d`;
    return future ? `in ${text}` : `${text} ago`;
  }

  function setText(el, text) {
    if (el.textContent !== text) el.textContent = text;
  }

  function tick(all) {
    const t = now();
    for (const el of $$("time[data-rel]")) {
      const at = Date.parse(el.dateTime);
      if (!all && Math.abs(t - at) > 3600e3) continue;
      setText(el, relative(t - at));
      if (!el.dataset.titled) {
        el.title = `${absolute.format(at)} ${zone}`;
        el.dataset.titled = "1";
      }
    }
    // A running thing is counted in whole seconds: tenths that jump once a second are noise.
    for (const el of $$("time[data-since]")) {
      const ms = t - Date.parse(el.dateTime);
      setText(el, ms < 10000 ? `${Math.max(0, Math.floor(ms / 1000))} s` : span(ms));
    }
    badge();
  }

  function stamps(from) {
    for (const el of $$("time[data-clock]", from)) setText(el, clock.format(Date.parse(el.dateTime)));
  }

  // --- The stream's badge ---------------------------------------------------------------------------------------

  const stream = { state: "connecting", since: Date.now(), heard: Date.now() };
  const staleAfter = 8000;   // ms without a connection
  const silentAfter = 40000; // ms without a beat; the server sends one each 15 s

  function setState(state) {
    if (stream.state === state) return;
    if (state !== "live" && stream.state === "live") stream.since = stream.heard;
    stream.state = state;
    badge();
  }

  function badge() {
    const el = $("#live-badge");
    if (!el || !live()) return;
    const t = Date.now();
    let shown = stream.state;
    if (shown === "live" && t - stream.heard > silentAfter) shown = "stale";
    if (shown !== "live" && t - stream.since > staleAfter) shown = "stale";
    if (!navigator.onLine) shown = "stale";
    const words = {
      connecting: "Connecting",
      live: "Live",
      reconnecting: "Reconnecting",
      stale: `Stale since ${clock.format(stream.since + skew).slice(0, 8)}`,
    };
    if (el.dataset.state !== shown) el.dataset.state = shown;
    setText($("[data-word]", el), words[shown]);
  }

  const heard = () => { stream.heard = Date.now(); };

  document.addEventListener("htmx:sse:after:connection", (e) => {
    const status = e.detail.connection?.status;
    if (status && status !== 200) return;
    heard();
    setState("live");
  });
  document.addEventListener("htmx:sse:before:connection", (e) => {
    if (e.detail.connection?.attempt > 0) setState("reconnecting");
  });
  document.addEventListener("htmx:sse:error", (e) => {
    setState("reconnecting");
    if (e.detail.status === 401) location.reload(); // signed out meanwhile: the server sends to the sign-in page
  });
  document.addEventListener("htmx:sse:before:message", () => { heard(); setState("live"); });

  // The extension reconnects what was connected once. The very first attempt is ours to repeat.
  function retryFirst(el) {
    setState("reconnecting");
    setTimeout(() => {
      if (el.isConnected && !el._htmx?.sse) {
        htmx.ajax("GET", el.getAttribute("hx-sse:connect"), { source: el }).catch(() => {});
      }
    }, 2000);
  }
  document.addEventListener("htmx:error", (e) => {
    const source = e.detail.ctx?.sourceElement ?? e.target;
    if (source?.id === "live") retryFirst(source);
    else if (e.detail.error?.name !== "AbortError") toast("The server did not answer. Try again in a moment.", "bad");
  });
  document.addEventListener("htmx:response:error", (e) => {
    const source = e.detail.ctx?.sourceElement;
    if (source?.id === "live") retryFirst(source);
  });

  window.addEventListener("offline", () => { setState("reconnecting"); });
  window.addEventListener("online", () => { live()?._htmx?.sse?.delayCanceller?.(); });

  document.addEventListener("beat", (e) => {
    const t = Number(e.detail?.data);
    if (t) skew = Math.abs(t - Date.now()) < 1500 ? 0 : t - Date.now();
  });

  // --- Resync: the page refetches itself, keeping what is typed and what the log shows ---------------------------

  let resyncing = false, again = false;
  async function resync() {
    if (resyncing) { again = true; return; }
    resyncing = true;
    try {
      if ($("#content")) {
        await htmx.ajax("GET", location.pathname + location.search, { source: $("#content"), target: "#content", select: "#content", swap: "outerMorph" });
        $$(".log[data-src]").forEach((el) => follower(el).fill());
      }
    } catch { /* the next hint or the badge tells */ } finally {
      setTimeout(() => {
        resyncing = false;
        if (again) { again = false; resync(); }
      }, 1500);
    }
  }
  document.addEventListener("resync", resync);

  // --- Swap "upsert": rows by id; new ones go to the top, unless the place says otherwise ------------------------

  let internal;
  htmx.registerExtension("octopus", {
    init: (api) => { internal = api; },
    handle_swap: (style, target, fragment) => {
      if (style !== "upsert") return false;
      const put = [];
      for (const row of [...fragment.children]) {
        const old = row.id && document.getElementById(row.id);
        if (old) { // morphed, so that focus and hover stay
          const frag = document.createDocumentFragment();
          frag.append(row);
          internal.morph(old, frag, false);
          put.push(old);
          continue;
        }
        if (target.hasAttribute("data-closed")) continue;
        // Newest first, by the ULID in data-key, or by name; rows come in any order.
        const key = row.dataset.key ?? "", named = target.dataset.order === "name";
        const before = [...target.children].find((c) => (named ? (c.dataset.key ?? "") > key : (c.dataset.key ?? "") < key));
        row.classList.add("new");
        target.insertBefore(row, before ?? null);
        put.push(row);
      }
      const most = Number(target.dataset.max || 0);
      while (most && target.children.length > most) target.lastElementChild.remove();
      const empty = target.dataset.empty && document.querySelector(target.dataset.empty);
      if (empty && target.children.length) empty.hidden = true;
      const full = target.dataset.full && document.querySelector(target.dataset.full);
      if (full && target.children.length) full.hidden = false;
      return put.filter((row) => row.isConnected);
    },
  });

  // --- Log follower: opens at its tail, follows until scrolled up --------------------------------------------------

  const followers = new WeakMap();
  const mostLines = 5000;

  function follower(el) {
    if (followers.has(el)) return followers.get(el);
    const f = {
      seq: Number(el.dataset.seq || 0), following: true, filling: null,
      lines(chunk) {
        const frag = document.createDocumentFragment();
        for (const [at, text] of chunk.lines) {
          const li = document.createElement("li");
          if (chunk.stream === "host") li.className = "host";
          const t = document.createElement("time");
          t.textContent = clock.format(at);
          const s = document.createElement("span");
          s.textContent = text;
          li.append(t, s);
          frag.append(li);
        }
        return frag;
      },
      append(chunk) {
        if (chunk.seq <= f.seq) return;
        if (chunk.check) { f.fill(); return; }
        if (chunk.seq > f.seq + 1) { f.fill(); return; }
        f.seq = chunk.seq;
        el.querySelector(".wait")?.remove();
        el.append(f.lines(chunk));
        while (el.childElementCount > mostLines) el.firstElementChild.remove();
        f.stick();
      },
      async fill() {
        if (f.filling) return f.filling;
        f.filling = (async () => {
          for (;;) {
            const r = await fetch(`${el.dataset.src}?after=${f.seq}`, { headers: { Accept: "application/json" } });
            if (!r.ok) return;
            const page = await r.json();
            for (const chunk of page.chunks) {
              if (chunk.seq <= f.seq) continue;
              f.seq = chunk.seq - 1; // chunks of an old attempt may be gone: go on where the server does
              f.append(chunk);
            }
            if (!page.more) return;
          }
        })().catch(() => {}).finally(() => { f.filling = null; });
        return f.filling;
      },
      stick() {
        if (f.following) el.scrollTop = el.scrollHeight;
        const foot = el.parentElement.querySelector("[data-log-end]");
        if (foot) foot.hidden = f.following;
      },
    };
    el.addEventListener("scroll", () => {
      f.following = el.scrollHeight - el.scrollTop - el.clientHeight < 24;
      const foot = el.parentElement.querySelector("[data-log-end]");
      if (foot) foot.hidden = f.following;
    }, { passive: true });
    followers.set(el, f);
    f.stick();
    return f;
  }

  document.addEventListener("log", (e) => {
    let chunk;
    try { chunk = JSON.parse(e.detail.data); } catch { return; }
    const el = $(`.log[data-execution="${CSS.escape(chunk.execution)}"]`);
    if (el) follower(el).append(chunk);
  });

  // --- Toasts, copying, confirmation ---------------------------------------------------------------------------------

  function icon(name) {
    const sprite = root.dataset.icons;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "i");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${sprite}#${name}`);
    svg.append(use);
    return svg;
  }

  function toast(text, kind = "ok") {
    const place = $("#toasts");
    if (!place || [...place.children].some((t) => t.textContent === text)) return;
    const el = document.createElement("div");
    el.className = `toast s-${kind}`;
    const p = document.createElement("p");
    p.textContent = text;
    el.append(icon(kind === "ok" ? "circle-check" : "circle-alert"), p);
    place.append(el);
    fade(el, 6000);
  }

  // A message goes when its time is over, but never from under a pointer or the focus.
  function fade(el, after) {
    setTimeout(() => {
      if (el.matches(":hover, :focus-within")) fade(el, 2000);
      else el.remove();
    }, after);
  }

  async function copy(button) {
    const from = button.dataset.copyFrom && $(button.dataset.copyFrom);
    const text = from ? from.textContent : button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch { // plain HTTP on another host has no clipboard API
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "vh";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const use = $("use", button);
    if (use) {
      const before = use.getAttribute("href");
      use.setAttribute("href", before.replace(/#.*/, "#check"));
      setTimeout(() => use.setAttribute("href", before), 1500);
    }
    const say = $("#say");
    if (say) say.textContent = "Copied";
  }

  document.addEventListener("submit", (e) => {
    const form = e.target;
    const question = (e.submitter && e.submitter.dataset.confirm) || form.dataset.confirm;
    if (!question || form.dataset.confirmed) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    const dialog = $("#confirm");
    form.closest("[popover]")?.hidePopover();
    $("[data-question]", dialog).textContent = question;
    const yes = $("[data-yes]", dialog);
    yes.textContent = e.submitter?.dataset.yes || form.dataset.yes || e.submitter?.textContent.trim() || "Yes";
    const submitter = e.submitter;
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue !== "yes") return;
      form.dataset.confirmed = "1";
      form.requestSubmit(submitter ?? undefined);
      delete form.dataset.confirmed;
    };
    dialog.showModal();
  }, true);

  // A form is sent once: a second click while the answer is on its way does nothing.
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (form.method !== "post" || e.defaultPrevented) return;
    if (form.dataset.sent) { e.preventDefault(); return; }
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 4000);
  });
  window.addEventListener("pageshow", () => $$("form[data-sent]").forEach((f) => delete f.dataset.sent));

  // --- Clicks and keys -----------------------------------------------------------------------------------------------

  document.addEventListener("click", (e) => {
    const at = e.target.closest("[data-copy],[data-copy-from],[data-open],[data-close],[data-log-end],[data-tab],[data-theme-set],[data-fill]");
    for (const menu of $$("details.menu[open]")) if (!menu.contains(e.target)) menu.open = false;
    if (!at) return;
    if (at.dataset.copy !== undefined || at.dataset.copyFrom) copy(at);
    else if (at.dataset.open) { $(at.dataset.open)?.showModal(); $(`${at.dataset.open} [autofocus]`)?.focus(); }
    else if (at.dataset.close !== undefined) at.closest("dialog")?.close(at.value || "");
    else if (at.dataset.logEnd !== undefined) {
      const f = follower($(".log", at.closest(".card")));
      f.following = true;
      f.stick();
    } else if (at.dataset.tab) tab(at);
    else if (at.dataset.themeSet !== undefined) theme(at.dataset.themeSet);
    else if (at.dataset.fill !== undefined) {
      const input = $(at.dataset.into);
      if (input) { input.value = at.dataset.fill; input.dispatchEvent(new Event("input", { bubbles: true })); input.focus(); }
    }
  });

  function tab(button) {
    const group = button.closest("[data-tabs]");
    for (const b of $$("[data-tab]", group)) b.setAttribute("aria-selected", String(b === button));
    for (const p of $$("[data-panel]", group)) p.hidden = p.dataset.panel !== button.dataset.tab;
  }

  function theme(name) {
    if (name) root.dataset.theme = name;
    else delete root.dataset.theme;
    for (const b of $$("[data-theme-set]")) b.setAttribute("aria-pressed", String(b.dataset.themeSet === name));
    fetch("/profile/theme", { method: "POST", body: new URLSearchParams({ theme: name }) }).catch(() => {});
  }

  document.addEventListener("change", (e) => {
    if (e.target.closest("[data-autosubmit]")) e.target.form.requestSubmit();
  });

  // Free-form JSON is checked while typing; the server checks it again.
  document.addEventListener("input", (e) => {
    const el = e.target;
    if (!el.matches?.("textarea[data-json]")) return;
    let bad = "";
    if (el.value.trim()) try { JSON.parse(el.value); } catch (err) { bad = `This is not JSON: ${err.message}.`; }
    el.setCustomValidity(bad);
  });

  // A box that filters what is on the page already: every word must be in an entry's text. The server does it too.
  document.addEventListener("input", (e) => {
    if (!e.target.matches?.("input[data-filter]")) return;
    const words = e.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    const place = $(e.target.dataset.filter);
    for (const el of $$("[data-filter-text]", place)) el.hidden = !words.every((w) => el.dataset.filterText.includes(w));
    for (const g of $$("[data-filter-group]", place)) g.hidden = !$("[data-filter-text]:not([hidden])", g);
    $("[data-filter-empty]", place).hidden = Boolean($("[data-filter-text]:not([hidden])", place));
  });

  // An address that points into a closed part opens it.
  function reveal() {
    const at = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const part = at && at.closest("details.api-op");
    if (part && !part.open) { part.open = true; at.scrollIntoView(); }
  }
  window.addEventListener("hashchange", reveal);
  document.addEventListener("DOMContentLoaded", reveal);

  const goto = { h: "/", t: "/tasks", r: "/runs", a: "/agents", p: "/plugins", s: "/system" };
  let pressedG = 0;
  document.addEventListener("keydown", (e) => {
    const jump = $("#jump");
    if ((e.ctrlKey || e.metaKey) && e.key === "k" && jump) { e.preventDefault(); open(jump); return; }
    const typing = e.target.closest?.("input,textarea,select,[contenteditable]");
    const pick = e.target.closest?.("[data-picker]");
    if (e.target.closest?.(".menu-pop") && e.key.startsWith("Arrow")) return; // menu.js
    if (pick && (e.key === "ArrowDown" || e.key === "ArrowUp")) { move(pick, e); return; }
    if (pick && e.key === "Enter" && typing) { const first = $(".pick a", pick); if (first) { e.preventDefault(); first.click(); } return; }
    if (typing || e.ctrlKey || e.metaKey || e.altKey || $("dialog[open]")) return;
    if (e.key === "/" && jump) { e.preventDefault(); open(jump); }
    else if (e.key === "?" && $("#keys")) $("#keys").showModal();
    else if (e.key === "g") pressedG = Date.now();
    else if (Date.now() - pressedG < 1200 && goto[e.key]) { pressedG = 0; location.href = goto[e.key]; }
  });

  function open(dialog) {
    dialog.showModal();
    const input = $("input", dialog);
    if (input) { input.select(); input.dispatchEvent(new Event("input", { bubbles: true })); }
  }

  function move(picker, e) {
    const links = $$(".pick a", picker);
    if (!links.length) return;
    e.preventDefault();
    const at = links.indexOf(document.activeElement) + (e.key === "ArrowDown" ? 1 : -1);
    if (at < 0) $("input", picker)?.focus();
    else links[Math.min(at, links.length - 1)].focus();
  }

  // --- Start, and again after every swap ---------------------------------------------------------------------------

  function ready(from = document) {
    $$(".log[data-src]", from).forEach((el) => follower(el));
    stamps(from);
    for (const t of $$("#toasts .toast:not([data-timed])")) {
      t.dataset.timed = "1";
      fade(t, $("form", t) ? 20000 : 8000);
    }
    for (const el of $$("[data-count-of]")) setText(el, String($(el.dataset.countOf)?.children.length ?? 0));
    const titled = $("[data-title]");
    if (titled) document.title = titled.dataset.title;
    tick(true);
  }
  document.addEventListener("htmx:after:swap", (e) => {
    ready();
    // A form that was asked for gets the focus: what chose it has done its work.
    if (e.detail.ctx?.target?.id === "run-place") $("#run-place :is(input:not([type=hidden]),select,textarea)")?.focus();
  });
  document.addEventListener("DOMContentLoaded", () => ready());
  let beats = 0;
  setInterval(() => tick(++beats % 30 === 0), 1000);
})();
