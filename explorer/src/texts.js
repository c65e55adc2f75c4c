// Numbers and names as text.
const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 });

// A value, as short as it is read: 0.1, 0.00123, 3.2e-5.
export function shortValue(value, digits = 5) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e7) {
    return value
      .toExponential(digits - 1)
      .replace(/\.?0+e/, "e")
      .replace("e+", "e");
  }
  return String(Number(value.toPrecision(digits)));
}

export function place(value) {
  return Math.abs(value) < 1e12 ? GROUPED.format(value) : shortValue(value);
}

// Counts on an axis: 10,000, then 2M.
export function tick(value) {
  for (const [size, letter] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
  ]) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(6))}${letter}`;
  }
  return GROUPED.format(value);
}

// The number of a slider as it is written in a recipe: an integer, or three digits.
export function written(number, whole) {
  if (whole) return String(Math.round(number));
  const short = Number(number.toPrecision(3));
  return Number.isInteger(short) ? `${short}.0`.replace(/^(.*e.*)\.0$/, "$1") : String(short);
}

// What a curve is called: its name, or the first schedule that its recipe calls.
export function nameOf({ name, recipe }) {
  return name || (recipe.match(/[a-z_]\w*(?=\s*\()/)?.[0] ?? "recipe");
}
