// Imported before the charts, which ask for the browser's way to write numbers as they load. Some browsers name a language that they do not
// know themselves, such as en-US@posix where the system has none; then the page would end before its first chart.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US" });
}
