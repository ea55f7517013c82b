// Imported first of all. Browsers on systems without a locale may call their language en-US@posix, which Intl refuses, and the chart library
// asks Intl for it as it loads.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en" });
}
