// Before the first paint: the theme that was chosen, or that of the system.
"use strict";
{
  const chosen = localStorage.getItem("theme");
  const system = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  document.documentElement.dataset.theme = chosen === "light" || chosen === "dark" ? chosen : system;
}
