"use strict";
// Light and dark, paper, copying; "themed" is told to whoever draws by himself.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const wanted = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("surgetank-theme"); } catch (_) { /* file:// may forbid it */ }
  const theme = () => chosen || (wanted.matches ? "dark" : "light");

  function applyTheme(name) {
    root.dataset.theme = name;
    button.textContent = name === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${name === "dark" ? "light" : "dark"} colours`);
    button.setAttribute("aria-pressed", String(name === "dark"));
  }
  applyTheme(theme());

  button.addEventListener("click", () => {
    chosen = theme() === "dark" ? "light" : "dark";
    try { localStorage.setItem("surgetank-theme", chosen); } catch (_) { /* see above */ }
    applyTheme(chosen);
    document.dispatchEvent(new Event("themed"));
  });
  wanted.addEventListener("change", () => { applyTheme(theme()); document.dispatchEvent(new Event("themed")); });

  // Paper is white and everything on it is open but what a page keeps folded.
  window.addEventListener("beforeprint", () => {
    applyTheme("light");
    document.querySelectorAll("details").forEach((d) => { d.dataset.was = d.open; d.open ||= !d.matches(".folded-on-paper"); });
  });
  window.addEventListener("afterprint", () => {
    applyTheme(theme());
    document.querySelectorAll("details").forEach((d) => { d.open = d.dataset.was === "true"; });
  });

  document.querySelectorAll("[data-copy]").forEach((b) => b.addEventListener("click", async () => {
    const element = document.getElementById(b.dataset.copy);
    try {
      await navigator.clipboard.writeText(element.textContent);
      b.textContent = "Copied";
    } catch (_) {
      getSelection().selectAllChildren(element);
      b.textContent = "Selected";
    }
    setTimeout(() => { b.textContent = "Copy"; }, 1600);
  }));
})();
