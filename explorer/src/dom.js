// Elements made and found. Texts become text, never HTML.
export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function fill(parent, ...children) {
  parent.replaceChildren(...children);
  return parent;
}

// Runs a change that replaces elements, and gives the focus back to the one of the same key.
export function keepingFocus(change) {
  const focused = document.activeElement;
  const key = focused?.dataset?.key;
  const selection = key && "selectionStart" in focused ? focused.selectionStart : null;
  change();
  if (!key || document.activeElement === focused) return;
  const again = document.querySelector(`[data-key=${CSS.escape(key)}]`);
  again?.focus({ preventScroll: true });
  if (selection !== null && again?.type === "text") again.setSelectionRange(selection, selection);
}

export function later(milliseconds, action) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}
