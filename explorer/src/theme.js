// Light, dark, or as the system has it. The key is that of the documentation site.
import { byId } from "./dom.js";

const THEMES = ["auto", "light", "dark"];

function stored() {
  try {
    const theme = localStorage.getItem("theme");
    return THEMES.includes(theme) ? theme : "auto";
  } catch {
    return "auto"; // a page that is a file may have no storage
  }
}

export function startTheme(onChange) {
  const button = byId("theme");
  let theme = stored();
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    onChange();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // It holds until the page is closed.
    }
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  apply();
}
